#include <fanfold/big_integer.h>
#include <fanfold/limbs.h>
#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <stdexcept>
#include <vector>

#include "tests/unit/engine/sdk/oracle.h"
#include "tests/unit/engine/sdk/sharding.h"

namespace fanfold {
namespace {

// Limbs of all ones and zeros find the carries that random ones do not.
BigInteger random_integer(Random& random, std::size_t limbs_max) {
  std::vector<std::uint64_t> limbs(1 + below(random, limbs_max));
  for (std::uint64_t& limb : limbs) {
    const std::size_t kind = below(random, 4);
    limb = kind == 0 ? 0 : kind == 1 ? ~std::uint64_t{0} : random();
  }
  if (below(random, 2) == 0) limbs.back() >>= below(random, 64);
  return BigInteger::from_limbs(limbs);
}

TEST(BigInteger, MultipliesAndDividesAsPythonDoes) {
  Random random(1);
  Oracle oracle;
  for (int i = 0; i < 1500; ++i) {
    const BigInteger a = random_integer(random, 60);
    const BigInteger b = random_integer(random, 1 + below(random, 60));
    oracle.expect("multiply " + a.text() + " " + b.text(), (a * b).text());
    if (b.is_zero()) continue;
    const auto [quotient, remainder] = BigInteger::divide(a, b);
    oracle.expect("divide " + a.text() + " " + b.text(), quotient.text() + " " + remainder.text());
  }
  oracle.check();
}

TEST(BigInteger, AddsSubtractsAndShiftsConsistently) {
  Random random(2);
  for (int i = 0; i < 2000; ++i) {
    const BigInteger a = random_integer(random, 40);
    const BigInteger b = random_integer(random, 40);
    EXPECT_EQ((a + b) - b, a);
    EXPECT_EQ(a + b, b + a);
    EXPECT_EQ(a - b, -(b - a));
    EXPECT_EQ((a + b) * a, a * a + b * a);
    BigInteger twice = a;
    twice += twice;
    EXPECT_EQ(twice, a << 1);
    const std::size_t bits = below(random, 700);
    BigInteger power = BigInteger::from_unsigned(1) << bits;
    EXPECT_EQ(a << bits, a * power);
    EXPECT_EQ(power.bit_length(), bits + 1);
    EXPECT_EQ(a < b, (a - b).is_negative());
  }
}

TEST(BigInteger, ZeroHasNoSign) {
  const BigInteger one = BigInteger::from_signed(1);
  const BigInteger zero = one - one;
  EXPECT_EQ(-zero, zero);
  EXPECT_EQ((-one + one).text(), "0");
  EXPECT_EQ(BigInteger::from_signed(kInt128Min).text(), "-170141183460469231731687303715884105728");
}

TEST(BigInteger, RefusesToLeaveItsBound) {
  BigInteger value = BigInteger::from_unsigned(1) << (64 * BigInteger::kLimbsMax - 65);
  EXPECT_THROW(value <<= 64, std::length_error);
  EXPECT_THROW((void)BigInteger::divide(value, BigInteger{}), std::domain_error);
}

TEST(Limbs, AgreeWithBigIntegers) {
  Random random(3);
  for (int i = 0; i < 2000; ++i) {
    const auto a128 = static_cast<Int128>(join_halves(random(), random())) >> below(random, 120);
    const auto b128 = static_cast<Int128>(join_halves(random(), random())) >> below(random, 120);
    Limbs<4> sum = Limbs<4>::from_signed(a128);
    const std::uint64_t factor = random() >> below(random, 64);
    sum.multiply(factor);
    EXPECT_FALSE(sum.add(Limbs<4>::from_signed(b128)));
    BigInteger expected =
        BigInteger::from_signed(a128) * BigInteger::from_unsigned(factor) + BigInteger::from_signed(b128);
    EXPECT_EQ(sum.exact(), expected);

    std::vector<std::byte> packed(sum.pack_size());
    EXPECT_EQ(sum.pack(packed.data()), packed.data() + packed.size());
    Limbs<4> back;
    ByteReader reader(packed);
    back.unpack(reader);
    EXPECT_TRUE(reader.done());
    EXPECT_EQ(back, sum);

    const std::uint64_t divisor = (random() >> below(random, 60)) | 1;
    const std::uint64_t rest = sum.divide(divisor);
    const auto [quotient, remainder] = BigInteger::divide(expected, BigInteger::from_unsigned(divisor));
    EXPECT_EQ(sum.exact(), quotient);
    EXPECT_EQ(BigInteger::from_unsigned(rest), remainder.magnitude());
  }
}

TEST(Limbs, SayWhenTheSignWasLost) {
  Limbs<2> top = Limbs<2>::from_signed(kInt128Max);
  EXPECT_TRUE(top.add(Limbs<2>::from_signed(1)));
  Limbs<2> bottom = Limbs<2>::from_signed(kInt128Min);
  EXPECT_TRUE(bottom.add(Limbs<2>::from_signed(-1)));
  Limbs<2> fine = Limbs<2>::from_signed(kInt128Min);
  EXPECT_FALSE(fine.add(Limbs<2>::from_signed(kInt128Max)));
}

}  // namespace
}  // namespace fanfold
