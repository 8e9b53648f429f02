// What the machine grants, read from trees made up for each test.
#include "runtime/client/machine/machine.h"

#include <gtest/gtest.h>
#include <sched.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

namespace fanfold {
namespace {

constexpr std::uint64_t kMebi = 1024 * 1024;

// A file system with /proc and control groups as a test wants them.
class FakeRoot {
 public:
  FakeRoot() {
    char name[] = "/tmp/fanfold-machine-XXXXXX";
    path_ = ::mkdtemp(name);
  }
  ~FakeRoot() { std::filesystem::remove_all(path_); }
  FakeRoot(const FakeRoot&) = delete;
  FakeRoot& operator=(const FakeRoot&) = delete;

  FakeRoot& file(const std::string& name, const std::string& text) {
    std::filesystem::create_directories((path_ / name).parent_path());
    std::ofstream(path_ / name) << text;
    return *this;
  }
  FakeRoot& with_memory(std::uint64_t total_mebibytes, std::uint64_t available_mebibytes) {
    return file("proc/meminfo", "MemTotal:       " + std::to_string(total_mebibytes * 1024) +
                                    " kB\nMemFree:          1024 kB\nMemAvailable:   " +
                                    std::to_string(available_mebibytes * 1024) + " kB\n");
  }
  // Version 2 as systemd mounts it.
  FakeRoot& with_v2(const std::string& group, const std::string& mount_group = "/") {
    file("proc/self/cgroup", "0::" + group + "\n");
    return file("proc/self/mountinfo",
                "22 1 8:1 / / rw,relatime - ext4 /dev/sda1 rw\n"
                "30 22 0:26 " +
                    mount_group + " /sys/fs/cgroup rw,nosuid,nodev shared:9 - cgroup2 cgroup2 rw,nsdelegate\n");
  }
  // Version 1 with a hierarchy for processors and one for memory.
  FakeRoot& with_v1(const std::string& group, const std::string& mount_group = "/") {
    file("proc/self/cgroup", "5:memory:" + group + "\n4:cpu,cpuacct:" + group + "\n1:name=systemd:/elsewhere\n");
    return file("proc/self/mountinfo",
                "40 22 0:30 " + mount_group + " /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n" +
                    "41 22 0:31 " + mount_group + " /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n");
  }
  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

TEST(Processors, AreThoseOfTheAffinityWithoutControlGroups) {
  const FakeRoot root;
  EXPECT_EQ(cpu_count(6, root.path()), 6U);
  EXPECT_EQ(cpu_count(0, root.path()), 1U);
}

TEST(Processors, AreTheQuotaRoundedUpInVersionTwo) {
  FakeRoot root;
  root.with_v2("/job").file("sys/fs/cgroup/job/cpu.max", "150000 100000\n");
  EXPECT_EQ(cpu_count(8, root.path()), 2U);
  EXPECT_EQ(cpu_count(1, root.path()), 1U);
  root.file("sys/fs/cgroup/job/cpu.max", "1000 100000\n");
  EXPECT_EQ(cpu_count(8, root.path()), 1U);
  root.file("sys/fs/cgroup/job/cpu.max", "max 100000\n");
  EXPECT_EQ(cpu_count(8, root.path()), 8U);
}

TEST(Processors, AreLimitedByAnyEnclosingGroupInVersionTwo) {
  FakeRoot root;
  root.with_v2("/slice/pod/container")
      .file("sys/fs/cgroup/slice/cpu.max", "400000 100000")
      .file("sys/fs/cgroup/slice/pod/cpu.max", "250000 100000")
      .file("sys/fs/cgroup/slice/pod/container/cpu.max", "max 100000");
  EXPECT_EQ(cpu_count(16, root.path()), 3U);
}

TEST(Processors, AreTheQuotaRoundedUpInVersionOne) {
  FakeRoot root;
  root.with_v1("/docker/abc")
      .file("sys/fs/cgroup/cpu,cpuacct/docker/abc/cpu.cfs_quota_us", "-1\n")
      .file("sys/fs/cgroup/cpu,cpuacct/docker/abc/cpu.cfs_period_us", "100000\n")
      .file("sys/fs/cgroup/cpu,cpuacct/docker/cpu.cfs_quota_us", "310000\n")
      .file("sys/fs/cgroup/cpu,cpuacct/docker/cpu.cfs_period_us", "100000\n");
  EXPECT_EQ(cpu_count(16, root.path()), 4U);
}

TEST(Processors, AreReadFromTheTopOfTheMountInsideAContainer) {
  // The container sees its own group as the top of the mount, in version 1 under the outer name.
  FakeRoot first;
  first.with_v1("/docker/abc", "/docker/abc")
      .file("sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us", "200000\n")
      .file("sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us", "100000\n");
  EXPECT_EQ(cpu_count(16, first.path()), 2U);
  FakeRoot second;
  second.with_v2("/", "/").file("sys/fs/cgroup/cpu.max", "300000 100000");
  EXPECT_EQ(cpu_count(16, second.path()), 3U);
  FakeRoot foreign;  // a group of another namespace
  foreign.with_v2("/../other", "/mine").file("sys/fs/cgroup/cpu.max", "500000 100000");
  EXPECT_EQ(cpu_count(16, foreign.path()), 5U);
}

TEST(Processors, StandAnyNonsenseInTheFiles) {
  for (const char* text : {"", "abc", "-5 100000", "100000", "100000 0", "100000 x", "99999999999999999999 1"}) {
    FakeRoot root;
    root.with_v2("/job").file("sys/fs/cgroup/job/cpu.max", text);
    EXPECT_EQ(cpu_count(4, root.path()), 4U) << text;
  }
  FakeRoot root;
  root.file("proc/self/cgroup", "::\n0\nx:y\n0::").file("proc/self/mountinfo", "1 2 3 - cgroup2\n - \n\\");
  EXPECT_EQ(cpu_count(4, root.path()), 4U);
}

TEST(Processors, OfThisProcessFollowItsAffinity) {
  cpu_set_t before;
  CPU_ZERO(&before);
  ASSERT_EQ(sched_getaffinity(0, sizeof before, &before), 0);
  EXPECT_EQ(affinity_count(), static_cast<unsigned>(CPU_COUNT(&before)));
  std::thread([&before] {
    int first = 0;
    while (!CPU_ISSET(static_cast<std::size_t>(first), &before)) ++first;
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(static_cast<std::size_t>(first), &one);
    ASSERT_EQ(sched_setaffinity(0, sizeof one, &one), 0);
    EXPECT_EQ(affinity_count(), 1U);
  }).join();
}

TEST(Memory, IsTheMachinesWithoutControlGroups) {
  FakeRoot root;
  root.with_memory(16000, 9000);
  EXPECT_EQ(machine_memory(root.path()), (MachineMemory{16000 * kMebi, 9000 * kMebi}));
  EXPECT_EQ(default_memory_budget(machine_memory(root.path())), 4500 * kMebi);
  // Half of a small container would not hold a run that the whole of it holds.
  EXPECT_EQ(default_memory_budget({.total_bytes = 128 * kMebi, .available_bytes = 120 * kMebi}), 108 * kMebi);
  EXPECT_EQ(default_memory_budget({.total_bytes = 256 * kMebi, .available_bytes = 200 * kMebi}), 112 * kMebi);
  const FakeRoot nothing;
  EXPECT_EQ(machine_memory(nothing.path()), MachineMemory{});
}

TEST(Memory, IsTheLimitLessWhatIsUsedWithPageCacheCountedAsFreeInVersionTwo) {
  FakeRoot root;
  root.with_memory(16000, 9000)
      .with_v2("/job")
      .file("sys/fs/cgroup/job/memory.max", std::to_string(1000 * kMebi))
      .file("sys/fs/cgroup/job/memory.current", std::to_string(700 * kMebi))
      .file("sys/fs/cgroup/job/memory.stat",
            "anon 5\ninactive_anon 7\nfile 9\ninactive_file " + std::to_string(500 * kMebi) + "\n");
  EXPECT_EQ(machine_memory(root.path()), (MachineMemory{1000 * kMebi, 800 * kMebi}));
  root.file("sys/fs/cgroup/job/memory.high", std::to_string(600 * kMebi));
  EXPECT_EQ(machine_memory(root.path()), (MachineMemory{600 * kMebi, 400 * kMebi}));
  root.file("sys/fs/cgroup/job/memory.high", "max").file("sys/fs/cgroup/job/memory.max", "max");
  EXPECT_EQ(machine_memory(root.path()), (MachineMemory{16000 * kMebi, 9000 * kMebi}));
}

TEST(Memory, IsLimitedByTheTightestEnclosingGroup) {
  FakeRoot root;
  root.with_memory(16000, 9000)
      .with_v2("/slice/job")
      .file("sys/fs/cgroup/slice/memory.max", std::to_string(2000 * kMebi))
      .file("sys/fs/cgroup/slice/memory.current", std::to_string(1900 * kMebi))
      .file("sys/fs/cgroup/slice/job/memory.max", std::to_string(1000 * kMebi))
      .file("sys/fs/cgroup/slice/job/memory.current", std::to_string(100 * kMebi));
  EXPECT_EQ(machine_memory(root.path()), (MachineMemory{1000 * kMebi, 100 * kMebi}));
}

TEST(Memory, IsTheLimitOfVersionOneWhereOneIsSet) {
  FakeRoot root;
  root.with_memory(16000, 9000)
      .with_v1("/docker/abc")
      .file("sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n")
      .file("sys/fs/cgroup/memory/docker/abc/memory.limit_in_bytes", std::to_string(512 * kMebi))
      .file("sys/fs/cgroup/memory/docker/abc/memory.usage_in_bytes", std::to_string(500 * kMebi))
      .file("sys/fs/cgroup/memory/docker/abc/memory.stat",
            "inactive_file 1\ntotal_inactive_file " + std::to_string(100 * kMebi) + "\n");
  EXPECT_EQ(machine_memory(root.path()), (MachineMemory{512 * kMebi, 112 * kMebi}));
}

TEST(Memory, IsNeverLessThanNothingWhenAGroupIsOverItsLimit) {
  FakeRoot root;
  root.with_memory(16000, 9000)
      .with_v2("/job")
      .file("sys/fs/cgroup/job/memory.max", std::to_string(100 * kMebi))
      .file("sys/fs/cgroup/job/memory.current", std::to_string(120 * kMebi));
  EXPECT_EQ(machine_memory(root.path()).available_bytes, 0U);
}

TEST(Memory, OfThisMachineIsThere) {
  const MachineMemory memory = machine_memory();
  EXPECT_GT(memory.total_bytes, 64 * kMebi);
  EXPECT_LE(memory.available_bytes, memory.total_bytes);
}

TEST(MemoryKills, AreThoseOfTheInnermostGroupOfVersionTwo) {
  FakeRoot root;
  root.with_v2("/slice/job")
      .file("sys/fs/cgroup/slice/memory.events", "low 0\nhigh 0\nmax 9\noom 9\noom_kill 9\noom_group_kill 0\n")
      .file("sys/fs/cgroup/slice/job/memory.events", "low 0\nhigh 0\nmax 7\noom 3\noom_kill 2\noom_group_kill 0\n");
  EXPECT_EQ(memory_kills(root.path()), 2U);
}

TEST(MemoryKills, AreThoseOfTheGroupOfVersionOne) {
  FakeRoot root;
  root.with_v1("/docker/abc", "/docker/abc")
      .file("sys/fs/cgroup/memory/memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 4\n");
  EXPECT_EQ(memory_kills(root.path()), 4U);
}

TEST(MemoryKills, AreThoseOfTheMachineWhereNoGroupCounts) {
  FakeRoot root;
  root.with_v2("/").file("proc/vmstat", "pgfault 12\noom_kill 5\n");
  EXPECT_EQ(memory_kills(root.path()), 5U);
  EXPECT_EQ(memory_kills(root.path() / "nowhere"), 0U);
}

TEST(PeakMemory, IsTheHighWaterMarkOfAProcess) {
  FakeRoot root;
  root.file("proc/self/status", "Name:\tx\nVmPeak:\t  999 kB\nVmHWM:\t  1234 kB\nVmRSS:\t 12 kB\n")
      .file("proc/77/status", "VmHWM:\t  5 kB\n");
  EXPECT_EQ(peak_rss_bytes(root.path()), 1234U * 1024);
  EXPECT_EQ(peak_rss_bytes(77, root.path()), 5U * 1024);
  EXPECT_EQ(peak_rss_bytes(78, root.path()), 0U);
  EXPECT_GT(peak_rss_bytes(), 1024U);
  const std::uint64_t before = peak_rss_bytes();  // it only rises
  EXPECT_GE(peak_rss_bytes(getpid()), before);
}

TEST(Kernels, AreTheFastestUnlessForced) {
  EXPECT_EQ(*choose_kernels(std::nullopt, KernelLevel::kAvx2), KernelLevel::kAvx2);
  EXPECT_EQ(*choose_kernels("", KernelLevel::kAvx2), KernelLevel::kAvx2);
  EXPECT_EQ(*choose_kernels("portable", KernelLevel::kAvx512), KernelLevel::kPortable);
  EXPECT_EQ(*choose_kernels("avx512", KernelLevel::kAvx512), KernelLevel::kAvx512);
}

TEST(Kernels, ThatTheMachineLacksOrNobodyKnowsAreRefusedWithASentence) {
  const Result<KernelLevel> lacking = choose_kernels("avx512", KernelLevel::kAvx2);
  ASSERT_FALSE(lacking);
  EXPECT_EQ(lacking.failure().code, ExitCode::kUsage);
  EXPECT_EQ(lacking.failure().sentence,
            "FANFOLD_KERNELS asks for avx512, which this machine lacks; the fastest it has is avx2.");
  const Result<KernelLevel> unknown = choose_kernels("AVX2", KernelLevel::kAvx2);
  ASSERT_FALSE(unknown);
  EXPECT_EQ(unknown.failure().code, ExitCode::kUsage);
}

}  // namespace
}  // namespace fanfold
