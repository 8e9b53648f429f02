// int128.h: the compilers' 128-bit integers under plain names, and their halves.
// States hold halves (eight-byte alignment, no padding); arithmetic happens in these types.
#pragma once

#include <cstdint>

namespace fanfold {

__extension__ typedef __int128 Int128;            // NOLINT(modernize-use-using): __extension__ needs a typedef
__extension__ typedef unsigned __int128 UInt128;  // NOLINT(modernize-use-using)

[[nodiscard]] constexpr std::uint64_t low_half(UInt128 value) noexcept {
  return static_cast<std::uint64_t>(value);
}
[[nodiscard]] constexpr std::uint64_t high_half(UInt128 value) noexcept {
  return static_cast<std::uint64_t>(value >> 64);
}
[[nodiscard]] constexpr UInt128 join_halves(std::uint64_t low, std::uint64_t high) noexcept {
  return (static_cast<UInt128>(high) << 64) | low;
}
// The absolute value, right for the smallest number too.
[[nodiscard]] constexpr UInt128 magnitude_of(Int128 value) noexcept {
  return value < 0 ? UInt128{0} - static_cast<UInt128>(value) : static_cast<UInt128>(value);
}

inline constexpr Int128 kInt128Max = static_cast<Int128>(~UInt128{0} >> 1);
inline constexpr Int128 kInt128Min = -kInt128Max - 1;

}  // namespace fanfold
