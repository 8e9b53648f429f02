// number.h: numbers read from text. Decimal, an exact decimal fraction; Number, what a text says: a
// decimal, a double, or no number; parse_number(), which decides by the text alone, so that the same
// text has the same type in every shard.
#pragma once

#include <fanfold/bytes.h>
#include <fanfold/int128.h>

#include <array>
#include <bit>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string_view>
#include <system_error>

namespace fanfold {

// Powers of ten that fit 64 bits: 10^0 .. 10^19.
inline constexpr std::array<std::uint64_t, 20> kPowersOfTen = [] {
  std::array<std::uint64_t, 20> powers{};
  std::uint64_t power = 1;
  for (std::uint64_t& entry : powers) {
    entry = power;
    power *= 10;
  }
  return powers;
}();

// coefficient / 10^fraction_digits, with at most 18 fraction digits and an absolute value below 1e20.
class Decimal {
 public:
  static constexpr unsigned kFractionDigitsMax = 18;
  static constexpr unsigned kIntegerDigitsMax = 20;

  constexpr Decimal() = default;
  constexpr explicit Decimal(std::int64_t integer) noexcept : Decimal(Int128{integer}, 0) {}
  // Absent when out of bounds.
  [[nodiscard]] static constexpr std::optional<Decimal> make(Int128 coefficient, unsigned fraction_digits) noexcept {
    if (fraction_digits > kFractionDigitsMax) return std::nullopt;
    const UInt128 bound = static_cast<UInt128>(kPowersOfTen[fraction_digits]) * kPowersOfTen[19] * 10;
    if (magnitude_of(coefficient) >= bound) return std::nullopt;
    return Decimal(coefficient, fraction_digits);
  }

  [[nodiscard]] constexpr Int128 coefficient() const noexcept { return static_cast<Int128>(join_halves(low_, high_)); }
  [[nodiscard]] constexpr unsigned fraction_digits() const noexcept { return fraction_digits_; }
  // The coefficient, where 64 bits hold it.
  [[nodiscard]] constexpr bool is_narrow() const noexcept {
    return high_ == (static_cast<std::int64_t>(low_) < 0 ? ~std::uint64_t{0} : 0);
  }
  [[nodiscard]] constexpr std::int64_t narrow() const noexcept { return static_cast<std::int64_t>(low_); }
  // The value in units of 1e-18; below 1e38, so 128 bits hold it.
  [[nodiscard]] constexpr Int128 units() const noexcept {
    return coefficient() * static_cast<Int128>(kPowersOfTen[kFractionDigitsMax - fraction_digits_]);
  }

 private:
  friend class Number;
  constexpr Decimal(Int128 coefficient, unsigned fraction_digits) noexcept
      : low_(low_half(static_cast<UInt128>(coefficient))),
        high_(high_half(static_cast<UInt128>(coefficient))),
        fraction_digits_(static_cast<std::uint8_t>(fraction_digits)) {}

  std::uint64_t low_ = 0;
  std::uint64_t high_ = 0;
  std::uint8_t fraction_digits_ = 0;
};

// What a text says. A text that is no number is for the job to judge.
class Number {
 public:
  enum class Kind : std::uint8_t { kNone, kDecimal, kDouble };

  constexpr Number() = default;
  constexpr Number(Decimal value) noexcept : decimal_(value), kind_(Kind::kDecimal) {}
  constexpr Number(double value) noexcept : kind_(Kind::kDouble) {
    decimal_.low_ = std::bit_cast<std::uint64_t>(value);
  }

  [[nodiscard]] constexpr Kind kind() const noexcept { return kind_; }
  [[nodiscard]] constexpr explicit operator bool() const noexcept { return kind_ != Kind::kNone; }
  // Only for the kind that it is.
  [[nodiscard]] constexpr Decimal decimal() const noexcept { return decimal_; }
  [[nodiscard]] constexpr double real() const noexcept { return std::bit_cast<double>(decimal_.low_); }

