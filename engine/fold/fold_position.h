// fold_position.h: the black box of a gatherer: where each of its threads is inside the plugin, in memory
// that it shares with the root and that outlives it. Relaxed stores by the thread, read when it is dead.
#pragma once

#include <atomic>
#include <cstdint>

namespace fanfold {

struct alignas(64) FoldPosition {
  std::atomic<std::uint32_t> phase = 0;  // a Phase (protocol/message.h); kNone outside of the plugin
  std::atomic<std::uint32_t> part = 0;
  std::atomic<std::uint64_t> bundle_seq = 0;  // 0: none, or small partials
  std::atomic<std::uint64_t> worker_high = 0;
  std::atomic<std::uint64_t> worker_low = 0;
};

// Cells in the shared memory; a gatherer has at most so many threads.
inline constexpr unsigned kFoldThreadsMax = 256;

}  // namespace fanfold
