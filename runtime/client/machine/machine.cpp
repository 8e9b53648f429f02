#include "runtime/client/machine/machine.h"

#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <string>
#include <vector>

#include "engine/quoted.h"
#include "runtime/client/machine/cgroup.h"

namespace fanfold {
namespace {

// Processors worth of time the group's quota allows; empty: no quota.
std::optional<double> quota_v1(const std::filesystem::path& folder) {
  const auto quota = leading_number(read_small_file(folder / "cpu.cfs_quota_us"));
  const auto period = leading_number(read_small_file(folder / "cpu.cfs_period_us"));
  if (!quota || !period || *quota <= 0 || *period <= 0) return std::nullopt;
  return static_cast<double>(*quota) / static_cast<double>(*period);
}

std::optional<double> quota_v2(const std::filesystem::path& folder) {
  const std::string text = read_small_file(folder / "cpu.max");  // "max 100000" or "150000 100000"
  const auto quota = leading_number(text);
  const std::size_t blank = text.find(' ');
  if (!quota || *quota <= 0 || blank == std::string::npos) return std::nullopt;
  const auto period = leading_number(std::string_view(text).substr(blank));
  if (!period || *period <= 0) return std::nullopt;
  return static_cast<double>(*quota) / static_cast<double>(*period);
}

struct GroupMemory {
  std::uint64_t limit_bytes = 0;
  std::uint64_t free_bytes = 0;
};

// Page cache that nobody uses is taken back before the limit hurts.
GroupMemory group_memory(std::int64_t limit, std::optional<std::int64_t> usage, std::optional<std::int64_t> cache) {
  const std::int64_t used = std::max<std::int64_t>(0, usage.value_or(0) - cache.value_or(0));
  return {static_cast<std::uint64_t>(limit), static_cast<std::uint64_t>(std::max<std::int64_t>(0, limit - used))};
}

std::optional<GroupMemory> memory_v1(const std::filesystem::path& folder) {
  // "No limit" is the largest multiple of a page there is; no machine has half of that.
  constexpr std::int64_t kUnlimited = std::int64_t{1} << 61;
  const auto limit = leading_number(read_small_file(folder / "memory.limit_in_bytes"));
  if (!limit || *limit < 0 || *limit >= kUnlimited) return std::nullopt;
  return group_memory(*limit, leading_number(read_small_file(folder / "memory.usage_in_bytes")),
                      number_in_line(read_small_file(folder / "memory.stat"), "total_inactive_file"));
}

std::optional<GroupMemory> memory_v2(const std::filesystem::path& folder) {
  // Above memory.high a group is throttled until it hardly runs: as good as a limit.
  std::int64_t limit = std::numeric_limits<std::int64_t>::max();
  for (const char* name : {"memory.max", "memory.high"}) {
    const auto bytes = leading_number(read_small_file(folder / name));  // none for "max"
    if (bytes && *bytes >= 0) limit = std::min(limit, *bytes);
  }
  if (limit == std::numeric_limits<std::int64_t>::max()) return std::nullopt;
  return group_memory(limit, leading_number(read_small_file(folder / "memory.current")),
                      number_in_line(read_small_file(folder / "memory.stat"), "inactive_file"));
}

std::uint64_t kibibytes(const std::string& text, std::string_view name) {
  const auto value = number_in_line(text, name);
  return value && *value > 0 ? static_cast<std::uint64_t>(*value) * 1024 : 0;
}

}  // namespace

unsigned cpu_count(unsigned affinity, const std::filesystem::path& root) {
  double least = std::max(1U, affinity);
  for (const auto& folder : cgroup_folders(CgroupVersion::kTwo, "cpu", root)) {
    if (const auto quota = quota_v2(folder)) least = std::min(least, *quota);
  }
  for (const auto& folder : cgroup_folders(CgroupVersion::kOne, "cpu", root)) {
    if (const auto quota = quota_v1(folder)) least = std::min(least, *quota);
  }
  return std::max(1U, static_cast<unsigned>(std::ceil(least)));
}

unsigned affinity_count() {
  // The kernel refuses a set smaller than its own: ask for more until it fits.
  for (std::size_t cpus = 1024; cpus <= 1024 * 1024; cpus *= 4) {
    cpu_set_t* set = CPU_ALLOC(cpus);
    if (set == nullptr) break;
    const std::size_t bytes = CPU_ALLOC_SIZE(cpus);
    const int failed = sched_getaffinity(0, bytes, set);
    const int count = failed == 0 ? CPU_COUNT_S(bytes, set) : 0;
    CPU_FREE(set);
    if (failed == 0) return std::max(1U, static_cast<unsigned>(count));
    if (errno != EINVAL) break;
  }
  return static_cast<unsigned>(std::max(1L, sysconf(_SC_NPROCESSORS_ONLN)));
}

MachineMemory machine_memory(const std::filesystem::path& root) {
  const std::string meminfo = read_small_file(root / "proc/meminfo");
  MachineMemory memory{kibibytes(meminfo, "MemTotal"), kibibytes(meminfo, "MemAvailable")};
  const auto apply = [&memory](const std::optional<GroupMemory>& group) {
    if (!group) return;
    memory.total_bytes = std::min(memory.total_bytes, group->limit_bytes);
    memory.available_bytes = std::min(memory.available_bytes, group->free_bytes);
  };
  for (const auto& folder : cgroup_folders(CgroupVersion::kTwo, "memory", root)) apply(memory_v2(folder));
  for (const auto& folder : cgroup_folders(CgroupVersion::kOne, "memory", root)) apply(memory_v1(folder));
  return memory;
}

std::uint64_t memory_kills(const std::filesystem::path& root) {
  // The innermost group alone: its count has every kill in it, whichever limit was met. The top of version 2 has no
  // such file.
  const auto count = [&root](CgroupVersion version, const char* file) -> std::optional<std::int64_t> {
    const auto folders = cgroup_folders(version, "memory", root);
    if (folders.empty()) return std::nullopt;
    return number_in_line(read_small_file(folders.front() / file), "oom_kill");
  };
  auto kills = count(CgroupVersion::kTwo, "memory.events");
  if (!kills) kills = count(CgroupVersion::kOne, "memory.oom_control");
  if (!kills) kills = number_in_line(read_small_file(root / "proc/vmstat"), "oom_kill");
  return static_cast<std::uint64_t>(std::max<std::int64_t>(0, kills.value_or(0)));
}

std::string_view name_of(KernelLevel level) {
  switch (level) {
    case KernelLevel::kPortable:
      return "portable";
    case KernelLevel::kAvx2:
      return "avx2";
    case KernelLevel::kAvx512:
      return "avx512";
  }
  return "unknown";
}

KernelLevel detect_kernels() {
#if defined(__x86_64__)
  __builtin_cpu_init();
  if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("bmi") || !__builtin_cpu_supports("bmi2")) {
    return KernelLevel::kPortable;
  }
  if (!__builtin_cpu_supports("avx512f") || !__builtin_cpu_supports("avx512bw") ||
      !__builtin_cpu_supports("avx512dq") || !__builtin_cpu_supports("avx512vl")) {
    return KernelLevel::kAvx2;
  }
  return KernelLevel::kAvx512;
#else
  return KernelLevel::kPortable;
#endif
}

