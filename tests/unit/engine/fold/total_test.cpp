// total_test.cpp: the gatherer's total: whatever bundles it is given, in any order and with any number of threads,
// merged early or late, its rows are those of one fold; a bundle that is none, a job that fails and memory that
// is refused are named with phase, part and bundle.
#include "engine/fold/total.h"

#include <fanfold/concat.h>
#include <fanfold/sum.h>
#include <fanfold/tuple.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>
#include <fanfold/job.hpp>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "tests/unit/support/rows.h"

namespace fanfold {
namespace {

using Random = std::mt19937_64;
using test::Row;

// The integers of a range by their remainder: how many, their sum, and some of them in their order, so that
// states have memory of their own.
struct Remainders {
  using Partial = Table<std::string_view, Tuple<Count, Sum<std::int64_t>, Concat>>;
  std::uint64_t modulus = 1;
  std::uint64_t limit = 0;
  std::uint64_t fails_at = 0;  // finish() throws for this remainder and a range that has it

  static void parameters(Parameters<Remainders>& declared) {
    declared.integer("modulus", &Remainders::modulus, 1, INT64_MAX, "what numbers are divided by");
    declared.integer("top", &Remainders::limit, 0, INT64_MAX, "rows at most");
    declared.integer("fails-at", &Remainders::fails_at, 0, INT64_MAX, "the remainder that cannot be finished");
  }
  void schema(SchemaBuilder& schema) const {
    schema.column("remainder", Type::kText)
        .column("count", Type::kUint64)
        .column("sum", Type::kInt64)
        .column("some", Type::kText)
        .order_by("count", Direction::kDescending)
        .limit(limit);
  }
  // Short keys and long ones.
  [[nodiscard]] std::string key_of(std::int64_t number) const {
    const std::uint64_t remainder = static_cast<std::uint64_t>(number) % modulus;
    return std::string(remainder % 30, '_') + std::to_string(remainder);
  }
  void map(const Shard& shard, Partial& partial) const {
    for (std::int64_t number = shard.begin(); number != shard.end(); ++number) {
      auto& fold = partial[key_of(number)];
      fold.template get<0>().add();
      fold.template get<1>().add(number);
      if (number % 97 == 0) fold.template get<2>().add(0, static_cast<std::uint64_t>(number), std::to_string(number));
    }
  }
  void finish(const Partial::Part& part, Rows& rows) const {
    part.for_each([&](const auto& row) {
      if (fails_at != 0 && row.key == key_of(static_cast<std::int64_t>(fails_at)))
        throw std::runtime_error("finish fails");
      rows.add(row.key, row.fold.template get<0>().value(), row.fold.template get<1>().value(),
               row.fold.template get<2>().value());
    });
  }
};

// The same without keys.
struct Whole {
  using Partial = Tuple<Count, Sum<std::int64_t>>;
  void schema(SchemaBuilder& schema) const { schema.column("count", Type::kUint64).column("sum", Type::kInt64); }
  void map(const Shard& shard, Partial& partial) const {
    for (std::int64_t number = shard.begin(); number != shard.end(); ++number) {
      partial.get<0>().add();
      partial.get<1>().add(number);
    }
  }
  void finish(const Partial& partial, Rows& rows) const {
    rows.add(partial.get<0>().value(), partial.get<1>().value());
  }
};

thread_local std::string failure_text;

// A job opened as a host opens a plugin's.
class OpenJob {
 public:
  OpenJob(const fanfold_job* job, std::vector<std::pair<std::string, std::string>> parameters = {}) : job_(job) {
    std::vector<fanfold_argument> arguments;
    for (const auto& [name, value] : parameters) {
      arguments.push_back({{name.data(), name.size()}, {value.data(), value.size()}});
    }
    host_.size = sizeof host_;
    host_.abi_major = FANFOLD_ABI_MAJOR;
    host_.fail = [](void*, const char* text, std::uint64_t size) { failure_text.assign(text, size); };
    host_.extension = [](void*, const char*) -> const void* { return nullptr; };
    if (job->open(&host_, arguments.data(), arguments.size(), &instance_) != FANFOLD_OK) {
      throw std::runtime_error("the job does not open: " + failure_text);
    }
    fanfold_schema told{};
    told.size = sizeof told;
    if (job->schema(instance_, &told) != FANFOLD_OK) throw std::runtime_error("the job has no schema");
    schema_ = schema_of(told).value();
  }
  ~OpenJob() { job_->close(instance_); }
  OpenJob(const OpenJob&) = delete;
  OpenJob& operator=(const OpenJob&) = delete;

