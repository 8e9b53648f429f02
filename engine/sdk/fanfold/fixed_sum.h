// fixed_sum.h: Fixed<K>, a number on the grid of 2^-K, and FixedSum<K>, their exact sum in eight bytes.
// For iterative jobs that choose their grid. The answer is the exact sum in any order. Eight bytes
// cannot also hold what a sum passes through: a partial that leaves 63 bits is lost, stays so, and
// reading it throws Overflow. So where parts of the data sum beyond the grid's range although the
// whole does not, the order may decide whether a run fails; never what it answers. Then take a
// coarser grid, or doubles.
#pragma once

#include <fanfold/big_integer.h>
#include <fanfold/bytes.h>
#include <fanfold/double_parts.h>
#include <fanfold/exact_value.h>
#include <fanfold/fold.h>
#include <fanfold/rounding.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <type_traits>

namespace fanfold {

template <unsigned K>
class Fixed {
 public:
  static_assert(K <= 62);

  constexpr Fixed() = default;
  [[nodiscard]] static constexpr Fixed from_units(std::int64_t units) noexcept {
    Fixed result;
    result.units_ = units;
    return result;
  }
  // The nearest point of the grid, ties to even. NaN and what the grid does not reach have none:
  // they make any sum overflow.
  [[nodiscard]] static Fixed nearest(double value) noexcept {
    const DoubleParts parts = DoubleParts::of(value);
    if (!parts.finite) return from_units(kNone);
    // In units of the grid: mantissa * 2^shift.
    const int shift = static_cast<int>(parts.position) - DoubleParts::kFractionBits + static_cast<int>(K);
    std::uint64_t units = 0;
    if (shift >= 0) {
      if (parts.mantissa != 0 && shift > 10) return from_units(kNone);
      units = shift > 10 ? 0 : parts.mantissa << shift;
    } else if (shift >= -54) {
      const unsigned dropped = static_cast<unsigned>(-shift);
      const std::uint64_t rest = parts.mantissa & ((std::uint64_t{1} << dropped) - 1);
      const std::uint64_t half = std::uint64_t{1} << (dropped - 1);
      units = parts.mantissa >> dropped;
      if (rest > half || (rest == half && (units & 1) != 0)) ++units;
    }
    if ((units >> 63) != 0) return from_units(kNone);
    return from_units(parts.negative ? -static_cast<std::int64_t>(units) : static_cast<std::int64_t>(units));
  }

  [[nodiscard]] constexpr std::int64_t units() const noexcept { return units_; }
  // Not a point of the grid.
  static constexpr std::int64_t kNone = INT64_MIN;

 private:
  std::int64_t units_ = 0;
};

template <unsigned K>
class FixedSum {
 public:
  static constexpr std::size_t packed_bytes = 8;

  constexpr void add(Fixed<K> value) noexcept { add_units(value.units()); }
  constexpr void merge(const FixedSum& other) noexcept { add_units(other.units_); }

  // Throws Overflow when a partial left the grid's 63 bits.
  [[nodiscard]] std::int64_t units() const {
    if (units_ == kLost) {
      throw Overflow("a sum on a grid of 2^-" + std::to_string(K) + " left 63 bits; choose a coarser grid");
    }
    return units_;
  }
  // The double nearest to the exact sum.
  [[nodiscard]] double value() const {
    return nearest_double(BigInteger::from_signed(units()), -static_cast<std::int64_t>(K));
  }
  [[nodiscard]] ExactValue exact_value() const {
    return {BigInteger::from_signed(units()), BigInteger::from_unsigned(1), -static_cast<std::int64_t>(K), {}};
  }

  [[nodiscard]] std::size_t pack_size() const noexcept { return packed_bytes; }
  void pack(std::byte* out) const noexcept { store_little(out, units_); }
  [[nodiscard]] bool unpack(std::span<const std::byte> in) noexcept {
    if (in.size() != packed_bytes) return false;
    units_ = load_little<std::int64_t>(in.data());
    return true;
  }

  friend constexpr bool operator==(const FixedSum&, const FixedSum&) = default;

 private:
  static constexpr std::int64_t kLost = Fixed<K>::kNone;

  constexpr void add_units(std::int64_t units) noexcept {
    std::int64_t sum = 0;
    const bool overflow = __builtin_add_overflow(units_, units, &sum);
    units_ = (overflow || units_ == kLost || units == kLost) ? kLost : sum;
  }

  std::int64_t units_ = 0;
};

static_assert(Fold<FixedSum<20>> && sizeof(FixedSum<20>) == 8 && std::is_trivially_copyable_v<FixedSum<20>>);

}  // namespace fanfold
