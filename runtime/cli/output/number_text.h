// number_text.h: numbers as text, the same in every format.
#pragma once

#include <charconv>
#include <cmath>
#include <concepts>
#include <cstddef>

namespace fanfold {

// Enough for any of them: a double below 1e15 in plain digits has at most 23 behind the point.
constexpr std::size_t kNumberBytesMax = 48;

// Writes at `out`, which has kNumberBytesMax bytes; gives the end.
template <std::integral T>
inline char* put_number(char* out, T value) {
  return std::to_chars(out, out + kNumberBytesMax, value).ptr;
}

// The fewest digits that read back as the same finite double.
inline char* put_number(char* out, double value) {
  const double magnitude = std::fabs(value);
  const bool plain = magnitude == 0 || (magnitude >= 1e-5 && magnitude < 1e15);
  return std::to_chars(out, out + kNumberBytesMax, value,
                       plain ? std::chars_format::fixed : std::chars_format::scientific)
      .ptr;
}

}  // namespace fanfold
