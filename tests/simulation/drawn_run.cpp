#include "tests/simulation/drawn_run.h"

#include <utility>

namespace fanfold::simulation {

bool draw_links(SimulatedWorld& world) {
  if (world.chance(0.5)) {
    world.session_limits.piece_bytes_max = 64 + world.below(2000);
    world.session_limits.raw_piece_bytes_max = 64 + world.below(2000);
  }
  if (world.chance(0.15)) return true;
  SimulatedWorld::Links& links = world.links;
  links.loss = 0.0001 * static_cast<double>(world.below(1500));
  links.repeat = 0.0001 * static_cast<double>(world.below(1500));
  links.straggle = 0.0001 * static_cast<double>(world.below(3000));
  links.garbage = 0.002;
  return false;
}

DrawnRun draw_run(SimulatedWorld& world, bool calm, RunId run, uint64_t shards_most) {
  DrawnRun drawn;
  SimulatedJob& job = drawn.job;
  job.run = run;
  job.fails_lease = calm ? 0 : 0.01;
  job.seals_early = world.chance(0.3) ? 0.2 : 0;
  job.shards =
      world.chance(0.05) ? world.below(3) : 1 + world.below(world.chance(0.3) ? shards_most : shards_most / 15);
  job.keys = 1 + world.below(64);
  job.filler_bytes = world.chance(0.03) ? world.below(uint64_t{7} << 20) / 64 * 64 : 0;
  job.shard_time = world.between(microseconds(50), milliseconds(world.chance(0.2) ? 300 : 5));
  Source source;
  if (world.chance(0.4)) {
    source.name = source.path = "/file";
    source.unit = 4096;
    source.size = job.shards * source.unit;
  } else {
    source.kind = SourceKind::kRange;
    source.name = "range";
    source.end = static_cast<int64_t>(job.shards);
    source.unit = 1;
  }
  drawn.sources = {source};
  job.shards = Plan::make(drawn.sources, PlanOptions{}).value().shard_count();
  return drawn;
}

schedule::Limits draw_limits(SimulatedWorld& world) {
  schedule::Limits limits;
  limits.losses_per_lease_max = 1000;
  limits.gatherer_losses_max = 1000;
  limits.no_workers_max = seconds(100'000);
  limits.gatherer_start_max = seconds(1000);
  limits.flush_by_time = world.chance(0.3);
  limits.flush_time_min = milliseconds(200);
  limits.gatherer_bytes_in_flight_max = world.chance(0.5) ? 2000 : uint64_t{1} << 30;
  limits.small_leases_max = world.chance(0.3) ? 1000 : (world.chance(0.5) ? 16 : 0);
  limits.flush_base_max = seconds(120);
  limits.result_batches_ahead = 1 + world.below(3);
  return limits;
}

}  // namespace fanfold::simulation
