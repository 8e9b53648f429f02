// rounding.h: from exact rationals to results, with one rounding: the nearest double (ties to even)
// of a quotient and of its square root, and decimal text rounded half towards plus infinity.
// Integer arithmetic alone: no libm, so the bits are the same on every CPU.
#pragma once

#include <fanfold/big_integer.h>
#include <fanfold/int128.h>

#include <bit>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <stdexcept>
#include <string>
#include <utility>

namespace fanfold {

static_assert(std::numeric_limits<double>::is_iec559 && sizeof(double) == 8, "doubles are IEEE binary64");

// The one NaN that results hold, whatever the CPU would make.
[[nodiscard]] inline double canonical_nan() noexcept {
  return std::bit_cast<double>(0x7ff8000000000000U);
}

// The double nearest to magnitude * 2^exponent, ties to even. `sticky` says that the exact value lies
// a little (less than one unit of the magnitude) further from zero; the magnitude then has 55 bits or more.
[[nodiscard]] inline double nearest_double(bool negative, std::span<const std::uint64_t> magnitude,
                                           std::int64_t exponent, bool sticky = false) noexcept {
  while (!magnitude.empty() && magnitude.back() == 0) magnitude = magnitude.first(magnitude.size() - 1);
  const std::uint64_t sign = negative ? std::uint64_t{1} << 63 : 0;
  if (magnitude.empty()) return std::bit_cast<double>(sign);
  const auto bits = static_cast<std::int64_t>(64 * magnitude.size()) - std::countl_zero(magnitude.back());
  // The lowest bit of the result has the weight 2^unit: 53 bits are kept, fewer where doubles end.
  std::int64_t unit = exponent + bits - 53;
  if (unit < -1074) unit = -1074;
  const std::int64_t dropped = unit - exponent;
  const auto bit_at = [&](std::int64_t at) -> bool {
    return at >= 0 && at < bits && ((magnitude[static_cast<std::size_t>(at) / 64] >> (at % 64)) & 1) != 0;
  };
  std::uint64_t kept = 0;
  if (dropped >= bits) {
    kept = 0;
  } else if (dropped <= 0) {
    kept = magnitude[0] << -dropped;  // At most 53 bits are there, in one limb.
  } else {
    const auto limb = static_cast<std::size_t>(dropped) / 64;
    const auto shift = static_cast<unsigned>(dropped % 64);
    const std::uint64_t above = limb + 1 < magnitude.size() ? magnitude[limb + 1] : 0;
    kept = low_half(join_halves(magnitude[limb], above) >> shift);
  }
  if (dropped > 0 && bit_at(dropped - 1)) {
    bool more = sticky || (kept & 1) != 0;
    for (std::int64_t at = 0; !more && at < dropped - 1;) {
      const auto limb = static_cast<std::size_t>(at) / 64;
      if (at % 64 == 0 && at + 64 <= dropped - 1) {
        more = magnitude[limb] != 0;
        at += 64;
      } else {
        more = bit_at(at);
        ++at;
      }
    }
    if (more) ++kept;
  }
  // A carry out of 53 bits moves into the exponent by itself, up to infinity.
  if (kept < (std::uint64_t{1} << 52)) return std::bit_cast<double>(sign | kept);  // Subnormal.
  const std::int64_t biased = unit + 1075;
  if (biased >= 2047) return std::bit_cast<double>(sign | 0x7ff0000000000000U);
  return std::bit_cast<double>(sign | ((static_cast<std::uint64_t>(biased - 1) << 52) + kept));
}

[[nodiscard]] inline double nearest_double(const BigInteger& value, std::int64_t exponent = 0) noexcept {
  return nearest_double(value.is_negative(), value.limbs(), exponent);
}

// The double nearest to numerator / denominator (positive) * 2^exponent.
[[nodiscard]] inline double nearest_quotient(const BigInteger& numerator, const BigInteger& denominator,
                                             std::int64_t exponent = 0) {
  if (numerator.is_zero()) return 0.0;
  // 66 bits of quotient or more: 53 to keep, the one behind them, and slack.
  const auto shift =
      static_cast<std::int64_t>(denominator.bit_length()) - static_cast<std::int64_t>(numerator.bit_length()) + 66;
  const auto [quotient, remainder] =
      shift >= 0 ? BigInteger::divide(numerator << static_cast<std::size_t>(shift), denominator)
                 : BigInteger::divide(numerator, denominator << static_cast<std::size_t>(-shift));
  return nearest_double(numerator.is_negative(), quotient.limbs(), exponent - shift, !remainder.is_zero());
}

// The largest integer whose square is not above `value`.
[[nodiscard]] inline std::uint64_t integer_root(UInt128 value) noexcept {
  if (value == 0) return 0;
  // The root of the upper half, bit by bit, is the upper half of the root or so; from a guess that is
  // not too small, Newton's steps fall until they reach the root.
  std::uint64_t upper = 0;
  for (int bit = 31; bit >= 0; --bit) {
    const std::uint64_t candidate = upper | (std::uint64_t{1} << bit);
    if (candidate * candidate <= high_half(value)) upper = candidate;
  }
  std::uint64_t root = upper == UINT32_MAX ? UINT64_MAX : (upper + 1) << 32;
  for (;;) {
    const auto next = static_cast<std::uint64_t>((value / root + root) >> 1);
    if (next >= root) return root;
    root = next;
  }
}

// The double nearest to the square root of numerator / denominator (positive) * 2^exponent; NaN below zero.
[[nodiscard]] inline double nearest_root(const BigInteger& numerator, const BigInteger& denominator,
                                         std::int64_t exponent = 0) {
  if (numerator.is_zero()) return 0.0;
  if (numerator.is_negative()) return canonical_nan();
  // The quotient, scaled by a power of two to 126..128 bits so that an even one is left for the root
  // to halve, has a root of 63 or 64 bits. floor(sqrt(floor(x))) == floor(sqrt(x)), and the root is
  // exact only where nothing was cut.
  std::int64_t shift =
      static_cast<std::int64_t>(denominator.bit_length()) - static_cast<std::int64_t>(numerator.bit_length()) + 126;
  if ((exponent - shift) % 2 != 0) ++shift;
  const auto [quotient, remainder] =
      shift >= 0 ? BigInteger::divide(numerator << static_cast<std::size_t>(shift), denominator)
                 : BigInteger::divide(numerator, denominator << static_cast<std::size_t>(-shift));
  const auto limbs = quotient.limbs();
  const UInt128 scaled = join_halves(limbs[0], limbs[1]);
  const std::uint64_t root = integer_root(scaled);
  const bool cut = !remainder.is_zero() || static_cast<UInt128>(root) * root != scaled;
  return nearest_double(false, std::span(&root, 1), (exponent - shift) / 2, cut);
}

// Fraction digits that rounded_text() writes at most: doubles end at 2^-1074, so no more can be told apart.
inline constexpr unsigned kFractionDigitsMax = 1074;

// `value` / 10^fraction_digits as text: "-12.50". Never "-0".
[[nodiscard]] inline std::string decimal_text(const BigInteger& value, unsigned fraction_digits) {
  std::string digits = value.magnitude().text();
  if (fraction_digits > 0) {
    if (digits.size() <= fraction_digits) digits.insert(0, fraction_digits + 1 - digits.size(), '0');
    digits.insert(digits.size() - fraction_digits, 1, '.');
  }
  if (value.is_negative()) digits.insert(0, 1, '-');
  return digits;
}

// numerator / denominator (positive) with so many fraction digits, the exact value rounded once,
// halves towards plus infinity: -0.25 is "-0.2", 0.25 is "0.3", and what rounds to zero is "0.0".
[[nodiscard]] inline std::string rounded_text(const BigInteger& numerator, const BigInteger& denominator,
                                              unsigned fraction_digits) {
  if (fraction_digits > kFractionDigitsMax) {
    throw std::length_error("more than 1074 fraction digits were asked for; ask for fewer");
  }
  // floor(n / d + 1/2) == floor((2n + d) / 2d)
  BigInteger scaled = numerator * BigInteger::power_of_ten(fraction_digits);
  scaled <<= 1;
  scaled += denominator;
  auto [quotient, remainder] = BigInteger::divide(scaled, denominator << 1);
  if (remainder.is_negative()) quotient -= BigInteger::from_unsigned(1);
  return decimal_text(quotient, fraction_digits);
}

}  // namespace fanfold
