#include <fanfold/distinct.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <vector>

#include "tests/unit/engine/sdk/sharding.h"

namespace fanfold {
namespace {

Distinct random_distinct(std::uint64_t seed) {
  Random random(seed);
  Distinct distinct;
  const std::size_t universe = below(random, 3) == 0 ? 40 : 3000;
  for (std::size_t n = below(random, below(random, 2) == 0 ? 30 : 1500); n > 0; --n) {
    distinct.add("value " + std::to_string(below(random, universe)));
  }
  return distinct;
}

TEST(Distinct, KeepsTheLaw) {
  const auto failed = check_law(random_distinct, {.rounds = 60});
  EXPECT_FALSE(failed.has_value()) << *failed;
}

TEST(Distinct, IsExactUpToItsBoundAndApproximateBeyond) {
  Distinct distinct;
  for (std::size_t i = 0; i < Distinct::kExactMax; ++i) {
    for (int twice = 0; twice < 2; ++twice) distinct.add(std::to_string(i));
    ASSERT_EQ(distinct.value(), i + 1);
  }
  EXPECT_TRUE(distinct.is_exact());
  distinct.add("one more");
  EXPECT_FALSE(distinct.is_exact());
  for (std::size_t n = 2000; n <= 2'000'000; n *= 10) {
    for (std::size_t i = 0; i < n; ++i) distinct.add(std::to_string(i));
    // Four standard errors, of a fixed hash: this never changes.
    EXPECT_NEAR(static_cast<double>(distinct.value()), static_cast<double>(n), 0.033 * static_cast<double>(n));
  }
}

TEST(Distinct, CountsNothingAsZeroAndTheEmptyTextAsOne) {
  Distinct distinct;
  EXPECT_EQ(distinct.value(), 0U);
  distinct.add("");
  distinct.add_hash(0);
  distinct.add_hash(0);
  EXPECT_EQ(distinct.value(), 2U);
}

}  // namespace
}  // namespace fanfold
