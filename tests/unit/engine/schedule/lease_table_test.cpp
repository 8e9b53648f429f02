// lease_table_test.cpp: where shards stand; interval sets; and the sizes of leases.
#include "engine/schedule/lease_table.h"

#include <gtest/gtest.h>

#include <random>

#include "engine/schedule/lease_sizing.h"

namespace fanfold::schedule {
namespace {

constexpr IncarnationId kWorker{1, 1};

TEST(IntervalSet, JoinsNeighbours) {
  IntervalSet set;
  set.add({0, 2});
  set.add({4, 6});
  EXPECT_EQ(set.intervals().size(), 2u);
  set.add({2, 4});
  EXPECT_EQ(set.intervals().size(), 1u);
  EXPECT_EQ(set.size(), 6u);
}

TEST(IntervalSet, SeesEveryOverlap) {
  IntervalSet set;
  set.add({10, 20});
  EXPECT_FALSE(set.overlaps({0, 10}));
  EXPECT_FALSE(set.overlaps({20, 30}));
  EXPECT_FALSE(set.overlaps({15, 15}));
  for (const Interval& interval : {Interval{0, 11}, Interval{19, 30}, Interval{12, 13}, Interval{0, 30}}) {
    EXPECT_TRUE(set.overlaps(interval));
  }
}

TEST(IntervalSetDeathTest, AbortsWhenAShardIsAddedTwice) {
  IntervalSet set;
  set.add({0, 10});
  EXPECT_DEATH(set.add({9, 11}), "already in this state");
}

TEST(PendingShards, KeepsApartWhatWasLostMoreOften) {
  PendingShards pending;
  pending.add({0, 10}, 0);
  pending.add({10, 20}, 1);
  pending.add({20, 30}, 1);
  EXPECT_EQ(pending.pieces().size(), 2u);
  EXPECT_EQ(pending.first()->shards, (Interval{0, 10}));
  pending.take_first(10);
  EXPECT_EQ(pending.first()->shards, (Interval{10, 30}));
  EXPECT_EQ(pending.first()->losses, 1u);
}

TEST(LeaseTable, IsOneOfTheStatesForEveryShardWhateverHappens) {
  for (uint64_t seed = 1; seed <= 50; ++seed) {
    std::mt19937_64 random(seed);
    LeaseTable table(200);
    for (int step = 0; step < 400; ++step) {
      const uint64_t what = random() % 6;
      Lease* lease = nullptr;
      if (!table.leases().empty()) {
        auto pick = table.leases().begin();
        std::advance(pick, static_cast<std::ptrdiff_t>(random() % table.leases().size()));
        lease = table.find(pick->first);
      }
      if (what < 2 && !table.pending().empty()) {
        const Interval first = table.pending().first()->shards;
        table.grant(first.begin + 1 + random() % first.size(), kWorker);
      } else if (what == 2 && lease != nullptr && lease->state == LeaseState::kLeased) {
        (void)table.award(*lease, {lease->shards.begin, lease->shards.begin + random() % (lease->shards.size() + 1)});
      } else if (what == 3 && lease != nullptr && lease->state == LeaseState::kAwarded) {
        table.move(*lease, LeaseState::kFolding);
      } else if (what == 4 && lease != nullptr && lease->state == LeaseState::kFolding) {
        table.fold(lease->id);
      } else if (what == 5 && lease != nullptr) {
        const Lease lost = table.release(lease->id);
        EXPECT_TRUE(table.check_sums().has_value()) << "a lost lease must be put somewhere";
        table.put_back(lost.shards, lost.losses + 1);
      } else if (random() % 50 == 0) {
        table.unfold_all();
      }
      const auto wrong = table.check_intervals();
      ASSERT_FALSE(wrong.has_value()) << *wrong << ", seed " << seed;
    }
  }
}

TEST(LeaseTable, AwardsOnlyWhatIsUnawardedAndTheLeasesOwn) {
  LeaseTable table(10);
  Lease& lease = table.grant(4, kWorker);
  EXPECT_FALSE(table.award(lease, {1, 4}));
  EXPECT_FALSE(table.award(lease, {0, 5}));
  EXPECT_TRUE(table.award(lease, {0, 3}));
  EXPECT_FALSE(table.award(lease, {0, 3}));
  EXPECT_EQ(table.pending().size(), 7u);
}

TEST(LeaseTable, CostsWhatItsLeasesCostNotItsShards) {
  LeaseTable table(uint64_t{1} << 62);
  for (int i = 0; i < 100; ++i) {
    Lease& lease = table.grant(table.pending().first()->shards.begin + (uint64_t{1} << 40), kWorker);
    ASSERT_TRUE(table.award(lease, lease.shards));
    table.move(lease, LeaseState::kFolding);
    table.fold(lease.id);
  }
  EXPECT_EQ(table.folded().intervals().size(), 1u);
  EXPECT_TRUE(table.leases().empty());
  EXPECT_FALSE(table.check_intervals().has_value());
}

// ---- sizes --------------------------------------------------------------------------------------

Plan text_plan(uint64_t bytes, uint64_t unit) {
  Source file;
  file.name = file.path = "/f";
  file.size = bytes;
  file.unit = unit;
  return std::move(Plan::make({file}, PlanOptions{})).value();
}
Plan range_plan(int64_t items) {
  Source range;
  range.kind = SourceKind::kRange;
  range.end = items;
  range.unit = 1;
  return std::move(Plan::make({range}, PlanOptions{})).value();
}
constexpr uint64_t kMiB = uint64_t{1} << 20;

TEST(LeaseSizing, BeginsTextWithAboutFourMegabytes) {
  const Plan plan = text_plan(1000 * kMiB, kMiB / 4);
  const LeaseSizing sizing(plan, {});
  const uint64_t bytes = sizing.end_of_next({0, plan.shard_count()}, plan.shard_count(), 2) * kMiB / 4;
  EXPECT_GE(bytes, 5 * kMiB / 2);
  EXPECT_LE(bytes, 9 * kMiB / 2);
}

TEST(LeaseSizing, StaysBetweenFourAndEightMegabytesWhenTextIsFast) {
  const Plan plan = text_plan(4000 * kMiB, kMiB / 4);
  LeaseSizing sizing(plan, {});
  uint64_t end = sizing.end_of_next({0, plan.shard_count()}, plan.shard_count(), 2);
  for (int i = 0; i < 50; ++i) {
    // 500 MB a second, and merging that costs as much as mapping.
    const Duration map = nanoseconds(static_cast<int64_t>(end * kMiB / 4 * 2));
    sizing.measured({0, end}, map, {}, map);
    end = sizing.end_of_next({0, plan.shard_count()}, plan.shard_count(), 2);
  }
  EXPECT_GE(end * kMiB / 4, 4 * kMiB);
  EXPECT_LE(end * kMiB / 4, 8 * kMiB);
}

TEST(LeaseSizing, GrowsToMillionsOfEmptyShards) {
  const Plan plan = range_plan(1'000'000'000);
  LeaseSizing sizing(plan, {});
  uint64_t end = sizing.end_of_next({0, 1'000'000'000}, 1'000'000'000, 2);
  EXPECT_EQ(end, 1u) << "an item may take an hour";
  int leases = 0;
  while (end < 1'000'000 && leases < 20) {
    // 5 ns a shard, as an empty map costs, and a little for the lease.
    sizing.measured({0, end}, nanoseconds(static_cast<int64_t>(end) * 5 + 100), {}, {});
    end = sizing.end_of_next({0, 1'000'000'000}, 1'000'000'000, 2);
    ++leases;
  }
  EXPECT_GE(end, 1'000'000u);
  EXPECT_LT(leases, 15);
}

TEST(LeaseSizing, KeepsSlowItemsInLeasesOfTheirOwn) {
  const Plan plan = range_plan(1000);
  LeaseSizing sizing(plan, {});
  sizing.measured({0, 1}, seconds(1), {}, {});
  EXPECT_EQ(sizing.end_of_next({1, 1000}, 999, 4), 2u);
}

TEST(LeaseSizing, ShrinksTowardsTheEnd) {
  const Plan plan = text_plan(100 * kMiB, kMiB / 4);
  LeaseSizing sizing(plan, {});
  sizing.measured({0, 16}, milliseconds(8), {}, {});
  const uint64_t early = sizing.end_of_next({0, 400}, 400, 2);
  const uint64_t late = sizing.end_of_next({384, 400}, 16, 2) - 384;
  EXPECT_LT(late, early);
  EXPECT_LE(late, 4u);
}

TEST(LeaseSizing, IsOneLeaseForOneShard) {
  const Plan plan = text_plan(1000, kMiB);
  const LeaseSizing sizing(plan, {});
  EXPECT_EQ(sizing.end_of_next({0, 1}, 1, 8), 1u);
  EXPECT_EQ(sizing.leases_expected(8), 1u);
}

TEST(LeaseSizing, RepaysTheCostOfSealingAndMerging) {
  const Plan plan = range_plan(1'000'000);
  LeaseSizing cheap(plan, {});
  LeaseSizing costly(plan, {});
  for (int i = 0; i < 20; ++i) {
    cheap.measured({0, 10'000}, milliseconds(10), {}, {});
    costly.measured({0, 10'000}, milliseconds(10), milliseconds(2), milliseconds(2));
  }
  EXPECT_NEAR(static_cast<double>(cheap.end_of_next({0, 1'000'000}, 1'000'000, 2)), 20'000, 100);
  EXPECT_NEAR(static_cast<double>(costly.end_of_next({0, 1'000'000}, 1'000'000, 2)), 80'000, 100);
}

}  // namespace
}  // namespace fanfold::schedule
