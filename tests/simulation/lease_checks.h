// lease_checks.h: what a run's scheduler says of its leases, held against what the simulated processes have: an awarded
// partial exists at its worker, a folded shard is in the total.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "engine/schedule/lease_table.h"
#include "tests/simulation/simulated_gatherer.h"
#include "tests/simulation/simulated_worker.h"

namespace fanfold::simulation {

// What is wrong. `workers`: those of the run that live; `gatherer`: null while there is none.
[[nodiscard]] std::optional<std::string> check_leases(const schedule::LeaseTable& leases,
                                                      const std::vector<const SimulatedWorker*>& workers,
                                                      const SimulatedGatherer* gatherer);

}  // namespace fanfold::simulation
