#include "engine/worker/worker_core.h"

#include <algorithm>
#include <utility>

#include "engine/assertion.h"
#include "engine/quoted.h"

namespace fanfold::worker {

WorkerCore::WorkerCore(Hello hello, const Limits& limits) : hello_(std::move(hello)), limits_(limits) {
  FANFOLD_ASSERT(hello_.slots > 0, "a worker has a slot");
}

std::vector<Action> WorkerCore::step(Event event, Instant now) {
  Actions actions;
  if (state_ == State::kEnded) return actions;
  std::visit([&](const auto& what) { on(what, actions); }, event);
  check_open(now, actions);
  return actions;
}

// A job that hangs while it is loaded or opened would keep its leases for ever: the worker itself lives.
void WorkerCore::check_open(Instant now, Actions& actions) {
  if (state_ != State::kOpening || open_failed_) {
    open_due_.reset();
    return;
  }
  if (!open_due_) open_due_ = now + limits_.job_open_max;
  if (now < *open_due_) return;
  Cause cause;
  cause.kind = CauseKind::kTimeout;
  cause.phase = Phase::kOpen;
  cause.message = "job " + quoted(job_) + " was not loaded and opened by worker " + quoted(hello_.name) + " within " +
                  std::to_string(limits_.job_open_max.nanoseconds / 1'000'000'000) +
                  " s. Mend what it does when it is loaded or opened; `fanfold jobs describe` tries it.";
  on(JobFailed{run_, std::move(cause)}, actions);
  open_due_.reset();
}

void WorkerCore::on(const Started&, Actions& actions) {
  FANFOLD_ASSERT(state_ == State::kNew, "started twice");
  state_ = State::kGreeting;
  actions.push_back(SendToRoot{hello_});
}

void WorkerCore::on(const RootSaid& said, Actions& actions) {
  std::visit([&](const auto& message) { heard(message, actions); }, said.message);
}

void WorkerCore::on(const RootLost& lost, Actions& actions) {
  leave(true, lost.why, actions);
}

void WorkerCore::leave(bool begin_anew, std::string sentence, Actions& actions) {
  state_ = State::kEnded;
  actions.push_back(Leave{begin_anew, std::move(sentence)});
}

// ---- the handshake and the run's ends ---------------------------------------------------------

void WorkerCore::heard(const Welcome&, Actions&) {
  if (state_ == State::kGreeting) {
    state_ = State::kIdle;
  } else {
    counters_.unexpected_messages += 1;
  }
}

void WorkerCore::heard(const Refused& refused, Actions& actions) {
  leave(false, refused.sentence, actions);
}

void WorkerCore::heard(const StartAnew&, Actions& actions) {
  leave(true, "the root has given this incarnation up", actions);
}

void WorkerCore::heard(const OpenRun& open, Actions& actions) {
  if (state_ != State::kIdle) {
    counters_.unexpected_messages += 1;
    return;
  }
  state_ = State::kOpening;
  run_ = open.run;
  job_ = open.job;
  memory_ = split_memory(open.memory_bytes, hello_.slots);
  slots_.assign(hello_.slots, Slot{});
  slots_allowed_ = slots_.size();
  actions.push_back(OpenJob{open});
}

void WorkerCore::on(const JobOpened& opened, Actions& actions) {
  if (state_ != State::kOpening || opened.run != run_) return;
  state_ = State::kRunning;
  feed_slots(actions);
}

void WorkerCore::on(const JobFailed& failed, Actions& actions) {
  if (failed.run != run_ || run_.empty()) return;
  open_failed_ = open_failed_ || state_ == State::kOpening;
  actions.push_back(SendToRoot{Failed{run_, failed.cause}});
}

void WorkerCore::heard(const CancelRun& cancel, Actions& actions) {
  if (cancel.run == run_) close_run(actions);
}

void WorkerCore::heard(const CloseRun& close, Actions& actions) {
  if (close.run == run_) close_run(actions);
}

void WorkerCore::close_run(Actions& actions) {
  if (state_ != State::kOpening && state_ != State::kRunning) return;
  state_ = State::kClosing;
  queue_.clear();
  actions.push_back(CancelSlots{});
  finish_closing(actions);
}

// The runtime may not free what a slot still works on: its answers are waited for.
void WorkerCore::finish_closing(Actions& actions) {
  for (const Slot& slot : slots_) {
    if (!slot.inbox.empty()) return;
  }
  for (const auto& [seq, bundle] : bundles_) {
    if (bundle.merging > 0 || bundle.state == BundleState::kPacking) return;
  }
  actions.push_back(CloseJob{run_});
}

void WorkerCore::on(const JobClosed& closed, Actions& actions) {
  if (state_ != State::kClosing) return;
  actions.push_back(SendToRoot{closed.goodbye});
  forget_run();
  state_ = State::kIdle;
}

void WorkerCore::forget_run() {
  run_ = {};
  open_failed_ = false;
  slots_.clear();
  slots_allowed_ = 0;
  queue_.clear();
  started_.clear();
  held_.clear();
  bundles_.clear();
  open_bundle_ = {};
  gatherer_ = {};
  merge_since_ended_ = {};
}

// ---- leases -----------------------------------------------------------------------------------

void WorkerCore::heard(const Grant& grant, Actions& actions) {
  if (grant.run != run_ || (state_ != State::kOpening && state_ != State::kRunning)) {
    counters_.unexpected_messages += 1;
    return;
  }
  // Connected early, a bundle need not wait for a handshake.
  use_gatherer(grant.gatherer, actions);
  const std::size_t queued_max = std::size_t{limits_.queued_leases_per_slot_max} * slots_.size();
  for (const LeaseGrant& lease : grant.leases) {
    if (queue_.size() < queued_max) {
      queue_.push_back(lease);
      continue;
    }
    give_back(lease, actions);
  }
  feed_slots(actions);
}

void WorkerCore::give_back(const LeaseGrant& lease, Actions& actions) {
  Ended ended;
  ended.run = run_;
  ended.lease = lease.lease;
  ended.done = {lease.shards.begin, lease.shards.begin};
  ended.outcome = Outcome::kNeverStarted;
  actions.push_back(SendToRoot{std::move(ended)});
}

void WorkerCore::heard(const SlotsAllowed& allowed, Actions& actions) {
  if (allowed.run != run_ || (state_ != State::kOpening && state_ != State::kRunning)) return;
  const std::size_t before = std::exchange(slots_allowed_, std::min<std::size_t>(allowed.slots, slots_.size()));
  // Others may have room for what waits here; the root grants anew what still fits.
  if (slots_allowed_ < before) {
    for (const LeaseGrant& lease : queue_) give_back(lease, actions);
    queue_.clear();
  }
  feed_slots(actions);
}

void WorkerCore::feed_slots(Actions& actions) {
  if (state_ != State::kRunning || slots_allowed_ == 0) return;
  while (!queue_.empty()) {
    // Bundles that wait to be folded hold the memory: mapping goes on when one is freed.
    if (bundle_bytes() > memory_.bundle_bytes_max) return;
    if (started_.size() + held_.size() >= std::size_t{kPartialsPerSlot} * slots_.size()) return;
    const auto slot = std::min_element(slots_.begin(), slots_.begin() + static_cast<std::ptrdiff_t>(slots_allowed_),
                                       [](const Slot& a, const Slot& b) { return a.inbox.size() < b.inbox.size(); });
    if (slot->inbox.size() > limits_.leases_ahead_per_slot) return;
    const LeaseGrant grant = queue_.front();
    queue_.pop_front();
    slot->inbox.push_back(grant.lease);
    started_.emplace(grant.lease, grant);
    actions.push_back(StartLease{static_cast<uint32_t>(slot - slots_.begin()), grant, memory_.partial_bytes_max});
  }
}

void WorkerCore::on(const LeaseMapped& mapped, Actions& actions) {
  const auto started = started_.find(mapped.lease);
  FANFOLD_ASSERT(started != started_.end(), "a lease ended that was not started");
  FANFOLD_ASSERT(mapped.slot < slots_.size(), "no such slot");
  const LeaseGrant grant = started->second;
  started_.erase(started);
  std::erase(slots_[mapped.slot].inbox, mapped.lease);
  if (state_ == State::kClosing) {
    finish_closing(actions);
    return;
  }
  FANFOLD_ASSERT(mapped.actual_end >= grant.shards.begin && mapped.actual_end <= grant.shards.end,
                 "a lease ended outside itself");
  counters_.leases_mapped += 1;
  const Interval done{grant.shards.begin, mapped.actual_end};
  if (!done.empty()) {
    held_.emplace(mapped.lease,
                  HeldPartial{mapped.slot, done, mapped.small.has_value(), mapped.partial_bytes, BundleSeq{}});
  }
  Ended ended;
  ended.run = run_;
  ended.lease = mapped.lease;
  ended.done = done;
  ended.outcome = mapped.outcome;
  ended.records = mapped.records;
  ended.bytes = mapped.bytes;
  ended.map = mapped.map;
  ended.seal = mapped.seal;
  ended.merge = std::exchange(merge_since_ended_, Duration{});
  ended.entries = mapped.entries;
  ended.partial_bytes = mapped.partial_bytes;
  ended.small = mapped.small;
  ended.cause = mapped.cause;
  actions.push_back(SendToRoot{std::move(ended)});
  feed_slots(actions);
}

void WorkerCore::heard(const Verdicts& verdicts, Actions& actions) {
  if (verdicts.run != run_ || state_ != State::kRunning) {
    // A closing run frees everything anyway.
    if (state_ != State::kClosing) counters_.unexpected_messages += 1;
    return;
  }
  for (const LeaseId lease : verdicts.awarded) {
    const auto held = held_.find(lease);
    if (held == held_.end() || !held->second.bundle.empty()) {
      counters_.unexpected_messages += 1;
      continue;
    }
    if (held->second.small) {
      held_.erase(held);
      actions.push_back(FreePartial{lease});
      continue;
    }
    if (open_bundle_.empty()) {
      open_bundle_ = {next_bundle_++};
      bundles_[open_bundle_];
    }
    Bundle& bundle = bundles_[open_bundle_];
    bundle.merging += 1;
    held->second.bundle = open_bundle_;
    actions.push_back(MergePartial{held->second.slot, lease, open_bundle_});
    if (bundle.manifest.size() + bundle.merging >= kLeasesPerBundleMax) close_open_bundle(0, false, actions);
  }
  for (const LeaseId lease : verdicts.dropped) {
    const auto held = held_.find(lease);
    if (held == held_.end() || !held->second.bundle.empty()) {
      counters_.unexpected_messages += 1;
      continue;
    }
    held_.erase(held);
    actions.push_back(FreePartial{lease});
  }
  feed_slots(actions);
}

// ---- bundles ----------------------------------------------------------------------------------

uint64_t WorkerCore::bundle_bytes() const {
  uint64_t bytes = 0;
  for (const auto& [seq, bundle] : bundles_) bytes += bundle.bytes;
  return bytes;
}

void WorkerCore::on(const PartialMerged& merged, Actions& actions) {
  const auto held = held_.find(merged.lease);
  FANFOLD_ASSERT(held != held_.end() && held->second.bundle == merged.bundle, "merged what was not to be merged");
  Bundle& bundle = bundles_.at(merged.bundle);
  FANFOLD_ASSERT(bundle.merging > 0, "merged into a bundle that was packed");
  bundle.merging -= 1;
  bundle.manifest.push_back({merged.lease, held->second.shards});
  bundle.bytes = merged.bundle_bytes;
  merge_since_ended_ += merged.merge;
  held_.erase(held);
  if (state_ == State::kClosing) {
    finish_closing(actions);
    return;
  }
  if (merged.bundle == open_bundle_) {
    if (bundle.bytes >= memory_.open_bundle_bytes_max) close_open_bundle(0, false, actions);
  } else {
    pack_if_merged(merged.bundle, bundle, actions);
  }
  feed_slots(actions);
}

void WorkerCore::close_open_bundle(uint64_t bytes_granted, bool finish, Actions& actions) {
  const BundleSeq seq = std::exchange(open_bundle_, BundleSeq{});
  Bundle& bundle = bundles_.at(seq);
  bundle.state = BundleState::kClosing;
  bundle.bytes_granted = bytes_granted;
  bundle.finish = finish;
  pack_if_merged(seq, bundle, actions);
}

void WorkerCore::pack_if_merged(BundleSeq seq, Bundle& bundle, Actions& actions) {
  if (bundle.state != BundleState::kClosing || bundle.merging > 0) return;
  bundle.state = BundleState::kPacking;
  actions.push_back(PackBundle{seq, bundle.finish});
}

void WorkerCore::on(const BundlePacked& packed, Actions& actions) {
  Bundle& bundle = bundles_.at(packed.bundle);
  FANFOLD_ASSERT(bundle.state == BundleState::kPacking, "packed what was not to be packed");
  bundle.packed = packed;
  bundle.bytes = packed.bytes;
  bundle.state = BundleState::kWanted;
  if (state_ == State::kClosing) {
    finish_closing(actions);
    return;
  }
  const bool sending = packed.bytes <= bundle.bytes_granted && !gatherer_.incarnation.empty();
  actions.push_back(SendToRoot{FlushWanted{run_, packed.bundle, packed.bytes, bundle.manifest.size(),
                                           sending ? gatherer_.incarnation : IncarnationId{}}});
  if (sending) offer(packed.bundle, bundle, actions);
}

void WorkerCore::heard(const Flush& flush, Actions& actions) {
  if (flush.run != run_ || state_ != State::kRunning) return;
  use_gatherer(flush.gatherer, actions);
  // Nothing open: what there was is closed and asks for itself. With another bundle on its way the open one is
  // not the whole run, whatever the root could know.
  if (!open_bundle_.empty()) close_open_bundle(flush.bytes_granted, flush.finish && bundles_.size() == 1, actions);
}

void WorkerCore::heard(const FlushGranted& granted, Actions& actions) {
  if (granted.run != run_ || state_ != State::kRunning) return;
  use_gatherer(granted.gatherer, actions);
  const auto found = bundles_.find(granted.seq);
  if (found == bundles_.end() || !found->second.packed) {
    counters_.unexpected_messages += 1;
    return;
  }
  offer(granted.seq, found->second, actions);
}

void WorkerCore::use_gatherer(const GathererAddress& gatherer, Actions& actions) {
  if (gatherer.incarnation.empty() || gatherer == gatherer_) return;
  gatherer_ = gatherer;
  actions.push_back(ConnectGatherer{gatherer});
  actions.push_back(SendToGatherer{gatherer.incarnation, hello_});
  for (auto& [seq, bundle] : bundles_) {
    // Sent to a gatherer that is gone: the root grants it anew.
    if (bundle.state == BundleState::kSending) bundle.state = BundleState::kWanted;
  }
}

void WorkerCore::offer(BundleSeq seq, Bundle& bundle, Actions& actions) {
  bundle.state = BundleState::kSending;
  bundle.gatherer = gatherer_.incarnation;
  counters_.bundles_sent += 1;
  BundleOffer offer;
  offer.run = run_;
  offer.seq = seq;
  offer.manifest = bundle.manifest;
  offer.content = bundle.packed->content;
  offer.log2_parts = bundle.packed->log2_parts;
  offer.parts = bundle.packed->parts;
  offer.bytes = bundle.packed->bytes;
  offer.checksum = bundle.packed->checksum;
  offer.ledger = bundle.packed->ledger;
  actions.push_back(SendToGatherer{gatherer_.incarnation, std::move(offer)});
  send_chunks(seq, bundle, 0, kChunksInFlightMax, actions);
}

void WorkerCore::send_chunks(BundleSeq seq, const Bundle& bundle, uint32_t first, uint32_t count, Actions& actions) {
  for (uint32_t index = first; index - first < std::min(count, kChunksInFlightMax); ++index) {
    const uint64_t offset = uint64_t{index} * kChunkBytesMax;
    if (offset >= bundle.packed->bytes) return;
    const uint64_t size = std::min<uint64_t>(kChunkBytesMax, bundle.packed->bytes - offset);
    actions.push_back(SendChunk{bundle.gatherer, Chunk{run_, seq, index}, offset, size});
    counters_.chunks_sent += 1;
  }
}

void WorkerCore::on(const GathererSaid& said, Actions& actions) {
  if (said.gatherer != gatherer_.incarnation) return;  // a late word of one that is gone
  if (const auto* wanted = std::get_if<ChunksWanted>(&said.message)) {
    if (wanted->run != run_ || state_ != State::kRunning) return;
    const auto found = bundles_.find(wanted->seq);
    if (found == bundles_.end() || found->second.state != BundleState::kSending) return;
    send_chunks(wanted->seq, found->second, wanted->first, wanted->count, actions);
  } else if (const auto* refused = std::get_if<Refused>(&said.message)) {
    leave(false, refused->sentence, actions);
  } else if (std::holds_alternative<StartAnew>(said.message)) {
    // A gatherer that does not know us was told to forget us, or is another life: the root will say.
    counters_.unexpected_messages += 1;
  } else if (!std::holds_alternative<Welcome>(said.message)) {
    counters_.unexpected_messages += 1;
  }
}

void WorkerCore::heard(const BundleDone& done, Actions& actions) {
  if (done.run != run_ || state_ != State::kRunning) return;
  const auto found = bundles_.find(done.seq);
  if (found == bundles_.end() || !found->second.packed) {
    counters_.unexpected_messages += 1;
    return;
  }
  bundles_.erase(found);
  actions.push_back(FreeBundle{done.seq});
  feed_slots(actions);
}

}  // namespace fanfold::worker
