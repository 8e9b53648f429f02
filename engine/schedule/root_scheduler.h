// root_scheduler.h: the root's decisions for a run: who maps which shards, which partials count, when
// bundles move, what a loss costs, when the run is over. Pure: step(event, now) -> actions, performed by
// the runtime in the order given; `now` never goes backwards. Not thread-safe.
//
// The run
//   state      event                               next       actions
//   idle       RunSubmitted                        mapping    StartGatherer, OpenRun and Grant to the workers
//   mapping    worker's Hello                      mapping    Welcome, OpenRun, Grant
//   mapping    Ended, done                         mapping    Verdicts (FoldSmall for a small partial), Grant
//   mapping    Ended, failed by the job            closing    RunEnded in the end, CancelRun to all
//   mapping    FlushWanted                         mapping    FlushGranted when the budget allows
//   mapping    Staged                              mapping    FoldBundle or RejectBundle
//   mapping    Folded, SmallFolded                 mapping    BundleDone
//   mapping    nothing pending or leased           mapping    Flush to each worker that holds awarded partials
//                                                             (to be finished there, where one holds every shard)
//   mapping    all folded, gatherer has opened     finishing  Finish
//   finishing  ResultBatch                         finishing  DeliverResult (ResultCredit on ResultConsumed)
//   finishing  Finished                            closing    CloseRun to all
//   mapping, finishing  worker lost                same       FencePeer, its shards go back to pending
//   mapping, finishing  gatherer lost (machine)    mapping    FencePeer, StartGatherer, folded shards back to pending
//   mapping, finishing  lost by the job's fault, too many losses, no workers, CancelRequested
//                                                  closing    CancelRun to all
//   closing    all Goodbyes, or their deadline     ended      RunEnded
// An event in another state is either late (counted, answered with StartAnew when its sender is fenced)
// or a protocol error (counted, its sender is fenced as if lost).
//
// A lease                                          Ended (its own incarnation)  -> awarded, or gone with its tail
// pending
//   leased -> awarded -> folding -> folded         Staged and accepted          -> folding (small: at once)
//      any but folded -> pending on a loss         Folded                       -> folded
// After every step, also in release builds: pending + leased + awarded + folding + folded is 0..N exactly.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <variant>
#include <vector>

#include "engine/instant.h"
#include "engine/plan/plan.h"
#include "engine/protocol/message.h"
#include "engine/schedule/lease_sizing.h"
#include "engine/schedule/lease_table.h"
#include "engine/schedule/membership.h"

