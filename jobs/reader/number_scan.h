// number_scan.h: read_number(), a field as a number, quickly where it is a short decimal: up to 16 characters are
// read in two words without a branch a digit (digits paired by multiplications, as in Lemire's and others' parsers).
// It says what parse_number() of <fanfold/number.h> says, which also reads everything else.
#pragma once

#include <fanfold/int128.h>
#include <fanfold/number.h>

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace fanfold::reader {

// A decimal whose coefficient has 64 bits.
struct ShortDecimal {
  std::int64_t coefficient;
  std::uint32_t fraction_digits;
  bool good;  // else the text is to be read by parse_number()
};

namespace number_scan {

inline constexpr std::uint64_t kOnes = 0x0101010101010101U;
inline constexpr std::uint64_t kZeros = 0x30 * kOnes;  // "00000000"

inline bool are_digits(std::uint64_t word) {
  constexpr std::uint64_t kHigh = 0xf0 * kOnes;
  return (((word & kHigh) ^ kZeros) | (((word + 0x06 * kOnes) & kHigh) ^ kZeros)) == 0;
}

// Eight digits, the first in the lowest byte.
inline std::uint64_t value_of(std::uint64_t word) {
  constexpr std::uint64_t kPairs = 0x000000ff000000ffU;
  word -= kZeros;
  word = word * 10 + (word >> 8);
  return ((word & kPairs) * 0x000f424000000064U + ((word >> 16) & kPairs) * 0x0000271000000001U) >> 32;
}

// 0x80 in the lowest byte that is a point, and perhaps in others above.
inline std::uint64_t points_of(std::uint64_t word) {
  const std::uint64_t point = word ^ (0x2e * kOnes);
  return (point - kOnes) & ~point & (0x80 * kOnes);
}

}  // namespace number_scan

// `text` lies in a batch of rows: 64 bytes before and behind it may be read.
[[nodiscard]] inline ShortDecimal read_short_decimal(const char* text, std::size_t size) {
  using namespace number_scan;
  const bool minus = *text == '-';
  text += minus;
  size -= minus;
  if (size - 1 >= 16) return {0, 0, false};
  std::uint64_t tail;
  std::memcpy(&tail, text + size - 8, 8);
  if (size <= 8) {
    // What lies before the text becomes zeros.
    const unsigned before = 64 - 8 * static_cast<unsigned>(size);
    tail = (tail >> before << before) | (kZeros & ~(~std::uint64_t{0} << before));
    const std::uint64_t found = points_of(tail);
    std::uint32_t digits = 0;
    if (found != 0) {
      const auto at = static_cast<unsigned>(std::countr_zero(found)) / 8;
      digits = 7 - at;
      const std::uint64_t behind = at == 7 ? 0 : tail >> (8 * at + 8) << (8 * at + 8);
      const std::uint64_t ahead = tail & ((std::uint64_t{1} << (8 * at)) - 1);
      tail = behind | (ahead << 8) | 0x30;
    }
    const auto value = static_cast<std::int64_t>(value_of(tail));
    return {minus ? -value : value, digits, are_digits(tail) && (size > 1 || found == 0)};
  }
  std::uint64_t head;
  std::memcpy(&head, text + size - 16, 8);
  const unsigned before = 128 - 8 * static_cast<unsigned>(size);
  if (before != 0) head = (before == 64 ? 0 : head >> before << before) | (kZeros & ~(~std::uint64_t{0} << before));
  UInt128 word = join_halves(head, tail);
  const std::uint64_t found_head = points_of(head);
  const std::uint64_t found_tail = points_of(tail);
  std::uint32_t digits = 0;
  if ((found_head | found_tail) != 0) {
    const unsigned at = found_head != 0 ? static_cast<unsigned>(std::countr_zero(found_head)) / 8
                                        : 8 + static_cast<unsigned>(std::countr_zero(found_tail)) / 8;
    digits = 15 - at;
    const UInt128 behind = at == 15 ? UInt128{0} : word >> (8 * at + 8) << (8 * at + 8);
    const UInt128 ahead = word & ((UInt128{1} << (8 * at)) - 1);
    word = behind | (ahead << 8) | 0x30;
    head = low_half(word);
    tail = high_half(word);
  }
  const auto value = static_cast<std::int64_t>(value_of(head) * 100'000'000U + value_of(tail));
  return {minus ? -value : value, digits, are_digits(head) && are_digits(tail)};
}

// The same for every text, exactly as parse_number() has it.
[[nodiscard]] inline Number read_number(const char* text, std::size_t size) {
  if (size != 0) {
    const ShortDecimal quick = read_short_decimal(text, size);
    if (quick.good) [[likely]]
      return Decimal::make(quick.coefficient, quick.fraction_digits).value();
  }
  return parse_number({text, size});
}

}  // namespace fanfold::reader
