#include "engine/schedule/root_scheduler.h"

#include <algorithm>
#include <utility>

#include "engine/assertion.h"
#include "engine/schedule/root_run.h"

namespace fanfold::schedule {
namespace {

// What no honest worker is: its slots fit the obituary that names them.
constexpr uint32_t kSlotsMax = kSuspectsMax;

Cause protocol_cause(std::string message) {
  Cause cause;
  cause.kind = CauseKind::kInternal;
  cause.message = std::move(message);
  return cause;
}

// Words that a peer of the other role, or nobody, says to a root.
bool from_worker(const Message& message) {
  return std::holds_alternative<Ended>(message) || std::holds_alternative<FlushWanted>(message) ||
         std::holds_alternative<Failed>(message) || std::holds_alternative<Goodbye>(message);
}
bool from_gatherer(const Message& message) {
  return std::holds_alternative<RunOpened>(message) || std::holds_alternative<Staged>(message) ||
         std::holds_alternative<Folded>(message) || std::holds_alternative<BundleFailed>(message) ||
         std::holds_alternative<SmallFolded>(message) || std::holds_alternative<ResultBatch>(message) ||
         std::holds_alternative<Finished>(message) || std::holds_alternative<Failed>(message) ||
         std::holds_alternative<Goodbye>(message);
}

}  // namespace

RootScheduler::RootScheduler(const Limits& limits, std::string build) : limits_(limits), build_(std::move(build)) {}
RootScheduler::~RootScheduler() = default;

std::vector<Action> RootScheduler::step(Event event, Instant now) {
  std::vector<Action> actions;
  std::visit([&](auto& what) { on(std::move(what), now, actions); }, event);
  if (run_) run_->settle(now, actions);
  return actions;
}

std::optional<Instant> RootScheduler::next_deadline() const {
  return run_ ? run_->next_deadline() : std::nullopt;
}

Progress RootScheduler::progress() const {
  Progress progress = run_ ? run_->progress() : Progress{};
  for (const auto& [incarnation, member] : members_.members()) {
    progress.workers += 1;
    progress.slots += member.slots_allowed;
  }
  return progress;
}

const RunStatistics& RootScheduler::statistics() const {
  static const RunStatistics kNone;
  return run_ ? run_->statistics() : kNone;
}

bool RootScheduler::ended() const {
  return run_ && run_->over();
}

bool RootScheduler::has_pending() const {
  return run_ && run_->granting();
}

uint64_t RootScheduler::leases_at(const std::string& name) const {
  uint64_t leases = 0;
  for (const auto& [incarnation, member] : members_.members()) {
    if (member.hello.name == name) leases += member.leased.size();
  }
  return leases;
}

bool RootScheduler::holds_nothing(const std::string& name) const {
  const auto& members = members_.members();
  return std::none_of(members.begin(), members.end(), [&](const auto& entry) {
    const Member& member = entry.second;
    return member.hello.name == name &&
           (!member.leased.empty() || member.unflushed_leases > 0 || !member.bundles.empty());
  });
}

std::optional<std::string> RootScheduler::check_intervals() const {
  return run_ ? run_->leases().check_intervals() : std::nullopt;
}

const LeaseTable* RootScheduler::leases() const {
  return run_ ? &run_->leases() : nullptr;
}

// ---- events -----------------------------------------------------------------------------------

void RootScheduler::on(RunSubmitted submitted, Instant now, Actions& actions) {
  FANFOLD_ASSERT(!run_ || run_->over(), "one run at a time");
  run_ = std::make_unique<Run>(*this, std::move(submitted), now, actions);
  for (auto& [incarnation, member] : members_.members()) run_->worker_joined(member, actions);
}

void RootScheduler::on(PeerSaid said, Instant now, Actions& actions) {
  if (auto* ended = std::get_if<Ended>(&said.message); ended != nullptr && run_ && !is_gatherer(said.from)) {
    // By lease id first: whether its sender still lives is the lease's question, not the link's.
    if (!run_->ended(said.from, std::move(*ended), now, actions)) late_word(said.from, actions);
    return;
  }
  if (auto* hello = std::get_if<Hello>(&said.message)) {
    greet(said.from, std::move(*hello), now, actions);
    return;
  }
  if (is_gatherer(said.from)) {
    if (from_gatherer(said.message)) {
      run_->gatherer_said(std::move(said.message), std::move(said.raw), now, actions);
    } else {
      run_->count_protocol_error();
      run_->gatherer_lost(protocol_cause(std::string("said ") + name_of(said.message)), now, actions);
    }
    return;
  }
  Member* member = members_.find(said.from);
  if (member == nullptr) {
    late_word(said.from, actions);
  } else if (from_worker(said.message)) {
    if (run_) run_->worker_said(*member, std::move(said.message), now, actions);
  } else {
    if (run_) run_->count_protocol_error();
    lose_worker(said.from, protocol_cause(std::string("said ") + name_of(said.message)), {}, now, actions);
  }
}

void RootScheduler::on(PeerLost lost, Instant now, Actions& actions) {
  if (is_gatherer(lost.incarnation)) {
    run_->gatherer_lost(lost.cause, now, actions);
  } else {
    lose_worker(lost.incarnation, lost.cause, lost.suspects, now, actions);
  }
}

void RootScheduler::on(NodeLost lost, Instant now, Actions& actions) {
  std::vector<IncarnationId> gone;
  for (const auto& [incarnation, member] : members_.members()) {
    if (member.hello.name == lost.name) gone.push_back(incarnation);
  }
  for (const IncarnationId incarnation : gone) lose_worker(incarnation, lost.cause, {}, now, actions);
}

void RootScheduler::on(GathererDied died, Instant now, Actions& actions) {
  if (run_ && died.life == run_->gatherer_life()) run_->gatherer_lost(died.cause, now, actions);
}

void RootScheduler::on(NoMoreWorkers none, Instant, Actions&) {
  if (run_) run_->no_more_workers(std::move(none.sentence));
}

void RootScheduler::on(CancelRequested cancel, Instant now, Actions& actions) {
  if (run_) run_->cancel(std::move(cancel.cause), now, actions);
}

void RootScheduler::on(ShareSet share, Instant, Actions& actions) {
  shares_[share.name] = share.slots;
  for (auto& [incarnation, member] : members_.members()) {
    if (member.hello.name != share.name) continue;
    const uint32_t allowed = std::min(share.slots, member.hello.slots);
    if (std::exchange(member.slots_allowed, allowed) == allowed || !run_ || !member.has_run) continue;
    actions.push_back(SendMessage{incarnation, SlotsAllowed{run_->id(), allowed}});
  }
}

void RootScheduler::on(const WorkersReleased& released, Instant, Actions& actions) {
  std::vector<IncarnationId> leaving;
  for (const auto& [incarnation, member] : members_.members()) {
    if (member.hello.name == released.name) leaving.push_back(incarnation);
  }
  FANFOLD_ASSERT(holds_nothing(released.name), "a worker that leaves holds nothing");
  for (const IncarnationId incarnation : leaving) {
    const Member* member = members_.find(incarnation);
    if (run_) run_->worker_released(*member, actions);
    fence(incarnation, actions);
  }
}

void RootScheduler::on(ResultConsumed consumed, Instant, Actions& actions) {
  if (run_) run_->result_consumed(consumed.batches, actions);
}

// ---- membership -------------------------------------------------------------------------------

bool RootScheduler::is_gatherer(IncarnationId incarnation) const {
  return run_ && run_->is_gatherer(incarnation);
}

void RootScheduler::late_word(IncarnationId from, Actions& actions) {
  if (run_) run_->count_late_word();
  actions.push_back(SendMessage{from, StartAnew{}});
}

void RootScheduler::fence(IncarnationId incarnation, Actions& actions) {
  members_.fence(incarnation);
  actions.push_back(FencePeer{incarnation});
}

void RootScheduler::greet(IncarnationId from, Hello hello, Instant now, Actions& actions) {
  if (members_.fenced(from)) {
    late_word(from, actions);
    return;
  }
  if (is_gatherer(from)) {
    run_->count_protocol_error();
    run_->gatherer_lost(protocol_cause("said Hello twice"), now, actions);
    return;
  }
  if (members_.find(from) != nullptr) {
    if (run_) run_->count_protocol_error();
    lose_worker(from, protocol_cause("said Hello twice"), {}, now, actions);
    return;
  }
  if (hello.protocol_version != kProtocolVersion) {
    refuse(
        from,
        Refused{kProtocolVersion, hello.protocol_version,
                "\"" + hello.name + "\" speaks protocol " + std::to_string(hello.protocol_version) +
                    ", the root speaks " + std::to_string(kProtocolVersion) + ". Run the same release on all nodes."},
        actions);
    return;
  }
  if (hello.obituary) {
    const Obituary obituary = std::move(*hello.obituary);
    hello.obituary.reset();
    if (members_.find(obituary.incarnation) != nullptr) {
      lose_worker(obituary.incarnation, obituary.cause, obituary.suspects, now, actions);
    } else if (run_ && !members_.fenced(obituary.incarnation)) {
      run_->stranger_died(obituary, now, actions);
    }
  }
  if (hello.role == Role::kGatherer) {
    if (!run_ || !run_->wants_gatherer()) {
      refuse(from, Refused{kProtocolVersion, hello.protocol_version, "no run waits for a gatherer"}, actions);
      return;
    }
    actions.push_back(SendMessage{from, Welcome{kProtocolVersion, build_}});
    run_->gatherer_joined(from, hello, actions);
    return;
  }
  if (hello.role != Role::kWorker || hello.slots == 0 || hello.slots > kSlotsMax) {
    refuse(from,
           Refused{kProtocolVersion, hello.protocol_version,
                   "a worker has 1 to " + std::to_string(kSlotsMax) + " slots; \"" + hello.name + "\" says " +
                       std::to_string(hello.slots)},
           actions);
    return;
  }
  Member& member = members_.join(from, std::move(hello));
  member.slots_allowed = member.hello.slots;
  if (const auto share = shares_.find(member.hello.name); share != shares_.end()) {
    member.slots_allowed = std::min(share->second, member.hello.slots);
  }
  actions.push_back(SendMessage{from, Welcome{kProtocolVersion, build_}});
  if (run_) run_->worker_joined(member, actions);
}

// It is no member: whatever else it says is a late word.
void RootScheduler::refuse(IncarnationId from, Refused refused, Actions& actions) {
  actions.push_back(SendMessage{from, std::move(refused)});
}

void RootScheduler::lose_worker(IncarnationId incarnation, const Cause& cause, const std::vector<Suspect>& suspects,
                                Instant now, Actions& actions) {
  Member* member = members_.find(incarnation);
  if (member == nullptr) return;  // lost already, by another road
  const Member gone = std::move(*member);
  fence(incarnation, actions);
  if (run_) run_->worker_lost(gone, cause, suspects, now, actions);
}

// ---- seams ------------------------------------------------------------------------------------

Lease* RootScheduler::lease_of(LeaseTable& leases, const Ended& ended, IncarnationId from) {
  Lease* lease = leases.find(ended.lease);
  return lease != nullptr && lease->worker == from && lease->state == LeaseState::kLeased ? lease : nullptr;
}

void RootScheduler::put_back(LeaseTable& leases, Interval shards, uint32_t losses) {
  leases.put_back(shards, losses);
}

bool RootScheduler::manifest_counts(const LeaseTable& leases, const Staged& staged) const {
  uint64_t sum = 0;
  IntervalSet all;
  for (const ManifestEntry& entry : staged.manifest) {
    const Lease* lease = leases.find(entry.lease);
    if (lease == nullptr || lease->worker != staged.bundle.incarnation || lease->state != LeaseState::kAwarded ||
        lease->small || lease->shards != entry.shards) {
      return false;
    }
    sum += entry.shards.size();
    if (all.overlaps(entry.shards)) return false;
    all.add(entry.shards);
  }
  return sum == all.size() && sum > 0;
}

void RootScheduler::invariant_broken(const std::string& what) const {
  assertion_failed("shards", __FILE__, __LINE__, what);
}

}  // namespace fanfold::schedule
