// What a plan promises: shards by arithmetic, in the order of the sources, none lost and none twice.
#include "engine/plan/plan.h"

#include <gtest/gtest.h>

#include <limits>

namespace fanfold {
namespace {

constexpr int64_t kLowest = std::numeric_limits<int64_t>::min();
constexpr int64_t kHighest = std::numeric_limits<int64_t>::max();

Source file(std::string name, uint64_t size, uint64_t unit = 0) {
  return {.kind = SourceKind::kBytes, .name = name, .path = "/" + name, .size = size, .unit = unit};
}
Source range(int64_t begin, int64_t end, uint64_t unit = 0) {
  return {.kind = SourceKind::kRange, .name = "range:", .begin = begin, .end = end, .unit = unit};
}
Plan plan_of(std::vector<Source> sources, PlanOptions options = {}) {
  Result<Plan> plan = Plan::make(std::move(sources), options);
  EXPECT_TRUE(plan.ok()) << plan.failure().sentence;
  return std::move(plan).value();
}
uint64_t as_bits(int64_t value) {
  return static_cast<uint64_t>(value);
}

TEST(Plan, NumbersTheShardsOfAllSourcesInTheOrderNamed) {
  const Plan plan = plan_of({file("a", 10, 4), file("b", 4, 4), range(-3, 2, 3)});
  ASSERT_EQ(plan.shard_count(), 6u);
  EXPECT_EQ(plan.shard(0), (ShardSlice{0, 0, 4}));
  EXPECT_EQ(plan.shard(1), (ShardSlice{0, 4, 8}));
  EXPECT_EQ(plan.shard(2), (ShardSlice{0, 8, 10}));
  EXPECT_EQ(plan.shard(3), (ShardSlice{1, 0, 4}));
  EXPECT_EQ(plan.shard(4), (ShardSlice{2, as_bits(-3), as_bits(0)}));
  EXPECT_EQ(plan.shard(5), (ShardSlice{2, as_bits(0), as_bits(2)}));
}

TEST(Plan, GivesEmptyFilesNoShard) {
  const Plan plan = plan_of({file("a", 0), file("b", 0), file("c", 1), file("d", 0), file("e", 2, 1), file("f", 0)});
  ASSERT_EQ(plan.shard_count(), 3u);
  EXPECT_EQ(plan.shard(0), (ShardSlice{2, 0, 1}));
  EXPECT_EQ(plan.shard(1), (ShardSlice{4, 0, 1}));
  EXPECT_EQ(plan.shard(2), (ShardSlice{4, 1, 2}));
  EXPECT_EQ(plan_of({file("a", 0), file("b", 0)}).shard_count(), 0u);
  EXPECT_EQ(plan_of({}).shard_count(), 0u);
}

TEST(Plan, ShippedFilesLieOneAfterTheOther) {
  std::vector<Source> sources = {file("a", 10, 4), range(0, 3, 1), file("b", 0), file("c", 5, 4), file("c", 5, 4)};
  for (Source& source : sources) source.path.clear();
  const Plan plan = plan_of(sources, {.shipped_from = 100});
  std::vector<std::optional<uint64_t>> places;
  for (const Source& source : plan.sources()) places.push_back(source.shipped_at);
  EXPECT_EQ(places, (std::vector<std::optional<uint64_t>>{100, std::nullopt, 110, 110, 115}));
  // A worker plans what it is told, and nothing of it moves.
  EXPECT_EQ(plan_of(plan.sources()).sources(), plan.sources());
  // Elsewhere a file has a path.
  EXPECT_FALSE(Plan::make(sources, {}).ok());
}

TEST(Plan, GivesAStreamOneShardWhateverItsSize) {
  Source stream = file("a.gz", uint64_t{5} << 30);
  stream.kind = SourceKind::kStream;
  stream.compression = Compression::kGzip;
  const Plan plan = plan_of({stream}, {.shard_bytes = 100});
  ASSERT_EQ(plan.shard_count(), 1u);
  EXPECT_EQ(plan.shard(0), (ShardSlice{0, 0, uint64_t{5} << 30}));
}

TEST(Plan, ComputesTheShardsOfARangeOf2To40) {
  const int64_t items = int64_t{1} << 40;
  const Plan plan = plan_of({file("first", 3, 1), range(0, items, 1), file("last", 1)});
  ASSERT_EQ(plan.shard_count(), as_bits(items) + 4);
  EXPECT_EQ(plan.shard(3), (ShardSlice{1, 0, 1}));
  EXPECT_EQ(plan.shard(as_bits(items) + 2), (ShardSlice{1, as_bits(items) - 1, as_bits(items)}));
  EXPECT_EQ(plan.shard(as_bits(items) + 3), (ShardSlice{2, 0, 1}));
  EXPECT_EQ(plan.shard(12'345'678'901), (ShardSlice{1, 12'345'678'898, 12'345'678'899}));
}

TEST(Plan, CutsTheRangeOfAllIntegersWithoutOverflow) {
  const Plan plan = plan_of({range(kLowest, kHighest)});
  EXPECT_LE(plan.shard_count(), kRangeShardsMost);
  EXPECT_EQ(plan.shard(0).begin, as_bits(kLowest));
  uint64_t expected = as_bits(kLowest);
  for (uint64_t i = 0; i < plan.shard_count(); ++i) {
    ASSERT_EQ(plan.shard(i).begin, expected);
    ASSERT_LT(static_cast<int64_t>(plan.shard(i).begin), static_cast<int64_t>(plan.shard(i).end));
    expected = plan.shard(i).end;
  }
  EXPECT_EQ(expected, as_bits(kHighest));
}

TEST(Plan, RefusesMoreShardsThanItCanNumber) {
  const Result<Plan> one = Plan::make({range(kLowest, kHighest, 1)}, {});
  ASSERT_FALSE(one.ok());
  EXPECT_EQ(one.failure().code, ExitCode::kUsage);
  EXPECT_FALSE(Plan::make({range(0, kHighest, 1), range(0, kHighest, 1)}, {}).ok());
  EXPECT_TRUE(Plan::make({range(0, kHighest, 1)}, {}).ok());
}

TEST(Plan, CoversEverySourceWhollyAtAnyShardSize) {
  for (const uint64_t unit : {1, 2, 3, 7, 64, 1000}) {
    const Plan plan = plan_of({file("a", 63), file("b", 0), file("c", 64), range(-10, 33)},
                              {.shard_bytes = unit, .shard_items = unit});
    std::vector<uint64_t> next = {0, 0, 0, as_bits(-10)};
    for (uint64_t i = 0; i < plan.shard_count(); ++i) {
      const ShardSlice slice = plan.shard(i);
      ASSERT_EQ(slice.begin, next[slice.source]);
      ASSERT_GE(slice.end - slice.begin, 1u);
      ASSERT_LE(slice.end - slice.begin, unit);
      next[slice.source] = slice.end;
    }
    EXPECT_EQ(next, (std::vector<uint64_t>{63, 0, 64, 33}));
  }
}

TEST(Plan, CutsSmallInputsFinerSoThatEverySlotHasWork) {
  const uint64_t small = uint64_t{8} << 20;
  EXPECT_GE(plan_of({file("a", small)}, {.slots = 8}).shard_count(), 8u * kShardsPerSlot);
  const uint64_t large = uint64_t{1} << 40;
  EXPECT_EQ(plan_of({file("a", large)}, {.slots = 8}).shard_count(), large / kShardBytesLargest);
  EXPECT_EQ(plan_of({file("a", 1000)}, {.slots = 64}).shard_count(), 1u);
}

TEST(Plan, FollowsTheShardSizeTheUserAskedFor) {
  EXPECT_EQ(plan_of({file("a", 1000)}, {.shard_bytes = 7}).shard_count(), 143u);
  EXPECT_EQ(plan_of({range(0, 1000)}, {.shard_items = 300}).shard_count(), 4u);
  EXPECT_EQ(plan_of({file("a", kHighest)}, {.shard_bytes = std::numeric_limits<uint64_t>::max()}).shard_count(), 1u);
}

TEST(Plan, TellsTheBytesBeforeAShard) {
  const Plan plan = plan_of({file("a", 10, 4), range(0, 5, 2), file("b", 5, 4)});
  EXPECT_EQ(plan.byte_count(), 15u);
  const std::vector<uint64_t> expected = {0, 4, 8, 10, 10, 10, 10, 14, 15};
  ASSERT_EQ(plan.shard_count() + 1, expected.size());
  for (uint64_t i = 0; i < expected.size(); ++i) EXPECT_EQ(plan.bytes_before(i), expected[i]) << i;
}

TEST(Plan, RefusesSourcesThatNoClientSends) {
  Source cut_gzip = file("a.gz", 10);
  cut_gzip.compression = Compression::kGzip;
  Source relative = file("a", 10);
  relative.path = "a";
  Source odd_kind = file("a", 10);
  odd_kind.kind = static_cast<SourceKind>(9);
  Source odd_compression = file("a", 10);
  odd_compression.kind = SourceKind::kStream;
  odd_compression.compression = static_cast<Compression>(9);
  for (const Source& source :
       {cut_gzip, relative, odd_kind, odd_compression, range(3, 2), file("a", std::numeric_limits<uint64_t>::max())})
    EXPECT_FALSE(Plan::make({source}, {}).ok());
}

TEST(Range, IsHalfOpenAndReachesTheLimitsOfInt64) {
  const Result<Source> all = parse_range("range:-9223372036854775808..9223372036854775807");
  ASSERT_TRUE(all.ok());
  EXPECT_EQ(all->begin, kLowest);
  EXPECT_EQ(all->end, kHighest);
  const Result<Source> negative = parse_range("range:-5..-2");
  ASSERT_TRUE(negative.ok());
  EXPECT_EQ(plan_of({*negative}, {.shard_items = 1}).shard_count(), 3u);
  const Result<Source> empty = parse_range("range:7..7");
  ASSERT_TRUE(empty.ok());
  EXPECT_EQ(plan_of({*empty}).shard_count(), 0u);
}

TEST(Range, ThatCannotBeReadIsAUsageErrorThatShowsHowToWriteIt) {
  for (const char* input : {"range:", "range:5", "range:..", "range:1..", "range:..5", "range:a..b", "range:5..4",
                            "range:1...5", "range: 1..5", "range:1..5 ", "range:+1..5", "range:1..2..3",
                            "range:0..9223372036854775808", "range:-9223372036854775809..0", "range:1.5..2"}) {
    const Result<Source> source = parse_range(input);
    ASSERT_FALSE(source.ok()) << input;
    EXPECT_EQ(source.failure().code, ExitCode::kUsage);
    EXPECT_NE(source.failure().sentence.find("range:BEGIN..END"), std::string::npos);
  }
}

}  // namespace
}  // namespace fanfold
