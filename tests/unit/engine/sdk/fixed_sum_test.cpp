#include <fanfold/fixed_sum.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include "tests/unit/engine/sdk/fold_samples.h"
#include "tests/unit/engine/sdk/sharding.h"

namespace fanfold {
namespace {

TEST(FixedSum, IsTheSameInAnyOrderOfMerging) {
  Random random(1);
  std::vector<double> values(1000);
  std::int64_t units = 0;
  for (double& value : values) {
    value = finite_double(random, 0);
    units += static_cast<std::int64_t>(std::nearbyint(value * 0x1p32));  // Exact in the product.
  }
  const auto sum = fold_in_any_shards<FixedSum<32>>(
      random, values, [](auto& fold, double value) { fold.add(Fixed<32>::nearest(value)); });
  EXPECT_EQ(sum.units(), units);
  EXPECT_EQ(sum.value(), static_cast<double>(units) * 0x1p-32);
}

TEST(Fixed, IsTheNearestPointOfTheGrid) {
  EXPECT_EQ(Fixed<1>::nearest(0.25).units(), 0);  // Ties to even.
  EXPECT_EQ(Fixed<1>::nearest(0.75).units(), 2);
  EXPECT_EQ(Fixed<1>::nearest(-0.75).units(), -2);
  EXPECT_EQ(Fixed<1>::nearest(0.7500001).units(), 2);
  EXPECT_EQ(Fixed<1>::nearest(0.2500001).units(), 1);
  EXPECT_EQ(Fixed<0>::nearest(-0.0).units(), 0);
  EXPECT_EQ(Fixed<0>::nearest(std::numeric_limits<double>::denorm_min()).units(), 0);
  EXPECT_EQ(Fixed<62>::nearest(1.0).units(), std::int64_t{1} << 62);
  EXPECT_EQ(Fixed<0>::nearest(0x1p62).units(), std::int64_t{1} << 62);
  Random random(2);
  for (int i = 0; i < 20000; ++i) {
    const double value = finite_double(random, static_cast<unsigned>(below(random, 2)));
    if (std::abs(value) > 0x1p40) continue;
    EXPECT_EQ(Fixed<20>::nearest(value).units(), static_cast<std::int64_t>(std::nearbyint(value * 0x1p20))) << value;
  }
}

TEST(FixedSum, OfAValueOffTheGridOverflows) {
  for (const double value :
       {0x1p63, -0x1p63, 1e300, std::numeric_limits<double>::quiet_NaN(), -std::numeric_limits<double>::infinity()}) {
    FixedSum<0> sum;
    sum.add(Fixed<0>::nearest(1));
    sum.add(Fixed<0>::nearest(value));
    sum.add(Fixed<0>::nearest(-1));
    EXPECT_THROW(static_cast<void>(sum.value()), Overflow) << value;
  }
}

TEST(FixedSum, ThatLeft63BitsNeverAnswers) {
  FixedSum<0> sum;
  sum.add(Fixed<0>::from_units(INT64_MAX));
  EXPECT_EQ(sum.units(), INT64_MAX);
  sum.add(Fixed<0>::from_units(1));
  sum.add(Fixed<0>::from_units(-2));
  EXPECT_THROW(static_cast<void>(sum.units()), Overflow);
}

TEST(FixedSum, KeepsTheLawWithinItsRange) {
  const auto failure = check_law([](std::uint64_t seed) {
    FixedSum<16> sum;
    sum.add(Fixed<16>::from_units(static_cast<std::int64_t>(seed) >> 8));
    return sum;
  });
  EXPECT_EQ(failure.value_or(""), "");
}

}  // namespace
}  // namespace fanfold
