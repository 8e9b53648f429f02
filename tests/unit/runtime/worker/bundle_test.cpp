#include "runtime/worker/bundle.h"

#include <tbb/task_arena.h>

#include <cstring>
#include <latch>

#include "engine/fold/total.h"
#include "engine/protocol/row_batch.h"
#include "runtime/plugin/bundle_checksum.h"
#include "tests/unit/runtime/worker/test_job.h"

namespace fanfold::worker {
namespace {

constexpr std::uint64_t kPlenty = std::uint64_t{4} << 30;
constexpr std::uint32_t kSlots = 3;

// A worker's memory and slots around one job: leases in, a packed bundle out, and what a gatherer makes of it.
class Workshop {
 public:
  explicit Workshop(const TestJob& job) : job_(job), store_(job.instance(), pool_, kSlots), clocks_(kSlots) {}

  // Leases of `unit` shards each, merged while others are being merged, then packed, or finished with the rows
  // that `finish` limits.
  WorkReport bundle_of(const Source& source, std::uint64_t unit, std::uint64_t hard_bytes = kPlenty,
                       const Schema* finish = nullptr) {
    const Plan plan = Plan::make({source}, PlanOptions{}).value();
    const auto leases = static_cast<std::ptrdiff_t>((plan.shard_count() + unit - 1) / unit);
    auto bundle = std::make_shared<Bundle>(BundleSeq{1}, job_.instance(), pool_, hard_bytes);
    std::mutex mutex;
    std::vector<WorkReport> merged;
    std::latch merges(leases);
    std::latch packs(1);
    WorkReport packed;
    SlotCell cell;
    std::uint32_t stop = FANFOLD_GO_ON;
    LeaseMapper mapper(job_.instance(), plan, ReadOptions{}, cell, stop);
    Slots slots(kSlots, page_);
    const BundleWorkplace workplace{page_, clocks_, slots};
    for (std::uint64_t begin = 0; begin < plan.shard_count(); begin += unit) {
      auto partial = store_.take(0, kPlenty, kPlenty, &stop);
      const Interval shards{begin, std::min(begin + unit, plan.shard_count())};
      const Mapped mapped = mapper.map({begin + 1}, shards, partial->partial, partial->account);
      EXPECT_EQ(mapped.outcome, Outcome::kDone);
      partial->ledger.add_records(mapped.records, mapped.bytes);
      fanfold_extent extent{};
      EXPECT_EQ(job_.instance().job().seal(partial->partial.handle(), &extent), FANFOLD_OK);
      slots.share(std::make_shared<MergeWork>(LeaseId{begin + 1}, std::move(partial), bundle, store_, workplace,
                                              [&](WorkReport report) {
                                                {
                                                  const std::lock_guard lock(mutex);
                                                  merged.push_back(std::move(report));
                                                }
                                                merges.count_down();
                                              }));
    }
    merges.wait();
    for (WorkReport& report : merged) {
      if (report.failed) return std::move(report);
    }
    const ReportWork tell = [&](WorkReport report) {
      packed = std::move(report);
      packs.count_down();
    };
    slots.share(finish != nullptr ? finish_work(bundle, *finish, workplace, tell) : pack_work(bundle, workplace, tell));
    packs.wait();
    return packed;
  }

