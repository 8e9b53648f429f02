// double_sum.h: DoubleSum, the exact sum of doubles, rounded once when read. Forty bytes.
// NaN and the infinities are flags, so the finite part stays exact; the same bytes in any order of
// adding and merging.
#pragma once

#include <fanfold/big_integer.h>
#include <fanfold/bytes.h>
#include <fanfold/double_parts.h>
#include <fanfold/exact_accumulator.h>
#include <fanfold/exact_value.h>
#include <fanfold/fold.h>
#include <fanfold/rounding.h>

#include <cstddef>
#include <optional>
#include <span>
#include <string>

namespace fanfold {

class DoubleSum {
 public:
  static constexpr std::size_t packed_bytes = kVariableSize;

  void add(double value) {
    const DoubleParts parts = DoubleParts::of(value);
    if (!parts.finite) [[unlikely]] {
      special_.add(value);
      return;
    }
    finite_.add_mantissa(parts.mantissa, parts.negative, parts.position);
  }
  void merge(const DoubleSum& other) {
    finite_.merge(other.finite_);
    special_.merge(other.special_);
  }

  // The double nearest to the exact sum, ties to even; +0 for nothing and for zero, infinite beyond
  // the largest double; NaN after a NaN or after both infinities.
  [[nodiscard]] double value() const noexcept {
    if (special_.any()) return special_.sum();
    return nearest_double(finite_.held_exact(), finite_.held_exponent() - kFractionBits);
  }
  // The exact sum with so many fraction digits, halves towards plus infinity; absent when it is not finite.
  [[nodiscard]] std::optional<std::string> rounded(unsigned fraction_digits) const {
    return exact_value().rounded(fraction_digits);
  }
  [[nodiscard]] ExactValue exact_value() const {
    return {finite_.held_exact(), BigInteger::from_unsigned(1), finite_.held_exponent() - kFractionBits, special_};
  }

  [[nodiscard]] std::size_t heap_bytes() const noexcept { return finite_.heap_bytes(); }
  [[nodiscard]] std::size_t pack_size() const noexcept { return 1 + finite_.pack_size(); }
  void pack(std::byte* out) const noexcept { pack_at(out); }
  std::byte* pack_at(std::byte* out) const noexcept {
    *out++ = static_cast<std::byte>(special_.packed());
    return finite_.pack(out);
  }
  [[nodiscard]] bool unpack(std::span<const std::byte> in) {
    ByteReader reader(in);
    unpack(reader);
    return reader.done();
  }
  void unpack(ByteReader& reader) {
    special_.unpack(reader);
    finite_.unpack(reader);
  }

 private:
  static constexpr int kFractionBits = DoubleParts::kFractionBits;
  // 2046 positions, 53 bits and 64 of carries: 34 limbs.
  [[no_unique_address]] ExactAccumulator<3, 34> finite_;
  [[no_unique_address]] SpecialDoubles special_;
};

static_assert(Fold<DoubleSum> && sizeof(DoubleSum) == 40);

}  // namespace fanfold
