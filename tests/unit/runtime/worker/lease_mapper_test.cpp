#include "runtime/worker/lease_mapper.h"

#include <fanfold/sum.h>

#include <limits>

#include "engine/fold/row_sink.h"
#include "engine/protocol/row_batch.h"
#include "tests/unit/runtime/files.h"
#include "tests/unit/runtime/worker/test_job.h"

namespace fanfold::worker {
namespace {

constexpr std::uint64_t kPlenty = std::uint64_t{1} << 30;

// One slot that maps leases of a job.
class Mapping {
 public:
  Mapping(const TestJob& job, std::vector<Source> sources, std::uint64_t soft_bytes = kPlenty,
          std::uint64_t hard_bytes = kPlenty)
      : job_(job),
        plan_(Plan::make(std::move(sources), PlanOptions{}).value()),
        mapper_(job.instance(), plan_, ReadOptions{}, cell, stop),
        partial(job.instance(), pool_, 0, soft_bytes, hard_bytes, &stop) {}

  Mapped map(std::uint64_t begin, std::uint64_t end) {
    return mapper_.map({1}, {begin, end}, partial.partial, partial.account);
  }
  [[nodiscard]] std::uint64_t shards() const { return plan_.shard_count(); }

  // The only row's cells as integers, of all that was mapped.
  std::vector<std::vector<std::int64_t>> rows() {
    const plugin::Instance& instance = job_.instance();
    fanfold_extent extent{};
    EXPECT_EQ(instance.job().seal(partial.partial.handle(), &extent), FANFOLD_OK);
    SlotPartial total(instance, pool_, 0, kPlenty, kPlenty, nullptr);
    EXPECT_EQ(plugin::merge_all(instance, total.partial, partial.partial), FANFOLD_OK);
    RowSink sink(instance.schema());
    {
      const RowSink::Lent writer = sink.writer();
      EXPECT_EQ(instance.job().finish(instance.handle(), total.partial.handle(), 0, 0, writer.rows()), FANFOLD_OK);
    }
    std::vector<std::vector<std::int64_t>> rows;
    const Result<OrderedRows> ordered = sink.order();
    EXPECT_TRUE(ordered);
    EXPECT_TRUE(ordered->for_each_batch([&](const fanfold_batch& batch) {
      for (std::uint64_t row = 0; row < batch.rows; ++row) {
        rows.emplace_back();
        for (std::uint32_t column = 0; column < batch.columns; ++column) {
          rows.back().push_back(static_cast<std::int64_t>(word_at(batch.data[column], row)));
        }
      }
      return success();
    }));
    return rows;
  }

  SlotCell cell;
  std::uint32_t stop = FANFOLD_GO_ON;

 private:
  const TestJob& job_;
  plugin::MemoryPool pool_;
  Plan plan_;
  LeaseMapper mapper_;

