// drawn_run.h: what simulations draw alike: a job, its plan, how bad the links are, and a scheduler's limits.
#pragma once

#include <vector>

#include "engine/plan/plan.h"
#include "engine/schedule/root_scheduler.h"
#include "tests/simulation/simulated_job.h"
#include "tests/simulation/simulated_world.h"

namespace fanfold::simulation {

// How likely frames are lost, repeated, delayed, changed, and how small the pieces are that messages travel in. Before
// any process starts. True: a calm world, in which nothing goes wrong.
[[nodiscard]] bool draw_links(SimulatedWorld& world);

// A job of at most so many shards; `sources` are what its plan is made of.
struct DrawnRun {
  SimulatedJob job;
  std::vector<Source> sources;
};
[[nodiscard]] DrawnRun draw_run(SimulatedWorld& world, bool calm, RunId run, uint64_t shards_most);

// Nothing here ends a run: the machines are worse than any that should.
[[nodiscard]] schedule::Limits draw_limits(SimulatedWorld& world);

}  // namespace fanfold::simulation
