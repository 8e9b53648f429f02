#include <fanfold/quantiles.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include "tests/unit/engine/sdk/fold_samples.h"
#include "tests/unit/engine/sdk/sharding.h"

namespace fanfold {
namespace {

Quantiles random_quantiles(std::uint64_t seed) {
  Random random(seed);
  Quantiles quantiles;
  const auto kind = static_cast<unsigned>(below(random, 7));
  for (std::size_t n = below(random, below(random, 3) == 0 ? 6000 : 300); n > 0; --n) {
    quantiles.add(finite_double(random, kind));
  }
  if (below(random, 4) == 0) quantiles.add(std::numeric_limits<double>::infinity());
  return quantiles;
}

TEST(Quantiles, KeepsTheLaw) {
  const auto failed = check_law(random_quantiles, {.rounds = 60});
  EXPECT_FALSE(failed.has_value()) << *failed;
}

TEST(Quantiles, AreExactForFewValues) {
  Quantiles quantiles;
  EXPECT_FALSE(quantiles.value(1, 2).has_value());
  for (int value = 512; value > 0; --value) quantiles.add(value - 256.5);
  EXPECT_EQ(quantiles.error_units(), 0U);
  EXPECT_EQ(*quantiles.value(1, 2), -0.5);
  EXPECT_EQ(*quantiles.value(0, 1), -255.5);
  EXPECT_EQ(*quantiles.value(1, 1), 255.5);
  EXPECT_EQ(*quantiles.value(1, 512), -255.5);
  EXPECT_EQ(*quantiles.value(2, 512), -254.5);
}

TEST(Quantiles, StayWithinTheirErrorForManyValues) {
  Random random(5);
  Quantiles quantiles;
  std::vector<double> values;
  for (int i = 0; i < 50'000; ++i) {
    values.push_back(i % 3 == 0 ? 0.0 : (static_cast<double>(below(random, 2'000'000)) - 700'000) / 1000);
    quantiles.add(values.back());
  }
  std::sort(values.begin(), values.end());
  EXPECT_EQ(quantiles.error_units(), 1U);
  for (std::uint64_t percent = 0; percent <= 100; ++percent) {
    const std::size_t rank = std::max<std::size_t>((percent * values.size() + 99) / 100, 1);
    const double expected = values[rank - 1];
    EXPECT_LE(std::abs(*quantiles.value(percent, 100) - expected), std::abs(expected) / 256) << percent;
  }
}

TEST(Quantiles, HalveAllBucketsTogetherWhenTheRangeIsWide) {
  Random random(6);
  Quantiles quantiles;
  for (int i = 0; i < 100'000; ++i) quantiles.add(finite_double(random, 4));
  EXPECT_GT(quantiles.error_units(), 1U);
  EXPECT_LT(quantiles.pack_size(), 40'000U);
  quantiles.add(std::numeric_limits<double>::quiet_NaN());
  EXPECT_EQ(quantiles.count(), 100'000U);
}

}  // namespace
}  // namespace fanfold
