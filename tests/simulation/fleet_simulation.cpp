#include "tests/simulation/fleet_simulation.h"

#include <map>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "tests/simulation/drawn_run.h"
#include "tests/simulation/lease_checks.h"
#include "tests/simulation/simulated_client.h"
#include "tests/simulation/simulated_fleet_root.h"
#include "tests/simulation/simulated_node.h"

namespace fanfold::simulation {
namespace {

constexpr uint64_t kShardsMost = 900;
constexpr uint64_t kChecksEvery = 16;        // steps of the root
constexpr Duration kTidyMax = seconds(120);  // from the last run's end until no process of any is left

class SimulatedFleet {
 public:
  SimulatedFleet(SimulatedWorld& world, PlantedFleetFault fault);

  [[nodiscard]] bool over();
  void conclude(FleetReport& report) const;

 private:
  struct Run {
    Submit submit;
    uint64_t block_bytes = 1;      // of what is shipped
    bool fetched_later = false;    // by a client that comes when the first has left
    bool cancelled = false;        // a client wanted it
    bool client_troubled = false;  // it crashed, or paused: an attached run may be cancelled for that
    bool concluded = false;        // told to its client, or its client is gone for good
    SimulatedClient* client = nullptr;
  };

  [[nodiscard]] schedule::FleetLimits limits();
  void ship(Run& run);
  void ship_plugin(Run& run);
  [[nodiscard]] bool ships(const Run& run) const { return jobs_.at(run.submit.run)->shipped_bytes > 0; }
  void spawn_node(const std::string& name);
  void spawn_client(Run& run, bool watches);
  void client_left(Run& run, const RunOver* over, const Partial& rows);
  void judge(Run& run, const RunOver& over, const Partial& rows);
  void check();

  void trouble();
  void trouble_node();
  void trouble_client();
  void pause(ProcessId process, Injected kind);

