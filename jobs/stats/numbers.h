// numbers.h: exact order and arithmetic of numbers read from text (<fanfold/number.h>). Decimals stay decimals while a
// result keeps within their bounds; else it is the double nearest to the exact result. Doubles follow IEEE.
// Nothing here depends on the order of a computation's parts or on the processor.
#pragma once

#include <fanfold/big_integer.h>
#include <fanfold/exact_value.h>
#include <fanfold/number.h>

#include <compare>
#include <cstdint>
#include <optional>
#include <string>

namespace fanfold::stats {

// By value.
[[nodiscard]] std::weak_ordering compare(const Number& left, const Number& right);

// A strict order for Min and Max: by value, then decimals before doubles, fewer fraction digits first, -0 before +0.
[[nodiscard]] std::strong_ordering compare_strictly(const Number& left, const Number& right);

[[nodiscard]] double nearest_double_of(const Decimal& value);
[[nodiscard]] double nearest_double_of(const Number& value);

// Each is no number (Number::Kind::kNone) where there is none: division by zero, what IEEE makes NaN.
[[nodiscard]] Number add(const Number& left, const Number& right);
[[nodiscard]] Number subtract(const Number& left, const Number& right);
[[nodiscard]] Number multiply(const Number& left, const Number& right);
// Exact where the quotient is a decimal.
[[nodiscard]] Number divide(const Number& left, const Number& right);
// The greatest whole number that is not above the quotient, and what it leaves: of the divisor's sign.
[[nodiscard]] Number divide_whole(const Number& left, const Number& right);
[[nodiscard]] Number remainder(const Number& left, const Number& right);
[[nodiscard]] Number negate(const Number& value);

// What lies numerator / denominator of the way from one finite value to another, exactly. Each counts as the decimal
// that its shortest text says: halfway from 0.1 to 0.2 is 0.15.
[[nodiscard]] ExactValue point_between(double low, double high, std::uint64_t numerator, std::uint64_t denominator);

// A decimal with its own fraction digits, a double as the shortest text that reads back.
[[nodiscard]] std::string text_of(const Number& value);
[[nodiscard]] std::string text_of(double value);
// With so many fraction digits, halves towards plus infinity; as text_of() where it is not finite.
[[nodiscard]] std::string rounded_text_of(const Number& value, unsigned fraction_digits);
[[nodiscard]] std::string rounded_text_of(double value, unsigned fraction_digits);

}  // namespace fanfold::stats
