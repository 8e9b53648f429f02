// fleet_simulation.h: a whole fleet in one thread and in simulated time, drawn from a seed: several runs at once,
// nodes that join, drain, crash and pause, clients that submit, watch, cancel, come back or are gone, over links that
// lose, repeat and reorder. The objects are the program's own (Session, SessionHub, FleetScheduler, WorkerCore,
// BundleStage). Every run that is done must have its twin's answer, with every shard in it once; and when all have
// ended no process of any may be left, and no result but those of runs that are done.
#pragma once

#include <cstdint>
#include <string>

#include "tests/simulation/simulated_world.h"

namespace fanfold::simulation {

// Mistakes of the shell around the scheduler, to show that the simulation finds them.
enum class PlantedFleetFault : uint8_t {
  kNone,
  kHiddenEnd,  // a node does not say that a run's worker has ended
};

struct FleetReport {
  std::string problem;  // empty: the fleet did what it should
  InjectedCounts injected{};
  uint64_t events = 0;
  uint64_t runs_done = 0;
  uint64_t shipped_done = 0;  // of these: with the files of their clients
  uint64_t runs_cancelled = 0;
  uint64_t fetched_later = 0;  // by another client than the one that submitted
  uint64_t nodes_lost = 0;
  uint64_t leases = 0;
  uint64_t retries = 0;
  uint64_t bundles = 0;
};

[[nodiscard]] FleetReport simulate_fleet(uint64_t seed, PlantedFleetFault fault = PlantedFleetFault::kNone);

}  // namespace fanfold::simulation