namespace fanfold::schedule {

// ---- events -----------------------------------------------------------------------------------

struct RunSubmitted {
  OpenRun for_workers;
  OpenRun for_gatherer;
  Plan plan;
};
// What a session delivered. `from` is the session's incarnation.
struct PeerSaid {
  IncarnationId from;
  Message message;
  RawBytes raw = {};
};
// A session is silent or lost, or the process behind it is known to be dead.
struct PeerLost {
  IncarnationId incarnation;
  Cause cause;
  std::vector<Suspect> suspects = {};
};
// A node (all its incarnations, by Hello's name) is gone and starts no further incarnation.
struct NodeLost {
  std::string name;
  Cause cause;
};
// The gatherer process that StartGatherer{life} asked for has ended, or could not be started.
struct GathererDied {
  uint32_t life = 1;
  Cause cause;
};
// Nobody is left who could become a worker; `sentence` says why.
struct NoMoreWorkers {
  std::string sentence;
};
struct CancelRequested {
  Cause cause;
};
// So many slots of the workers of this name are the run's; without a word all that they have. It holds for
// incarnations to come, too. A worker without a share flushes what it holds.
struct ShareSet {
  std::string name;
  uint32_t slots = 0;
};
// The workers of this name hold nothing of the run (holds_nothing()) and leave: no loss.
struct WorkersReleased {
  std::string name;
};
// The client has taken that many result batches in all.
struct ResultConsumed {
  uint64_t batches = 0;
};
struct Tick {};

using Event = std::variant<RunSubmitted, PeerSaid, PeerLost, NodeLost, GathererDied, NoMoreWorkers, CancelRequested,
                           ShareSet, WorkersReleased, ResultConsumed, Tick>;

// ---- actions ----------------------------------------------------------------------------------

struct SendMessage {
  IncarnationId to;
  Message message;
};
// Its session answers StartAnew from now on (SessionHub::fence).
struct FencePeer {
  IncarnationId incarnation;
};
// Start a gatherer process; `life` counts from 1. The one before it, if any, is fenced and must be killed.
struct StartGatherer {
  uint32_t life = 1;
};
struct DeliverSchema {
  Bytes schema;
  uint32_t job_flags = 0;
};
// The batches of a result, in order. After StartGatherer they begin again at index 0: nothing is final
// before RunEnded.
struct DeliverResult {
  uint64_t index = 0;
  uint64_t rows = 0;
  RawBytes bytes;
};

struct ProcessStatistics {
  Role role = Role::kWorker;
  std::string name;
  uint64_t pid = 0;
  uint32_t slots = 0;
  uint64_t peak_rss_bytes = 0;
  SlotTimes slot_times;
  bool lost = false;  // ended without a Goodbye
};

struct RunStatistics {
  uint64_t shards = 0;
  uint64_t leases = 0;   // granted
  uint64_t bundles = 0;  // folded
  uint64_t small_partials = 0;
  uint64_t retries = 0;     // leases lost and put back
  uint64_t drops = 0;       // partials that did not count
  uint64_t late_words = 0;  // of fenced incarnations
  uint64_t protocol_errors = 0;
  uint64_t bundles_rejected = 0;
  uint64_t workers_lost = 0;
  uint64_t gatherers_lost = 0;
  uint64_t records = 0;  // as leases reported them; the ledger is the truth
  uint64_t bytes = 0;
  Duration merge = {};  // at the gatherer
  Duration finish = {};
  std::vector<ProcessStatistics> processes;
};

struct RunEnded {
  RunId run;
  ExitCode code = ExitCode::kDone;
  std::string sentence;            // empty when done
  std::optional<Cause> cause;      // of a failure
  std::vector<Suspect> suspects;   // what its slots were mapping
  std::optional<Interval> shards;  // the lease that failed or was lost too often
  uint64_t rows = 0;
  uint64_t batches = 0;
  Bytes ledger;
  uint64_t shards_folded = 0;  // coverage: of statistics.shards
  RunStatistics statistics;
};

using Action = std::variant<SendMessage, FencePeer, StartGatherer, DeliverSchema, DeliverResult, RunEnded>;

// ---- limits -----------------------------------------------------------------------------------

struct Limits {
  uint32_t losses_per_lease_max = 3;
  uint32_t gatherer_losses_max = 3;
  uint32_t leases_ahead_per_slot = 2;         // queued at a worker beside the one a slot maps
  Duration no_workers_max = seconds(30);      // a run without any worker fails after this
  Duration gatherer_start_max = seconds(30);  // from StartGatherer to RunOpened
  Duration goodbye_max = seconds(1);          // waited for at the end
  uint32_t slots_expected = 0;                // of workers that are starting; leases are cut for so many at least
  // A granted bundle that is not staged after flush_base_max + bytes at flush_bytes_per_second_min: its
  // worker cannot reach the gatherer and is given up.
  Duration flush_base_max = seconds(60);
  uint64_t flush_bytes_per_second_min = 4'000'000;
  uint64_t gatherer_bytes_in_flight_max = uint64_t{1} << 30;  // bundles granted and not yet folded
  bool flush_by_time = false;  // fleets; an embedded run flushes by memory and at the end
  Duration flush_time_min = seconds(2);
  uint32_t flush_cost_factor = 20;  // awarded work waits at least so many times what merging it cost
  uint64_t result_batches_ahead = 8;
  // A run expected to need no more leases than this answers with partials inside Ended.
  uint64_t small_leases_max = 16;
  LeaseSizingLimits lease_sizing;
};

struct Progress {
  bool running = false;
  bool finishing = false;
  uint64_t shards = 0;
  uint64_t shards_leased = 0;
  uint64_t shards_awarded = 0;  // and beyond: folding, folded
  uint64_t shards_folded = 0;
  uint64_t bytes = 0;          // of the input, as stored
  uint64_t bytes_awarded = 0;  // by the plan
  uint64_t records = 0;
  uint32_t workers = 0;
  uint32_t slots = 0;
  bool waiting = false;     // at a fleet's root: for workers, or for its turn
  uint32_t runs_ahead = 0;  // until its turn comes
  bool shipping = false;    // to a fleet's root: the files are being sent
  uint64_t bytes_shipped = 0;
};

class RootScheduler {
 public:
  // `build` is told to peers in Welcome.
  explicit RootScheduler(const Limits& limits, std::string build = {});
  virtual ~RootScheduler();
  RootScheduler(const RootScheduler&) = delete;
  RootScheduler& operator=(const RootScheduler&) = delete;

