// memory_shares_test.cpp: how --memory is shared out.
#include "runtime/client/memory_shares.h"

#include <gtest/gtest.h>

namespace fanfold {
namespace {

constexpr std::uint64_t kMebi = std::uint64_t{1} << 20;

MemoryBudget given(std::uint64_t mebibytes) {
  return {mebibytes * kMebi, true};
}

TEST(MemoryShares, AreHalfGatherersHalfWorkersOfWhatProcessesLeave) {
  // 16 for the root, 16 for the gatherer, 16 a worker, 12 a slot.
  EXPECT_EQ(*share_memory(given(1072), 1, 2, {}), (MemoryShares{500 * kMebi, 500 * kMebi}));
  EXPECT_EQ(*share_memory(given(1088), 2, 1, {}), (MemoryShares{500 * kMebi, 250 * kMebi}));
}

TEST(MemoryShares, AreRefusedWithTheNumbersWhereTheyCannotFit) {
  EXPECT_TRUE(share_memory(given(104), 1, 2, {}));
  const Result<MemoryShares> refused = share_memory(given(103), 1, 2, {});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.failure().code, ExitCode::kUsage);
  EXPECT_EQ(refused.failure().sentence,
            "--memory is 103 MiB, but a run of 1 worker with 2 slots over 0 inputs needs at least 104 MiB; raise "
            "--memory, use fewer "
            "--workers or --slots, or --sequential");
  EXPECT_EQ(share_memory({50 * kMebi, false}, 2, 1, {}).failure().sentence.find("what this machine can give is 50 MiB"),
            0U);
}

TEST(MemoryShares, LeaveRoomForTheListOfInputs) {
  const std::vector<Source> files(300'000, Source{.name = std::string(32, 'n'), .path = std::string(32, 'p')});
  const MemoryShares with = share_memory(given(4096), 1, 2, files).value();
  const MemoryShares without = share_memory(given(4096), 1, 2, {}).value();
  // 312 MiB of the root and 230 of the worker were measured.
  EXPECT_GT(2 * (without.gatherer_bytes - with.gatherer_bytes), 542 * kMebi);
  EXPECT_LT(2 * (without.gatherer_bytes - with.gatherer_bytes), 1100 * kMebi);
  EXPECT_FALSE(share_memory(given(256), 1, 2, files));
}

TEST(MemoryShares, GiveFewerSlotsWhereThereIsLittleMemory) {
  EXPECT_EQ(default_slots(given(4096), 8, 1), 8U);
  EXPECT_EQ(default_slots(given(4096), 8, 3), 2U);
  EXPECT_EQ(default_slots(given(4096), 2, 7), 1U);
  EXPECT_EQ(default_slots(given(128), 64, 1), 4U);
  EXPECT_TRUE(share_memory(given(128), 1, 4, {}));
  EXPECT_FALSE(share_memory(given(128), 1, 5, {}));
  EXPECT_EQ(default_slots(given(10), 64, 1), 1U);
}

TEST(MemoryShares, LeaveTheTwinAllButTwoProcesses) {
  EXPECT_EQ(*twin_memory(given(1032)), 1000 * kMebi);
  ASSERT_FALSE(twin_memory(given(47)));
  EXPECT_EQ(twin_memory(given(47)).failure().sentence,
            "--memory is 47 MiB, but the twin needs at least 48 MiB; raise --memory");
}

TEST(MemoryShares, OfAFleetsProcessesAreWhatTheyNeedBesidesTakenOffAndNeverNothing) {
  EXPECT_EQ(worker_account(200 * kMebi, 2), (200 - 16 - 2 * 12) * kMebi);
  EXPECT_EQ(gatherer_account(200 * kMebi), (200 - 16) * kMebi);
  EXPECT_EQ(worker_account(0, 4), 16 * kMebi);
  EXPECT_EQ(gatherer_account(10 * kMebi), 16 * kMebi);
}

}  // namespace
}  // namespace fanfold
