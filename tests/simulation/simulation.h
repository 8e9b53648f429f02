// simulation.h: one run of root, workers and gatherer in one thread and in simulated time, drawn from a
// seed: frames are lost, repeated, delayed and so reordered, processes crash and pause. The objects are the
// program's own (Session, SessionHub, RootScheduler, WorkerCore, BundleStage); only sockets, clocks and the
// job are played. After each step no shard may count twice and none may be lost; the answer must be the twin's.
// A whole fleet: fleet_simulation.h.
#pragma once

#include <cstdint>
#include <string>

#include "tests/simulation/simulated_world.h"

namespace fanfold::simulation {

// Mistakes that a scheduler could make, to show that the simulation finds them.
enum class PlantedFault : uint8_t {
  kNone,
  kAwardByInterval,   // awards whoever reports an interval that is leased, not the lease's own id
  kForgottenRequeue,  // the shards of a lost worker are not put back
  kStaleBundle,       // folds bundles without looking at whose leases are in them
};

struct Report {
  std::string problem;  // empty: the run did what it should
  InjectedCounts injected{};
  uint64_t events = 0;
  uint64_t shards = 0;
  uint64_t leases = 0;
  uint64_t bundles = 0;
  uint64_t finished_bundles = 0;  // whole runs, finished at their worker
  uint64_t small_partials = 0;
  uint64_t late_words = 0;
  uint64_t bundles_rejected = 0;
  uint64_t chunks = 0;
};

[[nodiscard]] Report simulate(uint64_t seed, PlantedFault fault = PlantedFault::kNone);

}  // namespace fanfold::simulation