  // Applies one event.
  [[nodiscard]] std::vector<Action> step(Event event, Instant now);
  // When something falls due without an event; step it with Tick.
  [[nodiscard]] std::optional<Instant> next_deadline() const;

  [[nodiscard]] Progress progress() const;
  [[nodiscard]] const RunStatistics& statistics() const;
  [[nodiscard]] bool ended() const;
  // Whether there are shards that nobody has been given yet.
  [[nodiscard]] bool has_pending() const;
  // Leases that the workers of this name have not ended.
  [[nodiscard]] uint64_t leases_at(const std::string& name) const;
  // Whether the workers of this name have neither leases nor partials nor bundles: nothing is lost with them.
  [[nodiscard]] bool holds_nothing(const std::string& name) const;
  // What is wrong with the intervals, or nothing: every interval against every other. For tests; step()
  // itself compares sums.
  [[nodiscard]] std::optional<std::string> check_intervals() const;
  // Where the shards of the run stand; null without a run. For tests and pages.
  [[nodiscard]] const LeaseTable* leases() const;

 protected:
  // Seams at which tests plant faults, to show that the simulation finds them. Production never overrides.
  // The live lease that `ended` ends, or null.
  [[nodiscard]] virtual Lease* lease_of(LeaseTable& leases, const Ended& ended, IncarnationId from);
  virtual void put_back(LeaseTable& leases, Interval shards, uint32_t losses);
  [[nodiscard]] virtual bool manifest_counts(const LeaseTable& leases, const Staged& staged) const;
  virtual void invariant_broken(const std::string& what) const;

 private:
  class Run;
  using Actions = std::vector<Action>;

  void on(RunSubmitted submitted, Instant now, Actions& actions);
  void on(PeerSaid said, Instant now, Actions& actions);
  void on(PeerLost lost, Instant now, Actions& actions);
  void on(NodeLost lost, Instant now, Actions& actions);
  void on(GathererDied died, Instant now, Actions& actions);
  void on(NoMoreWorkers none, Instant now, Actions& actions);
  void on(CancelRequested cancel, Instant now, Actions& actions);
  void on(ShareSet share, Instant now, Actions& actions);
  void on(const WorkersReleased& released, Instant now, Actions& actions);
  void on(ResultConsumed consumed, Instant now, Actions& actions);
  void on(Tick, Instant, Actions&) {}

  void greet(IncarnationId from, Hello hello, Instant now, Actions& actions);
  void refuse(IncarnationId from, Refused refused, Actions& actions);
  void late_word(IncarnationId from, Actions& actions);
  void fence(IncarnationId incarnation, Actions& actions);
  void lose_worker(IncarnationId incarnation, const Cause& cause, const std::vector<Suspect>& suspects, Instant now,
                   Actions& actions);
  [[nodiscard]] bool is_gatherer(IncarnationId incarnation) const;

  Limits limits_;
  std::string build_;
  Membership members_;
  std::map<std::string, uint32_t> shares_;  // by name
  std::unique_ptr<Run> run_;
};

}  // namespace fanfold::schedule
