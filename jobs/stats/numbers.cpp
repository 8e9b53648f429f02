#include "jobs/stats/numbers.h"

#include <fanfold/double_sum.h>
#include <fanfold/exact_value.h>
#include <fanfold/rounding.h>

#include <array>
#include <bit>
#include <charconv>
#include <cmath>
#include <cstdint>

namespace fanfold::stats {

namespace {

constexpr unsigned kDigitsMax = Decimal::kFractionDigitsMax;

bool is_decimal(const Number& value) {
  return value.kind() == Number::Kind::kDecimal;
}

Number of_double(double value) {
  return value != value ? Number() : Number(value);
}

ExactValue exactly(double value) {
  DoubleSum sum;
  sum.add(value);
  return sum.exact_value();
}

// coefficient / 10^digits as a decimal, or the nearest double where that leaves the bounds.
Number number_of(BigInteger coefficient, unsigned digits) {
  while (digits > kDigitsMax) {
    BigInteger shorter = coefficient;
    if (shorter.divide_small(10) != 0) break;
    coefficient = shorter;
    --digits;
  }
  if (digits <= kDigitsMax && coefficient.bit_length() <= 127) {
    const auto limbs = coefficient.limbs();
    const UInt128 magnitude = join_halves(limbs.empty() ? 0 : limbs[0], limbs.size() > 1 ? limbs[1] : 0);
    const auto value = static_cast<Int128>(magnitude);
    if (const auto decimal = Decimal::make(coefficient.is_negative() ? -value : value, digits)) return *decimal;
  }
  return nearest_quotient(coefficient, BigInteger::power_of_ten(digits));
}

BigInteger big(const Decimal& value) {
  return BigInteger::from_signed(value.coefficient());
}

std::strong_ordering strong(std::weak_ordering order) {
  return order < 0   ? std::strong_ordering::less
         : order > 0 ? std::strong_ordering::greater
                     : std::strong_ordering::equal;
}

std::weak_ordering compare_mixed(const Decimal& left, double right) {
  if (std::isinf(right)) return right > 0 ? std::weak_ordering::less : std::weak_ordering::greater;
  ExactValue exact = exactly(right);
  ExactValue decimal{big(left), BigInteger::from_unsigned(kPowersOfTen[left.fraction_digits()]), 0, {}};
  exact.lower_exponent(0);
  decimal.lower_exponent(exact.exponent);
  return decimal.numerator <=> exact.numerator * decimal.denominator;
}

// Both at the same fraction digits; below 1e38, which 128 bits hold.
struct Aligned {
  Int128 left;
  Int128 right;
  unsigned digits;
};
Aligned aligned(const Decimal& left, const Decimal& right) {
  const unsigned digits = std::max(left.fraction_digits(), right.fraction_digits());
  return {left.coefficient() * static_cast<Int128>(kPowersOfTen[digits - left.fraction_digits()]),
          right.coefficient() * static_cast<Int128>(kPowersOfTen[digits - right.fraction_digits()]), digits};
}

struct Quotient {
  Int128 whole;  // rounded towards minus infinity
  Int128 rest;
};
Quotient floored(Int128 left, Int128 right) {
  Quotient quotient{left / right, left % right};
  if (quotient.rest != 0 && (quotient.rest < 0) != (right < 0)) {
    --quotient.whole;
    quotient.rest += right;
  }
  return quotient;
}

// The number that a finite double's shortest text says: -1.25e-3 and the like.
struct Fraction {
  BigInteger numerator;
  BigInteger denominator;
};
Fraction shortest_decimal_of(double value) {
  std::array<char, 32> buffer{};
  const char* end =
      std::to_chars(buffer.data(), buffer.data() + buffer.size(), value, std::chars_format::scientific).ptr;
  std::uint64_t digits = 0;
  int exponent = 0;
  const char* at = buffer.data() + (buffer[0] == '-' ? 1 : 0);
  bool fraction = false;
  for (; *at != 'e'; ++at) {
    if (*at == '.') {
      fraction = true;
      continue;
    }
    digits = 10 * digits + static_cast<std::uint64_t>(*at - '0');
    exponent -= fraction ? 1 : 0;
  }
  at += at[1] == '+' ? 2 : 1;  // from_chars takes no plus
  int written = 0;
  std::from_chars(at, end, written);
  exponent += written;
  const BigInteger magnitude = BigInteger::from_unsigned(digits);
  const BigInteger numerator = buffer[0] == '-' ? -magnitude : magnitude;
  if (exponent >= 0) {
    return {numerator * BigInteger::power_of_ten(static_cast<unsigned>(exponent)), BigInteger::from_unsigned(1)};
  }
  return {numerator, BigInteger::power_of_ten(static_cast<unsigned>(-exponent))};
}

}  // namespace

std::weak_ordering compare(const Number& left, const Number& right) {
  if (is_decimal(left) && is_decimal(right)) {
    const Decimal a = left.decimal();
    const Decimal b = right.decimal();
    if (a.fraction_digits() == b.fraction_digits()) return a.coefficient() <=> b.coefficient();
    return a.units() <=> b.units();
  }
  if (is_decimal(left)) return compare_mixed(left.decimal(), right.real());
  if (is_decimal(right)) return 0 <=> compare_mixed(right.decimal(), left.real());
  return left.real() < right.real()   ? std::weak_ordering::less
         : right.real() < left.real() ? std::weak_ordering::greater
                                      : std::weak_ordering::equivalent;
}

std::strong_ordering compare_strictly(const Number& left, const Number& right) {
  if (const std::weak_ordering order = compare(left, right); order != 0) return strong(order);
  if (is_decimal(left) != is_decimal(right)) {
    return is_decimal(left) ? std::strong_ordering::less : std::strong_ordering::greater;
  }
  if (is_decimal(left)) return left.decimal().fraction_digits() <=> right.decimal().fraction_digits();
  return std::signbit(right.real()) <=> std::signbit(left.real());
}

double nearest_double_of(const Decimal& value) {
  constexpr std::int64_t kExact = std::int64_t{1} << 53;
  // Two doubles that are exact, and one rounding.
  if (value.is_narrow() && value.narrow() <= kExact && value.narrow() >= -kExact) {
    return static_cast<double>(value.narrow()) / static_cast<double>(kPowersOfTen[value.fraction_digits()]);
  }
  return nearest_quotient(big(value), BigInteger::from_unsigned(kPowersOfTen[value.fraction_digits()]));
}

double nearest_double_of(const Number& value) {
  return is_decimal(value) ? nearest_double_of(value.decimal()) : value.real();
}

Number add(const Number& left, const Number& right) {
  if (!is_decimal(left) || !is_decimal(right)) return of_double(nearest_double_of(left) + nearest_double_of(right));
  const Aligned both = aligned(left.decimal(), right.decimal());
  Int128 sum = 0;
  if (!__builtin_add_overflow(both.left, both.right, &sum)) {
    if (const auto decimal = Decimal::make(sum, both.digits)) return *decimal;
  }
  return number_of(BigInteger::from_signed(both.left) + BigInteger::from_signed(both.right), both.digits);
}

Number negate(const Number& value) {
  if (!is_decimal(value)) return of_double(-value.real());
  return *Decimal::make(-value.decimal().coefficient(), value.decimal().fraction_digits());
}

Number subtract(const Number& left, const Number& right) {
  return add(left, negate(right));
}

Number multiply(const Number& left, const Number& right) {
  if (!is_decimal(left) || !is_decimal(right)) return of_double(nearest_double_of(left) * nearest_double_of(right));
  const Decimal a = left.decimal();
  const Decimal b = right.decimal();
  const unsigned digits = a.fraction_digits() + b.fraction_digits();
  Int128 product = 0;
  if (digits <= kDigitsMax && !__builtin_mul_overflow(a.coefficient(), b.coefficient(), &product)) {
    if (const auto decimal = Decimal::make(product, digits)) return *decimal;
  }
  return number_of(big(a) * big(b), digits);
}

Number divide(const Number& left, const Number& right) {
  if (!is_decimal(left) || !is_decimal(right)) {
    const double divisor = nearest_double_of(right);
    return divisor == 0 ? Number() : of_double(nearest_double_of(left) / divisor);
  }
  const Aligned both = aligned(left.decimal(), right.decimal());
  if (both.right == 0) return {};
  if (both.left % both.right == 0) {
    if (const auto decimal = Decimal::make(both.left / both.right, 0)) return *decimal;
  }
  // Exact with the fewest digits that hold it, if 18 do.
  const BigInteger divisor = BigInteger::from_signed(both.right);
  const bool negative = divisor.is_negative();
  const BigInteger numerator = negative ? -BigInteger::from_signed(both.left) : BigInteger::from_signed(both.left);
  const BigInteger denominator = divisor.magnitude();
  auto [quotient, rest] = BigInteger::divide(numerator * BigInteger::power_of_ten(kDigitsMax), denominator);
  if (!rest.is_zero()) return nearest_quotient(numerator, denominator);
  unsigned digits = kDigitsMax;
  for (BigInteger shorter = quotient; digits > 0 && shorter.divide_small(10) == 0; --digits) quotient = shorter;
  return number_of(quotient, digits);
}

Number divide_whole(const Number& left, const Number& right) {
  if (!is_decimal(left) || !is_decimal(right)) {
    const double divisor = nearest_double_of(right);
    return divisor == 0 ? Number() : of_double(std::floor(nearest_double_of(left) / divisor));
  }
  const Aligned both = aligned(left.decimal(), right.decimal());
  if (both.right == 0) return {};
  return number_of(BigInteger::from_signed(floored(both.left, both.right).whole), 0);
}

Number remainder(const Number& left, const Number& right) {
  if (!is_decimal(left) || !is_decimal(right)) {
    const double dividend = nearest_double_of(left);
    const double divisor = nearest_double_of(right);
    return divisor == 0 ? Number() : of_double(dividend - divisor * std::floor(dividend / divisor));
  }
  const Aligned both = aligned(left.decimal(), right.decimal());
  if (both.right == 0) return {};
  return number_of(BigInteger::from_signed(floored(both.left, both.right).rest), both.digits);
}

ExactValue point_between(double low, double high, std::uint64_t numerator, std::uint64_t denominator) {
  const Fraction from = shortest_decimal_of(low);
  const Fraction to = shortest_decimal_of(high);
  ExactValue point;
  point.numerator = from.numerator * to.denominator * BigInteger::from_unsigned(denominator - numerator) +
                    to.numerator * from.denominator * BigInteger::from_unsigned(numerator);
  point.denominator = from.denominator * to.denominator * BigInteger::from_unsigned(denominator);
  return point;
}

std::string text_of(double value) {
  std::array<char, 32> buffer{};
  const auto [end, error] = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value);
  return {buffer.data(), error == std::errc{} ? end : buffer.data()};
}

std::string text_of(const Number& value) {
  if (!is_decimal(value)) return text_of(value.real());
  if (value.decimal().is_narrow() && value.decimal().fraction_digits() == 0) {
    return std::to_string(value.decimal().narrow());
  }
  return decimal_text(big(value.decimal()), value.decimal().fraction_digits());
}

std::string rounded_text_of(double value, unsigned fraction_digits) {
  return exactly(value).rounded(fraction_digits).value_or(text_of(value));
}

std::string rounded_text_of(const Number& value, unsigned fraction_digits) {
  if (!is_decimal(value)) return rounded_text_of(value.real(), fraction_digits);
  return rounded_text(big(value.decimal()), BigInteger::from_unsigned(kPowersOfTen[value.decimal().fraction_digits()]),
                      fraction_digits);
}

}  // namespace fanfold::stats
