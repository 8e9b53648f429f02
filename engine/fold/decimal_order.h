// decimal_order.h: the order of DECIMAL text as exact numbers, however many digits it has.
// A number is an optional sign, digits with at most one point, and an optional exponent; "inf" and
// "-inf" bound them. Any other text comes after every number, bytewise; "nan" after all.
#pragma once

#include <compare>
#include <cstdint>
#include <string_view>

namespace fanfold {

// Whether text stands behind all others in either direction of an order: "nan".
[[nodiscard]] bool is_unordered_decimal(std::string_view text);

// By value: "1.0" and "1.00" are equal.
[[nodiscard]] std::weak_ordering compare_decimals(std::string_view left, std::string_view right);

// A number below kUnorderedDecimalKey that never falls as the decimal's value rises, above these for text that is no
// number, and kUnorderedDecimalKey for "nan". Equal keys say nothing.
constexpr std::uint64_t kUnorderedDecimalKey = ~std::uint64_t{0} - 1;
[[nodiscard]] std::uint64_t decimal_key(std::string_view text);

}  // namespace fanfold
