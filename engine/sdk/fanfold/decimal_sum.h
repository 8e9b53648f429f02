// decimal_sum.h: DecimalSum, the exact sum of numbers read from text. Twenty-four bytes.
// Decimals are summed in units of 1e-18 in up to 192 bits; as long as it fits, in 64 bits at the most
// fraction digits seen. Numbers of the double lane (number.h) are summed beside them, exactly too.
// The result of decimals alone is a decimal, with the most fraction digits seen.
#pragma once

#include <fanfold/big_integer.h>
#include <fanfold/box.h>
#include <fanfold/bytes.h>
#include <fanfold/double_sum.h>
#include <fanfold/exact_value.h>
#include <fanfold/fold.h>
#include <fanfold/int128.h>
#include <fanfold/limbs.h>
#include <fanfold/number.h>
#include <fanfold/rounding.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>

namespace fanfold {

class DecimalSum {
 public:
  static constexpr std::size_t packed_bytes = kVariableSize;

  void add(Decimal value) {
    std::int64_t sum = 0;
    if (value.fraction_digits() == fraction_digits_ && value.is_narrow() &&
        !__builtin_add_overflow(narrow_, value.narrow(), &sum)) [[likely]] {
      narrow_ = sum;
      return;
    }
    add_rescaled(value);
  }
  void add(double value) {
    Wide& wide = wide_.ensure();
    wide.has_doubles = true;
    wide.doubles.add(value);
  }
  // Of a number that is one: kinds other than Number::Kind::kNone.
  void add(const Number& value) {
    if (value.kind() == Number::Kind::kDecimal) {
      add(value.decimal());
    } else if (value.kind() == Number::Kind::kDouble) {
      add(value.real());
    }
  }

  void merge(const DecimalSum& other) {
    if (other.wide_) {
      Wide& wide = wide_.ensure();
      wide.units.add(other.wide_->units);
      wide.has_doubles = wide.has_doubles || other.wide_->has_doubles;
      wide.doubles.merge(other.wide_->doubles);
    }
    add_narrow(other.narrow_, other.fraction_digits_);
  }

  // Whether every number was a decimal, so that the result is one.
  [[nodiscard]] bool is_decimal() const noexcept { return !wide_ || !wide_->has_doubles; }
  // The most fraction digits of a decimal seen.
  [[nodiscard]] unsigned fraction_digits() const noexcept { return fraction_digits_; }
  // The double nearest to the exact sum of both lanes.
  [[nodiscard]] double value() const { return exact_value().nearest(); }
  // The decimal sum as it is; with doubles among the numbers, the shortest text that reads back as value().
  [[nodiscard]] std::string text() const {
    if (is_decimal()) return decimal_text(decimal_total(), fraction_digits_);
    std::array<char, 32> buffer{};
    const auto [end, error] = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value());
    return {buffer.data(), error == std::errc{} ? end : buffer.data()};
  }
  // The exact sum with so many fraction digits, halves towards plus infinity; absent when it is not finite.
  [[nodiscard]] std::optional<std::string> rounded(unsigned fraction_digits) const {
    return exact_value().rounded(fraction_digits);
  }
  [[nodiscard]] ExactValue exact_value() const {
    ExactValue result{decimal_total(), BigInteger::from_unsigned(kPowersOfTen[fraction_digits_]), 0, {}};
    if (!is_decimal()) {
      ExactValue doubles = wide_->doubles.exact_value();
      doubles.lower_exponent(0);
      result.lower_exponent(doubles.exponent);
      result.numerator += doubles.numerator * result.denominator;
      result.special = doubles.special;
    }
    return result;
  }

  [[nodiscard]] std::size_t heap_bytes() const noexcept {
    return wide_ ? sizeof(Wide) + wide_->doubles.heap_bytes() : 0;
  }