 public:
  SlotPartial partial;
};

using Rows = std::vector<std::vector<std::int64_t>>;

TEST(LeaseMapper, MapsEveryIntegerOfARangeOnce) {
  const TestJob job("tests/jobs/numbers");
  Mapping mapping(job, {range(-50, 101, 7)});
  const Mapped mapped = mapping.map(0, mapping.shards());
  EXPECT_EQ(mapped.outcome, Outcome::kDone);
  EXPECT_EQ(mapped.actual_end, mapping.shards());
  EXPECT_EQ(mapped.records, 151U);
  EXPECT_EQ(mapping.rows(), (Rows{{0, 151, 151 * 25}}));
}

TEST(LeaseMapper, ReachesBothEndsOfTheIntegers) {
  const TestJob job("tests/jobs/noop");
  const std::int64_t least = std::numeric_limits<std::int64_t>::min();
  const std::int64_t most = std::numeric_limits<std::int64_t>::max();
  Mapping mapping(job, {range(least, most, std::uint64_t{1} << 62)});
  EXPECT_EQ(mapping.shards(), 4U);
  EXPECT_EQ(mapping.map(0, 4).actual_end, 4U);
  EXPECT_EQ(mapping.rows(), (Rows{{4}}));
}

TEST(LeaseMapper, GoesOnFromOneSourceToTheNextWithinALease) {
  const TestFolder folder;
  const TestJob job("tests/jobs/numbers", {{"modulus", "10"}});
  Mapping mapping(job, {range(0, 5, 2), planned(folder.write("some", "13\n23\n")), planned(folder.write("none", "")),
                        range(100, 101, 1), range(7, 7, 1)});
  const Mapped mapped = mapping.map(0, mapping.shards());
  EXPECT_EQ(mapped.outcome, Outcome::kDone);
  EXPECT_EQ(mapped.records, 8U);
  EXPECT_EQ(mapped.bytes, 6U);
  EXPECT_EQ(mapping.rows(), (Rows{{0, 2, 100}, {1, 1, 1}, {2, 1, 2}, {3, 3, 39}, {4, 1, 4}}));
}

TEST(LeaseMapper, MapsJustTheShardsOfItsLease) {
  const TestJob job("tests/jobs/numbers");
  Mapping mapping(job, {range(0, 10, 3), range(1000, 1010, 3)});
  EXPECT_EQ(mapping.map(2, 6).actual_end, 6U);
  EXPECT_EQ(mapping.rows(), (Rows{{0, 10, 6 + 7 + 8 + 9 + 1000 + 1001 + 1002 + 1003 + 1004 + 1005}}));
}

TEST(LeaseMapper, NamesTheRecordAndTheLineThatIsBad) {
  const TestFolder folder;
  const TestJob job("tests/jobs/numbers");
  Mapping mapping(job, {planned(folder.write("list.txt", "1\n22\nthree\n4\n"))});
  const Mapped mapped = mapping.map(0, 1);
  EXPECT_EQ(mapped.outcome, Outcome::kFailed);
  EXPECT_EQ(mapped.actual_end, 0U);
  ASSERT_TRUE(mapped.cause);
  EXPECT_EQ(mapped.cause->kind, CauseKind::kBadRecord);
  EXPECT_EQ(mapped.cause->source, "list.txt");
  EXPECT_EQ(mapped.cause->offset, 5U);
  EXPECT_EQ(mapped.cause->shard, 0U);
  EXPECT_EQ(mapped.cause->message, "line 3: this is no whole number");
}

TEST(LeaseMapper, NamesTheIntegerThatIsBad) {
  const TestJob job("tests/jobs/misbehave", {{"do", "bad-record"}, {"in-shard", "1"}});
  Mapping mapping(job, {range(40, 50, 1)});
  const Mapped mapped = mapping.map(0, 10);
  ASSERT_TRUE(mapped.cause);
  EXPECT_EQ(mapped.cause->message.find("integer 41: "), 0U) << mapped.cause->message;
}

TEST(LeaseMapper, DoesNotLetAJobSwallowABadRecord) {
  const TestJob job("tests/jobs/misbehave", {{"do", "swallow"}});
  Mapping mapping(job, {range(0, 3, 1)});
  const Mapped mapped = mapping.map(0, 3);
  EXPECT_EQ(mapped.outcome, Outcome::kFailed);
  ASSERT_TRUE(mapped.cause);
  EXPECT_EQ(mapped.cause->kind, CauseKind::kBadRecord);
}

TEST(LeaseMapper, TellsWhatAJobThrewAndInWhichShard) {
  const TestJob job("tests/jobs/misbehave", {{"do", "throw"}, {"in-shard", "2"}});
  Mapping mapping(job, {range(40, 50, 1)});
  const Mapped mapped = mapping.map(0, 10);
  EXPECT_EQ(mapped.outcome, Outcome::kFailed);
  ASSERT_TRUE(mapped.cause);
  EXPECT_EQ(mapped.cause->kind, CauseKind::kJob);
  EXPECT_EQ(mapped.cause->phase, Phase::kMap);
  EXPECT_EQ(mapped.cause->message, "thrown on purpose");
  EXPECT_EQ(mapped.cause->shard, 2U);
  EXPECT_EQ(mapped.cause->offset, 42U);
}

TEST(LeaseMapper, SaysWhichFileVanished) {
  const TestFolder folder;
  const TestJob job("tests/jobs/numbers");
  const std::string path = folder.write("gone.txt", "1\n");
  const Source source = planned(path);
  std::filesystem::remove(path);
  Mapping mapping(job, {source});
  const Mapped mapped = mapping.map(0, 1);
  ASSERT_TRUE(mapped.cause);
  EXPECT_EQ(mapped.cause->kind, CauseKind::kInput);
  EXPECT_NE(mapped.cause->message.find("gone.txt"), std::string::npos);
}

TEST(LeaseMapper, EndsTheLeaseEarlyWhenThePartialIsFullAndOneShardAtLeastIsMapped) {
  const TestJob job("tests/jobs/numbers", {{"modulus", "1000000"}});
  Mapping mapping(job, {range(0, 1'000'000, 10'000)}, 2U << 20);
  const Mapped mapped = mapping.map(0, 100);
  EXPECT_EQ(mapped.outcome, Outcome::kSealedEarlyMemory);
  EXPECT_GT(mapped.actual_end, 0U);
  EXPECT_LT(mapped.actual_end, 100U);
  // Full still: the next lease maps one shard all the same, and few more.
  const Mapped next = mapping.map(50, 100);
  EXPECT_EQ(next.outcome, Outcome::kSealedEarlyMemory);
  EXPECT_GE(next.actual_end, 51U);
}

// A fold that is a partial by itself holds its memory itself, and is counted like a table.
TEST(LeaseMapper, EndsTheLeaseEarlyWhenAFoldWithMemoryOfItsOwnIsFull) {
  const TestFolder folder;
  const TestJob job("tests/jobs/lines");
  std::string lines;
  while (lines.size() < 4 << 20) lines += "a line of some length\n";
  Source many = planned(folder.write("many.txt", lines));
  many.unit = 64 << 10;
  Mapping full(job, {many}, 1U << 20, 64U << 20);
  const Mapped mapped = full.map(0, 64);
  EXPECT_EQ(mapped.outcome, Outcome::kSealedEarlyMemory);
  EXPECT_GT(mapped.actual_end, 0U);
  EXPECT_LT(mapped.actual_end, 40U);

  Mapping small(job, {many}, 1U << 20, 1U << 16);
  const Mapped failed = small.map(0, 1);
  EXPECT_EQ(failed.outcome, Outcome::kFailed);
  ASSERT_TRUE(failed.cause);
  EXPECT_EQ(failed.cause->kind, CauseKind::kMemory);
}

TEST(LeaseMapper, FailsWithTheNumbersWhenOneShardNeedsMoreThanIsAllowed) {
  const TestJob job("tests/jobs/numbers", {{"modulus", "1000000"}});
  Mapping mapping(job, {range(0, 1'000'000, 1'000'000)}, 1U << 20, 4U << 20);
  const Mapped mapped = mapping.map(0, 1);
  EXPECT_EQ(mapped.outcome, Outcome::kFailed);
  ASSERT_TRUE(mapped.cause);
  EXPECT_EQ(mapped.cause->kind, CauseKind::kMemory);
  EXPECT_NE(mapped.cause->message.find(std::to_string(4U << 20)), std::string::npos);
}

TEST(LeaseMapper, StopsBetweenShardsWhenCancelled) {
  const TestJob job("tests/jobs/noop");
  Mapping mapping(job, {range(0, 1'000'000, 1)});
  mapping.stop = FANFOLD_CANCEL;
  const Mapped mapped = mapping.map(0, 1'000'000);
  EXPECT_EQ(mapped.outcome, Outcome::kDrained);
  EXPECT_EQ(mapped.actual_end, 0U);
  EXPECT_EQ(mapping.stop, std::uint32_t{FANFOLD_CANCEL});
}

TEST(LeaseMapper, KeepsLeaseShardAndPhaseInTheSlotsCell) {
  const TestJob job("tests/jobs/numbers");
  Mapping mapping(job, {range(0, 30, 10)});
  (void)mapping.map(0, 3);
  EXPECT_EQ(mapping.cell.lease, 1U);
  EXPECT_EQ(mapping.cell.shard, 2U);
  EXPECT_EQ(mapping.cell.phase, static_cast<std::uint32_t>(Phase::kMap));
}

TEST(ShardSeed, IsTheSameForAShardAndDiffersBetweenShards) {
  EXPECT_EQ(shard_seed(17), shard_seed(17));
  std::set<std::uint64_t> seeds;
  for (std::uint64_t index = 0; index < 10'000; ++index) seeds.insert(shard_seed(index));
  EXPECT_EQ(seeds.size(), 10'000U);
}

}  // namespace
}  // namespace fanfold::worker