  [[nodiscard]] const fanfold_job& job() const { return *job_; }
  [[nodiscard]] const fanfold_instance* instance() const { return instance_; }
  [[nodiscard]] const Schema& schema() const { return schema_; }
  [[nodiscard]] bool keyed() const { return (job_->flags & FANFOLD_JOB_KEYED) != 0; }
  [[nodiscard]] FoldJob for_total(const fanfold_memory* memory) const {
    FoldJob job{};
    job.job = job_;
    job.instance = instance_;
    job.memory = memory;
    job.failure_text = [](std::int32_t status) {
      return failure_text.empty() ? "status " + std::to_string(status) : std::exchange(failure_text, {});
    };
    return job;
  }

 private:
  const fanfold_job* job_;
  fanfold_host host_{};
  fanfold_instance* instance_ = nullptr;
  Schema schema_;
};

using AlignedBytes = std::vector<std::uint64_t>;

// A worker's bundle over the integers of some ranges, packed as workers pack.
PackedBundle bundle_of(const OpenJob& open, const std::vector<std::pair<std::int64_t, std::int64_t>>& ranges,
                       std::uint64_t seq, bool may_be_one_part = true) {
  const fanfold_job& job = open.job();
  const fanfold_memory* memory = unaccounted_memory();
  fanfold_partial* bundle = job.partial_new(open.instance(), memory);
  const std::uint32_t stop = FANFOLD_GO_ON;
  for (const auto& [begin, end] : ranges) {
    fanfold_partial* partial = job.partial_new(open.instance(), memory);
    fanfold_shard shard{};
    shard.size = sizeof shard;
    shard.kind = FANFOLD_SHARD_RANGE;
    shard.begin = static_cast<std::uint64_t>(begin);
    shard.end = static_cast<std::uint64_t>(end);
    shard.stop = &stop;
    EXPECT_EQ(job.map(open.instance(), &shard, partial), FANFOLD_OK);
    fanfold_extent extent{};
    EXPECT_EQ(job.seal(partial, &extent), FANFOLD_OK);
    const std::uint32_t parts = open.keyed() ? 1U << FANFOLD_LOG2_PARTS_WORK : 1;
    for (std::uint32_t part = 0; part < parts; ++part) EXPECT_EQ(job.merge(bundle, partial, part), FANFOLD_OK);
    job.partial_free(partial);
  }
  fanfold_extent whole{};
  EXPECT_EQ(job.extent(bundle, 0, 0, &whole), FANFOLD_OK);
  PackedBundle packed;
  packed.id = {{7, 7}, {seq}};
  const bool one_part = !open.keyed() || (may_be_one_part && whole.entries < FANFOLD_ONE_PART_ENTRIES);
  packed.log2_parts = one_part ? 0 : FANFOLD_LOG2_PARTS_MAX;
  auto bytes = std::make_shared<std::vector<AlignedBytes>>();
  for (std::uint32_t part = 0; part < 1U << packed.log2_parts; ++part) {
    fanfold_extent extent{};
    EXPECT_EQ(job.extent(bundle, packed.log2_parts, part, &extent), FANFOLD_OK);
    AlignedBytes& words = bytes->emplace_back(extent.packed_bytes / 8);
    auto* data = reinterpret_cast<std::uint8_t*>(words.data());
    EXPECT_EQ(job.pack(bundle, packed.log2_parts, part, data, extent.packed_bytes), FANFOLD_OK);
    packed.parts.push_back({sizeof(fanfold_packed), packed.log2_parts, part, 0, data, extent.packed_bytes});
  }
  packed.owner = bytes;
  job.partial_free(bundle);
  return packed;
}

// A total, with the threads and positions that it works with.
class Folding {
 public:
  Folding(const OpenJob& open, int threads, const fanfold_memory* memory = unaccounted_memory())
      : open_(open), arena_(threads), memory_(memory), total_(open.for_total(memory), arena_, positions_.data()) {}

  Total& total() { return total_; }
  FoldFault take(PackedBundle bundle) {
    if (FoldFault fault = total_.validate(bundle)) return fault;
    total_.accept(std::move(bundle));
    return {};
  }
  // Its rows in order; `fault` where it has none.
  std::vector<Row> rows(FoldFault& fault) {
    RowSink sink(open_.schema(), memory_);
    fault = total_.finish(sink);
    std::vector<Row> rows;
    if (fault) return rows;
    Result<OrderedRows> ordered = sink.order();
    if (!ordered) {
      ADD_FAILURE() << ordered.failure().sentence;
      return rows;
    }
    const Status read = ordered->for_each_batch([&](const fanfold_batch& batch) -> Status {
      for (Row& row : test::rows_of(open_.schema(), batch)) rows.push_back(std::move(row));
      return success();
    });
    EXPECT_TRUE(read.ok());
    return rows;
  }

