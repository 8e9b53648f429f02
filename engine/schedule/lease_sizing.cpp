#include "engine/schedule/lease_sizing.h"

#include <algorithm>

namespace fanfold::schedule {
namespace {

// How much one measurement moves an estimate: a few leases follow a change of the input.
constexpr double kNewShare = 0.3;

}  // namespace

LeaseSizing::LeaseSizing(const Plan& plan, const LeaseSizingLimits& limits)
    : plan_(plan), limits_(limits), by_bytes_(plan.byte_count() > 0) {
  if (plan.shard_count() > 0) {
    weight_per_shard_ = static_cast<double>(weight({0, plan.shard_count()})) / static_cast<double>(plan.shard_count());
  }
}

uint64_t LeaseSizing::weight(Interval shards) const {
  if (!by_bytes_) return shards.size();
  return plan_.bytes_before(shards.end) - plan_.bytes_before(shards.begin) +
         shards.size() * limits_.shard_bytes_equivalent;
}

void LeaseSizing::measured(Interval shards, Duration map, Duration seal, Duration merge) {
  if (shards.empty()) return;
  const uint64_t mapped = weight(shards);
  // A clock may be too coarse for a small lease: it took at least a nanosecond.
  const double took = static_cast<double>(std::max<int64_t>(map.nanoseconds, 1)) / static_cast<double>(mapped);
  const double cost = static_cast<double>(seal.nanoseconds + merge.nanoseconds);
  if (largest_measured_ == 0) {
    nanoseconds_per_weight_ = took;
    cost_nanoseconds_ = cost;
  } else {
    nanoseconds_per_weight_ += kNewShare * (took - nanoseconds_per_weight_);
    cost_nanoseconds_ += kNewShare * (cost - cost_nanoseconds_);
  }
  largest_measured_ = std::max(largest_measured_, mapped);
}

uint64_t LeaseSizing::end_of_next(Interval pending, uint64_t pending_shards, uint32_t slots) const {
  double wanted = by_bytes_ ? static_cast<double>(limits_.lease_bytes_first) : 1;
  double least = by_bytes_ ? static_cast<double>(limits_.lease_bytes_least) : 1;
  if (largest_measured_ > 0) {
    const double time = std::min(std::max(static_cast<double>(limits_.lease_time_min.nanoseconds),
                                          cost_nanoseconds_ * limits_.lease_cost_factor),
                                 static_cast<double>(limits_.lease_time_max.nanoseconds));
    wanted = std::min(time / nanoseconds_per_weight_, static_cast<double>(largest_measured_) * limits_.growth_max);
    // A twentieth of a lease's least time still repays the messages about it.
    const double least_time = static_cast<double>(limits_.lease_time_min.nanoseconds) / 20;
    least = std::min(wanted, least_time / nanoseconds_per_weight_);
  }
  if (by_bytes_) wanted = std::min(wanted, static_cast<double>(limits_.lease_bytes_max));
  // Half of an equal share of what is left: the last leases are small, so slots end within one of them.
  const double share = static_cast<double>(pending_shards) * weight_per_shard_ / (2.0 * std::max<uint32_t>(slots, 1));
  wanted = std::max(std::min(wanted, share), least);

  if (!by_bytes_) {
    const double most = static_cast<double>(pending.size());
    return wanted >= most ? pending.end : pending.begin + std::max<uint64_t>(static_cast<uint64_t>(wanted), 1);
  }
  // The shortest interval that weighs at least three quarters of `wanted`: a shard is not cut, so aiming at
  // `wanted` itself would exceed it by half a shard on average.
  const auto enough = static_cast<uint64_t>(wanted * 0.75);
  uint64_t low = pending.begin + 1;
  uint64_t high = pending.end;
  while (low < high) {
    const uint64_t middle = low + (high - low) / 2;
    if (weight({pending.begin, middle}) >= enough) {
      high = middle;
    } else {
      low = middle + 1;
    }
  }
  return low;
}

uint64_t LeaseSizing::leases_expected(uint32_t slots) const {
  const uint64_t shards = plan_.shard_count();
  if (shards == 0) return 0;
  const uint64_t end = end_of_next({0, shards}, shards, slots);
  return (shards + end - 1) / end;
}

}  // namespace fanfold::schedule