 private:
  friend Number parse_number(std::string_view text) noexcept;
  constexpr Number(Int128 coefficient, unsigned fraction_digits) noexcept
      : decimal_(coefficient, fraction_digits), kind_(Kind::kDecimal) {}

  Decimal decimal_;  // Or the bits of the double, in the low half.
  Kind kind_ = Kind::kNone;
};

namespace number_detail {

// Eight digits or fewer with a point among them or none, read in one word without a branch on any
// digit: what most columns hold. Absent for every other text, which is not yet judged by that.
// `text` has one to eight bytes. Source: the digits of a word are paired by three multiplications,
// as in Lemire's and others' eight-digit parsers.
struct ShortDecimal {
  std::uint64_t coefficient;
  unsigned fraction_digits;
  bool good;
};
[[nodiscard]] inline ShortDecimal parse_short(const char* text, std::size_t size) noexcept {
  std::uint64_t word = 0;
  if (size == 8) {
    word = load_little<std::uint64_t>(reinterpret_cast<const std::byte*>(text));
  } else if (size >= 4) {  // Two loads that overlap hold the same bytes where they do.
    const std::uint64_t head = load_little<std::uint32_t>(reinterpret_cast<const std::byte*>(text));
    const std::uint64_t tail = load_little<std::uint32_t>(reinterpret_cast<const std::byte*>(text + size - 4));
    word = head | (tail << (8 * (size - 4)));
  } else {
    const auto at = [&](std::size_t i) { return std::uint64_t{static_cast<unsigned char>(text[i])} << (8 * i); };
    word = at(0) | at(size / 2) | at(size - 1);
  }
  constexpr std::uint64_t kOnes = 0x0101010101010101U;
  constexpr std::uint64_t kZeros = 0x30 * kOnes;  // "00000000"
  // The last character to the top byte, zeros before the first.
  word = (word << (64 - 8 * size)) | ((kZeros >> (8 * size - 8)) >> 8);
  unsigned fraction_digits = 0;
  const std::uint64_t point = word ^ (0x2e * kOnes);
  const std::uint64_t found = (point - kOnes) & ~point & (0x80 * kOnes);
  if (found != 0) {
    const auto at = static_cast<unsigned>(std::countr_zero(found)) / 8;  // The first point.
    fraction_digits = 7 - at;
    const std::uint64_t before = word & ((std::uint64_t{1} << (8 * at)) - 1);
    const std::uint64_t behind = (word >> (8 * at)) >> 8;
    word = (((behind << (8 * at)) << 8)) | (before << 8) | '0';
  }
  const std::uint64_t high_nibbles = 0xf0 * kOnes;
  const bool digits = (((word & high_nibbles) ^ kZeros) | (((word + 0x06 * kOnes) & high_nibbles) ^ kZeros)) == 0;
  word -= kZeros;
  word = word * 10 + (word >> 8);
  constexpr std::uint64_t kPairs = 0x000000ff000000ffU;
  const std::uint64_t value =
      ((word & kPairs) * 0x000f424000000064U + ((word >> 16) & kPairs) * 0x0000271000000001U) >> 32;
  return {value, fraction_digits, digits && (size > 1 || found == 0)};
}

}  // namespace number_detail

// Reads a whole text as a number:
//   grammar  [+-] digits [. [digits]] [(e|E) [+-] digits], or with . digits for the first two
//   decimal  no exponent, at most 18 fraction digits, absolute value below 1e20
//   double   every other number: the nearest one, infinite beyond the largest
//   none     all else; "nan", "inf", blanks around and separators of thousands too
[[nodiscard]] inline Number parse_number(std::string_view text) noexcept {
  const char* at = text.data();
  const char* const end = at + text.size();
  if (at == end) return {};
  const bool negative = *at == '-';
  if (negative || *at == '+') ++at;
  const char* const digits_begin = at;
  if (const auto size = static_cast<std::size_t>(end - at); size - 1 < 8) {
    const auto quick = number_detail::parse_short(at, size);
    if (quick.good) [[likely]] {
      const auto coefficient = static_cast<std::int64_t>(quick.coefficient);
      return Number(Int128{negative ? -coefficient : coefficient}, quick.fraction_digits);
    }
  }

  const auto digit_at = [&](const char* place) -> unsigned {
    return place < end ? static_cast<unsigned>(static_cast<unsigned char>(*place)) - '0' : 10U;
  };
  while (digit_at(at) == 0) ++at;
  std::uint64_t head = 0;  // The first 18 digits from the first that is not zero; most texts have no more.
  UInt128 coefficient = 0;
  unsigned used = 0;
  bool wide = false;
  const auto take = [&](unsigned digit) {
    if (used < 18) {
      head = head * 10 + digit;
    } else {
      coefficient = (used == 18 ? UInt128{head} : coefficient) * 10 + digit;
      wide = true;
    }
    ++used;
  };
  // A decimal has 38 digits at most; what has more is none, so the further ones are only counted.
  constexpr unsigned kDigitsMax = Decimal::kIntegerDigitsMax + Decimal::kFractionDigitsMax;

  const char* const whole_begin = at;
  unsigned digit = 0;
  while ((digit = digit_at(at)) < 10) {
    if (used < kDigitsMax) take(digit);
    ++at;
  }
  const std::size_t whole_digits = static_cast<std::size_t>(at - whole_begin);
  bool any_digits = at != digits_begin;
  std::size_t fraction_digits = 0;
  if (at < end && *at == '.') {
    ++at;
    const char* const fraction_begin = at;
    while ((digit = digit_at(at)) < 10) {
      if (used < kDigitsMax && (used != 0 || digit != 0)) take(digit);
      ++at;
    }
    fraction_digits = static_cast<std::size_t>(at - fraction_begin);
    any_digits = any_digits || fraction_digits != 0;
  }
  if (!any_digits) return {};
  if (at == end && whole_digits <= Decimal::kIntegerDigitsMax && fraction_digits <= Decimal::kFractionDigitsMax) {
    const auto magnitude = static_cast<Int128>(wide ? coefficient : UInt128{head});
    return Number(negative ? -magnitude : magnitude, static_cast<unsigned>(fraction_digits));
  }

  // The double lane. The grammar of an exponent is checked here, the digits are the library's.
  bool exponent_negative = false;
  std::int64_t exponent = 0;
  if (at < end) {
    if (*at != 'e' && *at != 'E') return {};
    ++at;
    if (at < end && (*at == '+' || *at == '-')) exponent_negative = *at++ == '-';
    if (digit_at(at) >= 10) return {};
    while ((digit = digit_at(at)) < 10) {
      if (exponent < 1'000'000'000'000'000) exponent = exponent * 10 + digit;
      ++at;
    }
    if (at != end) return {};
    if (exponent_negative) exponent = -exponent;
  }
  double magnitude = 0;
  const auto [stop, error] = std::from_chars(digits_begin, end, magnitude, std::chars_format::general);
  if (error == std::errc::result_out_of_range) {
    // Too large or too small: the place of the first digit that is not zero tells.
    std::int64_t place = static_cast<std::int64_t>(whole_digits);
    if (whole_digits == 0) {
      const char* zero = digits_begin;
      while (digit_at(zero) == 0) ++zero;
      if (zero < end && *zero == '.') ++zero;
      for (; digit_at(zero) == 0; ++zero) --place;
    }
    magnitude = place + exponent > 0 ? std::numeric_limits<double>::infinity() : 0.0;
  } else if (error != std::errc{} || stop != end) {
    return {};
  }
  return negative ? -magnitude : magnitude;
}

}  // namespace fanfold
