#include "tests/simulation/lease_checks.h"

#include <map>

namespace fanfold::simulation {

std::optional<std::string> check_leases(const schedule::LeaseTable& leases,
                                        const std::vector<const SimulatedWorker*>& workers,
                                        const SimulatedGatherer* gatherer) {
  std::map<IncarnationId, const SimulatedWorker*> alive;
  for (const SimulatedWorker* worker : workers) alive[worker->incarnation()] = worker;
  for (const auto& [id, lease] : leases.leases()) {
    const auto owner = alive.find(lease.worker);
    if (lease.state != schedule::LeaseState::kAwarded || owner == alive.end()) continue;
    if (!owner->second->holds(id)) return "the partial of awarded lease " + std::to_string(id.value) + " is nowhere";
  }
  if (gatherer == nullptr) return std::nullopt;
  for (const auto& [begin, end] : leases.folded().intervals()) {
    for (uint64_t shard = begin; shard < end; ++shard) {
      if (!gatherer->counted()[shard]) return "folded shard " + std::to_string(shard) + " is not in the total";
    }
  }
  return std::nullopt;
}

}  // namespace fanfold::simulation
