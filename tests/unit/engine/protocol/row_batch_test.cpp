// Packed rows, finished rows and schemas: what goes in comes out, and nothing else is let in.
#include "engine/protocol/row_batch.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "engine/protocol/finished_rows.h"
#include "tests/unit/support/rows.h"

namespace fanfold {
namespace {

using test::BuiltBatch;
using test::kNull;
using test::Row;
using test::rows_of;
using test::schema_with;

Schema every_type() {
  Schema schema = schema_with({{"word", ColumnType::kText},
                               {"delta", ColumnType::kInt64},
                               {"count", ColumnType::kUint64},
                               {"mean", ColumnType::kFloat64},
                               {"sum", ColumnType::kDecimal}},
                              {{2, true}, {0, false}}, 10);
  schema.columns[0].help = "the word";
  schema.delimiters[4] = 1;
  return schema;
}

std::vector<Row> some_rows() {
  return {{std::string("b"), std::int64_t{-3}, std::uint64_t{7}, 0.5, std::string("1.20")},
          {std::string(), kNull, std::uint64_t{0}, kNull, std::string("-4")},
          {kNull, std::int64_t{9}, kNull, -1e300, kNull},
          {std::string("\0\xff", 2), std::int64_t{0}, ~std::uint64_t{0}, 0.0, std::string("0")}};
}

TEST(Schema, ComesBackFromItsPackedFormAsItWas) {
  const Schema schema = every_type();
  const Result<Schema> unpacked = unpack_schema(pack_schema(schema));
  ASSERT_TRUE(unpacked);
  EXPECT_EQ(*unpacked, schema);
}

TEST(Schema, IsRefusedWhenItsPackedFormIsCutShortOrHasMoreBehindIt) {
  std::vector<std::byte> packed = pack_schema(every_type());
  for (std::size_t bytes = 0; bytes < packed.size(); ++bytes) {
    EXPECT_FALSE(unpack_schema(std::span(packed).first(bytes))) << bytes;
  }
  packed.push_back(std::byte{0});
  EXPECT_FALSE(unpack_schema(packed));
}

TEST(Schema, SurvivesAnyDamagedByteOfItsPackedForm) {
  const std::vector<std::byte> packed = pack_schema(every_type());
  for (std::size_t at = 0; at < packed.size(); ++at) {
    for (const int value : {0, 1, 0x7f, 0x80, 0xff}) {
      std::vector<std::byte> damaged = packed;
      damaged[at] = static_cast<std::byte>(value);
      const Result<Schema> schema = unpack_schema(damaged);
      if (schema) {
        EXPECT_TRUE(check_schema(*schema));
      }
    }
  }
}

TEST(Schema, IsRefusedWithoutColumnsOrWithTwoOfOneNameOrAnOrderOfNone) {
  EXPECT_FALSE(check_schema(Schema{}));
  EXPECT_FALSE(check_schema(schema_with({{"a", ColumnType::kText}, {"a", ColumnType::kInt64}})));
  EXPECT_FALSE(check_schema(schema_with({{"", ColumnType::kText}})));
  EXPECT_FALSE(check_schema(schema_with({{"a", static_cast<ColumnType>(5)}})));
  EXPECT_FALSE(check_schema(schema_with({{"a", ColumnType::kText}}, {{1, false}})));
  EXPECT_FALSE(check_schema(schema_with({{"a", ColumnType::kText}}, {{0, false}, {0, true}})));
  EXPECT_EQ(check_schema(schema_with({{"a", ColumnType::kText}}, {{1, false}})).failure().code, ExitCode::kJobFailed);
}

TEST(Schema, IsCopiedFromWhatAJobFilledIn) {
  const fanfold_column columns[] = {{sizeof(fanfold_column), FANFOLD_TYPE_TEXT, {"word", 4}, {"the word", 8}},
                                    {sizeof(fanfold_column), FANFOLD_TYPE_UINT64, {"count", 5}, {nullptr, 0}}};
  const fanfold_order order[] = {{1, 1}};
  fanfold_schema filled{sizeof(fanfold_schema), 2, columns, order, 1, 0, 7, {}};
  filled.delimiters[1] = 4;
  const Result<Schema> schema = schema_of(filled);
  ASSERT_TRUE(schema);
  Schema expected = schema_with({{"word", ColumnType::kText}, {"count", ColumnType::kUint64}}, {{1, true}}, 7);
  expected.columns[0].help = "the word";
  expected.delimiters[1] = 4;
  EXPECT_EQ(*schema, expected);
}

TEST(RowBatch, ComesBackFromItsPackedFormAsItWas) {
  const Schema schema = every_type();
  const BuiltBatch built(schema, some_rows());
  const Result<RowBatch> unpacked = unpack_batch(schema, pack_batch(schema, built.view()));
  ASSERT_TRUE(unpacked);
  EXPECT_EQ(rows_of(schema, unpacked->view()), some_rows());
}

TEST(RowBatch, MayHoldNoRows) {
  const Schema schema = every_type();
  const BuiltBatch built(schema, {});
  const Result<RowBatch> unpacked = unpack_batch(schema, pack_batch(schema, built.view()));
  ASSERT_TRUE(unpacked);
  EXPECT_EQ(unpacked->rows(), 0U);
}

TEST(RowBatch, IsRefusedWhenItsPackedFormIsCutShortOrOfAnotherSchema) {
  const Schema schema = every_type();
  const BuiltBatch built(schema, some_rows());
  std::vector<std::byte> packed = pack_batch(schema, built.view());
  for (std::size_t bytes = 0; bytes < packed.size(); ++bytes) {
    EXPECT_FALSE(unpack_batch(schema, std::span(packed).first(bytes))) << bytes;
  }
  EXPECT_FALSE(unpack_batch(schema_with({{"word", ColumnType::kText}}), packed));
  packed.resize(packed.size() + 8);
  EXPECT_FALSE(unpack_batch(schema, packed));
}

TEST(RowBatch, IsEitherRefusedOrReadableAfterAnyDamage) {
  const Schema schema = every_type();
  const BuiltBatch built(schema, some_rows());
  const std::vector<std::byte> packed = pack_batch(schema, built.view());
  for (std::size_t at = 0; at < packed.size(); ++at) {
    for (const int value : {0, 1, 4, 0x7f, 0x80, 0xff}) {
      std::vector<std::byte> damaged = packed;
      damaged[at] = static_cast<std::byte>(value);
      const Result<RowBatch> batch = unpack_batch(schema, damaged);
      if (batch) {
        EXPECT_EQ(rows_of(schema, batch->view()).size(), batch->rows());
      }
    }
  }
  std::mt19937_64 random(1);
  for (int round = 0; round < 20000; ++round) {
    std::vector<std::byte> damaged = packed;
    for (int i = 0; i < 3; ++i) damaged[random() % damaged.size()] = static_cast<std::byte>(random());
    const Result<RowBatch> batch = unpack_batch(schema, damaged);
    if (batch) {
      EXPECT_EQ(rows_of(schema, batch->view()).size(), batch->rows());
    }
  }
}

// The rows of a part's batches, up to where it is refused.
std::vector<Row> read_part(const Schema& schema, std::span<const std::byte> part, bool& whole) {
  std::vector<Row> rows;
  const Status read = read_finished(schema, part, [&](const fanfold_batch& batch) {
    for (Row& row : rows_of(schema, batch)) rows.push_back(std::move(row));
    return success();
  });
  whole = read.ok();
  return rows;
}

TEST(FinishedRows, ComeBackBatchByBatchAndAreRefusedWhereTheyEndWithinOne) {
  const Schema schema = every_type();
  std::vector<std::byte> part;
  std::vector<std::size_t> ends{0};
  const std::vector<Row> all = some_rows();
  for (const std::size_t rows : {std::size_t{3}, std::size_t{0}, std::size_t{1}}) {
    append_finished(part, schema,
                    BuiltBatch(schema, {all.begin(), all.begin() + static_cast<std::ptrdiff_t>(rows)}).view());
    ends.push_back(part.size());
  }
  bool whole = false;
  std::vector<Row> expected(all.begin(), all.begin() + 3);
  expected.push_back(all[0]);
  EXPECT_EQ(read_part(schema, part, whole), expected);
  EXPECT_TRUE(whole);
  for (std::size_t bytes = 0; bytes < part.size(); ++bytes) {
    read_part(schema, std::span(part).first(bytes), whole);
    EXPECT_EQ(whole, std::find(ends.begin(), ends.end(), bytes) != ends.end()) << bytes;
  }
  EXPECT_FALSE(read_finished(schema, part, [](const fanfold_batch&) -> Status {
    return Failure{ExitCode::kInternal, "enough"};
  }));
}

TEST(FinishedRows, AreEitherRefusedOrReadableAfterAnyDamage) {
  const Schema schema = every_type();
  std::vector<std::byte> part;
  for (int batch = 0; batch < 2; ++batch) append_finished(part, schema, BuiltBatch(schema, some_rows()).view());
  bool whole = false;
  for (std::size_t at = 0; at < part.size(); ++at) {
    for (const int value : {0, 1, 8, 0x7f, 0x80, 0xff}) {
      std::vector<std::byte> damaged = part;
      damaged[at] = static_cast<std::byte>(value);
      EXPECT_LE(read_part(schema, damaged, whole).size(), 2 * some_rows().size());
    }
  }
}

TEST(RowBatch, OfAJobIsRefusedWhenItsOffsetsFallOrColumnsAreMissing) {
  const Schema schema = schema_with({{"word", ColumnType::kText}, {"count", ColumnType::kUint64}});
  const std::int32_t falling[] = {0, 3, 2};
  const std::int32_t late[] = {1, 2, 3};
  const std::int32_t sound[] = {0, 2, 3};
  const std::uint64_t counts[] = {1, 2};
  const auto checked = [&](const std::int32_t* offsets, const void* text, const void* words, std::uint32_t columns) {
    const fanfold_column_data data[] = {{text, offsets, nullptr}, {words, nullptr, nullptr}};
    const fanfold_batch batch{sizeof(fanfold_batch), columns, 2, data};
    return check_batch(schema, batch).ok();
  };
  EXPECT_TRUE(checked(sound, "abc", counts, 2));
  EXPECT_FALSE(checked(falling, "abc", counts, 2));
  EXPECT_FALSE(checked(late, "abc", counts, 2));
  EXPECT_FALSE(checked(nullptr, "abc", counts, 2));
  EXPECT_FALSE(checked(sound, nullptr, counts, 2));
  EXPECT_FALSE(checked(sound, "abc", nullptr, 2));
  EXPECT_FALSE(checked(sound, "abc", counts, 1));
}

}  // namespace
}  // namespace fanfold
