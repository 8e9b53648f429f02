// square_sum.h: SquareSum<T>, the exact sum of squares of integers, doubles or Decimal: the second
// moment under Variance. A part of a fold's state: packs and unpacks in the midst of others.
#pragma once

#include <fanfold/big_integer.h>
#include <fanfold/box.h>
#include <fanfold/bytes.h>
#include <fanfold/double_parts.h>
#include <fanfold/exact_accumulator.h>
#include <fanfold/exact_value.h>
#include <fanfold/int128.h>
#include <fanfold/limbs.h>
#include <fanfold/number.h>
#include <fanfold/sum.h>

#include <cstddef>
#include <cstdint>

namespace fanfold {

template <class T>
class SquareSum;

// A square has 128 bits at most, and 2^63 of them fit 192.
template <SummableInteger T>
class SquareSum<T> {
 public:
  void add(T value) noexcept {
    const UInt128 magnitude = magnitude_of(Int128{value});
    squares_.add(Limbs<3>::from_unsigned(magnitude * magnitude));
  }
  void merge(const SquareSum& other) noexcept { squares_.add(other.squares_); }
  [[nodiscard]] ExactValue exact_value() const { return {squares_.exact(), BigInteger::from_unsigned(1), 0, {}}; }
  // Whether both sums may have come from the same values: then their denominators belong together.
  [[nodiscard]] bool belongs_to(const Sum<T>&) const noexcept { return true; }

  [[nodiscard]] std::size_t heap_bytes() const noexcept { return 0; }
  [[nodiscard]] std::size_t pack_size() const noexcept { return squares_.pack_size(); }
  std::byte* pack_at(std::byte* out) const noexcept { return squares_.pack(out); }
  void unpack(ByteReader& reader) noexcept {
    squares_.unpack(reader);
    if (squares_.is_negative()) reader.fail();
  }

 private:
  Limbs<3> squares_;
};

// The square of a mantissa has 106 bits at twice the position: the sum is exact down to 2^-2148.
template <>
class SquareSum<double> {
 public:
  // NaN and the infinities are left to the sum beside this one, which keeps them as flags.
  void add(double value) {
    const DoubleParts parts = DoubleParts::of(value);
    if (parts.finite) {
      squares_.add_square(static_cast<UInt128>(parts.mantissa) * parts.mantissa, 2 * parts.position);
    }
  }
  void merge(const SquareSum& other) { squares_.merge(other.squares_); }
  [[nodiscard]] ExactValue exact_value() const {
    return {squares_.held_exact(),
            BigInteger::from_unsigned(1),
            squares_.held_exponent() - 2 * DoubleParts::kFractionBits,
            {}};
  }
  [[nodiscard]] bool belongs_to(const DoubleSum&) const noexcept { return true; }

  [[nodiscard]] std::size_t heap_bytes() const noexcept { return squares_.heap_bytes(); }
  [[nodiscard]] std::size_t pack_size() const noexcept { return squares_.pack_size(); }
  std::byte* pack_at(std::byte* out) const noexcept { return squares_.pack(out); }
  void unpack(ByteReader& reader) {
    squares_.unpack(reader);
    if (reader.ok() && squares_.is_negative()) reader.fail();
  }

 private:
  // 4091 positions, 106 bits and 64 of carries: 67 limbs. The window is twice as wide as that of the
  // sum, for squares have twice its range of exponents, less what carries share.
  ExactAccumulator<5, 67> squares_;
};

// Squares at twice the most fraction digits seen, in 128 bits while they fit; then in units of 1e-36.
template <>
class SquareSum<Decimal> {
 public:
  void add(Decimal value) {
    raise_digits(value.fraction_digits());
    if (value.is_narrow()) {
      // The coefficient at our fraction digits, where 64 bits hold it.
      const UInt128 magnitude =
          magnitude_of(Int128{value.narrow()}) * kPowersOfTen[fraction_digits_ - value.fraction_digits()];
      UInt128 sum = 0;
      if (high_half(magnitude) == 0 && !__builtin_add_overflow(narrow(), magnitude * magnitude, &sum)) [[likely]] {
        set_narrow(sum);
        return;
      }
    }
    // Below 1e38 units of 1e-18, so the square has 253 bits at most: in halves of 64.
    const UInt128 units = magnitude_of(value.units());
    Units square = Units::from_unsigned(units);
    square.multiply(high_half(units));
    square.shift_up_one_limb();
    Units low = Units::from_unsigned(units);
    low.multiply(low_half(units));
    square.add(low);
    wide_.ensure().squares.add(square);
  }
  void add(double value) {
    Wide& wide = wide_.ensure();
    wide.has_doubles = true;
    wide.doubles.add(value);
  }
  void add(const Number& value) {
    if (value.kind() == Number::Kind::kDecimal) {
      add(value.decimal());
    } else if (value.kind() == Number::Kind::kDouble) {
      add(value.real());
    }
  }
  void merge(const SquareSum& other) {
    raise_digits(other.fraction_digits_);
    if (other.wide_) {
      Wide& wide = wide_.ensure();
      wide.squares.add(other.wide_->squares);
      wide.has_doubles = wide.has_doubles || other.wide_->has_doubles;
      wide.doubles.merge(other.wide_->doubles);
    }
    const std::uint64_t factor = kPowersOfTen[fraction_digits_ - other.fraction_digits_];
    UInt128 sum = 0;
    if (!__builtin_mul_overflow(other.narrow(), UInt128{factor} * factor, &sum) &&
        !__builtin_add_overflow(narrow(), sum, &sum)) {
      set_narrow(sum);
    } else {
      wide_.ensure().squares.add(other.narrow_units());
    }
  }
  [[nodiscard]] ExactValue exact_value() const {
    const BigInteger scale = BigInteger::from_unsigned(kPowersOfTen[fraction_digits_]);
    ExactValue result{total().exact(), scale * scale, 0, {}};
    if (has_doubles()) {
      ExactValue doubles = wide_->doubles.exact_value();
      doubles.lower_exponent(0);
      result.lower_exponent(doubles.exponent);
      result.numerator += doubles.numerator * result.denominator;
    }
    return result;
  }
  [[nodiscard]] bool belongs_to(const DecimalSum& sum) const noexcept {
    return sum.fraction_digits() == fraction_digits_ && sum.is_decimal() == !has_doubles();
  }

