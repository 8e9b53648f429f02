// memory_split.h: how a worker's memory budget is shared out; the published rule behind `--memory`.
// A quarter of it holds the slots' partials (one being mapped, one next, one awaiting its verdict and its
// merge, for each slot), half of it bundles, the rest reading buffers and what nobody counts.
#pragma once

#include <algorithm>
#include <cstdint>

namespace fanfold::worker {

inline constexpr uint32_t kPartialsPerSlot = 3;
inline constexpr uint64_t kPartialBytesLeast = uint64_t{64} << 10;

struct MemorySplit {
  uint64_t partial_bytes_max = 0;      // of one partial: budget / (4 x slots x (1 + prefetch))
  uint64_t open_bundle_bytes_max = 0;  // beyond, it is closed
  uint64_t bundle_bytes_max = 0;       // all bundles, open or waiting to be folded; beyond, no lease is started
};

constexpr MemorySplit split_memory(uint64_t budget_bytes, uint32_t slots) {
  const uint64_t partials = uint64_t{4} * std::max<uint32_t>(slots, 1) * kPartialsPerSlot;
  return {std::max(budget_bytes / partials, kPartialBytesLeast), budget_bytes / 4, budget_bytes / 2};
}

}  // namespace fanfold::worker