Result<KernelLevel> choose_kernels(std::optional<std::string_view> forced, KernelLevel fastest) {
  if (!forced || forced->empty()) return fastest;
  for (const KernelLevel level : {KernelLevel::kPortable, KernelLevel::kAvx2, KernelLevel::kAvx512}) {
    if (*forced != name_of(level)) continue;
    if (level <= fastest) return level;
    return Failure{ExitCode::kUsage, "FANFOLD_KERNELS asks for " + std::string(name_of(level)) +
                                         ", which this machine lacks; the fastest it has is " +
                                         std::string(name_of(fastest)) + "."};
  }
  return Failure{ExitCode::kUsage,
                 "FANFOLD_KERNELS is " + quoted(*forced) + "; it must be portable, avx2 or avx512, or not be set."};
}

Result<KernelLevel> choose_kernels() {
  const char* forced = std::getenv("FANFOLD_KERNELS");
  return choose_kernels(forced == nullptr ? std::nullopt : std::optional<std::string_view>(forced), detect_kernels());
}

std::uint64_t peak_rss_bytes(const std::filesystem::path& root) {
  return kibibytes(read_small_file(root / "proc/self/status"), "VmHWM");
}

std::uint64_t peak_rss_bytes(pid_t process, const std::filesystem::path& root) {
  return kibibytes(read_small_file(root / "proc" / std::to_string(process) / "status"), "VmHWM");
}

}  // namespace fanfold
