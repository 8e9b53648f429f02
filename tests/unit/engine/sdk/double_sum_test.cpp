#include <fanfold/double_sum.h>
#include <gtest/gtest.h>

#include <bit>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "tests/unit/engine/sdk/fold_samples.h"
#include "tests/unit/engine/sdk/oracle.h"
#include "tests/unit/engine/sdk/sharding.h"

namespace fanfold {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

double sum_of(const std::vector<double>& values) {
  DoubleSum sum;
  for (const double value : values) sum.add(value);
  return sum.value();
}

DoubleSum random_sum(std::uint64_t seed) {
  Random random(seed);
  DoubleSum sum;
  for (const double value : nasty_doubles(random, below(random, 8) == 0)) sum.add(value);
  return sum;
}

TEST(DoubleSum, IsTheExactSumRoundedOnceInAnyOrderOfMerging) {
  Random random(1);
  Oracle oracle;
  for (int i = 0; i < 1500; ++i) {
    const std::vector<double> values = nasty_doubles(random, below(random, 6) == 0);
    std::string request = "double.sum";
    for (const double value : values) request += " " + hex_bits(value);
    const auto sum = fold_in_any_shards<DoubleSum>(
        random, values, [](DoubleSum& fold, double value) { fold.add(value); }, 3);
    oracle.expect(request, hex_bits(sum.value()));
  }
  oracle.check();
}

TEST(DoubleSum, ForgetsNothingThatCancels) {
  EXPECT_EQ(sum_of({1e308, 1.0, 1e308, -1e308, 0x1p-1074, -1e308}), 1.0);
  EXPECT_EQ(sum_of({1e16, 1.0, 1.0, -1e16}), 2.0);
  EXPECT_EQ(sum_of({0x1p-1074, 1e308, -1e308}), 0x1p-1074);
  EXPECT_EQ(sum_of(std::vector<double>(10, 0.1)), 1.0);
}

TEST(DoubleSum, OfNothingAndOfZerosIsPlusZero) {
  for (const double sum :
       {sum_of({}), sum_of({-0.0}), sum_of({-0.0, -0.0}), sum_of({1.5, -1.5}), sum_of({0.0, -0.0})}) {
    EXPECT_EQ(std::bit_cast<std::uint64_t>(sum), 0U);
  }
}

TEST(DoubleSum, PassesThroughInfinityOnTheWay) {
  const double max = std::numeric_limits<double>::max();
  EXPECT_EQ(sum_of({max, max, -max}), max);
  EXPECT_EQ(sum_of({max, max}), kInfinity);
  EXPECT_EQ(sum_of({-max, -max}), -kInfinity);
}

TEST(DoubleSum, KeepsNanAndInfinitiesAsFlags) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  EXPECT_EQ(sum_of({1.0, kInfinity, -5.0}), kInfinity);
  EXPECT_EQ(sum_of({1.0, -kInfinity}), -kInfinity);
  for (const double sum : {sum_of({nan}), sum_of({-nan, kInfinity}), sum_of({kInfinity, -kInfinity, 1.0})}) {
    EXPECT_EQ(hex_bits(sum), "7ff8000000000000");
  }
}

TEST(DoubleSum, PacksEqualSumsAlikeHoweverTheyCameAbout) {
  DoubleSum direct;
  direct.add(3.0);
  DoubleSum around;
  around.add(1e300);
  around.add(1.0);
  around.add(0x1p-1074);
  around.add(2.0);
  around.add(-1e300);
  around.add(-0x1p-1074);
  EXPECT_GT(around.heap_bytes(), 0U);
  EXPECT_EQ(packed_bytes_of(around), packed_bytes_of(direct));
  DoubleSum zero;
  zero.add(7.0);
  zero.add(-7.0);
  EXPECT_EQ(packed_bytes_of(zero), packed_bytes_of(DoubleSum{}));
}

TEST(DoubleSum, StaysSmallForValuesWithinAWindow) {
  Random random(3);
  DoubleSum sum;
  for (int i = 0; i < 100000; ++i)
    sum.add(double_from(below(random, 2) == 0, 1000 + static_cast<unsigned>(below(random, 60)), random()));
  EXPECT_EQ(sum.heap_bytes(), 0U);
}

TEST(DoubleSum, SumsManyEqualValuesWithoutLosingTheSign) {
  // Doubles itself 60 times: what 2^60 additions would hold.
  DoubleSum sum;
  sum.add(-std::numeric_limits<double>::max());
  for (int i = 0; i < 60; ++i) sum.merge(DoubleSum(sum));
  EXPECT_EQ(sum.value(), -kInfinity);
  DoubleSum back;
  back.add(std::numeric_limits<double>::max());
  for (int i = 0; i < 60; ++i) back.merge(DoubleSum(back));
  sum.merge(back);
  EXPECT_EQ(packed_bytes_of(sum), packed_bytes_of(DoubleSum{}));
}

TEST(DoubleSum, RoundsItsTextFromTheExactSum) {
  DoubleSum sum;
  sum.add(0.1);
  sum.add(0.2);
  EXPECT_EQ(*sum.rounded(20), "0.30000000000000001665");
  EXPECT_EQ(*sum.rounded(1), "0.3");
  sum.add(kInfinity);
  EXPECT_FALSE(sum.rounded(1).has_value());
}

TEST(DoubleSum, KeepsTheLaw) {
  EXPECT_EQ(check_law(random_sum).value_or(""), "");
}

TEST(DoubleSum, SurvivesHostileBytes) {
  Random random(5);
  survives_hostile_bytes<DoubleSum>(
      random, random_sum,
      [](const DoubleSum& sum) {
        static_cast<void>(sum.value());
        static_cast<void>(sum.rounded(10));
      },
      20000);
}

}  // namespace
}  // namespace fanfold
