// simulation.h: one run of root, workers and gatherer in one thread and in simulated time, drawn from a
// seed: frames are lost, repeated, delayed and so reordered, processes crash and pause. The objects are the
// program's own (Session, SessionHub, RootScheduler, WorkerCore, BundleStage); only sockets, clocks and the
// job are played. After each step no shard may count twice and none may be lost; the answer must be the twin's.
#pragma once

#include <array>
#include <cstdint>
#include <string>

namespace fanfold::simulation {

// Mistakes that a scheduler could make, to show that the simulation finds them.
enum class PlantedFault : uint8_t {
  kNone,
  kAwardByInterval,   // awards whoever reports an interval that is leased, not the lease's own id
  kForgottenRequeue,  // the shards of a lost worker are not put back
  kStaleBundle,       // folds bundles without looking at whose leases are in them
};

enum class Injected : uint8_t {
  kFramesLost,
  kFramesRepeated,
  kFramesReordered,
  kGarbageFrames,
  kWorkerCrashes,
  kWorkerPauses,
  kRootPauses,
  kGathererKills,
  kGathererPauses,
  kLeasesFailed,
  kCancels,
  kCount,
};
inline constexpr std::size_t kInjectedKinds = static_cast<std::size_t>(Injected::kCount);
inline constexpr std::array<const char*, kInjectedKinds> kInjectedNames = {
    "frames lost", "frames repeated", "frames reordered", "garbage frames", "worker crashes", "worker pauses",
    "root pauses", "gatherer kills",  "gatherer pauses",  "leases failed",  "cancelled runs"};

struct Report {
  std::string problem;  // empty: the run did what it should
  std::array<uint64_t, kInjectedKinds> injected{};
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
