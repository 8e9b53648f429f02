// double_parts.h: a double taken apart into integers, and the values that have no such parts.
// What the exact folds of doubles are built on; no floating-point arithmetic happens here.
#pragma once

#include <fanfold/bytes.h>
#include <fanfold/rounding.h>

#include <bit>
#include <cstdint>
#include <limits>

namespace fanfold {

// A finite double is mantissa * 2^(position - kFractionBits), position 0 .. 2045.
struct DoubleParts {
  static constexpr int kFractionBits = 1074;

  std::uint64_t mantissa;
  unsigned position;
  bool negative;
  bool finite;

  [[nodiscard]] static DoubleParts of(double value) noexcept {
    const auto bits = std::bit_cast<std::uint64_t>(value);
    const auto biased = static_cast<unsigned>(bits >> 52) & 0x7ffU;
    const std::uint64_t fraction = bits & 0xfffffffffffffU;
    const std::uint64_t hidden = biased == 0 ? 0 : std::uint64_t{1} << 52;
    return {fraction | hidden, biased == 0 ? 0 : biased - 1, (bits >> 63) != 0, biased != 0x7ff};
  }
};

// Which values that are no numbers were met; the union of flags is what a merge makes.
class SpecialDoubles {
 public:
  void add(double value) noexcept {
    flags_ = static_cast<std::uint8_t>(flags_ | (value != value ? kNan : value < 0 ? kMinusInfinity : kPlusInfinity));
  }
  void merge(SpecialDoubles other) noexcept { flags_ = static_cast<std::uint8_t>(flags_ | other.flags_); }

  [[nodiscard]] bool any() const noexcept { return flags_ != 0; }
  // What a sum over them is, whatever else was added; only where any() holds.
  [[nodiscard]] double sum() const noexcept {
    if (flags_ == kPlusInfinity) return std::numeric_limits<double>::infinity();
    if (flags_ == kMinusInfinity) return -std::numeric_limits<double>::infinity();
    return canonical_nan();
  }

  [[nodiscard]] std::uint8_t packed() const noexcept { return flags_; }
  void unpack(ByteReader& reader) noexcept {
    flags_ = reader.integer<std::uint8_t>();
    if (flags_ > (kNan | kPlusInfinity | kMinusInfinity)) reader.fail();
  }

 private:
  static constexpr std::uint8_t kNan = 1;
  static constexpr std::uint8_t kPlusInfinity = 2;
  static constexpr std::uint8_t kMinusInfinity = 4;
  std::uint8_t flags_ = 0;
};

}  // namespace fanfold
