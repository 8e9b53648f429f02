#include "tests/simulation/simulated_node.h"

#include <algorithm>
#include <csignal>
#include <utility>

namespace fanfold::simulation {
namespace {

constexpr Duration kDrainMax = seconds(30);
constexpr Duration kStopWait = milliseconds(1500);  // until a worker that was told to end is killed

}  // namespace

Hello SimulatedNode::hello() const {
  Hello hello;
  hello.role = Role::kNode;
  hello.name = settings_.name;
  hello.slots = settings_.slots;
  hello.memory_bytes = settings_.memory_bytes;
  hello.accepts_plugins = settings_.accepts_plugins;
  return hello;
}

std::vector<const SimulatedWorker*> SimulatedNode::workers(RunId run) const {
  std::vector<const SimulatedWorker*> all;
  const auto found = workers_.find(run);
  if (found != workers_.end() && found->second.executor != nullptr) all.push_back(found->second.executor);
  return all;
}

std::vector<ProcessId> SimulatedNode::processes() const {
  std::vector<ProcessId> all{id()};
  for (const auto& [run, supervisor] : workers_) {
    if (supervisor.executor != nullptr) all.push_back(supervisor.executor->id());
  }
  return all;
}

void SimulatedNode::heard(const Message& message, const RawBytes& raw) {
  if (const auto* start = std::get_if<StartWorker>(&message)) {
    start_worker(*start);
  } else if (const auto* stop = std::get_if<StopWorker>(&message)) {
    stop_worker(stop->run);
  } else if (const auto* block = std::get_if<ShippedBlock>(&message)) {
    take_plugin(*block, raw.view);
  } else if (std::holds_alternative<NodeReleased>(message)) {
    if (leaving_) leave();
  } else if (const auto* refused = std::get_if<Refused>(&message)) {
    world().problem("a node was refused: " + refused->sentence);
  }
}

void SimulatedNode::lost() {
  end_workers();
  if (leaving_) leave();
}

void SimulatedNode::drain() {
  if (std::exchange(leaving_, true)) return;
  send(NodeLeaving{});
  after(kDrainMax, [this] { leave(); });
}

void SimulatedNode::crash() {
  end_workers();
  world().end(id());
  settings_.left();
}

void SimulatedNode::leave() {
  end_workers();
  send(Goodbye{});
  flush();
  world().end(id());
  settings_.left();
}

void SimulatedNode::end_workers() {
  for (const auto& [run, supervisor] : workers_) {
    if (supervisor.executor != nullptr) world().end(supervisor.executor->id());
  }
  workers_.clear();
  fetches_.clear();
}

void SimulatedNode::start_worker(const StartWorker& start) {
  stop_worker(start.run);
  workers_.erase(start.run);  // one before it that hangs is killed
  if (start.plugin_bytes == 0) return run_worker(start);
  if (!settings_.accepts_plugins) return world().problem("a node is to load a plugin that it does not accept");
  fetches_[start.run] = Fetch{start, 0, {}};
  ask_for_plugin(start.run);
}

void SimulatedNode::ask_for_plugin(RunId run) {
  Fetch& fetch = fetches_.at(run);
  const uint64_t bytes = std::min<uint64_t>(fetch.start.plugin_bytes - fetch.came, 1 + world().below(5000));
  fetch.wanted = ReadShipped{run, ++last_ticket_, fetch.came, bytes};
  send(fetch.wanted);
}

void SimulatedNode::take_plugin(const ShippedBlock& block, ByteView bytes) {
  const auto found = fetches_.find(block.run);
  if (found == fetches_.end() || found->second.wanted.ticket != block.ticket) return;
  Fetch& fetch = found->second;
  const Bytes expected = shipped_bytes(block.run, fetch.came, fetch.wanted.bytes);
  if (!std::equal(bytes.begin(), bytes.end(), expected.begin(), expected.end())) {
    return world().problem("a node reads another plugin than was shipped");
  }
  fetch.came += bytes.size();
  if (fetch.came < fetch.start.plugin_bytes) return ask_for_plugin(block.run);
  const StartWorker start = fetch.start;
  fetches_.erase(found);
  run_worker(start);
}

void SimulatedNode::run_worker(const StartWorker& start) {
  workers_[start.run] = Supervisor{++starts_, start.name, start.memory_bytes, nullptr, false};
  fork_later(start.run, world().between(milliseconds(1), milliseconds(20)), std::nullopt);
}

void SimulatedNode::stop_worker(RunId run) {
  fetches_.erase(run);
  const auto found = workers_.find(run);
  if (found == workers_.end() || found->second.stopped) return;
  found->second.stopped = true;
  if (SimulatedWorker* executor = std::exchange(found->second.executor, nullptr)) world().end(executor->id());
  after(world().between({}, kStopWait), [this, run, number = found->second.number] {
    const auto stopped = workers_.find(run);
    if (stopped != workers_.end() && stopped->second.number == number) workers_.erase(stopped);
  });
}

// Supervisors are processes of their own: they go on while the agent is paused.
void SimulatedNode::fork_later(RunId run, Duration delay, std::optional<Obituary> obituary) {
  world().after(
      0, delay,
      [this, &world = world(), node = id(), run, number = workers_.at(run).number, obituary = std::move(obituary)] {
        if (world.find(node) == nullptr) return;  // so `this` is no more
        const auto found = workers_.find(run);
        if (found == workers_.end() || found->second.number != number || found->second.stopped) return;
        fork_executor(run, obituary);
      });
}

void SimulatedNode::fork_executor(RunId run, std::optional<Obituary> obituary) {
  Supervisor& supervisor = workers_.at(run);
  SimulatedWorker::Settings settings;
  settings.root = root();
  settings.name = supervisor.name;
  settings.slots = settings_.slots;
  settings.of_fleet = true;
  settings.memory_bytes = supervisor.memory_bytes;
  settings.obituary = std::move(obituary);
  settings.left = [this, run, number = supervisor.number](bool refused) { executor_left(run, number, refused); };
  supervisor.executor = &world().start<SimulatedWorker>(*jobs_.at(run), std::move(settings));
}

void SimulatedNode::executor_left(RunId run, uint64_t number, bool refused) {
  const auto found = workers_.find(run);
  if (found == workers_.end() || found->second.number != number) return;
  found->second.executor = nullptr;
  if (refused) return supervisor_ended(run);
  fork_later(run, world().between(milliseconds(1), milliseconds(20)), std::nullopt);
}

void SimulatedNode::supervisor_ended(RunId run) {
  after(world().between({}, milliseconds(5)), [this, run, number = workers_.at(run).number] {
    const auto found = workers_.find(run);
    if (found == workers_.end() || found->second.number != number) return;
    const bool told = !found->second.stopped && !settings_.hides_ends;
    workers_.erase(found);
    if (!told) return;
    Cause cause;
    cause.kind = CauseKind::kSignal;
    cause.signal = SIGKILL;
    send(WorkerEnded{run, cause});
  });
}

bool SimulatedNode::crash_worker(bool supervisor_too) {
  for (auto& [run, supervisor] : workers_) {
    SimulatedWorker* executor = std::exchange(supervisor.executor, nullptr);
    if (executor == nullptr) continue;
    world().end(executor->id());
    if (supervisor_too) {
      supervisor_ended(run);
    } else {
      fork_later(run, world().between(milliseconds(1), milliseconds(50)), executor->obituary());
    }
    return true;
  }
  return false;
}

}  // namespace fanfold::simulation
