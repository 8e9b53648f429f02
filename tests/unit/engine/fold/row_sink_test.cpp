// The order of rows, and keeping the best of them, against std::sort over plain rows.
#include "engine/fold/row_sink.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <limits>
#include <optional>
#include <random>
#include <thread>

#include "engine/fold/decimal_order.h"
#include "tests/unit/support/rows.h"

namespace fanfold {
namespace {

using test::BuiltBatch;
using test::Cell;
using test::kNull;
using test::Row;
using test::rows_of;
using test::schema_with;

// ---- the reference: slow, and written from the rules alone ----

// -1, 0, 1; `last` is set when the places do not depend on the direction.
int compare_cells(ColumnType type, const Cell& a, const Cell& b, bool& last) {
  const auto sign = [](auto x, auto y) { return x < y ? -1 : y < x ? 1 : 0; };
  if (a.index() == 0 || b.index() == 0) {
    last = true;
    return sign(a.index() == 0, b.index() == 0);
  }
  switch (type) {
    case ColumnType::kText:
      return sign(std::get<std::string>(a), std::get<std::string>(b));
    case ColumnType::kInt64:
      return sign(std::get<std::int64_t>(a), std::get<std::int64_t>(b));
    case ColumnType::kUint64:
      return sign(std::get<std::uint64_t>(a), std::get<std::uint64_t>(b));
    case ColumnType::kFloat64: {
      const double x = std::get<double>(a);
      const double y = std::get<double>(b);
      if (std::isnan(x) || std::isnan(y)) {
        last = true;
        return sign(std::isnan(x), std::isnan(y));
      }
      if (x == 0 && y == 0) return sign(!std::signbit(x), !std::signbit(y));
      return sign(x, y);
    }
    // The decimals of these tests have few digits.
    case ColumnType::kDecimal: {
      const double x = std::stod(std::get<std::string>(a));
      const double y = std::stod(std::get<std::string>(b));
      return sign(x, y);
    }
  }
  return 0;
}

bool reference_before(const Schema& schema, const Row& a, const Row& b) {
  std::vector<OrderTerm> terms = schema.order;
  for (std::uint32_t i = 0; i < schema.columns.size(); ++i) {
    if (std::none_of(terms.begin(), terms.end(), [i](const OrderTerm& term) { return term.column == i; })) {
      terms.push_back({i, false});
    }
  }
  for (const OrderTerm& term : terms) {
    bool last = false;
    const int order = compare_cells(schema.columns[term.column].type, a[term.column], b[term.column], last);
    if (order != 0) return (order < 0) != (term.descending && !last);
  }
  for (std::size_t i = 0; i < schema.columns.size(); ++i) {
    if (schema.columns[i].type == ColumnType::kDecimal && a[i] != b[i]) return a[i] < b[i];
  }
  return false;
}

std::vector<Row> reference(const Schema& schema, std::vector<Row> rows) {
  std::sort(rows.begin(), rows.end(), [&](const Row& a, const Row& b) { return reference_before(schema, a, b); });
  if (schema.limit != 0 && rows.size() > schema.limit) rows.resize(schema.limit);
  return rows;
}

// ---- random rows: few distinct values, so that ties go deep ----

Cell random_cell(std::mt19937_64& random, ColumnType type, bool nulls) {
  const std::uint64_t dice = random();
  if (nulls && dice % 11 == 0) return kNull;
  const auto pick = [&](const auto& choices) { return choices[random() % std::size(choices)]; };
  switch (type) {
    case ColumnType::kText: {
      if (dice % 3 == 0) {
        const std::string texts[] = {
            "",         "a",         std::string("a\0", 2), std::string("a\0b", 3), "\xff",
            "abcdefgh", "abcdefgha", "abcdefghabcdefgh",    "abcdefghab",           "abcdefg\1",
            "b"};
        return pick(texts);
      }
      std::string text(random() % 3 == 0 ? "https://www.example.org/" : "");
      for (std::uint64_t i = random() % 4; i != 0; --i) text += static_cast<char>('a' + random() % 3);
      return text;
    }
    case ColumnType::kInt64: {
      const std::int64_t values[] = {std::numeric_limits<std::int64_t>::min(), -1, 0, 1,
                                     std::numeric_limits<std::int64_t>::max()};
      return dice % 2 == 0 ? pick(values) : static_cast<std::int64_t>(random() % 1000) - 500;
    }
    case ColumnType::kUint64: {
      const std::uint64_t values[] = {0, 1, 1, 1, ~std::uint64_t{0}, ~std::uint64_t{0} - 1};
      return dice % 2 == 0 ? pick(values) : random() % 1000;
    }
    case ColumnType::kFloat64: {
      const double infinity = std::numeric_limits<double>::infinity();
      const double values[] = {-infinity, infinity, 0.0, -0.0, 1e-310, -1e-310, std::nan("1"), -std::nan("2"), 1, -1};
      return dice % 2 == 0 ? pick(values) : static_cast<double>(random() % 1000) / 8 - 50;
    }
    case ColumnType::kDecimal: {
      const char* values[] = {"0", "-0", "0.00", "1.0", "1.00", "-1", "12.5", "0.125", "100", "-99.75", "+1", "1e2"};
      return std::string(pick(values));
    }
  }
  return kNull;
}

std::vector<Row> random_rows(std::mt19937_64& random, const Schema& schema, std::size_t count, bool nulls) {
  std::vector<Row> rows(count);
  for (Row& row : rows) {
    for (const Column& column : schema.columns) row.push_back(random_cell(random, column.type, nulls));
  }
  return rows;
}

// NaN is NaN, whatever its bits.
std::vector<Row> comparable(std::vector<Row> rows) {
  for (Row& row : rows) {
    for (Cell& cell : row) {
      const auto* value = std::get_if<double>(&cell);
      if (value == nullptr) continue;
      cell = std::isnan(*value) ? Cell(std::string("NaN")) : Cell(std::bit_cast<std::uint64_t>(*value));
    }
  }
  return rows;
}

std::vector<Row> read_all(const Schema& schema, const OrderedRows& ordered) {
  std::vector<Row> rows;
  const Status status = ordered.for_each_batch([&](const fanfold_batch& batch) {
    EXPECT_TRUE(check_batch(schema, batch));
    for (Row& row : rows_of(schema, batch)) rows.push_back(std::move(row));
    return success();
  });
  EXPECT_TRUE(status);
  return rows;
}

// Sends rows through a sink, from several threads, in batches of random sizes.
std::vector<Row> through_sink(std::mt19937_64& random, const Schema& schema, const std::vector<Row>& rows,
                              std::size_t threads) {
  RowSink sink(schema);
  std::vector<std::vector<Row>> shares(threads);
  for (const Row& row : rows) shares[random() % threads].push_back(row);
  std::vector<std::thread> running;
  for (std::vector<Row>& share : shares) {
    running.emplace_back([&sink, &schema, share = std::move(share), seed = random()] {
      std::mt19937_64 sizes(seed);
      for (std::size_t at = 0; at < share.size();) {
        const std::size_t rows_now = std::min<std::size_t>(share.size() - at, sizes() % 700);
        const BuiltBatch batch(schema, {share.begin() + static_cast<std::ptrdiff_t>(at),
                                        share.begin() + static_cast<std::ptrdiff_t>(at + rows_now)});
        const RowSink::Lent writer = sink.writer();
        ASSERT_EQ(writer.rows()->emit(writer.rows()->context, &batch.view()), FANFOLD_OK);
        at += rows_now;
      }
    });
  }
  for (std::thread& thread : running) thread.join();
  EXPECT_EQ(sink.rows_emitted(), rows.size());
  const Result<OrderedRows> ordered = sink.order();
  EXPECT_TRUE(ordered);
  return read_all(schema, *ordered);
}

std::string text_of(const Row& row) {
  return ::testing::PrintToString(row);
}

// Only the first difference: a listing of them all takes longer than the tests.
::testing::AssertionResult same_rows(const std::vector<Row>& got, const std::vector<Row>& expected) {
  const std::vector<Row> a = comparable(got);
  const std::vector<Row> b = comparable(expected);
  for (std::size_t i = 0; i < std::min(a.size(), b.size()); ++i) {
    if (a[i] != b[i]) {
      return ::testing::AssertionFailure()
             << "row " << i << " of " << b.size() << " is " << text_of(got[i]) << ", not " << text_of(expected[i]);
    }
  }
  if (a.size() == b.size()) return ::testing::AssertionSuccess();
  return ::testing::AssertionFailure() << a.size() << " rows, not " << b.size();
}

Schema random_schema(std::mt19937_64& random) {
  const ColumnType types[] = {ColumnType::kText, ColumnType::kInt64, ColumnType::kUint64, ColumnType::kFloat64,
                              ColumnType::kDecimal};
  Schema schema;
  const std::size_t columns = 1 + random() % 4;
  for (std::size_t i = 0; i < columns; ++i) schema.columns.push_back({types[random() % 5], std::to_string(i), ""});
  for (std::uint32_t i = 0; i < columns; ++i) {
    if (random() % 2 == 0) schema.order.push_back({i, random() % 2 == 0});
  }
  std::shuffle(schema.order.begin(), schema.order.end(), random);
  return schema;
}

TEST(RowOrder, IsThatOfAPlainSortForRandomSchemasRowsAndThreads) {
  for (std::uint64_t seed = 0; seed < 90; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937_64 random(seed);
    const Schema schema = random_schema(random);
    const std::vector<Row> rows = random_rows(random, schema, random() % 3000, random() % 2 == 0);
    ASSERT_TRUE(same_rows(through_sink(random, schema, rows, 1 + random() % 4), reference(schema, rows)));
  }
}

TEST(RowOrder, IsThatOfAPlainSortForManyRowsSortedInParallel) {
  std::mt19937_64 random(7);
  const Schema schema =
      schema_with({{"word", ColumnType::kText}, {"count", ColumnType::kUint64}}, {{1, true}, {0, false}});
  std::vector<Row> rows;
  for (int i = 0; i < 60000; ++i) {
    std::string word = random() % 2 == 0 ? "common-prefix-" : "";
    for (std::uint64_t n = 1 + random() % 9; n != 0; --n) word += static_cast<char>('a' + random() % 4);
    rows.push_back({word, random() % 4 == 0 ? random() % 100 : std::uint64_t{1}});
  }
  EXPECT_TRUE(same_rows(through_sink(random, schema, rows, 3), reference(schema, rows)));
}

TEST(RowOrder, KeepsMoreThanThirtyTwoColumnsAndTheirNulls) {
  std::mt19937_64 random(3);
  for (const std::size_t columns : {31U, 32U, 33U, 96U, 97U, 200U}) {
    Schema schema;
    for (std::size_t i = 0; i < columns; ++i) {
      schema.columns.push_back({i % 3 == 0 ? ColumnType::kText : ColumnType::kInt64, std::to_string(i), ""});
    }
    const std::vector<Row> rows = random_rows(random, schema, 50, true);
    EXPECT_TRUE(same_rows(through_sink(random, schema, rows, 2), reference(schema, rows))) << columns;
  }
}

TEST(RowOrder, PutsNanAndNullsLastInEitherDirection) {
  std::mt19937_64 random(1);
  const double nan = std::numeric_limits<double>::quiet_NaN();
  for (const bool descending : {false, true}) {
    const Schema schema = schema_with({{"x", ColumnType::kFloat64}}, {{0, descending}});
    const std::vector<Row> rows = through_sink(random, schema, {{kNull}, {nan}, {1.0}, {-0.0}, {0.0}}, 1);
    std::vector<double> first;
    for (int i = 0; i < 3; ++i) first.push_back(std::get<double>(rows[static_cast<std::size_t>(i)][0]));
    const std::vector<double> ascending{-0.0, 0.0, 1.0};
    EXPECT_EQ(first, descending ? (std::vector<double>{1.0, 0.0, -0.0}) : ascending);
    EXPECT_EQ(std::signbit(first[descending ? 2 : 0]), true);
    EXPECT_TRUE(std::isnan(std::get<double>(rows[3][0])));
    EXPECT_EQ(rows[4][0], Cell(kNull));
  }
}

TEST(RowSink, GivesTheSameBestRowsWithAnyLimitFromAnyThreads) {
  for (std::uint64_t seed = 0; seed < 70; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937_64 random(seed);
    Schema schema = random_schema(random);
    const std::uint64_t limits[] = {1, 2, 10, 100, 1000, 100000, 2000000, ~std::uint64_t{0}};
    schema.limit = limits[random() % std::size(limits)];
    const std::vector<Row> rows = random_rows(random, schema, random() % 6000, random() % 2 == 0);
    ASSERT_TRUE(same_rows(through_sink(random, schema, rows, 1 + random() % 4), reference(schema, rows)));
  }
}

TEST(RowSink, PublishesACutoffThatOnlyTightensAndLosesNoWantedRow) {
  for (const ColumnType type : {ColumnType::kUint64, ColumnType::kInt64}) {
    for (const bool descending : {false, true}) {
      std::mt19937_64 random(11);
      const Schema schema = schema_with({{"value", type}, {"id", ColumnType::kUint64}}, {{0, descending}}, 10);
      std::vector<Row> rows;
      RowSink sink(schema);
      std::optional<RowSink::Lent> lent(sink.writer());
      const RowSink::Lent& writer = *lent;
      ASSERT_EQ(writer.rows()->has_cutoff, 1U);
      const auto beyond = [&](std::uint64_t value, std::uint64_t cutoff) {
        if (type == ColumnType::kInt64) {
          const auto a = static_cast<std::int64_t>(value);
          const auto b = static_cast<std::int64_t>(cutoff);
          return descending ? a < b : a > b;
        }
        return descending ? value < cutoff : value > cutoff;
      };
      std::uint64_t left_out = 0;
      std::uint64_t last_cutoff = *writer.rows()->cutoff;
      for (std::uint64_t id = 0; id < 20000; ++id) {
        const std::uint64_t value = random() % 2000 - 1000;  // wraps: large numbers, or negative ones
        const Cell cell = type == ColumnType::kInt64 ? Cell(static_cast<std::int64_t>(value)) : Cell(value);
        rows.push_back({cell, id});
        const std::uint64_t cutoff = __atomic_load_n(writer.rows()->cutoff, __ATOMIC_RELAXED);
        EXPECT_FALSE(beyond(cutoff, last_cutoff));
        last_cutoff = cutoff;
        if (beyond(value, cutoff)) {
          ++left_out;
          continue;
        }
        const BuiltBatch batch(schema, {rows.back()});
        ASSERT_EQ(writer.rows()->emit(writer.rows()->context, &batch.view()), FANFOLD_OK);
      }
      EXPECT_GT(left_out, 15000U);
      EXPECT_LT(sink.bytes_held(), 1024U * 1024U);
      lent.reset();
      const Result<OrderedRows> ordered = sink.order();
      ASSERT_TRUE(ordered);
      EXPECT_TRUE(same_rows(read_all(schema, *ordered), reference(schema, rows)));
    }
  }
}

TEST(RowSink, PublishesNoCutoffWithoutLimitOrForAFirstColumnThatIsNoInteger) {
  RowSink without_limit(schema_with({{"n", ColumnType::kUint64}}));
  EXPECT_EQ(without_limit.writer().rows()->has_cutoff, 0U);
  RowSink text_first(schema_with({{"t", ColumnType::kText}}, {}, 5));
  EXPECT_EQ(text_first.writer().rows()->has_cutoff, 0U);
}

TEST(RowSink, AnswersNoRowsWithNoRows) {
  RowSink sink(schema_with({{"n", ColumnType::kUint64}}));
  const Result<OrderedRows> ordered = sink.order();
  ASSERT_TRUE(ordered);
  EXPECT_EQ(ordered->rows(), 0U);
  EXPECT_TRUE(ordered->for_each_batch([](const fanfold_batch&) -> Status { return Failure{}; }));
}

TEST(RowSink, RefusesAMalformedBatchWithASentenceThatNamesTheColumn) {
  const Schema schema = schema_with({{"word", ColumnType::kText}});
  RowSink sink(schema);
  const std::int32_t falling[] = {0, 3, 2};
  const fanfold_column_data data[] = {{"abc", falling, nullptr}};
  const fanfold_batch batch{sizeof(fanfold_batch), 1, 2, data};
  {
    const RowSink::Lent writer = sink.writer();
    EXPECT_EQ(writer.rows()->emit(writer.rows()->context, &batch), FANFOLD_FAILED);
  }
  const Result<OrderedRows> ordered = sink.order();
  ASSERT_FALSE(ordered);
  EXPECT_EQ(ordered.failure().code, ExitCode::kJobFailed);
  EXPECT_NE(ordered.failure().sentence.find("\"word\""), std::string::npos);
}

// Memory that refuses beyond a number of bytes, and counts what was not given back.
struct ScarceMemory {
  std::uint64_t bytes_max;
  std::uint64_t bytes = 0;
  fanfold_memory memory{sizeof(fanfold_memory),
                        0,
                        this,
                        [](void* context, std::uint64_t asked) -> void* {
                          auto* self = static_cast<ScarceMemory*>(context);
                          if (self->bytes + asked > self->bytes_max) return nullptr;
                          self->bytes += asked;
                          return ::operator new(asked);
                        },
                        nullptr,  // allocate_zeroed: row blocks are written whole
                        [](void* context, void* block, std::uint64_t given) {
                          static_cast<ScarceMemory*>(context)->bytes -= given;
                          ::operator delete(block);
                        },
                        0,
                        nullptr};
};

TEST(RowSink, SaysThatTheBudgetIsExceededWhenMemoryIsRefusedAndGivesAllOfItBack) {
  ScarceMemory scarce{256 * 1024};
  const Schema schema = schema_with({{"n", ColumnType::kUint64}});
  {
    RowSink sink(schema, &scarce.memory);
    std::vector<Row> rows(1000, Row{std::uint64_t{1}});
    const BuiltBatch batch(schema, rows);
    std::int32_t status = FANFOLD_OK;
    {
      const RowSink::Lent writer = sink.writer();
      for (int i = 0; i < 100 && status == FANFOLD_OK; ++i) {
        status = writer.rows()->emit(writer.rows()->context, &batch.view());
      }
    }
    EXPECT_EQ(status, FANFOLD_EXHAUSTED);
    const Result<OrderedRows> ordered = sink.order();
    ASSERT_FALSE(ordered);
    for (const char* words : {" MiB of them are held", "--memory"}) {
      EXPECT_NE(ordered.failure().sentence.find(words), std::string::npos) << ordered.failure().sentence;
    }
  }
  EXPECT_EQ(scarce.bytes, 0U);
}

TEST(RowSink, GivesRowsWithTextOfManyMegabytes) {
  std::mt19937_64 random(5);
  const Schema schema = schema_with({{"t", ColumnType::kText}});
  const std::vector<Row> rows{{std::string(5 << 20, 'b')}, {std::string(3 << 20, 'a')}, {std::string("c")}};
  EXPECT_TRUE(same_rows(through_sink(random, schema, rows, 2), reference(schema, rows)));
}

// A batch travels in one frame: a row beyond that would be sent again and again and never arrive.
TEST(RowSink, RefusesARowThatNoMessageCarries) {
  const Schema schema = schema_with({{"t", ColumnType::kText}});
  RowSink sink(schema);
  const std::int32_t offsets[] = {0, static_cast<std::int32_t>(kMessageBytesMax)};
  const fanfold_column_data data[] = {{"never read", offsets, nullptr}};
  const fanfold_batch batch{sizeof(fanfold_batch), 1, 1, data};
  {
    const RowSink::Lent writer = sink.writer();
    EXPECT_EQ(writer.rows()->emit(writer.rows()->context, &batch), FANFOLD_FAILED);
  }
  const Result<OrderedRows> ordered = sink.order();
  ASSERT_FALSE(ordered);
  EXPECT_EQ(ordered.failure().code, ExitCode::kJobFailed);
  EXPECT_NE(ordered.failure().sentence.find("shorter rows"), std::string::npos) << ordered.failure().sentence;
}

TEST(DecimalOrder, ComparesExactNumbersOfAnyLength) {
  const std::vector<std::string_view> rising{"-inf",
                                             "-1e400",
                                             "-100000000000000000000000000000000000000.5",
                                             "-100000000000000000000000000000000000000.25",
                                             "-1",
                                             "-0.1",
                                             "-0.0999999999999999999999999999",
                                             "-1e-2000",
                                             "0",
                                             "1e-2000",
                                             "0.000000000000000000000000001",
                                             "0.00000000000000000000000000100000000000000001",
                                             "1",
                                             "1.000000000000000000000000000000000001",
                                             "9.99",
                                             "10",
                                             "99999999999999999999.999999999999999999",
                                             "1e20",
                                             "1e1025",
                                             "1e1026",
                                             "inf",
                                             "",
                                             "1.2.3",
                                             "x",
                                             "nan"};
  for (std::size_t a = 0; a < rising.size(); ++a) {
    for (std::size_t b = 0; b < rising.size(); ++b) {
      EXPECT_EQ(compare_decimals(rising[a], rising[b]), static_cast<std::weak_ordering>(a <=> b))
          << rising[a] << " and " << rising[b];
      if (a < b) {
        EXPECT_LE(decimal_key(rising[a]), decimal_key(rising[b])) << rising[a] << " and " << rising[b];
      }
    }
  }
}

TEST(DecimalOrder, TakesTheSameNumberWrittenDifferentlyAsEqual) {
  const std::vector<std::vector<std::string_view>> same{{"1", "1.0", "+1.", "01.000", "10e-1", "0.1e1", "1E0"},
                                                        {"0", "-0", "0.00", ".0", "0e9", "-0.0e-5"},
                                                        {"-2.5", "-2.50", "-25e-1", "-0002.5"},
                                                        {"nan", "NaN", "-nan"}};
  for (const auto& group : same) {
    for (const auto a : group) {
      EXPECT_EQ(decimal_key(a), decimal_key(group[0])) << a;
      EXPECT_TRUE(compare_decimals(a, group[0]) == 0) << a;
    }
  }
}

}  // namespace
}  // namespace fanfold
