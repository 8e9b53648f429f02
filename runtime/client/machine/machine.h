// machine.h: what the machine, or the container, grants this process: processors, memory, the fastest
// kernels. Readers take the root of the file system, so that tests give them trees of their own.
// A small library of its own (runtime_machine): the client reads defaults from it, workers their kernels.
#pragma once

#include <fanfold/abi.h>
#include <sys/types.h>

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string_view>

#include "engine/failure.h"

namespace fanfold {

// How many threads can run at once: the processors this process may use, or the cgroups' quota rounded
// up, whichever is less; at least 1. Quotas of all enclosing groups count, of cgroup v1 and v2.
// `affinity` is the number of processors the kernel lets this process run on (affinity_count()).
[[nodiscard]] unsigned cpu_count(unsigned affinity, const std::filesystem::path& root = "/");
[[nodiscard]] unsigned affinity_count();
[[nodiscard]] inline unsigned cpu_count() {
  return cpu_count(affinity_count());
}

struct MachineMemory {
  std::uint64_t total_bytes = 0;      // of the machine, or the lowest limit of the cgroups around
  std::uint64_t available_bytes = 0;  // what can still be had without swapping; page cache counts as free
  bool operator==(const MachineMemory&) const = default;
};
// Zeros where nothing can be read.
[[nodiscard]] MachineMemory machine_memory(const std::filesystem::path& root = "/");

// How often the kernel has killed a process of this one's cgroup, or without cgroups of the machine, because there was
// no memory left: a count that only rises. 0 where nothing can be read.
[[nodiscard]] std::uint64_t memory_kills(const std::filesystem::path& root = "/");

// What a run may use when --memory does not say: half of what is free; in a small container as much as a small run
// takes, if it is there.
inline constexpr std::uint64_t kSmallRunBytes = std::uint64_t{112} << 20;
[[nodiscard]] constexpr std::uint64_t default_memory_budget(const MachineMemory& memory) {
  return std::max(memory.available_bytes / 2, std::min(memory.available_bytes / 10 * 9, kSmallRunBytes));
}

enum class KernelLevel : std::uint32_t {
  kPortable = FANFOLD_KERNELS_PORTABLE,
  kAvx2 = FANFOLD_KERNELS_AVX2,      // AVX2, BMI1 and BMI2
  kAvx512 = FANFOLD_KERNELS_AVX512,  // those, and AVX-512 F, BW, DQ and VL
};
// "portable", "avx2", "avx512".
[[nodiscard]] std::string_view name_of(KernelLevel level);
// The fastest level this processor has.
[[nodiscard]] KernelLevel detect_kernels();
// The level to use: `fastest`, or the one that FANFOLD_KERNELS forces. Exit 2 where that names no level,
// or one the machine lacks.
[[nodiscard]] Result<KernelLevel> choose_kernels(std::optional<std::string_view> forced, KernelLevel fastest);
// The same for this process's environment and processor.
[[nodiscard]] Result<KernelLevel> choose_kernels();

// The most memory a process had resident at once (VmHWM, shared memory included); 0 when it is gone.
[[nodiscard]] std::uint64_t peak_rss_bytes(const std::filesystem::path& root = "/");
[[nodiscard]] std::uint64_t peak_rss_bytes(pid_t process, const std::filesystem::path& root = "/");

}  // namespace fanfold