  // Packed: fraction digits and, as bit 5, whether there are doubles; the sum at those fraction
  // digits; the sum of the doubles.
  [[nodiscard]] std::size_t pack_size() const noexcept {
    return 1 + total().pack_size() + (is_decimal() ? 0 : wide_->doubles.pack_size());
  }
  void pack(std::byte* out) const noexcept { pack_at(out); }
  std::byte* pack_at(std::byte* out) const noexcept {
    *out++ = static_cast<std::byte>(fraction_digits_ | (is_decimal() ? 0U : kDoublesFollow));
    out = total().pack(out);
    return is_decimal() ? out : wide_->doubles.pack_at(out);
  }
  [[nodiscard]] bool unpack(std::span<const std::byte> in) {
    ByteReader reader(in);
    unpack(reader);
    return reader.done();
  }
  void unpack(ByteReader& reader) {
    const unsigned head = reader.integer<std::uint8_t>();
    const unsigned digits = head & ~kDoublesFollow;
    if (digits > Decimal::kFractionDigitsMax) return reader.fail();
    fraction_digits_ = static_cast<std::uint8_t>(digits);
    Units total;
    total.unpack(reader);
    if (!reader.ok()) return;
    if (total.fits_int128() && total.to_int128() >= INT64_MIN && total.to_int128() <= INT64_MAX) {
      narrow_ = static_cast<std::int64_t>(total.to_int128());
    } else {
      // What does not come back from units of 1e-18 is wider than any sum of decimals.
      Units units = total;
      units.multiply(scale());
      Units back = units;
      if (back.divide(scale()) != 0 || back != total) return reader.fail();
      wide_.ensure().units = units;
    }
    if ((head & kDoublesFollow) != 0) {
      Wide& wide = wide_.ensure();
      wide.has_doubles = true;
      wide.doubles.unpack(reader);
    }
  }

 private:
  // Each decimal is below 1e38 units of 1e-18, so 2^64 of them stay below 2^191.
  using Units = Limbs<3>;
  struct Wide {
    Units units;
    DoubleSum doubles;
    bool has_doubles = false;
  };
  static constexpr unsigned kDoublesFollow = 0x20;

  // Units of 1e-18 in one of the narrow sum.
  [[nodiscard]] std::uint64_t scale() const noexcept {
    return kPowersOfTen[Decimal::kFractionDigitsMax - fraction_digits_];
  }
  [[nodiscard]] Units total_units() const noexcept {
    Units units = Units::from_signed(Int128{narrow_} * static_cast<Int128>(scale()));
    if (wide_) units.add(wide_->units);
    return units;
  }
  // The sum at fraction_digits_; no decimal had more, so nothing is cut.
  [[nodiscard]] Units total() const noexcept {
    if (!wide_) return Units::from_signed(narrow_);
    Units units = total_units();
    units.divide(scale());
    return units;
  }
  [[nodiscard]] BigInteger decimal_total() const { return total().exact(); }

  void add_rescaled(Decimal value) {
    if (value.is_narrow()) {
      add_narrow(value.narrow(), value.fraction_digits());
    } else {
      raise_digits(value.fraction_digits());
      wide_.ensure().units.add(Units::from_signed(value.units()));
    }
  }
  void add_narrow(std::int64_t coefficient, unsigned digits) {
    raise_digits(digits);
    std::int64_t rescaled = 0;
    const auto factor = static_cast<std::int64_t>(kPowersOfTen[fraction_digits_ - digits]);
    const bool fits = !__builtin_mul_overflow(coefficient, factor, &rescaled);
    std::int64_t sum = 0;
    if (fits && !__builtin_add_overflow(narrow_, rescaled, &sum)) {
      narrow_ = sum;
      return;
    }
    Units& units = wide_.ensure().units;
    units.add(Units::from_signed(Int128{coefficient} *
                                 static_cast<Int128>(kPowersOfTen[Decimal::kFractionDigitsMax - digits])));
  }
  void raise_digits(unsigned digits) {
    if (digits <= fraction_digits_) return;
    const auto factor = static_cast<std::int64_t>(kPowersOfTen[digits - fraction_digits_]);
    std::int64_t rescaled = 0;
    if (__builtin_mul_overflow(narrow_, factor, &rescaled)) {
      wide_.ensure().units.add(Units::from_signed(Int128{narrow_} * static_cast<Int128>(scale())));
      rescaled = 0;
    }
    narrow_ = rescaled;
    fraction_digits_ = static_cast<std::uint8_t>(digits);
  }

  std::int64_t narrow_ = 0;
  Box<Wide> wide_;
  std::uint8_t fraction_digits_ = 0;
};

static_assert(Fold<DecimalSum> && sizeof(DecimalSum) == 24);

}  // namespace fanfold
