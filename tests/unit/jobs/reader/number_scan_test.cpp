#include "jobs/reader/number_scan.h"

#include <gtest/gtest.h>

#include <random>
#include <string>

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

}  // namespace
}  // namespace fanfold::reader
