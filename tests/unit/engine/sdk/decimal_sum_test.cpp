#include <fanfold/decimal_sum.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <vector>

#include "tests/unit/engine/sdk/fold_samples.h"
#include "tests/unit/engine/sdk/oracle.h"
#include "tests/unit/engine/sdk/sharding.h"

namespace fanfold {
namespace {

void add_text(DecimalSum& sum, const std::string& text) {
  sum.add(parse_number(text));
}

DecimalSum sum_of(const std::vector<std::string>& texts) {
  DecimalSum sum;
  for (const std::string& text : texts) add_text(sum, text);
  return sum;
}

DecimalSum random_sum(std::uint64_t seed) {
  Random random(seed);
  const bool doubles = below(random, 3) == 0;
  DecimalSum sum;
  for (std::size_t n = below(random, 12); n > 0; --n) add_text(sum, number_text(random, doubles));
  return sum;
}

TEST(DecimalSum, OfATenthAndTwoTenthsIsThreeTenths) {
  EXPECT_EQ(sum_of({"0.1", "0.2"}).text(), "0.3");
  EXPECT_EQ(sum_of({"0.1", "0.2"}).value(), 0.3);
}

TEST(DecimalSum, PrintsTheMostFractionDigitsSeen) {
  EXPECT_EQ(sum_of({}).text(), "0");
  EXPECT_EQ(sum_of({"1", "2"}).text(), "3");
  EXPECT_EQ(sum_of({"1.50", "1.5"}).text(), "3.00");
  EXPECT_EQ(sum_of({"-0.001", "0"}).text(), "-0.001");
  EXPECT_EQ(sum_of({"-1.25", "1.25"}).text(), "0.00");
  EXPECT_EQ(sum_of({"99999999999999999999", "0.000000000000000001"}).text(), "99999999999999999999.000000000000000001");
}

TEST(DecimalSum, IsExactInAnyOrderOfMerging) {
  Random random(1);
  Oracle oracle;
  for (int i = 0; i < 1500; ++i) {
    const bool doubles = below(random, 3) == 0;
    std::vector<std::string> texts(below(random, 40));
    for (std::string& text : texts) text = number_text(random, doubles);
    const auto sum = fold_in_any_shards<DecimalSum>(random, texts, add_text, 3);
    std::string words;
    for (const std::string& text : texts) words += " " + text;
    oracle.expect("decimal.sum" + words, hex_bits(sum.value()));
    if (sum.is_decimal()) oracle.expect("decimal.text" + words, sum.text());
  }
  oracle.check();
}

TEST(DecimalSum, PacksEqualSumsAlikeHoweverTheyCameAbout) {
  DecimalSum around = sum_of({"99999999999999999999.9", "99999999999999999999.9", "5.0"});
  around.merge(sum_of({"-99999999999999999999.9", "-99999999999999999999.9"}));
  EXPECT_GT(around.heap_bytes(), 0U);
  EXPECT_EQ(packed_bytes_of(around), packed_bytes_of(sum_of({"2.0", "3"})));
  EXPECT_NE(packed_bytes_of(around), packed_bytes_of(sum_of({"2", "3"})));
  EXPECT_EQ(packed_bytes_of(sum_of({"2.0", "3"})).size(), 3U);
}

TEST(DecimalSum, WithADoubleAmongItsNumbersIsADouble) {
  const DecimalSum sum = sum_of({"0.1", "1e0", "-1e0"});
  EXPECT_FALSE(sum.is_decimal());
  EXPECT_EQ(sum.text(), "0.1");
  // Rounded once, from both lanes together: 1e16 alone would swallow a one.
  EXPECT_EQ(sum_of({"1e16", "1", "1", "-1e16"}).value(), 2.0);
  EXPECT_EQ(sum_of({"1e400", "1"}).text(), "inf");
}

TEST(DecimalSum, RoundsHalvesTowardsPlusInfinity) {
  EXPECT_EQ(*sum_of({"0.25"}).rounded(1), "0.3");
  EXPECT_EQ(*sum_of({"-0.25"}).rounded(1), "-0.2");
  EXPECT_EQ(*sum_of({"1.5"}).rounded(3), "1.500");
}

TEST(DecimalSum, KeepsTheLaw) {
  EXPECT_EQ(check_law(random_sum).value_or(""), "");
}

TEST(DecimalSum, SurvivesHostileBytes) {
  Random random(5);
  survives_hostile_bytes<DecimalSum>(
      random, random_sum, [](const DecimalSum& sum) { static_cast<void>(sum.text()); }, 20000);
}

}  // namespace
}  // namespace fanfold
