// exact_value.h: ExactValue, what a sum is exactly: a quotient of integers, or a value that is no number.
// Means and variances are computed from these without rounding; results round once, here.
#pragma once

#include <fanfold/big_integer.h>
#include <fanfold/double_parts.h>
#include <fanfold/rounding.h>

#include <optional>
#include <string>

namespace fanfold {

struct ExactValue {
  BigInteger numerator;
  BigInteger denominator;  // Positive.
  SpecialDoubles special;  // Any of these takes the place of the quotient.

  // The nearest double, ties to even.
  [[nodiscard]] double nearest() const {
    return special.any() ? special.sum() : nearest_quotient(numerator, denominator);
  }
  // With so many fraction digits, halves towards plus infinity; absent when it is no number.
  [[nodiscard]] std::optional<std::string> rounded(unsigned fraction_digits) const {
    if (special.any()) return std::nullopt;
    return rounded_text(numerator, denominator, fraction_digits);
  }
};

}  // namespace fanfold
