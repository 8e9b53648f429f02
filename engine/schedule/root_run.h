// root_run.h: one run as the root scheduler holds it: its leases, its gatherer, its bundles on their way, and
// its end. Private to root_scheduler; the state tables are in root_scheduler.h. Not thread-safe.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "engine/schedule/root_scheduler.h"

namespace fanfold::schedule {

class RootScheduler::Run {
 public:
  using Actions = std::vector<Action>;

  Run(RootScheduler& owner, RunSubmitted submitted, Instant now, Actions& actions);

  // ---- peers
  void worker_joined(Member& member, Actions& actions);
  void gatherer_joined(IncarnationId incarnation, const Hello& hello, Actions& actions);
  [[nodiscard]] bool is_gatherer(IncarnationId incarnation) const {
    return !gatherer_.empty() && gatherer_ == incarnation;
  }
  [[nodiscard]] bool wants_gatherer() const { return gatherer_.empty() && working(); }
  // `gone` is no member any more.
  void worker_lost(const Member& gone, const Cause& cause, const std::vector<Suspect>& suspects, Instant now,
                   Actions& actions);
  // It holds nothing and leaves.
  void worker_released(const Member& leaving, Actions& actions);
  // The present gatherer, before its Hello or after.
  void gatherer_lost(const Cause& cause, Instant now, Actions& actions);
  [[nodiscard]] uint32_t gatherer_life() const { return gatherer_life_; }
  void stranger_died(const Obituary& obituary, Instant now, Actions& actions);
  void no_more_workers(std::string sentence);

  // ---- words
  // True when the Ended was of a live lease, or of a live worker; false: a late word.
  bool ended(IncarnationId from, Ended&& ended, Instant now, Actions& actions);
  void worker_said(Member& member, Message&& message, Instant now, Actions& actions);
  void gatherer_said(Message&& message, RawBytes&& raw, Instant now, Actions& actions);
  void result_consumed(uint64_t batches, Actions& actions);
  void cancel(Cause cause, Instant now, Actions& actions);
  void count_late_word() { statistics_.late_words += 1; }
  void count_protocol_error() { statistics_.protocol_errors += 1; }

  // After every event: what the new state allows, the deadlines, the invariant.
  void settle(Instant now, Actions& actions);
  [[nodiscard]] std::optional<Instant> next_deadline() const;

  [[nodiscard]] Progress progress() const;
  [[nodiscard]] const RunStatistics& statistics() const { return statistics_; }
  // Whether there are shards to be granted.
  [[nodiscard]] bool granting() const { return working() && !leases_.pending().empty(); }
  [[nodiscard]] bool over() const { return state_ == State::kEnded; }
  [[nodiscard]] RunId id() const { return for_workers_.run; }
  [[nodiscard]] const LeaseTable& leases() const { return leases_; }

 private:
  enum class State : uint8_t { kMapping, kFinishing, kClosing, kEnded };
  struct Folding {
    std::vector<LeaseId> leases;
    uint64_t bytes = 0;
  };

  [[nodiscard]] bool working() const { return state_ == State::kMapping || state_ == State::kFinishing; }
  [[nodiscard]] bool all_folded() const { return leases_.folded().size() == leases_.shard_count(); }
  [[nodiscard]] bool needs_workers() const;
  [[nodiscard]] uint32_t slots() const;
  [[nodiscard]] GathererAddress address() const;

  void award(Lease& lease, IncarnationId from, Ended& ended, Instant now);
  void heard(Member& member, const FlushWanted& wanted, Instant now, Actions& actions);
  void heard(const Staged& staged, Instant now, Actions& actions);
  void heard(const Folded& folded, Actions& actions);
  void heard(const SmallFolded& small, Instant now, Actions& actions);
  void heard(const Finished& finished, Instant now, Actions& actions);
  // Whether a peer has given its account: its end is no loss.
  [[nodiscard]] bool said_goodbye(IncarnationId peer) const;
  void lost_process(const Hello& hello, const Cause& cause);
  void goodbye(IncarnationId from, const Hello& hello, const Goodbye& goodbye);

  // Puts a lost lease's shards back; fails the run when they were lost too often.
  void lose_lease(const Lease& lease, const std::string& how, const Cause& cause, Instant now, Actions& actions);
  void grant_leases(Actions& actions);
  void tell_verdicts(Actions& actions);
  void fold_small(Actions& actions);
  [[nodiscard]] bool holds_all(const Member& member) const;
  [[nodiscard]] bool rows_are_all(const Staged& staged) const;
  void flush_workers(Instant now, Actions& actions);
  void grant_bundles(Instant now, Actions& actions);
  [[nodiscard]] std::optional<Instant> flush_due(const Member& member) const;
  void start_gatherer(Instant now, Actions& actions);
  void check_deadlines(Instant now, Actions& actions);
  void fail(ExitCode code, std::string sentence, std::optional<Cause> cause, Instant now, Actions& actions);
  void fail_by_cause(const std::string& who, const Cause& cause, const std::vector<Suspect>& suspects,
                     std::optional<Interval> shards, Instant now, Actions& actions);
  void close(Message word, Instant now, Actions& actions);
  void end_if_closed(Instant now, Actions& actions);

  RootScheduler& owner_;
  Limits limits_;
  OpenRun for_workers_;
  OpenRun for_gatherer_;
  Plan plan_;
  LeaseTable leases_;
  LeaseSizing sizing_;
  State state_ = State::kMapping;
  bool small_run_ = false;  // partials travel inside Ended
  bool small_run_decided_ = false;
  RunStatistics statistics_;

  // The gatherer.
  uint32_t gatherer_life_ = 0;
  IncarnationId gatherer_;  // empty until its Hello
  Hello gatherer_hello_;
  bool gatherer_open_ = false;
  Instant gatherer_due_;          // open by then
  uint64_t bytes_in_flight_ = 0;  // granted, not yet folded
  std::map<BundleId, Folding> folding_;
  std::vector<SmallFold> small_waiting_;  // awarded, to be sent to the gatherer
  std::set<LeaseId> small_sent_;          // sent, not yet folded
  uint64_t batches_ = 0;                  // delivered of this gatherer
  uint64_t batches_consumed_ = 0;
  bool schema_told_ = false;

  // Within a step.
  std::map<IncarnationId, Verdicts> verdicts_;

  std::optional<Instant> workerless_since_;
  std::string no_more_workers_;
  RunEnded end_;
  std::set<IncarnationId> goodbyes_awaited_;
  Instant goodbye_due_;
};

}  // namespace fanfold::schedule
