// What each format prints for each kind of cell.
#include "runtime/cli/output/row_writer.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <random>
#include <string>

#include "runtime/cli/output/text_width.h"
#include "tests/unit/support/rows.h"

namespace fanfold {
namespace {

using test::BuiltBatch;
using test::kNull;
using test::Row;
using test::schema_with;

// Keeps what is written; fails after so many bytes.
class StringSink final : public ByteSink {
 public:
  explicit StringSink(std::size_t bytes_max = ~std::size_t{0}) : bytes_max_(bytes_max) {}
  Status write(std::string_view bytes) override {
    ++writes;
    if (text.size() + bytes.size() > bytes_max_) return Failure{ExitCode::kInputOutput, "full"};
    text += bytes;
    return success();
  }
  std::string text;
  int writes = 0;

 private:
  std::size_t bytes_max_;
};

std::string printed(Format format, const Schema& schema, const std::vector<Row>& rows, std::size_t rows_per_batch = 3) {
  StringSink sink;
  const auto writer = make_row_writer(format, schema, sink);
  for (std::size_t at = 0; at < rows.size(); at += rows_per_batch) {
    const auto begin = rows.begin() + static_cast<std::ptrdiff_t>(at);
    const auto end = rows.begin() + static_cast<std::ptrdiff_t>(std::min(rows.size(), at + rows_per_batch));
    const BuiltBatch batch(schema, {begin, end});
    EXPECT_TRUE(writer->write(batch.view()));
  }
  EXPECT_TRUE(writer->finish());
  return sink.text;
}

Schema words() {
  return schema_with({{"word", ColumnType::kText}, {"count", ColumnType::kUint64}});
}

TEST(Format, IsOneOfFourNames) {
  EXPECT_EQ(*parse_format("table"), Format::kTable);
  EXPECT_EQ(*parse_format("csv"), Format::kCsv);
  EXPECT_EQ(*parse_format("json"), Format::kJson);
  EXPECT_EQ(*parse_format("jsonl"), Format::kJsonl);
  const Result<Format> unknown = parse_format("xml");
  ASSERT_FALSE(unknown);
  EXPECT_EQ(unknown.failure().code, ExitCode::kUsage);
  EXPECT_EQ(unknown.failure().sentence, "there is no format \"xml\"; use table, csv, json or jsonl.");
}

TEST(Csv, HasAHeaderAndQuotesOnlyWhereNeeded) {
  const std::vector<Row> rows{
      {std::string("the"), std::uint64_t{5}},        {std::string("a,b"), std::uint64_t{4}},
      {std::string("say \"hi\""), std::uint64_t{3}}, {std::string("two\nlines"), std::uint64_t{2}},
      {std::string("cr\r"), std::uint64_t{1}},       {std::string(" blank "), std::uint64_t{0}}};
  EXPECT_EQ(printed(Format::kCsv, words(), rows),
            "word,count\nthe,5\n\"a,b\",4\n\"say \"\"hi\"\"\",3\n\"two\nlines\",2\n\"cr\r\",1\n blank ,0\n");
}

TEST(Csv, PassesAnyBytesThrough) {
  const std::string bytes("\xff\x00\xc3(\x1b[31m\x01", 10);
  EXPECT_EQ(printed(Format::kCsv, words(), {{bytes, std::uint64_t{1}}}), "word,count\n" + bytes + ",1\n");
}

TEST(Csv, TellsNullsFromEmptyText) {
  EXPECT_EQ(printed(Format::kCsv, words(), {{std::string(), kNull}, {kNull, std::uint64_t{1}}}),
            "word,count\n\"\",\n,1\n");
}

TEST(Csv, QuotesColumnNamesToo) {
  const Schema schema = schema_with({{"a,b", ColumnType::kUint64}, {"c\"d", ColumnType::kUint64}});
  EXPECT_EQ(printed(Format::kCsv, schema, {}), "\"a,b\",\"c\"\"d\"\n");
}

TEST(Csv, PrintsNumbersThatReadBackExactly) {
  const Schema schema = schema_with({{"x", ColumnType::kFloat64}});
  const double infinity = std::numeric_limits<double>::infinity();
  const std::vector<Row> rows{{0.1},
                              {100000.0},
                              {1e15},
                              {1e-5},
                              {1e-6},
                              {-0.0},
                              {5e-324},
                              {1.7976931348623157e308},
                              {1.0 / 3.0},
                              {std::nan("")},
                              {infinity},
                              {-infinity},
                              {123456789012345.0}};
  EXPECT_EQ(printed(Format::kCsv, schema, rows),
            "x\n0.1\n100000\n1e+15\n0.00001\n1e-06\n-0\n5e-324\n1.7976931348623157e+308\n0.3333333333333333\nnan\ninf\n"
            "-inf\n123456789012345\n");
  const Schema whole = schema_with({{"i", ColumnType::kInt64}, {"u", ColumnType::kUint64}});
  EXPECT_EQ(printed(Format::kCsv, whole, {{std::numeric_limits<std::int64_t>::min(), ~std::uint64_t{0}}}),
            "i,u\n-9223372036854775808,18446744073709551615\n");
}

TEST(Csv, OfRandomDoublesReadsBackBitForBit) {
  std::mt19937_64 random(1);
  const Schema schema = schema_with({{"x", ColumnType::kFloat64}});
  for (int i = 0; i < 20000; ++i) {
    double value = std::bit_cast<double>(random());
    if (i % 2 == 0)
      value = static_cast<double>(static_cast<std::int64_t>(random())) / static_cast<double>(1 << (random() % 30));
    if (!std::isfinite(value)) continue;
    const std::string text = printed(Format::kCsv, schema, {{value}});
    EXPECT_EQ(std::bit_cast<std::uint64_t>(std::strtod(text.c_str() + 2, nullptr)), std::bit_cast<std::uint64_t>(value))
        << text;
  }
}

TEST(Json, IsOneArrayOfObjects) {
  EXPECT_EQ(
      printed(Format::kJson, words(), {{std::string("the"), std::uint64_t{5}}, {std::string("of"), std::uint64_t{4}}}),
      "[\n{\"word\":\"the\",\"count\":5},\n{\"word\":\"of\",\"count\":4}\n]\n");
  EXPECT_EQ(printed(Format::kJson, words(), {}), "[]\n");
}

TEST(JsonLines, AreOneObjectALineAndNothingWithoutRows) {
  EXPECT_EQ(printed(Format::kJsonl, words(), {{std::string("the"), std::uint64_t{5}}, {std::string("of"), kNull}}),
            "{\"word\":\"the\",\"count\":5}\n{\"word\":\"of\",\"count\":null}\n");
  EXPECT_EQ(printed(Format::kJsonl, words(), {}), "");
}

TEST(Json, EscapesControlBytesAndKeepsUtf8) {
  const std::string text("\"\\\n\r\t\b\f\x01\x7f/\xc3\xa4\xf0\x9f\x98\x80", 16);
  const std::string line = printed(Format::kJsonl, words(), {{text, std::uint64_t{1}}});
  EXPECT_EQ(line, "{\"word\":\"\\\"\\\\\\n\\r\\t\\b\\f\\u0001\x7f/\xc3\xa4\xf0\x9f\x98\x80\",\"count\":1}\n");
  EXPECT_EQ(nlohmann::json::parse(line)["word"], text);
}

TEST(Json, CarriesBytesThatAreNotUtf8InBase64) {
  const auto cell = [](std::string bytes) {
    const std::string line = printed(Format::kJsonl, words(), {{std::move(bytes), std::uint64_t{1}}});
    return nlohmann::json::parse(line)["word"];
  };
  EXPECT_EQ(cell("\xff"), (nlohmann::json{{"base64", "/w=="}}));
  EXPECT_EQ(cell("a\xff"), (nlohmann::json{{"base64", "Yf8="}}));
  EXPECT_EQ(cell("ab\xff"), (nlohmann::json{{"base64", "YWL/"}}));
  EXPECT_EQ(cell("abc\xff"), (nlohmann::json{{"base64", "YWJj/w=="}}));
  // A surrogate, a longer form than needed, beyond the last character, and one cut short.
  for (const char* bytes : {"\xed\xa0\x80", "\xc0\xaf", "\xe0\x80\xaf", "\xf4\x90\x80\x80", "\xe2\x82"}) {
    EXPECT_TRUE(cell(bytes).is_object()) << bytes;
  }
}

TEST(Json, OfRandomBytesAlwaysParsesAndGivesThemBack) {
  std::mt19937_64 random(2);
  for (int i = 0; i < 3000; ++i) {
    std::string text;
    for (std::uint64_t n = random() % 20; n != 0; --n) {
      text += static_cast<char>(i % 3 == 0 ? random() % 128 : random() % 256);
    }
    const auto row = nlohmann::json::parse(printed(Format::kJson, words(), {{text, std::uint64_t{1}}}))[0];
    if (row["word"].is_string()) {
      EXPECT_EQ(row["word"].get<std::string>(), text);
    }
  }
}

TEST(Json, HasDecimalsDigitForDigitAndNamesWhatIsNoNumber) {
  const Schema schema = schema_with({{"sum", ColumnType::kDecimal}, {"x", ColumnType::kFloat64}});
  const double infinity = std::numeric_limits<double>::infinity();
  const std::vector<Row> rows{{std::string("12345678901234567890.10"), std::nan("")},
                              {std::string("-0.5e10"), infinity},
                              {std::string("nan"), -infinity},
                              {std::string("01"), 1.5},
                              {std::string(".5"), 0.0},
                              {std::string("1."), -0.0},
                              {kNull, kNull}};
  EXPECT_EQ(printed(Format::kJsonl, schema, rows),
            "{\"sum\":12345678901234567890.10,\"x\":\"NaN\"}\n{\"sum\":-0.5e10,\"x\":\"Infinity\"}\n"
            "{\"sum\":\"nan\",\"x\":\"-Infinity\"}\n{\"sum\":\"01\",\"x\":1.5}\n{\"sum\":\".5\",\"x\":0}\n"
            "{\"sum\":\"1.\",\"x\":-0}\n{\"sum\":null,\"x\":null}\n");
}

TEST(Table, AlignsTextLeftAndNumbersRight) {
  EXPECT_EQ(printed(Format::kTable, words(),
                    {{std::string("the"), std::uint64_t{12345}},
                     {std::string("a"), std::uint64_t{7}},
                     {std::string("longer"), kNull}}),
            "word    count\n"
            "------  -----\n"
            "the     12345\n"
            "a           7\n"
            "longer   null\n");
}

TEST(Table, HasItsHeaderWithoutRows) {
  EXPECT_EQ(printed(Format::kTable, words(), {}), "word  count\n----  -----\n");
}

TEST(Table, LeavesNoBlanksBehindTheLastColumn) {
  const Schema schema = schema_with({{"n", ColumnType::kInt64}, {"name", ColumnType::kText}});
  EXPECT_EQ(printed(Format::kTable, schema,
                    {{std::int64_t{-1}, std::string("x")}, {std::int64_t{10}, std::string("longer")}}),
            " n  name\n--  ------\n-1  x\n10  longer\n");
}

TEST(Table, EscapesWhatWouldSteerATerminal) {
  const auto visible = [](std::string_view text) {
    std::string out;
    append_visible(out, text);
    return out;
  };
  EXPECT_EQ(visible("a\nb\tc\rd"), "a\\nb\\tc\\rd");
  EXPECT_EQ(visible(std::string_view("\x1b[31m\0\x7f", 7)), "\\x1b[31m\\x00\\x7f");
  EXPECT_EQ(visible("\xc2\x9b"
                    "31m"),
            "\\u{9b}31m");
  EXPECT_EQ(visible("\xe2\x80\xae"
                    "x"),
            "\\u{202e}x");
  EXPECT_EQ(visible("\xff\xc3"), "\\xff\\xc3");
  EXPECT_EQ(visible("gr\xc3\xbc\xc3\x9f"
                    "e"),
            "gr\xc3\xbc\xc3\x9f"
            "e");
}

TEST(Table, KnowsHowWideCharactersAre) {
  std::string out;
  EXPECT_EQ(append_visible(out, "abc"), 3U);
  EXPECT_EQ(append_visible(out, "gr\xc3\xbc"), 3U);                // ü
  EXPECT_EQ(append_visible(out, "e\xcc\x81"), 1U);                 // e with a combining accent
  EXPECT_EQ(append_visible(out, "\xe6\xbc\xa2\xe5\xad\x97"), 4U);  // two ideographs
  EXPECT_EQ(append_visible(out, "\xed\x95\x9c"), 2U);              // a Hangul syllable
  EXPECT_EQ(append_visible(out, "\xf0\x9f\x98\x80"), 2U);          // a face
  EXPECT_EQ(append_visible(out, "\n"), 2U);
  EXPECT_EQ(printed(Format::kTable, words(),
                    {{std::string("\xe6\xbc\xa2"), std::uint64_t{1}}, {std::string("abc"), std::uint64_t{2}}}),
            "word  count\n----  -----\n\xe6\xbc\xa2        1\nabc       2\n");
}

TEST(Table, DecidesItsWidthsByTheFirstTenThousandRowsAndPrintsLongerCellsWhole) {
  std::vector<Row> rows(10000, Row{std::string("ab"), std::uint64_t{1}});
  rows.push_back({std::string("abcdefgh"), std::uint64_t{2}});
  rows.push_back({std::string(100, 'x'), std::uint64_t{3}});
  const std::string text = printed(Format::kTable, words(), rows, 999);
  EXPECT_NE(text.find("\nab        1\nabcdefgh      2\n" + std::string(100, 'x') + "      3\n"), std::string::npos)
      << text.substr(text.size() - 200);
  const std::string capped = printed(Format::kTable, words(), {{std::string(200, 'x'), std::uint64_t{3}}});
  EXPECT_EQ(capped, "word" + std::string(60, ' ') + "  count\n" + std::string(64, '-') + "  -----\n" +
                        std::string(200, 'x') + "      3\n");
}

TEST(Table, HoldsBackNoMoreThanAFewMegabytes) {
  StringSink sink;
  const auto writer = make_row_writer(Format::kTable, words(), sink);
  const BuiltBatch batch(words(), std::vector<Row>(5, Row{std::string(1 << 20, 'x'), std::uint64_t{1}}));
  ASSERT_TRUE(writer->write(batch.view()));
  EXPECT_GT(sink.text.size(), std::size_t{4} << 20);
}

TEST(Writers, GiveTheFailureOfTheirSinkBack) {
  for (const Format format : {Format::kTable, Format::kCsv, Format::kJson, Format::kJsonl}) {
    StringSink sink(1000);
    const auto writer = make_row_writer(format, words(), sink);
    const BuiltBatch batch(words(), std::vector<Row>(1000, Row{std::string("word"), std::uint64_t{1}}));
    Status status = success();
    for (int i = 0; i < 1000 && status; ++i) status = writer->write(batch.view());
    ASSERT_FALSE(status);
    EXPECT_EQ(status.failure().sentence, "full");
  }
}

TEST(Writers, MakeLargeWritesOfSmallRows) {
  for (const Format format : {Format::kTable, Format::kCsv, Format::kJson, Format::kJsonl}) {
    StringSink sink;
    const auto writer = make_row_writer(format, words(), sink);
    const BuiltBatch batch(words(), std::vector<Row>(4096, Row{std::string("word"), std::uint64_t{1}}));
    for (int i = 0; i < 50; ++i) ASSERT_TRUE(writer->write(batch.view()));
    ASSERT_TRUE(writer->finish());
    EXPECT_GT(sink.text.size() / static_cast<std::size_t>(sink.writes), 100000U);
  }
}

}  // namespace
}  // namespace fanfold
