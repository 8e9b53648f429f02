#include "tests/simulation/simulated_worker.h"

#include <algorithm>
#include <csignal>
#include <utility>

#include "engine/protocol/codec.h"

namespace fanfold::simulation {
namespace {

Hello hello_of(const SimulatedWorker::Settings& settings, RunId run) {
  Hello hello;
  hello.name = settings.name;
  hello.slots = settings.slots;
  hello.run = settings.of_fleet ? run : RunId{};
  hello.memory_bytes = settings.memory_bytes;
  hello.obituary = settings.obituary;
  return hello;
}

worker::Limits limits() {
  worker::Limits limits;
  limits.job_open_max = seconds(1000);  // as the gatherer has: processes are paused here for as long as they like
  return limits;
}

}  // namespace

SimulatedWorker::SimulatedWorker(SimulatedWorld& world, const SimulatedJob& job, Settings settings)
    : SimulatedProcess(world),
      job_(job),
      settings_(std::move(settings)),
      incarnation_(world.fresh_incarnation()),
      core_(hello_of(settings_, job.run), limits()),
      root_(Session::Side::kConnector, Epoch{}, incarnation_, world.session_limits, world.now()),
      slots_(settings_.slots) {}

Obituary SimulatedWorker::obituary() const {
  Obituary obituary;
  obituary.incarnation = incarnation_;
  obituary.cause.kind = CauseKind::kSignal;
  obituary.cause.signal = SIGKILL;
  return obituary;
}

bool SimulatedWorker::holds(LeaseId lease) const {
  if (partials_.contains(lease)) return true;
  for (const auto& [seq, bundle] : bundles_) {
    if (bundle.leases.contains(lease)) return true;
  }
  return false;
}

void SimulatedWorker::arrive(ProcessId from, const Frame& frame) {
  const Result<FrameHead> head = decode_frame(frame.payload);
  const bool from_root = from == settings_.root;
  if (!head || (!from_root && (!gatherer_ || from != gatherer_process_))) return;
  const IncarnationId gatherer =
      from_root ? IncarnationId{} : IncarnationId{gatherer_->epoch().high, gatherer_->epoch().low};
  for (Delivery& delivery : (from_root ? root_ : *gatherer_).receive(*head, frame.raw, world().now())) {
    Result<Message> message = decode(delivery.message);
    if (!message) return world().problem("a message to a worker cannot be read: " + message.failure().sentence);
    if (const auto* block = std::get_if<ShippedBlock>(&*message)) {
      take_shipped(*block, delivery.raw.view);
    } else if (from_root) {
      step(worker::RootSaid{std::move(*message)});
    } else {
      step(worker::GathererSaid{gatherer, std::move(*message)});
    }
    if (!alive()) return;
  }
}

std::optional<Instant> SimulatedWorker::turn() {
  if (root_.silent() || root_.state() == Session::State::kLost) {
    step(worker::RootLost{"the root is silent"});
    return std::nullopt;
  }
  if (const auto due = core_.next_deadline(); due && *due <= world().now()) step(worker::Tick{});
  if (!alive()) return std::nullopt;
  for (Frame& frame : root_.take_frames(world().now())) world().transmit(id(), settings_.root, std::move(frame));
  std::optional<Instant> deadline = earlier(root_.next_deadline(), core_.next_deadline());
  if (gatherer_) {
    for (Frame& frame : gatherer_->take_frames(world().now())) {
      world().transmit(id(), gatherer_process_, std::move(frame));
    }
    deadline = earlier(deadline, gatherer_->next_deadline());
  }
  return deadline;
}

void SimulatedWorker::step(worker::Event event) {
  for (worker::Action& action : core_.step(std::move(event), world().now())) {
    std::visit([this](auto& what) { perform(what); }, action);
    if (!alive()) return;
  }
}

void SimulatedWorker::start_slot(uint32_t index) {
  if (slots_[index].inbox.empty() || slots_[index].busy) return;
  if (job_.shipped_bytes > 0 && !cancelled_ && !slots_[index].read) return read_shipped(slots_[index]);
  slots_[index].busy = true;
  slots_[index].read = false;
  const LeaseGrant grant = slots_[index].inbox.front();
  worker::LeaseMapped mapped;
  mapped.slot = index;
  mapped.lease = grant.lease;
  mapped.actual_end = grant.shards.end;
  if (cancelled_) {
    mapped.actual_end = grant.shards.begin;
    mapped.outcome = Outcome::kNeverStarted;
  } else if (world().chance(job_.fails_lease)) {
    world().inject(Injected::kLeasesFailed);
    mapped.actual_end = grant.shards.begin;
    mapped.outcome = Outcome::kFailed;
    mapped.cause = Cause{};
    mapped.cause->kind = CauseKind::kTimeout;
  } else if (world().chance(job_.seals_early)) {
    mapped.actual_end = grant.shards.begin + 1 + world().below(grant.shards.size());
    mapped.outcome = Outcome::kSealedEarlyMemory;
  }
  Partial partial;
  for (uint64_t shard = grant.shards.begin; shard < mapped.actual_end; ++shard) partial.map(shard, job_.keys);
  const Interval done{grant.shards.begin, mapped.actual_end};
  if (!done.empty()) partial.shards.push_back(done);
  mapped.records = done.size();
  mapped.map = job_.shard_time * static_cast<int64_t>(std::max<uint64_t>(done.size(), 1));
  mapped.seal = microseconds(10);
  mapped.entries = partial.sums.size();
  const Bytes packed = partial.pack();
  mapped.partial_bytes = packed.size();
  if (grant.send_small && !done.empty() && world().chance(0.9)) mapped.small = SmallPartial{packed, checksum(packed)};
  after(mapped.map, [this, index, mapped, partial, done] {
    slots_[index].inbox.pop_front();
    slots_[index].busy = false;
    if (!done.empty()) partials_[mapped.lease] = partial;
    step(mapped);
    if (alive()) start_slot(index);
  });
}

void SimulatedWorker::read_shipped(Slot& slot) {
  if (slot.wanted) return;
  const uint64_t offset = world().below(job_.shipped_bytes);
  const uint64_t bytes = 1 + world().below(std::min<uint64_t>(job_.shipped_bytes - offset, 1000));
  slot.wanted = ReadShipped{job_.run, ++last_ticket_, offset, bytes};
  root_.send(encode(*slot.wanted));
}

void SimulatedWorker::take_shipped(const ShippedBlock& block, ByteView bytes) {
  for (uint32_t index = 0; index < slots_.size(); ++index) {
    Slot& slot = slots_[index];
    if (!slot.wanted || slot.wanted->ticket != block.ticket) continue;
    const Bytes expected = shipped_bytes(job_.run, slot.wanted->offset, slot.wanted->bytes);
    if (!std::equal(bytes.begin(), bytes.end(), expected.begin(), expected.end())) {
      world().problem("a worker reads other bytes than were shipped");
    }
    slot.wanted.reset();
    slot.read = true;
    start_slot(index);
  }
}

void SimulatedWorker::perform(worker::SendToRoot& send) {
  root_.send(encode(send.message));
}

void SimulatedWorker::perform(worker::SendToGatherer& send) {
  gatherer_->send(encode(send.message));
}

void SimulatedWorker::perform(worker::ConnectGatherer& connect) {
  gatherer_process_ = std::stoull(connect.gatherer.address);
  gatherer_.emplace(Session::Side::kConnector, epoch_of(connect.gatherer.incarnation), incarnation_,
                    world().session_limits, world().now());
}

void SimulatedWorker::perform(worker::SendChunk& send) {
  const auto& packed = bundles_.at(send.chunk.seq).packed;
  chunks_sent_ += 1;
  gatherer_->send_loose(encode(send.chunk), RawBytes{packed, ByteView{*packed}.subspan(send.offset, send.size)});
}

void SimulatedWorker::perform(worker::OpenJob&) {
  after(world().between(microseconds(100), milliseconds(5)), [this] { step(worker::JobOpened{job_.run}); });
}

void SimulatedWorker::perform(worker::StartLease& start) {
  slots_[start.slot].inbox.push_back(start.grant);
  start_slot(start.slot);
}

void SimulatedWorker::perform(worker::CancelSlots&) {
  cancelled_ = true;
  for (uint32_t index = 0; index < slots_.size(); ++index) {
    // Whoever waits for shipped bytes is woken, behind what is decided now.
    if (std::exchange(slots_[index].wanted, std::nullopt)) after({}, [this, index] { start_slot(index); });
  }
}

void SimulatedWorker::perform(worker::MergePartial& merge) {
  after(world().between(microseconds(10), milliseconds(2)), [this, lease = merge.lease, seq = merge.bundle] {
    Bundle& bundle = bundles_[seq];
    bundle.partial.merge(partials_.at(lease));
    bundle.leases.insert(lease);
    partials_.erase(lease);
    step(worker::PartialMerged{lease, seq, microseconds(20), bundle.partial.pack().size()});
  });
}

void SimulatedWorker::perform(worker::FreePartial& free) {
  if (partials_.erase(free.lease) == 0) world().problem("a partial was freed that is not there");
}

void SimulatedWorker::perform(worker::PackBundle& pack) {
  const auto content = pack.finish ? BundleContent::kRows : BundleContent::kColumns;
  after(world().between(microseconds(10), milliseconds(2)), [this, seq = pack.bundle, content] {
    Bundle& bundle = bundles_.at(seq);
    Bytes packed = bundle.partial.pack();
    packed.resize(packed.size() + job_.filler_bytes);
    worker::BundlePacked done;
    done.bundle = seq;
    done.content = content;
    done.parts = {PartExtent{bundle.partial.sums.size(), 0, packed.size()}};
    done.bytes = packed.size();
    done.checksum = job_.filler_bytes > 0 ? 0 : checksum(packed);
    bundle.packed = std::make_shared<const Bytes>(std::move(packed));
    step(std::move(done));
  });
}

void SimulatedWorker::perform(worker::FreeBundle& free) {
  if (bundles_.erase(free.bundle) == 0) world().problem("a bundle was freed that is not there");
}

void SimulatedWorker::perform(worker::CloseJob&) {
  partials_.clear();
  bundles_.clear();
  after(world().between(microseconds(10), milliseconds(1)), [this] {
    worker::JobClosed closed;
    closed.goodbye.run = job_.run;
    step(closed);
  });
}

void SimulatedWorker::perform(worker::Leave& leave) {
  world().end(id());
  settings_.left(!leave.begin_anew);
}

}  // namespace fanfold::simulation
