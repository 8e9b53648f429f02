// narrow_sum.h: narrow_sum(), an exact sum as one 64-bit number at its fraction digits, where that is all there is to
// it: how components tell whether their packed form is the short one.
#pragma once

#include <fanfold/decimal_sum.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

namespace fanfold::stats {

// Absent when there are doubles among the numbers, or 64 bits do not hold the sum.
[[nodiscard]] inline std::optional<std::int64_t> narrow_sum(const DecimalSum& sum) {
  std::array<std::byte, 10> packed{};
  if (!sum.is_decimal() || sum.pack_size() > packed.size()) return std::nullopt;
  sum.pack(packed.data());
  // A byte of fraction digits, one of size, and so many of two's complement.
  const auto size = static_cast<std::size_t>(packed[1]);
  std::uint64_t bits = size != 0 && (packed[1 + size] & std::byte{0x80}) != std::byte{0} ? ~std::uint64_t{0} : 0;
  for (std::size_t at = size; at > 0; --at) bits = (bits << 8) | static_cast<std::uint64_t>(packed[1 + at]);
  return static_cast<std::int64_t>(bits);
}

}  // namespace fanfold::stats
