#include "tests/simulation/simulated_world.h"

#include <algorithm>

namespace fanfold::simulation {
namespace {

constexpr Duration kSpanMost = seconds(20'000);
constexpr uint64_t kEventsMost = 3'000'000;

}  // namespace

SimulatedProcess* SimulatedWorld::find(ProcessId id) const {
  const auto found = processes_.find(id);
  return found == processes_.end() ? nullptr : found->second.get();
}

void SimulatedWorld::end(ProcessId id) {
  const auto found = processes_.find(id);
  if (found == processes_.end()) return;
  found->second->ended_ = true;
  ended_.push_back(std::move(found->second));
  processes_.erase(found);
}

void SimulatedWorld::pause(ProcessId id, Duration span) {
  SimulatedProcess* process = find(id);
  if (process == nullptr) return;
  // A pause that was begun is not cut short: what waits for its end would come behind what comes later.
  process->paused_until_ = std::max(process->paused_until_.value_or(now_), now_ + span);
}

void SimulatedWorld::after(ProcessId process, Duration delay, std::function<void()> what) {
  happenings_.push({now_ + delay, next_order_++, process, std::move(what)});
}

void SimulatedWorld::deliver(ProcessId from, ProcessId to, Duration delay, std::shared_ptr<const Frame> frame) {
  after(to, delay, [this, from, to, frame = std::move(frame)] { find(to)->arrive(from, *frame); });
}

void SimulatedWorld::transmit(ProcessId from, ProcessId to, Frame frame) {
  const auto shared = std::make_shared<const Frame>(std::move(frame));
  if (chance(links.loss)) {
    inject(Injected::kFramesLost);
    return;
  }
  const int copies = chance(links.repeat) ? 2 : 1;
  if (copies == 2) inject(Injected::kFramesRepeated);
  for (int i = 0; i < copies; ++i) {
    Duration delay = between(microseconds(20), microseconds(200));
    if (chance(links.straggle)) delay = between(milliseconds(1), milliseconds(chance(0.05) ? 15'000 : 400));
    Instant& last = last_arrival_[{from, to}];
    if (now_ + delay < last) inject(Injected::kFramesReordered);
    last = std::max(last, now_ + delay);
    deliver(from, to, delay, shared);
  }
  if (chance(links.garbage)) {
    inject(Injected::kGarbageFrames);
    Frame garbage{shared->payload, {}};
    if (chance(0.5) && !garbage.payload.empty()) garbage.payload.resize(below(garbage.payload.size()));
    for (int i = 0; i < 4 && !garbage.payload.empty(); ++i) {
      // Not within the identities: those are the keys' business (CURVE), not the codec's.
      const std::size_t at = below(garbage.payload.size());
      if (at == 0 || at > 38) garbage.payload[at] = static_cast<std::byte>(random_());
    }
    // Whole frames whose header is intact could carry a changed message that is well-formed: only cut ones go.
    if (!decode_frame(garbage.payload).ok()) {
      deliver(from, to, {}, std::make_shared<const Frame>(std::move(garbage)));
    }
  }
}

void SimulatedWorld::turn(ProcessId id) {
  SimulatedProcess* process = find(id);
  if (process == nullptr) return;
  const std::optional<Instant> deadline = process->turn();
  process = find(id);
  if (process == nullptr || !deadline) return;
  if (process->wake_at_ && *process->wake_at_ <= *deadline && *process->wake_at_ > now_) return;
  process->wake_at_ = std::max(*deadline, now_ + nanoseconds(1));
  after(id, *process->wake_at_ - now_, [] {});
}

void SimulatedWorld::run(const std::function<bool()>& over) {
  const Instant give_up = now_ + kSpanMost;
  while (!over() && problem_.empty()) {
    if (happenings_.empty()) return problem("nothing happens any more");
    Happening next = happenings_.top();
    happenings_.pop();
    if (next.at > give_up || events_ > kEventsMost) return problem("it does not end");
    now_ = std::max(now_, next.at);
    events_ += 1;
    ended_.clear();
    if (next.process != 0) {
      SimulatedProcess* process = find(next.process);
      if (process == nullptr) continue;
      if (process->paused_until_ && now_ < *process->paused_until_) {
        next.at = *process->paused_until_;  // stays in order with what else waits
        happenings_.push(std::move(next));
        continue;
      }
      process->paused_until_.reset();
    }
    next.what();
    if (next.process != 0) turn(next.process);
  }
}

}  // namespace fanfold::simulation