  SimulatedWorld& world_;
  PlantedFleetFault fault_;
  bool calm_;
  uint32_t slots_;
  uint64_t node_memory_bytes_;
  uint64_t troubles_left_;
  uint64_t gatherer_kills_left_;
  Duration trouble_every_;
  SimulatedJobs jobs_;
  std::map<RunId, Run> runs_;
  std::map<ProcessId, SimulatedNode*> nodes_;
  SimulatedFleetRoot* root_ = nullptr;
  uint64_t steps_ = 0;
  uint64_t runs_done_ = 0;
  uint64_t shipped_done_ = 0;
  uint64_t runs_cancelled_ = 0;
  uint64_t fetched_later_ = 0;
  std::optional<Instant> all_ended_;
};

SimulatedFleet::SimulatedFleet(SimulatedWorld& world, PlantedFleetFault fault)
    : world_(world),
      fault_(fault),
      calm_(draw_links(world)),
      slots_(1 + static_cast<uint32_t>(world.below(3))),
      node_memory_bytes_(world.chance(0.5) ? 4096 + world.below(200'000) : uint64_t{1} << 30),
      troubles_left_(calm_ ? 0 : world.below(20)),
      gatherer_kills_left_(calm_ ? 0 : world.below(3)),
      trouble_every_(world.between(milliseconds(50), milliseconds(3000))) {
  root_ = &world.start<SimulatedFleetRoot>(jobs_, limits(), [this] {
    if (++steps_ % kChecksEvery == 0) check();
  });
  const uint64_t nodes = 1 + world.below(3);
  for (uint64_t number = 0; number < nodes; ++number) {
    world.after(0, world.between({}, milliseconds(500)), [this, number] { spawn_node("w" + std::to_string(number)); });
  }
  const uint64_t runs = 1 + world.below(4);
  for (uint64_t number = 1; number <= runs; ++number) {
    const RunId id{number, number};
    DrawnRun drawn = draw_run(world, calm_, id, kShardsMost);
    jobs_[id] = std::make_unique<SimulatedJob>(drawn.job);
    Run& run = runs_[id];
    run.submit.run = id;
    run.submit.specification.job = "sums";
    run.submit.specification.sources = std::move(drawn.sources);
    if (!run.submit.specification.sources[0].path.empty() && world.chance(0.5)) ship(run);
    if (world.chance(0.3)) ship_plugin(run);
    run.submit.specification.attached = world.chance(0.5);
    run.submit.specification.no_workers_max = seconds(100'000);
    run.fetched_later = !run.submit.specification.attached && world.chance(0.5);
    world.after(0, world.between({}, seconds(3)), [this, &run] { spawn_client(run, !run.fetched_later); });
  }
  world.after(0, trouble_every_, [this] { trouble(); });
}

// Its client sends the file, the smaller the slower.
void SimulatedFleet::ship(Run& run) {
  Source& file = run.submit.specification.sources[0];
  file.path.clear();
  file.unit = 1 + world_.below(100);
  file.size = jobs_.at(run.submit.run)->shards * file.unit;
  jobs_.at(run.submit.run)->shipped_bytes = file.size;
  run.submit.specification.ship = true;
  run.block_bytes = 1 + file.size / 200 + world_.below(file.size / 4 + 1);
}

void SimulatedFleet::ship_plugin(Run& run) {
  RunSpecification& specification = run.submit.specification;
  specification.plugin_hash = std::string(32, 'a');
  specification.plugin_bytes = 1 + world_.below(20'000);
  jobs_.at(run.submit.run)->shipped_bytes += specification.plugin_bytes;
  run.block_bytes += specification.plugin_bytes / 20;
}

schedule::FleetLimits SimulatedFleet::limits() {
  schedule::FleetLimits limits;
  limits.run = draw_limits(world_);
  limits.runs_max = 1 + static_cast<uint32_t>(world_.below(3));
  limits.worker_starts_max = 1000;  // as nothing else here ends a run
  limits.result_ttl = seconds(100'000);
  limits.ship_bytes_max = uint64_t{1} << 30;
  limits.accept_plugins = true;
  limits.ship_window_bytes = 500 + world_.below(world_.chance(0.5) ? 100'000 : 3'000);
  limits.shippers_max = 1 + static_cast<uint32_t>(world_.below(3));
  limits.gatherer_memory_bytes = world_.chance(0.5) ? 4000 : uint64_t{1} << 30;
  return limits;
}

void SimulatedFleet::spawn_node(const std::string& name) {
  SimulatedNode::Settings settings;
  settings.root = root_->id();
  settings.name = name;
  settings.slots = slots_;
  settings.memory_bytes = node_memory_bytes_;
  // One of them at least.
  settings.accepts_plugins = name == "w0" || world_.chance(0.5);
  settings.hides_ends = fault_ == PlantedFleetFault::kHiddenEnd;
  const auto process = std::make_shared<ProcessId>();
  settings.left = [this, name, process] {
    nodes_.erase(*process);
    world_.after(0, world_.between(milliseconds(10), seconds(3)), [this, name] { spawn_node(name); });
  };
  SimulatedNode& node = world_.start<SimulatedNode>(jobs_, std::move(settings));
  *process = node.id();
  nodes_[node.id()] = &node;
}

// ---- clients ------------------------------------------------------------------------------------

void SimulatedFleet::spawn_client(Run& run, bool watches) {
  SimulatedClient::Settings settings;
  settings.root = root_->id();
  settings.submit = run.submit;
  settings.watches = watches;
  settings.shipped_bytes = jobs_.at(run.submit.run)->shipped_bytes;
  settings.block_bytes = run.block_bytes;
  settings.left = [this, &run](const RunOver* over, const Partial& rows) { client_left(run, over, rows); };
  run.client = &world_.start<SimulatedClient>(std::move(settings));
}

void SimulatedFleet::client_left(Run& run, const RunOver* over, const Partial& rows) {
  run.client = nullptr;
  if (over == nullptr) {
    world_.after(0, world_.between({}, seconds(30)), [this, &run] { spawn_client(run, true); });
    return;
  }
  judge(run, *over, rows);
  run.concluded = true;
}

void SimulatedFleet::judge(Run& run, const RunOver& over, const Partial& rows) {
  const SimulatedJob& job = *jobs_.at(run.submit.run);
  const std::string name = "run " + std::to_string(run.submit.run.low) + ": ";
  if (over.exit_code == static_cast<uint32_t>(ExitCode::kDone)) {
    runs_done_ += 1;
    shipped_done_ += ships(run) ? 1 : 0;
    fetched_later_ += run.fetched_later ? 1 : 0;
    if (rows.sums != twin_of(job)) world_.problem(name + "the answer differs from the twin's");
    if (over.shards_folded != job.shards) world_.problem(name + "not every shard was folded");
    return;
  }
  // For one that ships its client must come back in time, attached or not.
  const bool needs_client = run.submit.specification.attached || ships(run);
  const bool may_be_cancelled = run.cancelled || (needs_client && run.client_troubled);
  if (over.exit_code == static_cast<uint32_t>(ExitCode::kInterrupted) && may_be_cancelled) {
    runs_cancelled_ += 1;
    return;
  }
  world_.problem(name + "it failed: " + over.sentence);
}

// ---- what must hold -----------------------------------------------------------------------------

void SimulatedFleet::check() {
  if (const auto wrong = root_->fleet().check_intervals()) world_.problem("the intervals: " + *wrong);
  for (const auto& [id, run] : runs_) {
    const schedule::RootScheduler* scheduler = root_->fleet().scheduler_of(id);
    if (scheduler == nullptr || scheduler->leases() == nullptr || run.cancelled || run.client_troubled) continue;
    std::vector<const SimulatedWorker*> workers;
    for (const auto& [process, node] : nodes_) {
      for (const SimulatedWorker* worker : node->workers(id)) workers.push_back(worker);
    }
    if (const auto wrong = check_leases(*scheduler->leases(), workers, root_->gatherer(id))) world_.problem(*wrong);
  }
}

bool SimulatedFleet::over() {
  for (const auto& [id, run] : runs_) {
    if (!run.concluded) return false;
  }
  const schedule::FleetCounts counts = root_->fleet().counts();
  bool tidy = counts.runs_receiving + counts.runs_queued + counts.runs_running == 0 && !root_->has_gatherers() &&
              !root_->keeps_shipped() && counts.shipped_bytes == 0 && root_->results_kept() == counts.results_kept &&
              counts.clients == 0;
  for (const auto& [process, node] : nodes_) tidy = tidy && node->idle();
  if (!all_ended_) all_ended_ = world_.now();
  if (!tidy && world_.now() - *all_ended_ > kTidyMax) world_.problem("something is left of runs that have ended");
  return tidy;
}

void SimulatedFleet::conclude(FleetReport& report) const {
  const schedule::FleetCounts counts = root_->fleet().counts();
  report.runs_done = runs_done_;
  report.shipped_done = shipped_done_;
  report.runs_cancelled = runs_cancelled_;
  report.fetched_later = fetched_later_;
  report.nodes_lost = counts.nodes_lost;
  report.leases = counts.leases;
  report.retries = counts.retries;
  report.bundles = counts.bundles;
}

// ---- crashes, pauses, and other wishes ----------------------------------------------------------

void SimulatedFleet::pause(ProcessId process, Injected kind) {
  world_.inject(kind);
  world_.pause(process, world_.between(milliseconds(50), milliseconds(world_.chance(0.5) ? 30'000 : 500)));
}

void SimulatedFleet::trouble_node() {
  if (nodes_.empty()) return;
  auto at = nodes_.begin();
  std::advance(at, static_cast<int64_t>(world_.below(nodes_.size())));
  SimulatedNode& node = *at->second;
  const std::vector<ProcessId> processes = node.processes();
  switch (world_.below(7)) {
    case 0:
      world_.inject(Injected::kNodeCrashes);
      return node.crash();
    case 1:
      if (!node.leaving()) world_.inject(Injected::kNodeDrains);
      return node.drain();
    case 2:
      return pause(node.id(), Injected::kNodePauses);
    case 3:
    case 4:
      if (processes.size() > 1) pause(processes[1 + world_.below(processes.size() - 1)], Injected::kWorkerPauses);
      return;
    default:
      if (node.crash_worker(world_.chance(0.3))) world_.inject(Injected::kWorkerCrashes);
  }
}

void SimulatedFleet::trouble_client() {
  std::vector<Run*> watched;
  for (auto& [id, run] : runs_) {
    if (run.client != nullptr) watched.push_back(&run);
  }
  if (watched.empty()) return;
  Run& run = *watched[world_.below(watched.size())];
  switch (world_.below(3)) {
    case 0:
      if (!run.client->cancel()) return;
      run.cancelled = true;
      return world_.inject(Injected::kCancels);
    case 1:
      run.client_troubled = true;
      return pause(run.client->id(), Injected::kClientPauses);
    default:
      run.client_troubled = true;
      world_.inject(Injected::kClientCrashes);
      world_.end(std::exchange(run.client, nullptr)->id());
      // One that is attached ends with it; another is asked for by who comes next.
      if (run.submit.specification.attached) {
        run.concluded = true;
      } else {
        world_.after(0, world_.between({}, seconds(5)), [this, &run] { spawn_client(run, true); });
      }
  }
}

void SimulatedFleet::trouble() {
  if (troubles_left_ == 0) return;
  troubles_left_ -= 1;
  const uint64_t what = world_.below(12);
  if (what < 7) {
    trouble_node();
  } else if (what < 9) {
    trouble_client();
  } else if (what == 9 && gatherer_kills_left_ > 0) {
    gatherer_kills_left_ -= 1;
    if (root_->kill_gatherer()) world_.inject(Injected::kGathererKills);
  } else if (what == 10) {
    if (const auto gatherer = root_->any_gatherer()) pause(*gatherer, Injected::kGathererPauses);
  } else if (what == 11) {
    pause(root_->id(), Injected::kRootPauses);
  }
  world_.after(0, world_.between({}, trouble_every_ * 2), [this] { trouble(); });
}

}  // namespace

FleetReport simulate_fleet(uint64_t seed, PlantedFleetFault fault) {
  FleetReport report;
  SimulatedWorld world(seed);
  SimulatedFleet fleet(world, fault);
  world.run([&fleet] { return fleet.over(); });
  fleet.conclude(report);
  report.problem = world.problem();
  report.injected = world.injected();
  report.events = world.events();
  return report;
}

}  // namespace fanfold::simulation