  // The bundle as chunks of `chunk_bytes` bring it to a gatherer; its rows in order.
  std::vector<std::vector<std::int64_t>> rows_of(const WorkReport& report, std::uint64_t chunk_bytes) {
    const auto& told = std::get<BundlePacked>(report.event);
    auto bytes = std::make_shared<std::vector<std::uint64_t>>(told.bytes / 8 + 8);
    auto* data = reinterpret_cast<std::uint8_t*>(bytes->data());
    for (std::uint64_t at = 0; at < told.bytes; at += chunk_bytes) {
      const RawBytes chunk = report.packed->slice(at, std::min(chunk_bytes, told.bytes - at));
      std::memcpy(data + at, chunk.view.data(), chunk.view.size());
    }
    PackedBundle bundle;
    bundle.content = told.content;
    bundle.log2_parts = told.log2_parts;
    bundle.owner = bytes;
    std::vector<std::uint64_t> checksums;
    std::uint64_t at = 0;
    for (std::uint32_t part = 0; part < told.parts.size(); ++part) {
      const std::uint64_t size = told.parts[part].packed_bytes;
      bundle.parts.push_back({sizeof(fanfold_packed), told.log2_parts, part, 0, data + at, size});
      checksums.push_back(plugin::part_checksum(data + at, size));
      at += plugin::padded_part(size);
    }
    EXPECT_EQ(at, told.bytes);
    EXPECT_EQ(plugin::bundle_checksum(checksums), told.checksum);

    tbb::task_arena arena(2);
    std::vector<FoldPosition> positions(8);
    plugin::MemoryAccount account(&pool_, kPlenty, kPlenty, nullptr);
    Total total(FoldJob{&job_.instance().job(), job_.instance().handle(), account.memory(), job_.instance().schema(),
                        [](std::int32_t status) { return plugin::take_failure_text(status); }},
                arena, positions.data());
    EXPECT_FALSE(total.validate(bundle));
    for (std::uint32_t part = 0; part < bundle.extents.size(); ++part) {
      EXPECT_EQ(bundle.extents[part].entries, told.parts[part].entries);
      EXPECT_EQ(bundle.extents[part].key_bytes, told.parts[part].key_bytes);
    }
    total.accept(std::move(bundle));
    RowSink sink(job_.instance().schema());
    EXPECT_FALSE(total.finish(sink));
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

  [[nodiscard]] SlotPage& page() { return page_; }

 private:
  const TestJob& job_;
  plugin::MemoryPool pool_;
  PartialStore store_;
  SlotPage page_{kSlots};
  std::vector<SlotClock> clocks_;
};

TEST(Bundle, HoldsEveryKeyOfEveryLeaseMergedIntoIt) {
  constexpr std::int64_t kKeys = 200'000;
  const TestJob job("tests/jobs/numbers", {{"modulus", std::to_string(kKeys)}});
  Workshop workshop(job);
  const WorkReport report = workshop.bundle_of(range(0, 3 * kKeys, 1000), 20);
  ASSERT_FALSE(report.failed);
  EXPECT_EQ(std::get<BundlePacked>(report.event).log2_parts, std::uint32_t{FANFOLD_LOG2_PARTS_MAX});
  // Chunks of any size bring the same bytes, whether they lie in one segment or cross into the next.
  for (const std::uint64_t chunk_bytes : {std::uint64_t{1} << 20, std::uint64_t{777'777}, std::uint64_t{5} << 20}) {
    const auto rows = workshop.rows_of(report, chunk_bytes);
    ASSERT_EQ(rows.size(), static_cast<std::size_t>(kKeys));
    for (std::int64_t key = 0; key < kKeys; ++key) {
      ASSERT_EQ(rows[static_cast<std::size_t>(key)], (std::vector<std::int64_t>{key, 3, 3 * key + 3 * kKeys}));
    }
  }
}

TEST(Bundle, IsOnePartWhileItIsSmall) {
  const TestJob job("tests/jobs/numbers", {{"modulus", "100"}});
  Workshop workshop(job);
  const WorkReport report = workshop.bundle_of(range(0, 1000, 10), 7);
  ASSERT_FALSE(report.failed);
  EXPECT_EQ(std::get<BundlePacked>(report.event).log2_parts, 0U);
  EXPECT_EQ(workshop.rows_of(report, 1U << 20).size(), 100U);
}

TEST(Bundle, OfAJobWithoutKeysIsOnePart) {
  const TestJob job("tests/jobs/noop");
  Workshop workshop(job);
  const WorkReport report = workshop.bundle_of(range(0, 1000, 1), 10);
  ASSERT_FALSE(report.failed);
  EXPECT_EQ(workshop.rows_of(report, 64), (std::vector<std::vector<std::int64_t>>{{1000}}));
}

TEST(Bundle, FinishedWhereItLiesGivesTheRowsThatFoldingItWouldGive) {
  for (const char* modulus : {"200000", "3"}) {
    const TestJob job("tests/jobs/numbers", {{"modulus", modulus}});
    Workshop workshop(job);
    const Source numbers = range(0, 600'000, 1000);
    const auto expected = workshop.rows_of(workshop.bundle_of(numbers, 20), 1U << 20);
    Schema schema = job.instance().schema();
    const WorkReport all = workshop.bundle_of(numbers, 20, kPlenty, &schema);
    ASSERT_FALSE(all.failed);
    EXPECT_EQ(std::get<BundlePacked>(all.event).content, BundleContent::kRows);
    EXPECT_EQ(workshop.rows_of(all, 1U << 20), expected);
    // With a limit only rows travel that may be wanted, in one part.
    schema.limit = 2;
    const WorkReport few = workshop.bundle_of(numbers, 20, kPlenty, &schema);
    ASSERT_FALSE(few.failed);
    EXPECT_EQ(std::get<BundlePacked>(few.event).log2_parts, 0U);
    EXPECT_LT(std::get<BundlePacked>(few.event).bytes, 1000U);
    const auto rows = workshop.rows_of(few, 64);
    EXPECT_EQ(rows, (std::vector(expected.begin(), expected.begin() + 2)));
  }
}

TEST(Bundle, FinishedWhereItLiesMayHaveNoKeysAtAll) {
  const TestJob job("tests/jobs/noop");
  Workshop workshop(job);
  const Schema schema = job.instance().schema();
  const WorkReport report = workshop.bundle_of(range(0, 1000, 1), 10, kPlenty, &schema);
  ASSERT_FALSE(report.failed);
  EXPECT_EQ(workshop.rows_of(report, 64), (std::vector<std::vector<std::int64_t>>{{1000}}));
}

TEST(Bundle, FinishedWhereItLiesKeepsToItsMemoryWithItsRowsAndHidesNoneThatWasRefused) {
  constexpr std::uint64_t kHardBytes = 8U << 20;
  for (const char* what : {"long-row", "swallow"}) {
    const TestJob job("tests/jobs/misbehave", {{"do", what}, {"at", "finish"}, {"megabytes", "16"}});
    Workshop workshop(job);
    Schema schema = job.instance().schema();
    for (const std::uint64_t limit : {0, 5}) {
      schema.limit = limit;
      const WorkReport report = workshop.bundle_of(range(0, 10, 1), 5, kHardBytes, &schema);
      ASSERT_TRUE(report.failed) << what << " " << limit;
      EXPECT_EQ(report.failed->phase, Phase::kFinish);
      EXPECT_NE(report.failed->message.find("raise --memory"), std::string::npos) << report.failed->message;
    }
  }
}

TEST(Bundle, FinishedWhereItLiesSendsAllRowsWhereVeryManyAreWanted) {
  const TestJob job("tests/jobs/numbers", {{"modulus", "10000"}});
  Workshop workshop(job);
  const Source numbers = range(0, 20'000, 1000);
  const auto expected = workshop.rows_of(workshop.bundle_of(numbers, 5), 1U << 20);
  Schema schema = job.instance().schema();
  schema.limit = 1'000'000;
  const WorkReport report = workshop.bundle_of(numbers, 5, kPlenty, &schema);
  ASSERT_FALSE(report.failed);
  EXPECT_EQ(std::get<BundlePacked>(report.event).log2_parts, std::uint32_t{FANFOLD_LOG2_PARTS_MAX});
  EXPECT_EQ(workshop.rows_of(report, 1U << 20), expected);
}

TEST(Bundle, CarriesTheLedgerOfItsLeases) {
  const TestJob job("tests/jobs/numbers");
  Workshop workshop(job);
  const WorkReport report = workshop.bundle_of(range(0, 1000, 10), 7);
  Ledger ledger;
  ASSERT_TRUE(ledger.unpack(std::get<BundlePacked>(report.event).ledger));
  EXPECT_EQ(ledger.records(), 1000U);
}

TEST(Bundle, NamesPhaseAndNumbersWhenItDoesNotFitItsMemory) {
  const TestJob job("tests/jobs/numbers", {{"modulus", "1000000"}});
  Workshop workshop(job);
  const WorkReport report = workshop.bundle_of(range(0, 1'000'000, 1000), 100, 2U << 20);
  ASSERT_TRUE(report.failed);
  EXPECT_EQ(report.failed->kind, CauseKind::kMemory);
  EXPECT_EQ(report.failed->phase, Phase::kMerge);
  EXPECT_EQ(report.failed->bundle, (BundleId{workshop.page().incarnation(), {1}}));
  EXPECT_NE(report.failed->message.find(std::to_string(2U << 20)), std::string::npos);
}

TEST(PartialStore, GivesWarmPartialsBackButNoneThatHoldsMuchMemory) {
  const TestJob job("tests/jobs/numbers", {{"modulus", "1000000"}});
  plugin::MemoryPool pool;
  PartialStore store(job.instance(), pool, 1);
  auto partial = store.take(0, 1U << 20, kPlenty, nullptr);
  const SlotPartial* first = partial.get();
  store.give_back(std::move(partial));
  partial = store.take(0, 1U << 20, kPlenty, nullptr);
  EXPECT_EQ(partial.get(), first);
  const Plan plan = Plan::make({range(0, 300'000, 300'000)}, PlanOptions{}).value();
  SlotCell cell;
  std::uint32_t stop = FANFOLD_GO_ON;
  LeaseMapper mapper(job.instance(), plan, ReadOptions{}, cell, stop);
  EXPECT_EQ(mapper.map({1}, {0, 1}, partial->partial, partial->account).outcome, Outcome::kDone);
  EXPECT_GT(partial->account.bytes(), 1U << 20);
  store.give_back(std::move(partial));
  EXPECT_LT(store.take(0, 1U << 20, kPlenty, nullptr)->account.bytes(), 1U << 20);
}

}  // namespace
}  // namespace fanfold::worker
