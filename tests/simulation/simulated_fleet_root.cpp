#include "tests/simulation/simulated_fleet_root.h"

#include <algorithm>
#include <csignal>
#include <memory>

#include "engine/protocol/codec.h"
#include "tests/simulation/simulated_root.h"

namespace fanfold::simulation {
namespace {

constexpr Duration kGathererEndWait = milliseconds(1500);
constexpr Duration kTurnMost = seconds(1);  // as the program's

}  // namespace

SimulatedFleetRoot::SimulatedFleetRoot(SimulatedWorld& world, const SimulatedJobs& jobs,
                                       const schedule::FleetLimits& limits, std::function<void()> stepped)
    : SimulatedProcess(world),
      jobs_(jobs),
      stepped_(std::move(stepped)),
      fleet_(limits, "simulated"),
      lived_(kTurnMost * 2),
      hub_(world.fresh_epoch(), world.session_limits) {}

void SimulatedFleetRoot::arrive(ProcessId from, const Frame& frame) {
  hear(world(), hub_, from, frame, [this](schedule::PeerSaid said) { step(std::move(said)); });
}

std::optional<Instant> SimulatedFleetRoot::turn() {
  const Instant now = world().now();
  if (const auto due = fleet_.next_deadline(); due && *due <= lived_.at(now)) step(schedule::Tick{});
  judge_and_send(world(), id(), hub_, [this](schedule::PeerLost lost) { step(std::move(lost)); });
  for (const IncarnationId peer : std::exchange(closing_, {})) hub_.close(peer);
  return earlier(earlier(hub_.next_deadline(), lived_.on_clock(fleet_.next_deadline())), now + kTurnMost);
}

void SimulatedFleetRoot::step(schedule::FleetEvent event) {
  for (schedule::FleetAction& action : fleet_.step(std::move(event), lived_.at(world().now()))) {
    std::visit([this](auto& what) { perform(what); }, action);
  }
  stepped_();
}

void SimulatedFleetRoot::perform(schedule::SendMessage& send) {
  hub_.send(send.to, encode(send.message));
}

void SimulatedFleetRoot::perform(schedule::SendBatch& send) {
  hub_.send(send.to, encode(send.batch), std::move(send.bytes));
}

void SimulatedFleetRoot::perform(schedule::SendShipped& send) {
  hub_.send(send.to, encode(send.block), std::move(send.bytes));
}

// ---- gatherers ----------------------------------------------------------------------------------

const SimulatedGatherer* SimulatedFleetRoot::gatherer(RunId run) const {
  const auto found = gatherers_.find(run);
  return found == gatherers_.end() ? nullptr : found->second.process;
}

std::optional<ProcessId> SimulatedFleetRoot::any_gatherer() const {
  for (const auto& [run, gatherer] : gatherers_) {
    if (gatherer.process != nullptr) return gatherer.process->id();
  }
  return std::nullopt;
}

void SimulatedFleetRoot::perform(schedule::StartRunGatherer& start) {
  end_gatherer(start.run);  // the one before
  gatherers_[start.run] = {start.life, nullptr, false};
  world().after(0, world().between(milliseconds(1), milliseconds(20)), [this, run = start.run, life = start.life] {
    const auto found = gatherers_.find(run);
    if (found != gatherers_.end() && found->second.life == life && !found->second.stopped) spawn_gatherer(run, life);
  });
}

void SimulatedFleetRoot::spawn_gatherer(RunId run, uint32_t life) {
  SimulatedGatherer::Settings settings;
  settings.root = id();
  settings.life = life;
  settings.of_fleet = true;
  settings.left = [this, run, life] {
    const auto found = gatherers_.find(run);
    if (found == gatherers_.end() || found->second.life != life) return;
    found->second.process = nullptr;
    if (found->second.stopped) {
      gatherers_.erase(found);
      return;
    }
    Cause cause;
    cause.kind = CauseKind::kLostLink;
    after(milliseconds(1), [this, run, life, cause] { step(schedule::RunGathererEnded{run, life, cause}); });
  };
  gatherers_.at(run).process = &world().start<SimulatedGatherer>(*jobs_.at(run), std::move(settings));
}

void SimulatedFleetRoot::end_gatherer(RunId run) {
  const auto found = gatherers_.find(run);
  if (found == gatherers_.end()) return;
  if (found->second.process != nullptr) world().end(found->second.process->id());
  gatherers_.erase(found);
}

void SimulatedFleetRoot::perform(schedule::StopRunGatherer& stop) {
  const auto found = gatherers_.find(stop.run);
  if (found == gatherers_.end()) return;
  found->second.stopped = true;
  world().after(0, kGathererEndWait, [this, run = stop.run, life = found->second.life] {
    const auto stopped = gatherers_.find(run);
    if (stopped != gatherers_.end() && stopped->second.life == life) end_gatherer(run);
  });
}

bool SimulatedFleetRoot::kill_gatherer() {
  for (auto& [run, gatherer] : gatherers_) {
    SimulatedGatherer* process = std::exchange(gatherer.process, nullptr);
    if (process == nullptr) continue;
    world().end(process->id());
    if (gatherer.stopped) return true;
    Cause cause;
    cause.kind = CauseKind::kSignal;
    cause.signal = SIGKILL;
    after(world().between(milliseconds(1), milliseconds(20)), [this, run = run, life = gatherer.life, cause] {
      step(schedule::RunGathererEnded{run, life, cause});
    });
    return true;
  }
  return false;
}

// ---- results ------------------------------------------------------------------------------------

void SimulatedFleetRoot::store_does(std::function<void()> task) {
  store_free_ = std::max(store_free_, world().now()) + world().between(microseconds(10), milliseconds(5));
  after(store_free_ - world().now(), std::move(task));
}

void SimulatedFleetRoot::perform(schedule::StoreBatch& store) {
  store_does([this, store] {
    std::vector<Batch>& batches = kept_[store.run];
    if (store.index == 0) batches.clear();
    if (store.index != batches.size()) return world().problem("batches are stored out of order");
    batches.push_back({store.rows, store.bytes});
    step(schedule::BatchStored{store.run, store.life, store.index});
  });
}

void SimulatedFleetRoot::perform(schedule::ReadBatch& read) {
  store_does([this, read] {
    const auto found = kept_.find(read.run);
    if (found == kept_.end() || read.index >= found->second.size()) {
      return world().problem("a batch is read that is not kept");
    }
    const Batch& batch = found->second[read.index];
    step(schedule::BatchRead{read.run, read.client, read.index, batch.rows, batch.bytes});
  });
}

void SimulatedFleetRoot::perform(schedule::DropResult& drop) {
  store_does([this, run = drop.run] {
    if (kept_.erase(run) == 0) world().problem("a result is dropped that is not kept");
  });
}

// ---- what clients ship --------------------------------------------------------------------------

// Whether the plugin has been shipped before is drawn.
void SimulatedFleetRoot::perform(schedule::BeginShipped& begin) {
  store_does([this, begin] {
    const uint64_t known = world().chance(0.3) ? begin.plugin_bytes : 0;
    shipped_[begin.run] = shipped_bytes(begin.run, 0, known);
    if (known > 0) step(schedule::PluginStored{begin.run, "/plugin"});
    step(schedule::ShippedBegun{begin.run, known});
  });
}

void SimulatedFleetRoot::perform(schedule::StoreShipped& store) {
  store_does([this, store] {
    Bytes& kept = shipped_[store.run];
    if (store.offset != kept.size()) return world().problem("shipped bytes are stored out of order");
    kept.insert(kept.end(), store.bytes.view.begin(), store.bytes.view.end());
    step(schedule::ShippedStored{store.run, kept.size()});
  });
}

void SimulatedFleetRoot::perform(schedule::ReadShippedBlock& read) {
  store_does([this, read] {
    const auto found = shipped_.find(read.run);
    if (found == shipped_.end()) return;  // dropped meanwhile
    const ByteView bytes = ByteView(found->second).subspan(read.offset, read.bytes);
    step(schedule::ShippedRead{read.run, read.reader, read.ticket, raw_bytes(Bytes(bytes.begin(), bytes.end()))});
  });
}

void SimulatedFleetRoot::perform(schedule::DropShipped& drop) {
  store_does([this, run = drop.run] { shipped_.erase(run); });
}

}  // namespace fanfold::simulation
