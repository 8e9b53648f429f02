// delimited_reader_test.cpp: rows of delimited text against a reader of one byte at a time, at every kernel level,
// cut into blocks at every line's end; and the csv-spectrum cases.
#include "jobs/reader/delimited_reader.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <random>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

namespace fanfold::reader {
namespace {

struct Row {
  std::uint64_t offset = 0;
  bool sound = true;
  std::vector<std::string> fields = {};
  bool operator==(const Row&) const = default;
};

std::ostream& operator<<(std::ostream& out, const Row& row) {
  out << row.offset << (row.sound ? ":" : ": malformed");
  for (const std::string& field : row.fields) out << " [" << field << "]";
  return out;
}

std::vector<std::uint32_t> levels() {
  std::vector<std::uint32_t> found{FANFOLD_KERNELS_PORTABLE};
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx2")) found.push_back(FANFOLD_KERNELS_AVX2);
  if (__builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512f")) found.push_back(FANFOLD_KERNELS_AVX512);
#endif
  return found;
}

// The rules of delimited_reader.h, a byte at a time.
std::vector<Row> rows_by_byte(const std::string& text, const DelimitedOptions& options, std::size_t width) {
  std::vector<Row> rows;
  std::size_t at = 0;
  const auto at_line_end = [&](std::size_t place) {
    return place >= text.size() || text[place] == '\n' ||
           (text[place] == '\r' && (place + 1 >= text.size() || text[place + 1] == '\n'));
  };
  const auto skip_line = [&] {
    while (at < text.size() && text[at] != '\n') ++at;
    ++at;
  };
  while (at < text.size()) {
    Row row;
    row.offset = at;
    if (at_line_end(at) ||
        (!options.comment.empty() && text.compare(at, options.comment.size(), options.comment) == 0)) {
      skip_line();
      continue;
    }
    for (;;) {
      std::string field;
      if (options.quotes && at < text.size() && text[at] == '"') {
        ++at;
        for (;;) {
          if (at >= text.size() || (text[at] == '\n' && !options.quoted_newlines)) {
            row.sound = false;
            break;
          }
          if (text[at] == '"') {
            if (at + 1 < text.size() && text[at + 1] == '"') {
              field.push_back('"');
              at += 2;
              continue;
            }
            ++at;
            break;
          }
          field.push_back(text[at++]);
        }
        if (row.sound && !at_line_end(at) && text[at] != options.delimiter) row.sound = false;
        if (!row.sound) break;
        if (at < text.size() && text[at] == '\r') ++at;
      } else {
        while (at < text.size() && text[at] != '\n' && text[at] != options.delimiter) field.push_back(text[at++]);
        if ((at >= text.size() || text[at] == '\n') && !field.empty() && field.back() == '\r') field.pop_back();
      }
      row.fields.push_back(field);
      if (at >= text.size() || text[at] == '\n') break;
      ++at;
    }
    skip_line();
    if (row.sound && row.fields.size() != width) {
      row.sound = options.pad;
      row.fields.resize(width, options.padding);
    }
    if (!row.sound) row.fields.clear();
    rows.push_back(row);
  }
  return rows;
}

std::vector<Row> rows_by_reader(const std::string& text, const DelimitedOptions& options, std::size_t width,
                                std::uint32_t level, const std::vector<std::size_t>& cuts) {
  DelimitedReader reader(options, level);
  std::vector<std::uint32_t> wanted;
  for (std::uint32_t column = 0; column < width; ++column) wanted.push_back(column);
  reader.set_columns(wanted, static_cast<std::uint32_t>(width));
  std::vector<Row> rows;
  const auto visit = [&](const RowBatch& batch) {
    for (std::size_t row = 0; row < batch.size(); ++row) {
      Row found;
      found.offset = batch.offset(row);
      for (std::size_t column = 0; column < width; ++column) {
        const Slice slice = batch.column(column)[row];
        found.fields.emplace_back(batch.text() + slice.begin, slice.end - slice.begin);
      }
      rows.push_back(found);
    }
  };
  const auto malformed = [&](std::uint64_t offset, std::string_view why) {
    EXPECT_FALSE(why.empty());
    rows.push_back({offset, false, {}});
  };
  std::size_t begin = 0;
  for (std::size_t cut = 0; cut <= cuts.size(); ++cut) {
    const std::size_t end = cut < cuts.size() ? cuts[cut] : text.size();
    // Bytes of our own around the block, so that one read beyond the slack is found, and one used is seen.
    const std::string block = std::string(64, '"') + text.substr(begin, end - begin) + std::string(64, '"');
    if (end != begin) reader.read(std::string_view(block).substr(64, end - begin), begin, visit, malformed);
    begin = end;
  }
  reader.finish(visit, malformed);
  return rows;
}

void expect_rows(const std::string& text, const DelimitedOptions& options, std::size_t width,
                 const std::vector<std::size_t>& cuts = {}) {
  const std::vector<Row> expected = rows_by_byte(text, options, width);
  for (const std::uint32_t level : levels()) {
    const std::vector<Row> actual = rows_by_reader(text, options, width, level, cuts);
    if (actual == expected) continue;
    std::size_t at = 0;
    while (at < actual.size() && at < expected.size() && actual[at] == expected[at]) ++at;
    std::ostringstream where;
    where << "level " << level << ", row " << at << ": ";
    at < actual.size() ? where << actual[at] : where << "nothing";
    where << " instead of ";
    at < expected.size() ? where << expected[at] : where << "nothing";
    if (text.size() < 400) where << " in\n" << text;
    FAIL() << where.str();
  }
}

TEST(DelimitedReader, GivesFieldsOfPlainRowsWithAnyLineEnds) {
  expect_rows("a,b\n1,2\n3,4\n", {}, 2);
  expect_rows("a,b\r\n1,2\r\n\r\n,\r\n3,4", {}, 2);
  expect_rows("\n\na;b;c\n;;\n1;22;333", {.delimiter = ';'}, 3);
  expect_rows("x\n\ny\r\n\r\nz", {}, 1);
}

TEST(DelimitedReader, TakesQuotesOffAndUndoublesThem) {
  expect_rows("\"a\",\"b,c\"\n\"say \"\"hi\"\"\",\"\"\n\"\"\"\",x\r\n\"y\",\"z\"\r\n", {}, 2);
  expect_rows("5\" pipe,a\"b\"c\n1,\"2\"", {}, 2);
  expect_rows("\"a\",b\n", {.quotes = false}, 2);
}

TEST(DelimitedReader, TellsMalformedQuotesAndGoesOnWithTheNextLine) {
  expect_rows("1,\"a\n2,b\n\"c\"d,3\n4,\"e\"\"\n5,f\n", {}, 2);
  expect_rows("1,\"a\n2,b\"\n3,\"c", {.quoted_newlines = true}, 2);
}

TEST(DelimitedReader, ReadsQuotedLineEndsAcrossBlocks) {
  const std::string text = "1,\"a\nb\"\n2,\"c\r\n\n\"\n\"\n\",3\n";
  for (std::size_t cut = 0; cut < text.size(); ++cut) {
    if (text[cut] == '\n') expect_rows(text, {.quoted_newlines = true}, 2, {cut + 1});
  }
}

TEST(DelimitedReader, RefusesRowsOfTheWrongWidthOrPadsThem) {
  expect_rows("1,2\n3\n4,5,6\n7,8\n", {}, 2);
  expect_rows("1,2,3\n4\n5,6\n7,8,9,10\n\"11\n", {.pad = true, .padding = "NA"}, 3);
  // As many fields as whole rows would have.
  expect_rows("1,2,3\n4,5\n6\n7,8,9\n", {}, 3);
}

TEST(DelimitedReader, PassesOverCommentsWhateverTheyHold) {
  expect_rows("# a \"comment\n1,2\n#\n#3,4\n 5,#6\n", {.comment = "#"}, 2);
  expect_rows("1,\"2\n# no comment\"\n# one, \"\n3,4\n", {.quoted_newlines = true, .comment = "# "}, 2);
}

TEST(DelimitedReader, ReadsRowsLongerThanItsWindow) {
  const std::string wide(40000, 'w');
  expect_rows("1," + wide + "\n" + wide + ",\"" + wide + "\"\"\"\n2,3\n", {}, 2);
  expect_rows("1,\"" + wide + "\n" + wide + "\n\"\n2,3\n", {.quoted_newlines = true}, 2);
}

TEST(DelimitedReader, AgreesWithAReaderOfBytesOnRandomTexts) {
  std::mt19937_64 random(11);
  const auto below = [&](std::size_t bound) { return static_cast<std::size_t>(random() % bound); };
  for (int round = 0; round < 2000; ++round) {
    DelimitedOptions options;
    options.quoted_newlines = below(2) == 0;
    options.quotes = below(8) != 0;
    options.pad = below(3) == 0;
    options.padding = below(2) == 0 ? "" : "\"NA";
    if (below(3) == 0) options.comment = below(2) == 0 ? "#" : "a";
    const bool sound = below(2) == 0;  // Mostly well-formed, so that the fast ways are taken.
    const std::size_t width = 1 + below(4);
    std::string text;
    const std::size_t size = below(4) == 0 ? below(60'000) : below(400);
    const auto field = [&] {
      const std::string plain = std::string("aé,b\n\"\r#xy").substr(0, 1 + below(11));
      switch (below(sound ? 3 : 6)) {
        case 0:
          return std::string(below(12), 'f');
        case 1:
          return std::to_string(random() % 100000);
        case 2: {
          std::string quoted = "\"";
          for (std::size_t n = below(6); n > 0; --n) quoted += below(3) == 0 ? "\"\"" : below(3) == 0 ? "," : "q";
          if (options.quoted_newlines && below(3) == 0) quoted += "\n";
          return quoted + "\"";
        }
        case 3:
          return plain;
        default:
          return std::string(1, "\",a\n\r#"[below(7) % 6]);
      }
    };
    while (text.size() < size) {
      const std::size_t fields = sound || below(4) != 0 ? width : 1 + below(5);
      for (std::size_t i = 0; i < fields; ++i) text += (i == 0 ? "" : ",") + field();
      text += below(6) == 0 ? "\r\n" : "\n";
      if (below(9) == 0) text += "\n";
    }
    if (below(3) == 0 && !text.empty()) text.pop_back();
    std::vector<std::size_t> cuts;
    for (std::size_t at = 0; at + 1 < text.size(); ++at) {
      if (text[at] == '\n' && below(text.size() > 1000 ? 2000 : 4) == 0) cuts.push_back(at + 1);
    }
    expect_rows(text, options, width, cuts);
    if (HasFailure()) FAIL() << "round " << round;
  }
}

TEST(DelimitedReader, SplitsAHeaderAsItReadsRows) {
  std::vector<std::string> fields;
  ASSERT_TRUE(split_row("a,\"b,\"\"c\"\"\",", {}, fields));
  EXPECT_EQ(fields, (std::vector<std::string>{"a", "b,\"c\"", ""}));
  EXPECT_FALSE(split_row("a,\"b", {}, fields));
  EXPECT_FALSE(split_row("a,\"b\"c", {}, fields));
  const DelimitedReader reader({.quoted_newlines = true, .comment = "#"}, FANFOLD_KERNELS_PORTABLE);
  std::string_view record;
  std::size_t bytes = 0;
  ASSERT_TRUE(reader.first_record("\r\n# \"\n\"a\nb\",c\r\n1,2\n", record, bytes));
  EXPECT_EQ(record, "\"a\nb\",c");
  EXPECT_EQ(bytes, 15U);
  EXPECT_FALSE(reader.first_record("\n# nothing\n", record, bytes));
}

class CsvSpectrum : public testing::Test {
 protected:
  static std::filesystem::path folder() {
    const std::filesystem::path source = FANFOLD_SOURCE_DIR;
    const auto beside = source / "../shared/cases/csv-spectrum";
    return std::filesystem::exists(beside) ? beside : source / "../../shared/cases/csv-spectrum";
  }
  static std::string content_of(const std::filesystem::path& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }
};

TEST_F(CsvSpectrum, IsReadAsItsAuthorsExpect) {
  if (!std::filesystem::exists(folder())) GTEST_SKIP() << "the csv-spectrum cases are not beside this source folder";
  std::size_t cases = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder() / "csvs")) {
    const std::string name = entry.path().stem().string();
    const std::string text = content_of(entry.path());
    const auto expected = nlohmann::json::parse(content_of(folder() / "json" / (name + ".json")));
    const DelimitedOptions options{.quoted_newlines = true};
    std::string_view header;
    std::size_t header_bytes = 0;
    ASSERT_TRUE(DelimitedReader(options, 0).first_record(text, header, header_bytes)) << name;
    std::vector<std::string> names;
    ASSERT_TRUE(split_row(header, options, names)) << name;
    for (const std::uint32_t level : levels()) {
      const std::vector<Row> rows = rows_by_reader(text.substr(header_bytes), options, names.size(), level, {});
      if (expected.is_object()) {  // A slip upstream: another row's values. RFC 4180 judges.
        ASSERT_EQ(rows.size(), 1U) << name;
        EXPECT_EQ(rows[0].fields[0], "2095257564") << name;
        EXPECT_TRUE(rows[0].fields[1].ends_with("17.9\"W")) << rows[0].fields[1];
        continue;
      }
      ASSERT_EQ(rows.size(), expected.size()) << name;
      for (std::size_t row = 0; row < rows.size(); ++row) {
        ASSERT_TRUE(rows[row].sound) << name;
        for (std::size_t column = 0; column < names.size(); ++column) {
          EXPECT_EQ(rows[row].fields[column], expected[row].at(names[column]).get<std::string>()) << name;
        }
      }
    }
    ++cases;
  }
  EXPECT_EQ(cases, 12U);
}

}  // namespace
}  // namespace fanfold::reader