  [[nodiscard]] std::size_t heap_bytes() const noexcept {
    return wide_ ? sizeof(Wide) + wide_->doubles.heap_bytes() : 0;
  }
  // Packed as DecimalSum is.
  [[nodiscard]] std::size_t pack_size() const noexcept {
    return 1 + total().pack_size() + (has_doubles() ? wide_->doubles.pack_size() : 0);
  }
  std::byte* pack_at(std::byte* out) const noexcept {
    *out++ = static_cast<std::byte>(fraction_digits_ | (has_doubles() ? kDoublesFollow : 0U));
    out = total().pack(out);
    return has_doubles() ? wide_->doubles.pack_at(out) : out;
  }
  void unpack(ByteReader& reader) {
    const unsigned head = reader.integer<std::uint8_t>();
    const unsigned digits = head & ~kDoublesFollow;
    if (digits > Decimal::kFractionDigitsMax) return reader.fail();
    fraction_digits_ = static_cast<std::uint8_t>(digits);
    Units total;
    total.unpack(reader);
    if (!reader.ok()) return;
    if (total.is_negative()) return reader.fail();
    const auto limbs = total.limbs();
    if (limbs[2] == 0 && limbs[3] == 0 && limbs[4] == 0) {
      set_narrow(join_halves(limbs[0], limbs[1]));
    } else {
      Units units = total;
      units.multiply(scale());
      units.multiply(scale());
      Units back = units;
      if (units.is_negative() || back.divide(scale()) != 0 || back.divide(scale()) != 0 || back != total) {
        return reader.fail();
      }
      wide_.ensure().squares = units;
    }
    if ((head & kDoublesFollow) != 0) {
      Wide& wide = wide_.ensure();
      wide.has_doubles = true;
      wide.doubles.unpack(reader);
    }
  }

 private:
  // 2^64 squares of 253 bits stay below 2^317.
  using Units = Limbs<5>;
  struct Wide {
    Units squares;
    SquareSum<double> doubles;
    bool has_doubles = false;
  };
  static constexpr unsigned kDoublesFollow = 0x20;

  [[nodiscard]] bool has_doubles() const noexcept { return wide_ && wide_->has_doubles; }
  [[nodiscard]] UInt128 narrow() const noexcept { return join_halves(low_, high_); }
  void set_narrow(UInt128 value) noexcept {
    low_ = low_half(value);
    high_ = high_half(value);
  }
  [[nodiscard]] std::uint64_t scale() const noexcept {
    return kPowersOfTen[Decimal::kFractionDigitsMax - fraction_digits_];
  }
  [[nodiscard]] Units narrow_units() const noexcept {
    Units units = Units::from_unsigned(narrow());
    units.multiply(scale());
    units.multiply(scale());
    return units;
  }
  // The sum at twice fraction_digits_; nothing is cut.
  [[nodiscard]] Units total() const noexcept {
    if (!wide_) return Units::from_unsigned(narrow());
    Units units = narrow_units();
    units.add(wide_->squares);
    units.divide(scale());
    units.divide(scale());
    return units;
  }
  void raise_digits(unsigned digits) {
    if (digits <= fraction_digits_) return;
    const std::uint64_t factor = kPowersOfTen[digits - fraction_digits_];
    UInt128 rescaled = 0;
    if (__builtin_mul_overflow(narrow(), UInt128{factor} * factor, &rescaled)) {
      wide_.ensure().squares.add(narrow_units());
      rescaled = 0;
    }
    set_narrow(rescaled);
    fraction_digits_ = static_cast<std::uint8_t>(digits);
  }

  std::uint64_t low_ = 0;
  std::uint64_t high_ = 0;
  Box<Wide> wide_;
  std::uint8_t fraction_digits_ = 0;
};

}  // namespace fanfold
