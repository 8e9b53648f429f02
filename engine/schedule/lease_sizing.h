// lease_sizing.h: how many shards the next lease gets. Long enough to repay its own sealing and merging,
// growing only from what was measured, shrinking towards the end so that slots finish together. Works in
// `weight`: bytes as stored plus a constant a shard (opening a file costs like reading some), or shards
// alone where a plan has no bytes. Pure; not thread-safe.
#pragma once

#include <cstdint>

#include "engine/instant.h"
#include "engine/plan/plan.h"
#include "engine/protocol/message.h"

namespace fanfold::schedule {

struct LeaseSizingLimits {
  Duration lease_time_min = milliseconds(20);
  uint32_t lease_cost_factor = 20;  // a lease lasts at least so many times its own sealing and merging
  Duration lease_time_max = milliseconds(500);
  // Text: measured best between 4 and 8 MB (1 MB and 16 MB cost 5 to 10 % more).
  uint64_t lease_bytes_first = uint64_t{4} << 20;
  uint64_t lease_bytes_max = uint64_t{8} << 20;
  uint64_t lease_bytes_least = uint64_t{256} << 10;      // shrinking towards the end stops here
  uint64_t shard_bytes_equivalent = uint64_t{16} << 10;  // what opening a shard costs, in bytes read
  uint32_t growth_max = 8;                               // of a lease over the largest one measured
};

class LeaseSizing {
 public:
  LeaseSizing(const Plan& plan, const LeaseSizingLimits& limits);

  // A lease of these shards took so long.
  void measured(Interval shards, Duration map, Duration seal, Duration merge);
  // Where a lease that begins with `pending` should end. `pending_shards` of all, `slots` of all workers.
  [[nodiscard]] uint64_t end_of_next(Interval pending, uint64_t pending_shards, uint32_t slots) const;
  // How many leases a run would take with what is known, for `slots`; at least 1 when there is a shard.
  [[nodiscard]] uint64_t leases_expected(uint32_t slots) const;

 private:
  [[nodiscard]] uint64_t weight(Interval shards) const;

  const Plan& plan_;
  LeaseSizingLimits limits_;
  bool by_bytes_;
  double weight_per_shard_ = 1;        // mean over the plan
  double nanoseconds_per_weight_ = 0;  // 0: nothing measured yet
  double cost_nanoseconds_ = 0;        // sealing and merging of a lease
  uint64_t largest_measured_ = 0;
};

}  // namespace fanfold::schedule
