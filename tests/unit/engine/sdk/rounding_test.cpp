#include <fanfold/rounding.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <limits>
#include <stdexcept>

#include "tests/unit/engine/sdk/fold_samples.h"
#include "tests/unit/engine/sdk/oracle.h"
#include "tests/unit/engine/sdk/sharding.h"

namespace fanfold {
namespace {

BigInteger random_magnitude(Random& random, std::size_t bits_max) {
  const std::size_t bits = 1 + below(random, bits_max);
  BigInteger value;
  for (std::size_t i = 0; i < bits; i += 64) value = (value << 64) + BigInteger::from_unsigned(random());
  if (below(random, 3) == 0) value = BigInteger::from_unsigned(1) << bits;          // Ties,
  if (below(random, 3) == 0) value += BigInteger::from_unsigned(below(random, 3));  // and next to them.
  return value.is_zero() ? BigInteger::from_unsigned(1) : value;
}

TEST(Rounding, AQuotientIsTheNearestDouble) {
  Random random(1);
  Oracle oracle;
  for (int i = 0; i < 2000; ++i) {
    BigInteger numerator = random_magnitude(random, 2500);
    const BigInteger denominator = random_magnitude(random, 2500);
    if (below(random, 2) == 0) numerator = -numerator;
    oracle.expect("quotient " + numerator.text() + " " + denominator.text(),
                  hex_bits(nearest_quotient(numerator, denominator)));
  }
  oracle.check();
}

// 2m + 1 over 2: exactly between two doubles of 53 bits, and a hair to either side.
TEST(Rounding, TiesGoToTheEvenMantissa) {
  Random random(2);
  Oracle oracle;
  for (int i = 0; i < 500; ++i) {
    const std::uint64_t mantissa = (std::uint64_t{1} << 52) | (random() >> 12);
    const std::size_t far = 1 + below(random, 300);
    for (const int hair : {-1, 0, 1}) {
      const BigInteger numerator =
          (BigInteger::from_unsigned(2 * UInt128{mantissa} + 1) << far) + BigInteger::from_signed(hair);
      const BigInteger denominator = BigInteger::from_unsigned(1) << (far + below(random, 1500));
      oracle.expect("quotient " + numerator.text() + " " + denominator.text(),
                    hex_bits(nearest_quotient(numerator, denominator)));
    }
  }
  oracle.check();
}

TEST(Rounding, TheRangeEndsInSubnormalsZeroAndInfinity) {
  const BigInteger one = BigInteger::from_unsigned(1);
  EXPECT_EQ(nearest_double(one, -1074), std::numeric_limits<double>::denorm_min());
  EXPECT_EQ(nearest_double(one, -1075), 0.0);  // A tie, to even.
  EXPECT_EQ(nearest_double(BigInteger::from_unsigned(3), -1076), std::numeric_limits<double>::denorm_min());
  EXPECT_EQ(nearest_double(one, -100000), 0.0);
  EXPECT_EQ(nearest_double((one << 53) - one, 971), std::numeric_limits<double>::max());
  EXPECT_EQ(nearest_double((one << 54) - one, 970), std::numeric_limits<double>::infinity());  // A tie, upwards.
  EXPECT_EQ(nearest_double((one << 55) - BigInteger::from_unsigned(3), 969), std::numeric_limits<double>::max());
  EXPECT_EQ(nearest_double(-one, 1024), -std::numeric_limits<double>::infinity());
  // Up through the top of the subnormals.
  EXPECT_EQ(nearest_double((one << 53) - one, -1075), std::numeric_limits<double>::min());
}

TEST(Rounding, ARootIsTheNearestDouble) {
  Random random(3);
  Oracle oracle;
  for (int i = 0; i < 1500; ++i) {
    BigInteger numerator = random_magnitude(random, 2500);
    BigInteger denominator = random_magnitude(random, 2500);
    if (below(random, 4) == 0) {  // Exact roots, of 54 bits too: these are ties.
      const BigInteger root = BigInteger::from_unsigned((random() >> (10 + below(random, 54))) | 1);
      numerator = root * root;
      denominator = BigInteger::from_unsigned(1) << (2 * below(random, 500));
    }
    oracle.expect("root " + numerator.text() + " " + denominator.text(),
                  hex_bits(nearest_root(numerator, denominator)));
  }
  oracle.check();
  EXPECT_EQ(hex_bits(nearest_root(BigInteger::from_signed(-1), BigInteger::from_unsigned(1))), "7ff8000000000000");
}

TEST(Rounding, TextRoundsHalvesTowardsPlusInfinity) {
  const auto text = [](std::int64_t numerator, std::int64_t denominator, unsigned digits) {
    return rounded_text(BigInteger::from_signed(numerator), BigInteger::from_signed(denominator), digits);
  };
  EXPECT_EQ(text(25, 100, 1), "0.3");
  EXPECT_EQ(text(-25, 100, 1), "-0.2");
  EXPECT_EQ(text(-26, 100, 1), "-0.3");
  EXPECT_EQ(text(-5, 100, 1), "0.0");
  EXPECT_EQ(text(-1, 2, 0), "0");
  EXPECT_EQ(text(1, 2, 0), "1");
  EXPECT_EQ(text(-3, 2, 0), "-1");
  EXPECT_EQ(text(2, 3, 5), "0.66667");
  EXPECT_EQ(text(-12345, 10, 1), "-1234.5");
  EXPECT_THROW(text(1, 3, kFractionDigitsMax + 1), std::length_error);
}

TEST(Rounding, TextIsRoundedOnceFromTheExactValue) {
  Random random(4);
  Oracle oracle;
  for (int i = 0; i < 1000; ++i) {
    BigInteger numerator = random_magnitude(random, 400);
    if (below(random, 2) == 0) numerator = -numerator;
    const BigInteger denominator = random_magnitude(random, 300);
    const unsigned digits = static_cast<unsigned>(below(random, 30));
    oracle.expect("rounded " + std::to_string(digits) + " " + numerator.text() + " " + denominator.text(),
                  rounded_text(numerator, denominator, digits));
  }
  oracle.check();
}

}  // namespace
}  // namespace fanfold