 private:
  const OpenJob& open_;
  std::array<FoldPosition, 64> positions_{};
  tbb::task_arena arena_;
  const fanfold_memory* memory_;
  Total total_;
};

const fanfold_job* remainders() {
  return adapter::job_table<Remainders>("remainders", "1", "Counts by remainder.");
}

std::vector<Row> rows_of_one_fold(const Remainders& job, std::int64_t end, std::size_t limit) {
  std::map<std::string, std::tuple<std::uint64_t, std::int64_t, std::string>> folds;
  for (std::int64_t number = 0; number < end; ++number) {
    auto& [count, sum, some] = folds[job.key_of(number)];
    count += 1;
    sum += number;
    if (number % 97 == 0) some += std::to_string(number);
  }
  std::vector<Row> rows;
  for (const auto& [key, fold] : folds) {
    rows.push_back({key, std::get<0>(fold), std::get<1>(fold), std::get<2>(fold)});
  }
  std::stable_sort(rows.begin(), rows.end(), [](const Row& left, const Row& right) {
    return std::get<std::uint64_t>(left[1]) > std::get<std::uint64_t>(right[1]);
  });
  if (limit != 0 && rows.size() > limit) rows.resize(limit);
  return rows;
}

TEST(Total, GivesTheRowsOfOneFoldFromAnyBundlesInAnyOrder) {
  Random random(1);
  for (int round = 0; round < 25; ++round) {
    Remainders job;
    job.modulus = 1 + random() % (round % 2 == 0 ? 50 : 9000);
    job.limit = random() % 3 == 0 ? 1 + random() % 20 : 0;
    const auto end = static_cast<std::int64_t>(random() % 30'000);
    const OpenJob open(remainders(), {{"modulus", std::to_string(job.modulus)}, {"top", std::to_string(job.limit)}});
    std::vector<std::vector<std::pair<std::int64_t, std::int64_t>>> shares(1 + random() % 8);
    for (std::int64_t begin = 0; begin < end;) {
      const std::int64_t next = std::min<std::int64_t>(end, begin + 1 + static_cast<std::int64_t>(random() % 4000));
      shares[random() % shares.size()].emplace_back(begin, next);
      begin = next;
    }
    Folding folding(open, 1 + static_cast<int>(random() % 4));
    for (std::size_t share = 0; share < shares.size(); ++share) {
      ASSERT_FALSE(folding.take(bundle_of(open, shares[share], share + 1, random() % 2 == 0)));
      if (random() % 4 == 0) {
        ASSERT_FALSE(folding.total().compact());
        EXPECT_EQ(folding.total().bundles(), 1U);
      }
    }
    FoldFault fault;
    EXPECT_TRUE(folding.rows(fault) == rows_of_one_fold(job, end, job.limit)) << "round " << round;
    EXPECT_FALSE(fault);
  }
}

TEST(Total, OfAJobWithoutKeysIsOneRowEvenOfNothing) {
  const OpenJob open(adapter::job_table<Whole>("whole", "1", "Counts all."));
  FoldFault fault;
  Folding nothing(open, 2);
  EXPECT_TRUE(nothing.rows(fault) == (std::vector<Row>{{std::uint64_t{0}, std::int64_t{0}}}));
  Folding some(open, 2);
  for (std::int64_t begin = 0; begin < 100; begin += 10) {
    ASSERT_FALSE(some.take(bundle_of(open, {{begin, begin + 10}}, 1)));
    if (begin == 50) {
      ASSERT_FALSE(some.total().compact());
    }
  }
  EXPECT_TRUE(some.rows(fault) == (std::vector<Row>{{std::uint64_t{100}, std::int64_t{4950}}}));
}

TEST(Total, RefusesABundleThatIsNoneAndNamesItsPart) {
  const OpenJob open(remainders(), {{"modulus", "9000"}});
  PackedBundle bundle = bundle_of(open, {{0, 20'000}}, 5);
  ASSERT_EQ(bundle.log2_parts, FANFOLD_LOG2_PARTS_MAX);
  AlignedBytes damaged(bundle.parts[17].bytes / 8);
  std::memcpy(damaged.data(), bundle.parts[17].data, bundle.parts[17].bytes);
  damaged[0] ^= 1;  // how many entries
  bundle.parts[17].data = reinterpret_cast<const std::uint8_t*>(damaged.data());
  Folding folding(open, 2);
  const FoldFault fault = folding.take(std::move(bundle));
  ASSERT_TRUE(fault);
  EXPECT_EQ(fault->kind, CauseKind::kBadPartial);
  EXPECT_EQ(fault->phase, Phase::kCheck);
  EXPECT_EQ(fault->part, 17U);
  ASSERT_TRUE(fault->bundle);
  EXPECT_EQ(fault->bundle->seq.value, 5U);
  EXPECT_EQ(folding.total().bundles(), 0U);
}

TEST(Total, SaysInWhichPartTheJobFailed) {
  for (const std::size_t bundles : {1U, 3U}) {
    const OpenJob open(remainders(), {{"modulus", "9000"}, {"fails-at", "77"}});
    Folding folding(open, 3);
    for (std::size_t bundle = 0; bundle < bundles; ++bundle) {
      const auto begin = static_cast<std::int64_t>(bundle) * 9000;
      ASSERT_FALSE(folding.take(bundle_of(open, {{begin, begin + 9000}}, bundle + 1)));
    }
    FoldFault fault;
    EXPECT_TRUE(folding.rows(fault).empty());
    ASSERT_TRUE(fault);
    EXPECT_EQ(fault->kind, CauseKind::kJob);
    EXPECT_EQ(fault->phase, Phase::kFinish);
    EXPECT_TRUE(fault->part);
    EXPECT_EQ(fault->message, "finish fails");
  }
}

// Memory of which so many bytes may be held; any thread.
struct Budget {
  std::atomic<std::int64_t> left;
  std::atomic<std::int64_t> held = 0;
  static void* give(void* context, std::uint64_t bytes) {
    auto& budget = *static_cast<Budget*>(context);
    if (budget.left.fetch_sub(static_cast<std::int64_t>(bytes)) < static_cast<std::int64_t>(bytes)) {
      budget.left += static_cast<std::int64_t>(bytes);
      return nullptr;
    }
    budget.held += static_cast<std::int64_t>(bytes);
    return std::aligned_alloc(64, (bytes + 63) / 64 * 64);
  }
  static void* give_zeroed(void* context, std::uint64_t bytes) {
    void* block = give(context, bytes);
    if (block != nullptr) std::memset(block, 0, bytes);
    return block;
  }
  static void take_back(void* context, void* block, std::uint64_t bytes) {
    auto& budget = *static_cast<Budget*>(context);
    budget.held -= static_cast<std::int64_t>(bytes);
    budget.left += static_cast<std::int64_t>(bytes);
    std::free(block);
  }
};

TEST(Total, StaysWithinItsBudgetOrSaysThatItCannot) {
  const Remainders job{5000, 0, 0};
  const OpenJob open(remainders(), {{"modulus", "5000"}});
  std::vector<PackedBundle> bundles;
  for (std::int64_t begin = 0; begin < 20'000; begin += 5000) {
    bundles.push_back(bundle_of(open, {{begin, begin + 5000}}, 1 + static_cast<std::uint64_t>(begin)));
  }
  const std::vector<Row> expected = rows_of_one_fold(job, 20'000, 0);
  bool enough = false;
  int refusals = 0;
  for (std::int64_t bytes = 1 << 10; !enough; bytes *= 2) {
    Budget budget{bytes};
    fanfold_memory memory{};
    memory.size = sizeof memory;
    memory.context = &budget;
    memory.allocate = Budget::give;
    memory.allocate_zeroed = Budget::give_zeroed;
    memory.release = Budget::take_back;
    for (const bool early : {false, true}) {
      Folding folding(open, 3, &memory);
      for (const PackedBundle& bundle : bundles) ASSERT_FALSE(folding.take(bundle));
      FoldFault fault;
      if (early) fault = folding.total().compact();
      if (!fault) {
        RowSink sink(open.schema());  // rows elsewhere: here the total's own memory is tried
        fault = folding.total().finish(sink);
        enough = !fault;
        if (enough) {
          EXPECT_EQ(sink.rows_emitted(), expected.size());
        }
      }
      if (fault) {
        ++refusals;
        EXPECT_EQ(fault->kind, CauseKind::kMemory) << fault->message;
      }
    }
    EXPECT_EQ(budget.held, 0) << "with " << bytes << " bytes";
  }
  EXPECT_GT(refusals, 0);
}

}  // namespace
}  // namespace fanfold
