#include "engine/schedule/root_run.h"

#include <algorithm>
#include <utility>

#include "engine/assertion.h"
#include "engine/protocol/failure_sentence.h"
#include "engine/schedule/place_text.h"

namespace fanfold::schedule {
namespace {

std::string node_text(const Hello& hello) {
  return (hello.role == Role::kGatherer ? "gatherer" : "worker") +
         (hello.name.empty() ? std::string() : " \"" + hello.name + "\"") + " (pid " + std::to_string(hello.pid) + ")";
}

// What became of a process that was lost, with its peak of memory.
std::string end_text(const Cause& cause) {
  return describe(cause) + (cause.kind == CauseKind::kOutOfMemory ? std::string() : peak_text(cause));  // told already
}

// Whether a lease may end so with nothing done. Where it may not, it would be granted for ever.
bool ends_without_partial(Outcome outcome, Interval done) {
  switch (outcome) {
    case Outcome::kNeverStarted:
    case Outcome::kFailed:
      return true;
    case Outcome::kDrained:
      return done.empty();
    case Outcome::kDone:
    case Outcome::kGaveBackTail:
    case Outcome::kSealedEarlyMemory:
      return false;
  }
  return false;
}

}  // namespace

RootScheduler::Run::Run(RootScheduler& owner, RunSubmitted submitted, Instant now, Actions& actions)
    : owner_(owner),
      limits_(owner.limits_),
      for_workers_(std::move(submitted.for_workers)),
      for_gatherer_(std::move(submitted.for_gatherer)),
      plan_(std::move(submitted.plan)),
      leases_(plan_.shard_count()),
      sizing_(plan_, limits_.lease_sizing) {
  FANFOLD_ASSERT(!for_workers_.run.empty() && for_workers_.run == for_gatherer_.run, "a run has one id");
  statistics_.shards = plan_.shard_count();
  end_.run = id();
  start_gatherer(now, actions);
}

uint32_t RootScheduler::Run::slots() const {
  uint32_t slots = 0;
  for (const auto& [incarnation, member] : owner_.members_.members()) slots += member.slots_allowed;
  return std::max({slots, limits_.slots_expected, 1u});
}

bool RootScheduler::Run::needs_workers() const {
  return state_ == State::kMapping && (!leases_.pending().empty() || leases_.shards_in(LeaseState::kLeased) > 0 ||
                                       leases_.shards_in(LeaseState::kAwarded) > 0);
}

GathererAddress RootScheduler::Run::address() const {
  if (!gatherer_open_) return {};
  return {gatherer_, gatherer_hello_.address};
}

// ---- peers ------------------------------------------------------------------------------------

void RootScheduler::Run::worker_joined(Member& member, Actions& actions) {
  if (!working()) return;
  member.has_run = true;
  OpenRun open = for_workers_;
  if (member.hello.memory_bytes != 0) open.memory_bytes = member.hello.memory_bytes;
  actions.push_back(SendMessage{member.incarnation, std::move(open)});
  if (member.slots_allowed != member.hello.slots) {
    actions.push_back(SendMessage{member.incarnation, SlotsAllowed{id(), member.slots_allowed}});
  }
}

void RootScheduler::Run::worker_released(const Member& leaving, Actions& actions) {
  if (state_ == State::kEnded) return;
  if (leaving.has_run && !said_goodbye(leaving.incarnation)) {
    ProcessStatistics process;
    process.role = leaving.hello.role;
    process.name = leaving.hello.name;
    process.pid = leaving.hello.pid;
    process.slots = leaving.hello.slots;
    statistics_.processes.push_back(std::move(process));
  }
  goodbyes_awaited_.erase(leaving.incarnation);
  if (working() && !gatherer_.empty()) {
    actions.push_back(SendMessage{gatherer_, ForgetWorker{leaving.incarnation}});
  }
}

void RootScheduler::Run::start_gatherer(Instant now, Actions& actions) {
  gatherer_life_ += 1;
  gatherer_ = {};
  gatherer_hello_ = {};
  gatherer_open_ = false;
  gatherer_due_ = now + limits_.gatherer_start_max;
  actions.push_back(StartGatherer{gatherer_life_});
}

void RootScheduler::Run::gatherer_joined(IncarnationId incarnation, const Hello& hello, Actions& actions) {
  gatherer_ = incarnation;
  gatherer_hello_ = hello;
  actions.push_back(SendMessage{incarnation, for_gatherer_});
}

void RootScheduler::Run::worker_lost(const Member& gone, const Cause& cause, const std::vector<Suspect>& suspects,
                                     Instant now, Actions& actions) {
  const IncarnationId incarnation = gone.incarnation;
  const std::string who = node_text(gone.hello);
  if (state_ == State::kEnded) return;
  if (gone.has_run && !said_goodbye(incarnation)) {
    statistics_.workers_lost += 1;
    lost_process(gone.hello, cause);
  }
  goodbyes_awaited_.erase(incarnation);
  if (!working()) return;
  for (const auto& [seq, bundle] : gone.bundles) {
    if (bundle.state == BundleRecord::State::kGranted) bytes_in_flight_ -= bundle.bytes;
  }
  bytes_in_flight_ -= gone.bytes_reserved;
  if (!gatherer_.empty()) actions.push_back(SendMessage{gatherer_, ForgetWorker{incarnation}});

  // Every lease whose partial was with it; what the gatherer holds whole is not lost.
  std::vector<LeaseId> lost;
  for (const auto& [id, lease] : leases_.leases()) {
    if (lease.worker == incarnation && lease.state != LeaseState::kFolding) lost.push_back(id);
  }
  std::optional<Interval> suspected;
  for (const Suspect& suspect : suspects) {
    const Lease* lease = leases_.find(suspect.lease);
    if (lease != nullptr && lease->worker == incarnation && lease->state == LeaseState::kLeased) {
      suspected = lease->shards;
      break;
    }
  }
  const std::string how = who + " " + end_text(cause);
  for (const LeaseId id : lost) lose_lease(leases_.release(id), how, cause, now, actions);
  if (working() && blame_of(cause) == Blame::kJob) fail_by_cause(who, cause, suspects, suspected, now, actions);
}

void RootScheduler::Run::lose_lease(const Lease& lease, const std::string& how, const Cause& cause, Instant now,
                                    Actions& actions) {
  const uint32_t losses = lease.losses + 1;
  statistics_.retries += 1;
  owner_.put_back(leases_, lease.shards, losses);
  if (losses < limits_.losses_per_lease_max || !working()) return;
  end_.shards = lease.shards;
  fail(ExitCode::kJobFailed,
       "the work on " + input_text(plan_, lease.shards) + " was lost " + std::to_string(losses) +
           " times; the last time " + how +
           ". Look at that machine's memory and logs, or give the workers more memory, and run the job again.",
       cause, now, actions);
}

bool RootScheduler::Run::said_goodbye(IncarnationId peer) const {
  return state_ == State::kClosing && !goodbyes_awaited_.contains(peer);
}

void RootScheduler::Run::lost_process(const Hello& hello, const Cause& cause) {
  ProcessStatistics process;
  process.role = hello.role;
  process.name = hello.name;
  process.pid = hello.pid;
  process.slots = hello.slots;
  process.peak_rss_bytes = cause.peak_rss_bytes;
  process.lost = true;
  statistics_.processes.push_back(std::move(process));
}

void RootScheduler::Run::gatherer_lost(const Cause& cause, Instant now, Actions& actions) {
  if (state_ == State::kEnded) return;
  const std::string who = gatherer_.empty() ? "the gatherer" : node_text(gatherer_hello_);
  const bool lost = gatherer_.empty() || !said_goodbye(gatherer_);
  if (lost) statistics_.gatherers_lost += 1;
  if (!gatherer_.empty()) {
    if (lost) lost_process(gatherer_hello_, cause);
    goodbyes_awaited_.erase(gatherer_);
    owner_.fence(gatherer_, actions);
    gatherer_ = {};
  }
  if (!working()) return;
  if (blame_of(cause) == Blame::kJob) {
    fail_by_cause(who, cause, {}, std::nullopt, now, actions);
    return;
  }
  if (statistics_.gatherers_lost >= limits_.gatherer_losses_max) {
    fail(ExitCode::kJobFailed,
         "the gatherer was lost " + std::to_string(statistics_.gatherers_lost) + " times; the last time " + who + " " +
             end_text(cause) + ". Give the run more memory and run the job again.",
         cause, now, actions);
    return;
  }
  // Its total is gone. Bundles that a worker still keeps are sent again; all else is mapped again.
  state_ = State::kMapping;
  bytes_in_flight_ = 0;
  batches_ = 0;
  batches_consumed_ = 0;
  leases_.unfold_all();
  for (const auto& [bundle, folding] : folding_) {
    Member* member = owner_.members_.find(bundle.incarnation);
    for (const LeaseId id : folding.leases) {
      if (member != nullptr) {
        leases_.move(*leases_.find(id), LeaseState::kAwarded);
      } else {
        const Lease lease = leases_.release(id);
        owner_.put_back(leases_, lease.shards, lease.losses);
      }
    }
  }
  folding_.clear();
  for (const LeaseId id : small_sent_) {
    const Lease lease = leases_.release(id);
    owner_.put_back(leases_, lease.shards, lease.losses);
  }
  small_sent_.clear();
  for (auto& [incarnation, member] : owner_.members_.members()) {
    member.bytes_reserved = 0;
    for (auto& [seq, bundle] : member.bundles) {
      if (bundle.state != BundleRecord::State::kFolded) bundle.state = BundleRecord::State::kWanted;
    }
  }
  start_gatherer(now, actions);
}

void RootScheduler::Run::stranger_died(const Obituary& obituary, Instant now, Actions& actions) {
  // It ended before it could say Hello: user code that crashes while it is loaded does so every time.
  if (working() && blame_of(obituary.cause) == Blame::kJob) {
    fail_by_cause("a worker", obituary.cause, obituary.suspects, std::nullopt, now, actions);
  }
}

void RootScheduler::Run::no_more_workers(std::string sentence) {
  no_more_workers_ = std::move(sentence);
}

// ---- what workers say -------------------------------------------------------------------------

bool RootScheduler::Run::ended(IncarnationId from, Ended&& ended, Instant now, Actions& actions) {
  Member* sender = owner_.members_.find(from);
  if (!working() || ended.run != id()) return sender != nullptr;
  Lease* lease = owner_.lease_of(leases_, ended, from);
  if (lease == nullptr) {
    if (sender == nullptr) return false;
    if (!ended.done.empty()) {
      statistics_.drops += 1;
      verdicts_[from].dropped.push_back(ended.lease);
    }
    return true;
  }
  const bool sound = ended.done.begin == lease->shards.begin && ended.done.end >= ended.done.begin &&
                     ended.done.end <= lease->shards.end &&
                     (!ended.small || (ended.small->packed.size() <= kSmallPartialBytesMax &&
                                       ended.small->ledger.size() <= kLedgerBytesMax)) &&
                     (ended.outcome == Outcome::kFailed) == ended.cause.has_value() &&
                     ended.done.empty() == ends_without_partial(ended.outcome, ended.done);
  if (!sound) {
    statistics_.protocol_errors += 1;
    Cause cause;
    cause.kind = CauseKind::kInternal;
    cause.message = "ended a lease in a way that cannot be";
    owner_.lose_worker(from, cause, {}, now, actions);
    return true;
  }
  Member* holder = owner_.members_.find(lease->worker);
  if (holder != nullptr) holder->leased.erase(lease->id);
  if (ended.outcome == Outcome::kFailed) {
    const Lease failed = leases_.release(lease->id);
    const std::string who = holder != nullptr ? node_text(holder->hello) : "a worker";
    if (blame_of(*ended.cause) == Blame::kJob) {
      owner_.put_back(leases_, failed.shards, failed.losses);
      fail_by_cause(who, *ended.cause, {}, failed.shards, now, actions);
    } else {
      lose_lease(failed, who + " " + describe(*ended.cause), *ended.cause, now, actions);
    }
    return true;
  }
  sizing_.measured(ended.done, ended.map, ended.seal, ended.merge);
  award(*lease, from, ended, now);
  return true;
}

void RootScheduler::Run::award(Lease& lease, IncarnationId from, Ended& ended, Instant now) {
  const LeaseId id = lease.id;
  const bool awarded = leases_.award(lease, ended.done);  // an empty one is gone now
  if (ended.done.empty()) return;
  FANFOLD_ASSERT(awarded, "a sound Ended of a live lease is awarded");
  verdicts_[from].awarded.push_back(ended.lease);
  statistics_.records += ended.records;
  statistics_.bytes += ended.bytes;
  if (ended.small) {
    // Awarded and folded in one step: nothing of it stays at the worker.
    lease.small = true;
    leases_.move(lease, LeaseState::kFolding);
    statistics_.small_partials += 1;
    small_waiting_.push_back({id, std::move(*ended.small)});
    return;
  }
  lease.partial_bytes = ended.partial_bytes;
  Member* holder = owner_.members_.find(lease.worker);
  if (holder == nullptr) return;
  if (holder->unflushed_leases == 0) holder->first_unflushed = now;
  holder->unflushed_leases += 1;
  holder->unflushed_bytes += ended.partial_bytes;
  holder->unflushed_merge += ended.merge;
  holder->flush_asked = false;
}

void RootScheduler::Run::worker_said(Member& member, Message&& message, Instant now, Actions& actions) {
  if (const auto* goodbye_said = std::get_if<Goodbye>(&message)) {
    if (goodbye_said->run == id()) goodbye(member.incarnation, member.hello, *goodbye_said);
    return;
  }
  if (!working()) return;
  if (const auto* wanted = std::get_if<FlushWanted>(&message)) {
    if (wanted->run == id()) heard(member, *wanted, now, actions);
  } else if (const auto* failed = std::get_if<Failed>(&message)) {
    if (failed->run == id()) fail_by_cause(node_text(member.hello), failed->cause, {}, std::nullopt, now, actions);
  }
}

void RootScheduler::Run::heard(Member& member, const FlushWanted& wanted, Instant now, Actions& actions) {
  const bool fresh = !member.bundles.contains(wanted.seq);
  BundleRecord& bundle = member.bundles[wanted.seq];
  if (bundle.told || member.bundles.size() > kBundlesPerWorkerMax) {
    statistics_.protocol_errors += 1;
    Cause cause;
    cause.kind = CauseKind::kInternal;
    cause.message = "announced a bundle twice, or too many";
    owner_.lose_worker(member.incarnation, cause, {}, now, actions);
    return;
  }
  bytes_in_flight_ -= std::exchange(member.bytes_reserved, 0);
  member.unflushed_leases -= std::min(member.unflushed_leases, wanted.leases);
  if (member.unflushed_leases == 0) {
    member.unflushed_bytes = 0;
    member.unflushed_merge = {};
  } else {
    // More was awarded than this bundle holds: whether a Flush reached it in time is not known here.
    member.flush_asked = false;
    member.first_unflushed = now;
  }
  bundle.told = true;
  if (bundle.state == BundleRecord::State::kFolded) member.bundles.erase(wanted.seq);
  if (!fresh) return;
  bundle.bytes = wanted.bytes;
  if (!wanted.sending_to.empty() && wanted.sending_to == gatherer_ && gatherer_open_) {
    bundle.state = BundleRecord::State::kGranted;
    bundle.due = now + limits_.flush_base_max +
                 milliseconds(static_cast<int64_t>(wanted.bytes / (limits_.flush_bytes_per_second_min / 1000 + 1)));
    bytes_in_flight_ += wanted.bytes;
  }
}

void RootScheduler::Run::goodbye(IncarnationId from, const Hello& hello, const Goodbye& goodbye) {
  if (goodbyes_awaited_.erase(from) == 0) return;
  ProcessStatistics process;
  process.role = hello.role;
  process.name = hello.name;
  process.pid = hello.pid;
  process.slots = hello.slots;
  process.peak_rss_bytes = goodbye.peak_rss_bytes;
  process.slot_times = goodbye.slot_times;
  statistics_.processes.push_back(std::move(process));
}

// ---- what the gatherer says -------------------------------------------------------------------

void RootScheduler::Run::gatherer_said(Message&& message, RawBytes&& raw, Instant now, Actions& actions) {
  if (const auto* goodbye_said = std::get_if<Goodbye>(&message)) {
    if (goodbye_said->run == id()) goodbye(gatherer_, gatherer_hello_, *goodbye_said);
    return;
  }
  if (!working()) return;
  if (auto* opened = std::get_if<RunOpened>(&message)) {
    gatherer_open_ = true;
    if (!schema_told_) actions.push_back(DeliverSchema{std::move(opened->schema), opened->job_flags});
    schema_told_ = true;
  } else if (const auto* staged = std::get_if<Staged>(&message)) {
    heard(*staged, now, actions);
  } else if (const auto* folded = std::get_if<Folded>(&message)) {
    heard(*folded, actions);
  } else if (const auto* small = std::get_if<SmallFolded>(&message)) {
    heard(*small, now, actions);
  } else if (const auto* bundle_failed = std::get_if<BundleFailed>(&message)) {
    Member* member = owner_.members_.find(bundle_failed->bundle.incarnation);
    if (member == nullptr) return;
    if (blame_of(bundle_failed->cause) == Blame::kJob) {
      fail_by_cause(node_text(gatherer_hello_), bundle_failed->cause, {}, std::nullopt, now, actions);
    } else {
      owner_.lose_worker(member->incarnation, bundle_failed->cause, {}, now, actions);
    }
  } else if (const auto* batch = std::get_if<ResultBatch>(&message)) {
    if (state_ != State::kFinishing || batch->index != batches_) {
      statistics_.protocol_errors += 1;
      return;
    }
    batches_ += 1;
    actions.push_back(DeliverResult{batch->index, batch->rows, std::move(raw)});
  } else if (const auto* finished = std::get_if<Finished>(&message)) {
    heard(*finished, now, actions);
  } else if (const auto* failed = std::get_if<Failed>(&message)) {
    fail_by_cause(node_text(gatherer_hello_), failed->cause, {}, std::nullopt, now, actions);
  }
}

// Rows are final: nothing can be folded into them, so they stand for the whole run or for nothing.
bool RootScheduler::Run::rows_are_all(const Staged& staged) const {
  if (staged.content != BundleContent::kRows) return true;
  uint64_t shards = 0;
  for (const ManifestEntry& entry : staged.manifest) shards += entry.shards.size();
  return shards == leases_.shard_count();
}

void RootScheduler::Run::heard(const Staged& staged, Instant now, Actions& actions) {
  if (staged.run != id()) return;
  Member* member = owner_.members_.find(staged.bundle.incarnation);
  if (folding_.contains(staged.bundle) || !owner_.manifest_counts(leases_, staged) || !rows_are_all(staged)) {
    // Of a fenced incarnation it is only late; a live one should know better.
    statistics_.bundles_rejected += 1;
    actions.push_back(SendMessage{gatherer_, RejectBundle{id(), staged.bundle}});
    if (member != nullptr) {
      Cause cause;
      cause.kind = CauseKind::kInternal;
      cause.message = "sent a bundle of leases that were not awarded to it";
      owner_.lose_worker(staged.bundle.incarnation, cause, {}, now, actions);
    }
    return;
  }
  Folding& folding = folding_[staged.bundle];
  for (const ManifestEntry& entry : staged.manifest) {
    Lease* lease = leases_.find(entry.lease);
    if (lease == nullptr) continue;  // only where a test plants a fault
    folding.leases.push_back(entry.lease);
    leases_.move(*lease, LeaseState::kFolding);
  }
  if (member != nullptr) {
    BundleRecord& bundle = member->bundles[staged.bundle.seq];
    if (bundle.state != BundleRecord::State::kGranted) {
      // Its FlushWanted is still under way, or it was sent without asking: counted against the budget from now.
      bundle.bytes = staged.bytes;
      bytes_in_flight_ += bundle.bytes;
    }
    bundle.state = BundleRecord::State::kFolding;
    folding.bytes = bundle.bytes;
  } else {
    folding.bytes = staged.bytes;
    bytes_in_flight_ += staged.bytes;
  }
  actions.push_back(SendMessage{gatherer_, FoldBundle{id(), staged.bundle}});
}

void RootScheduler::Run::heard(const Folded& folded, Actions& actions) {
  const auto found = folding_.find(folded.bundle);
  if (folded.run != id() || found == folding_.end()) {
    statistics_.protocol_errors += 1;
    return;
  }
  for (const LeaseId lease : found->second.leases) {
    if (leases_.find(lease) != nullptr) leases_.fold(lease);
  }
  bytes_in_flight_ -= found->second.bytes;
  folding_.erase(found);
  statistics_.bundles += 1;
  if (Member* member = owner_.members_.find(folded.bundle.incarnation)) {
    BundleRecord& bundle = member->bundles[folded.bundle.seq];
    bundle.state = BundleRecord::State::kFolded;
    if (bundle.told) member->bundles.erase(folded.bundle.seq);
    actions.push_back(SendMessage{member->incarnation, BundleDone{id(), folded.bundle.seq}});
  }
}

void RootScheduler::Run::heard(const SmallFolded& small, Instant now, Actions& actions) {
  if (small.run != id()) return;
  for (const LeaseId lease : small.folded) {
    if (small_sent_.erase(lease) > 0) leases_.fold(lease);
  }
  for (const LeaseId invalid : small.invalid) {
    if (small_sent_.erase(invalid) == 0) continue;
    Cause cause;
    cause.kind = CauseKind::kBadPartial;
    const Lease lease = leases_.release(invalid);
    lose_lease(lease, "a worker " + describe(cause), cause, now, actions);
  }
}

void RootScheduler::Run::heard(const Finished& finished, Instant now, Actions& actions) {
  if (finished.run != id() || state_ != State::kFinishing || finished.batches != batches_) {
    statistics_.protocol_errors += 1;
    return;
  }
  end_.rows = finished.rows;
  end_.batches = finished.batches;
  end_.ledger = finished.ledger;
  statistics_.merge = finished.merge;
  statistics_.finish = finished.finish;
  close(CloseRun{id()}, now, actions);
}

void RootScheduler::Run::result_consumed(uint64_t batches, Actions& actions) {
  if (state_ != State::kFinishing || batches <= batches_consumed_) return;
  batches_consumed_ = batches;
  actions.push_back(SendMessage{gatherer_, ResultCredit{id(), batches + limits_.result_batches_ahead}});
}

// ---- what follows -----------------------------------------------------------------------------

void RootScheduler::Run::settle(Instant now, Actions& actions) {
  if (working()) check_deadlines(now, actions);
  if (working()) {
    if (state_ == State::kMapping) grant_leases(actions);
    tell_verdicts(actions);
    fold_small(actions);
    if (gatherer_open_ && state_ == State::kMapping) {
      flush_workers(now, actions);
      grant_bundles(now, actions);
    }
    if (gatherer_open_ && state_ == State::kMapping && all_folded()) {
      state_ = State::kFinishing;
      actions.push_back(SendMessage{gatherer_, Finish{id(), limits_.result_batches_ahead}});
    }
  }
  verdicts_.clear();
  end_if_closed(now, actions);
  if (const auto wrong = leases_.check_sums()) owner_.invariant_broken(*wrong);
}

void RootScheduler::Run::grant_leases(Actions& actions) {
  if (leases_.pending().empty()) return;
  const uint32_t slots_now = slots();
  if (!small_run_decided_) {
    small_run_ = sizing_.leases_expected(slots_now) <= limits_.small_leases_max;
    small_run_decided_ = true;
  }
  std::map<IncarnationId, Grant> grants;
  // One lease a worker and turn: a small run is shared by all, not taken by the first.
  for (bool granted = true; granted && !leases_.pending().empty();) {
    granted = false;
    for (auto& [incarnation, member] : owner_.members_.members()) {
      const std::size_t credit = std::size_t{member.slots_allowed} * (1 + limits_.leases_ahead_per_slot);
      if (!member.has_run || member.leased.size() >= credit || leases_.pending().empty()) continue;
      Grant& grant = grants[incarnation];
      if (grant.leases.size() >= kLeasesPerGrantMax) continue;
      const Interval piece = leases_.pending().first()->shards;
      const Lease& lease = leases_.grant(sizing_.end_of_next(piece, leases_.pending().size(), slots_now), incarnation);
      member.leased.insert(lease.id);
      grant.leases.push_back({lease.id, lease.shards, lease.losses + 1, small_run_});
      statistics_.leases += 1;
      granted = true;
    }
  }
  for (auto& [incarnation, grant] : grants) {
    if (grant.leases.empty()) continue;
    grant.run = id();
    grant.gatherer = small_run_ ? GathererAddress{} : address();
    actions.push_back(SendMessage{incarnation, std::move(grant)});
  }
}

void RootScheduler::Run::tell_verdicts(Actions& actions) {
  for (auto& [incarnation, verdicts] : verdicts_) {
    verdicts.run = id();
    actions.push_back(SendMessage{incarnation, std::move(verdicts)});
  }
}

void RootScheduler::Run::fold_small(Actions& actions) {
  if (gatherer_.empty() || small_waiting_.empty()) return;
  FoldSmall fold;
  fold.run = id();
  std::size_t bytes = 0;
  for (SmallFold& small : small_waiting_) {
    small_sent_.insert(small.lease);
    bytes += small.partial.packed.size();
    fold.partials.push_back(std::move(small));
    if (fold.partials.size() == kSmallPartialsPerMessageMax || bytes >= kChunkBytesMax) {
      actions.push_back(SendMessage{gatherer_, std::exchange(fold, FoldSmall{id(), {}})});
      bytes = 0;
    }
  }
  small_waiting_.clear();
  if (!fold.partials.empty()) actions.push_back(SendMessage{gatherer_, std::move(fold)});
}

std::optional<Instant> RootScheduler::Run::flush_due(const Member& member) const {
  if (!limits_.flush_by_time || member.unflushed_leases == 0 || member.flush_asked || !gatherer_open_)
    return std::nullopt;
  return member.first_unflushed + std::max(limits_.flush_time_min, member.unflushed_merge * limits_.flush_cost_factor);
}

// Nothing of the run is or was anywhere else: what this worker has merged is the total.
bool RootScheduler::Run::holds_all(const Member& member) const {
  if (leases_.shards_in(LeaseState::kAwarded) != leases_.shard_count() || !member.bundles.empty()) return false;
  const auto& members = owner_.members_.members();
  return std::none_of(members.begin(), members.end(), [&](const auto& other) {
    return other.first != member.incarnation && (other.second.unflushed_leases > 0 || !other.second.bundles.empty());
  });
}

void RootScheduler::Run::flush_workers(Instant now, Actions& actions) {
  for (auto& [incarnation, member] : owner_.members_.members()) {
    if (member.unflushed_leases == 0 || member.flush_asked) continue;
    // Nothing more will come to it: its bundle goes while others may still be mapping.
    // Without a share nothing more comes either, and its memory is wanted by others.
    const bool idle = member.leased.empty() && (leases_.pending().empty() || member.slots_allowed == 0);
    const auto due = flush_due(member);
    if (!idle && !(due && *due <= now)) continue;
    member.flush_asked = true;
    // Partials merged are seldom larger than they were apart; a bundle that is asks for itself.
    const uint64_t likely = member.unflushed_bytes + member.unflushed_bytes / 4 + kSmallPartialBytesMax;
    const bool room = bytes_in_flight_ == 0 || bytes_in_flight_ + likely <= limits_.gatherer_bytes_in_flight_max;
    const uint64_t granted = room && member.bytes_reserved == 0 ? likely : 0;
    member.bytes_reserved += granted;
    bytes_in_flight_ += granted;
    actions.push_back(SendMessage{incarnation, Flush{id(), address(), granted, idle && holds_all(member)}});
  }
}

void RootScheduler::Run::grant_bundles(Instant now, Actions& actions) {
  for (auto& [incarnation, member] : owner_.members_.members()) {
    for (auto& [seq, bundle] : member.bundles) {
      if (bundle.state != BundleRecord::State::kWanted) continue;
      // One bundle may always proceed, however large.
      if (bytes_in_flight_ > 0 && bytes_in_flight_ + bundle.bytes > limits_.gatherer_bytes_in_flight_max) return;
      bundle.state = BundleRecord::State::kGranted;
      bundle.due = now + limits_.flush_base_max +
                   milliseconds(static_cast<int64_t>(bundle.bytes / (limits_.flush_bytes_per_second_min / 1000 + 1)));
      bytes_in_flight_ += bundle.bytes;
      actions.push_back(SendMessage{incarnation, FlushGranted{id(), seq, address()}});
    }
  }
}

// ---- deadlines --------------------------------------------------------------------------------

void RootScheduler::Run::check_deadlines(Instant now, Actions& actions) {
  if (!gatherer_open_ && now >= gatherer_due_) {
    fail(ExitCode::kJobFailed,
         "job \"" + for_workers_.job + "\" was not loaded and opened by the gatherer within " +
             std::to_string(limits_.gatherer_start_max.nanoseconds / 1'000'000'000) +
             " s. Mend what it does when it is loaded or opened; `fanfold jobs describe` tries it.",
         std::nullopt, now, actions);
    return;
  }
  if (owner_.members_.members().empty() && needs_workers()) {
    if (!workerless_since_) workerless_since_ = now;
    if (!no_more_workers_.empty()) {
      fail(ExitCode::kNoFleet, no_more_workers_, std::nullopt, now, actions);
      return;
    }
    if (now >= *workerless_since_ + limits_.no_workers_max) {
      const std::string waited = std::to_string(limits_.no_workers_max.nanoseconds / 1'000'000'000) + " s";
      fail(ExitCode::kNoFleet,
           statistics_.workers_lost == 0 ? "no worker joined within " + waited +
                                               ". Start workers that can reach this root, and run the job again."
                                         : "all workers were lost and none joined within " + waited +
                                               ". Look at their logs, and run the job again.",
           std::nullopt, now, actions);
      return;
    }
  } else {
    workerless_since_.reset();
  }
  std::vector<IncarnationId> late;
  for (const auto& [incarnation, member] : owner_.members_.members()) {
    for (const auto& [seq, bundle] : member.bundles) {
      if (bundle.state == BundleRecord::State::kGranted && bundle.due <= now) {
        late.push_back(incarnation);
        break;
      }
    }
  }
  for (const IncarnationId incarnation : late) {
    Cause cause;
    cause.kind = CauseKind::kLostLink;
    cause.message = "its bundle did not reach the gatherer";
    owner_.lose_worker(incarnation, cause, {}, now, actions);
  }
}

std::optional<Instant> RootScheduler::Run::next_deadline() const {
  if (state_ == State::kClosing) return goodbye_due_;
  if (!working()) return std::nullopt;
  std::optional<Instant> deadline;
  if (!gatherer_open_) deadline = gatherer_due_;
  if (workerless_since_) deadline = earlier(deadline, *workerless_since_ + limits_.no_workers_max);
  for (const auto& [incarnation, member] : owner_.members_.members()) {
    deadline = earlier(deadline, flush_due(member));
    for (const auto& [seq, bundle] : member.bundles) {
      if (bundle.state == BundleRecord::State::kGranted) deadline = earlier(deadline, bundle.due);
    }
  }
  return deadline;
}

// ---- the end ----------------------------------------------------------------------------------

void RootScheduler::Run::cancel(Cause cause, Instant now, Actions& actions) {
  if (!working()) return;
  const ExitCode code = exit_code_of(cause);
  fail(code, "the run was cancelled.", std::move(cause), now, actions);
}

void RootScheduler::Run::fail_by_cause(const std::string& who, const Cause& cause, const std::vector<Suspect>& suspects,
                                       std::optional<Interval> shards, Instant now, Actions& actions) {
  std::string place = place_text(cause, suspects, shards, plan_);
  end_.suspects = suspects;
  if (shards) end_.shards = shards;
  fail(exit_code_of(cause), failure_sentence(for_workers_.job, who, cause, std::move(place)), cause, now, actions);
}

void RootScheduler::Run::fail(ExitCode code, std::string sentence, std::optional<Cause> cause, Instant now,
                              Actions& actions) {
  if (!working()) return;
  end_.code = code;
  end_.sentence = std::move(sentence);
  end_.cause = std::move(cause);
  close(CancelRun{id()}, now, actions);
}

void RootScheduler::Run::close(Message word, Instant now, Actions& actions) {
  state_ = State::kClosing;
  goodbye_due_ = now + limits_.goodbye_max;
  for (auto& [incarnation, member] : owner_.members_.members()) {
    if (!member.has_run) continue;
    actions.push_back(SendMessage{incarnation, word});
    goodbyes_awaited_.insert(incarnation);
  }
  if (!gatherer_.empty()) {
    actions.push_back(SendMessage{gatherer_, std::move(word)});
    goodbyes_awaited_.insert(gatherer_);
  }
}

void RootScheduler::Run::end_if_closed(Instant now, Actions& actions) {
  if (state_ != State::kClosing || (!goodbyes_awaited_.empty() && now < goodbye_due_)) return;
  state_ = State::kEnded;
  // Who has not answered still holds something of this run: a fresh incarnation will not.
  for (const IncarnationId incarnation : goodbyes_awaited_) {
    const Member* member = owner_.members_.find(incarnation);
    lost_process(member != nullptr ? member->hello : gatherer_hello_, Cause{});
    if (member != nullptr) owner_.fence(incarnation, actions);
  }
  goodbyes_awaited_.clear();
  if (!gatherer_.empty()) owner_.fence(gatherer_, actions);
  for (auto& [incarnation, member] : owner_.members_.members()) {
    Hello hello = std::move(member.hello);
    const uint32_t slots_allowed = member.slots_allowed;
    member = Member{};
    member.incarnation = incarnation;
    member.hello = std::move(hello);
    member.slots_allowed = slots_allowed;
  }
  end_.shards_folded = leases_.folded().size();
  end_.statistics = statistics_;
  actions.push_back(end_);
}

Progress RootScheduler::Run::progress() const {
  Progress progress;
  progress.running = state_ != State::kEnded;
  progress.finishing = state_ == State::kFinishing || state_ == State::kClosing;
  progress.shards = leases_.shard_count();
  progress.shards_leased = leases_.shards_in(LeaseState::kLeased);
  progress.shards_folded = leases_.folded().size();
  progress.shards_awarded =
      leases_.shards_in(LeaseState::kAwarded) + leases_.shards_in(LeaseState::kFolding) + progress.shards_folded;
  progress.bytes = plan_.byte_count();
  progress.records = statistics_.records;
  // By the share of shards: what is awarded is many intervals, and nobody needs their exact sum.
  progress.bytes_awarded =
      progress.shards == 0
          ? 0
          : static_cast<uint64_t>(static_cast<double>(progress.bytes) * (static_cast<double>(progress.shards_awarded) /
                                                                         static_cast<double>(progress.shards)));
  return progress;
}

}  // namespace fanfold::schedule
