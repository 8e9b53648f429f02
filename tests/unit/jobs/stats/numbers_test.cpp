#include "jobs/stats/numbers.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace fanfold::stats {
namespace {

Number n(const std::string& text) {
  const Number number = parse_number(text);
  EXPECT_TRUE(static_cast<bool>(number)) << text;
  return number;
}
std::string shown(const Number& number) {
  if (!number) return "none";
  return (number.kind() == Number::Kind::kDouble ? "~" : "") + text_of(number);
}

TEST(Numbers, DecimalsStayExact) {
  EXPECT_EQ(shown(add(n("0.1"), n("0.2"))), "0.3");
  EXPECT_EQ(shown(subtract(n("1"), n("0.90"))), "0.10");
  EXPECT_EQ(shown(multiply(n("1.5"), n("-0.25"))), "-0.375");
  EXPECT_EQ(shown(multiply(n("12345678901234567"), n("0.000000000000000001"))), "0.012345678901234567");
  EXPECT_EQ(shown(negate(n("-7.0"))), "7.0");
}

TEST(Numbers, LeaveTheBoundsOfDecimalsAsTheNearestDouble) {
  EXPECT_EQ(shown(add(n("99999999999999999999"), n("1"))), "~1e+20");
  EXPECT_EQ(shown(multiply(n("10000000000"), n("10000000000"))), "~1e+20");
  EXPECT_EQ(shown(multiply(n("0.0000000001"), n("0.0000000003"))), "~3e-20");
  // Nineteen fraction digits, the last of which is zero, are eighteen.
  EXPECT_EQ(shown(multiply(n("0.2"), n("0.000000000000000005"))), "0.000000000000000001");
  EXPECT_EQ(shown(add(n("1e0"), n("2"))), "~3");
  EXPECT_EQ(shown(subtract(n("1e999"), n("1e999"))), "none");
}

TEST(Numbers, DivideExactlyWhereADecimalHoldsTheQuotient) {
  EXPECT_EQ(shown(divide(n("7"), n("2"))), "3.5");
  EXPECT_EQ(shown(divide(n("6.0"), n("-2"))), "-3");
  EXPECT_EQ(shown(divide(n("1"), n("3"))), "~0.3333333333333333");
  EXPECT_EQ(shown(divide(n("1"), n("1024"))), "0.0009765625");
  EXPECT_EQ(shown(divide(n("1"), n("0.0"))), "none");
  EXPECT_EQ(shown(divide(n("1e0"), n("0"))), "none");
}

TEST(Numbers, WholeQuotientsAreFlooredAndRemaindersHaveTheDivisorsSign) {
  EXPECT_EQ(shown(divide_whole(n("7"), n("2"))), "3");
  EXPECT_EQ(shown(divide_whole(n("-7"), n("2"))), "-4");
  EXPECT_EQ(shown(remainder(n("-7"), n("2"))), "1");
  EXPECT_EQ(shown(remainder(n("7"), n("-2"))), "-1");
  EXPECT_EQ(shown(remainder(n("7.5"), n("2"))), "1.5");
  EXPECT_EQ(shown(remainder(n("7"), n("0"))), "none");
  EXPECT_EQ(shown(divide_whole(n("7e0"), n("2"))), "~3");
}

TEST(Numbers, AreOrderedByValueAcrossBothLanes) {
  const std::vector<std::string> rising = {"-1e999", "-1e30",
                                           "-2",     "-0.1",
                                           "0",      "0.1",
                                           "1e-1",   "0.10000000000000001",
                                           "1",      "99999999999999999999.999999999999999999",
                                           "1e20",   "1e999"};
  for (std::size_t i = 0; i < rising.size(); ++i) {
    for (std::size_t j = 0; j < rising.size(); ++j) {
      const auto order = compare_strictly(n(rising[i]), n(rising[j]));
      EXPECT_EQ(order < 0, i < j) << rising[i] << " " << rising[j];
    }
  }
  // The double 1e-1 lies a little above a tenth.
  EXPECT_TRUE(compare(n("0.1"), n("1e-1")) < 0);
  EXPECT_TRUE(compare(n("0.5"), n("5e-1")) == 0);
  EXPECT_TRUE(compare(n("1.0"), n("1.00")) == 0);
  EXPECT_TRUE(compare_strictly(n("1.0"), n("1.00")) < 0);
  EXPECT_TRUE(compare_strictly(n("0"), n("-0e0")) < 0);
  EXPECT_TRUE(compare_strictly(n("-0e0"), n("0e0")) < 0);
}

TEST(Numbers, RoundHalvesTowardsPlusInfinity) {
  EXPECT_EQ(rounded_text_of(n("0.25"), 1), "0.3");
  EXPECT_EQ(rounded_text_of(n("-0.25"), 1), "-0.2");
  EXPECT_EQ(rounded_text_of(n("-0.04"), 1), "0.0");
  EXPECT_EQ(rounded_text_of(n("7"), 2), "7.00");
  EXPECT_EQ(rounded_text_of(2.5, 0), "3");
  EXPECT_EQ(rounded_text_of(0.1, 20), "0.10000000000000000555");
}

}  // namespace
}  // namespace fanfold::stats
