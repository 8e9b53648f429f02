#include <fanfold/integer_sum.h>
#include <fanfold/sum.h>
#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <limits>
#include <string>
#include <type_traits>
#include <vector>

#include "tests/unit/engine/sdk/fold_samples.h"
#include "tests/unit/engine/sdk/sharding.h"

namespace fanfold {
namespace {

constexpr std::int64_t kMax = std::numeric_limits<std::int64_t>::max();
constexpr std::int64_t kMin = std::numeric_limits<std::int64_t>::min();

TEST(IntegerSum, IsTheSameInAnyOrderOfMerging) {
  Random random(1);
  for (int i = 0; i < 30; ++i) {
    std::vector<std::int64_t> values(below(random, 200));
    Int128 total = 0;
    for (std::int64_t& value : values) total += value = nasty_integer(random);
    const auto sum =
        fold_in_any_shards<Sum<std::int64_t>>(random, values, [](auto& fold, auto value) { fold.add(value); });
    EXPECT_EQ(sum.exact_total(), total);
  }
}

TEST(IntegerSum, JudgesOverflowByTheTrueTotalAlone) {
  Sum<std::int64_t> sum;
  for (int i = 0; i < 10; ++i) sum.add(kMax);
  EXPECT_THROW(static_cast<void>(sum.value()), Overflow);
  for (int i = 0; i < 9; ++i) sum.add(-kMax);
  EXPECT_EQ(sum.value(), kMax);
  sum.add(1);
  try {
    static_cast<void>(sum.value());
    FAIL() << "no overflow";
  } catch (const Overflow& overflow) {
    EXPECT_NE(std::string(overflow.what()).find("9223372036854775808"), std::string::npos);
  }
  sum.add(kMin);
  sum.add(kMin);
  EXPECT_EQ(sum.value(), kMin);
}

TEST(IntegerSum, OfUnsignedIntegersReaches64Bits) {
  Sum<std::uint64_t> sum;
  sum.add(UINT64_MAX - 1);
  sum.add(1);
  EXPECT_EQ(sum.value(), UINT64_MAX);
  sum.add(1);
  EXPECT_THROW(static_cast<void>(sum.value()), Overflow);
  EXPECT_TRUE((std::is_same_v<Sum<std::uint8_t>, Sum<std::uint64_t>>));
  EXPECT_TRUE((std::is_same_v<Sum<std::int32_t>, Sum<std::int64_t>>));
}

// Out of reach of adding; bytes from elsewhere get there.
TEST(IntegerSum, BeyondItsStateIsLostForGood) {
  std::array<std::byte, 16> bytes;
  bytes.fill(std::byte{0xff});
  bytes[15] = std::byte{0x7f};
  Sum<std::int64_t> sum;
  ASSERT_TRUE(sum.unpack(bytes));
  sum.add(1);
  EXPECT_THROW(static_cast<void>(sum.value()), Overflow);
  sum.add(-1);
  Sum<std::int64_t> other;
  other.add(5);
  other.merge(sum);
  EXPECT_THROW(static_cast<void>(other.exact_total()), Overflow);
  EXPECT_EQ(packed_bytes_of(other), packed_bytes_of(sum));
}

TEST(IntegerSum, KeepsTheLaw) {
  const auto failure = check_law([](std::uint64_t seed) {
    Random random(seed);
    Sum<std::int64_t> sum;
    for (std::size_t n = below(random, 9); n > 0; --n) sum.add(nasty_integer(random));
    return sum;
  });
  EXPECT_EQ(failure.value_or(""), "");
}

TEST(IntegerSum, SurvivesHostileBytes) {
  Random random(5);
  survives_hostile_bytes<Sum<std::int64_t>>(
      random,
      [](std::uint64_t seed) {
        Sum<std::int64_t> sum;
        sum.add(static_cast<std::int64_t>(seed));
        return sum;
      },
      [](const auto& sum) { static_cast<void>(sum.value()); });
}

}  // namespace
}  // namespace fanfold
