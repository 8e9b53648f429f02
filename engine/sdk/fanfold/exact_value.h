// exact_value.h: ExactValue, what a sum is exactly: a quotient of integers, or a value that is no number.
// Means and variances are computed from these without rounding; results round once, here.
#pragma once

#include <fanfold/big_integer.h>
#include <fanfold/double_parts.h>
#include <fanfold/rounding.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

namespace fanfold {

// numerator / denominator * 2^exponent. The power of two stands apart because the sums of doubles are
// integers over 2^1074, which no division needs to go through.
struct ExactValue {
  BigInteger numerator;
  BigInteger denominator;  // Positive.
  std::int64_t exponent = 0;
  SpecialDoubles special;  // Any of these takes the place of the quotient.

  // Makes the exponent smaller, the value staying the same.
  void lower_exponent(std::int64_t to) {
    if (to >= exponent) return;
    numerator <<= static_cast<std::size_t>(exponent - to);
    exponent = to;
  }

  // The nearest double, ties to even.
  [[nodiscard]] double nearest() const {
    return special.any() ? special.sum() : nearest_quotient(numerator, denominator, exponent);
  }
  // With so many fraction digits, halves towards plus infinity; absent when it is no number.
  [[nodiscard]] std::optional<std::string> rounded(unsigned fraction_digits) const {
    if (special.any()) return std::nullopt;
    return exponent < 0 ? rounded_text(numerator, denominator << static_cast<std::size_t>(-exponent), fraction_digits)
                        : rounded_text(numerator << static_cast<std::size_t>(exponent), denominator, fraction_digits);
  }
};

}  // namespace fanfold
