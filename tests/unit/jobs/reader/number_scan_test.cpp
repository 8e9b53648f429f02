#include "jobs/reader/number_scan.h"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

namespace fanfold::reader {
namespace {

// In the midst of bytes that would be digits, points and signs.
Number read_amid(const std::string& text, char around) {
  const std::string padded = std::string(64, around) + text + std::string(64, around);
  return read_number(padded.data() + 64, text.size());
}

void expect_as_parsed(const std::string& text) {
  for (const char around : {'0', '9', '.', '-', 'x'}) {
    const Number expected = parse_number(text);
    const Number actual = read_amid(text, around);
    ASSERT_EQ(actual.kind(), expected.kind()) << "'" << text << "'";
    if (expected.kind() == Number::Kind::kDecimal) {
      ASSERT_TRUE(actual.decimal().coefficient() == expected.decimal().coefficient()) << "'" << text << "'";
      ASSERT_EQ(actual.decimal().fraction_digits(), expected.decimal().fraction_digits()) << "'" << text << "'";
    } else if (expected.kind() == Number::Kind::kDouble) {
      ASSERT_EQ(actual.real(), expected.real()) << "'" << text << "'";
    }
  }
}

TEST(NumberScan, ReadsWhatParseNumberReadsAtEveryLengthAndPlaceOfThePoint) {
  for (std::size_t digits = 0; digits <= 20; ++digits) {
    for (std::size_t point = 0; point <= digits + 1; ++point) {
      for (const char* sign : {"", "-", "+", "--"}) {
        std::string text;
        while (text.size() < digits) text.push_back(static_cast<char>('0' + (7 * text.size() + 3) % 10));
        if (point <= digits) text.insert(point, 1, '.');
        expect_as_parsed(sign + text);
      }
    }
  }
}

TEST(NumberScan, AgreesWithParseNumberOnRandomTexts) {
  std::mt19937_64 random(7);
  const std::string alphabet = "0123456789012345678901234567890123456789..-+eE x/:";
  for (int round = 0; round < 20000; ++round) {
    std::string text;
    for (std::size_t size = random() % 20; text.size() < size;) text.push_back(alphabet[random() % alphabet.size()]);
    expect_as_parsed(text);
  }
}

TEST(NumberScan, ReadsBatchesAtEveryLevelAsItReadsOne) {
  std::mt19937_64 random(8);
  const std::string alphabet = "0123456789012345678901234567890123456789..-+e x/:";
  std::vector<std::uint32_t> levels{FANFOLD_KERNELS_PORTABLE};
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx2")) levels.push_back(FANFOLD_KERNELS_AVX2);
#endif
  for (int round = 0; round < 3000; ++round) {
    std::string text(64, '7');
    std::vector<Slice> fields;
    const bool plain = random() % 2 == 0;
    for (std::size_t count = random() % 40; fields.size() < count;) {
      const auto begin = static_cast<std::uint32_t>(text.size());
      if (plain) {
        text += (random() % 2 == 0 ? "-" : "") + std::to_string(random() % 1000) + "." + std::to_string(random() % 10);
      } else {
        for (std::size_t size = random() % 12; text.size() < begin + size;)
          text += alphabet[random() % alphabet.size()];
      }
      fields.push_back({begin, static_cast<std::uint32_t>(text.size())});
      text += random() % 2 == 0 ? "" : ",";
    }
    text += std::string(64, '7');
    for (const std::uint32_t level : levels) {
      std::vector<ReadDecimal> read(fields.size());
      read_decimals(text.data(), fields.data(), fields.size(), level, read.data());
      std::size_t unread = 0;
      for (std::size_t at = 0; at < fields.size(); ++at) {
        const std::string field = text.substr(fields[at].begin, fields[at].end - fields[at].begin);
        const Number expected = parse_number(field);
        if (read[at].is_read == 0) {
          unread += 1;
          continue;
        }
        ASSERT_EQ(expected.kind(), Number::Kind::kDecimal) << "'" << field << "' at level " << level;
        ASSERT_TRUE(expected.decimal().coefficient() == read[at].coefficient) << "'" << field << "' at level " << level;
        ASSERT_EQ(expected.decimal().fraction_digits(), read[at].fraction_digits) << "'" << field << "'";
      }
      if (plain) {
        ASSERT_EQ(unread, 0U) << "level " << level;
      }
    }
  }
}

}  // namespace
}  // namespace fanfold::reader
