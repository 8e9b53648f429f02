// integer_sum.h: IntegerSum, the sum of 64-bit integers in 128 bits. Sixteen bytes.
// Overflow of 64 bits is judged when the sum is read, by the true total, never on the way. 2^63
// values at least fit into the state; a state that leaves it all the same stays lost for good.
#pragma once

#include <fanfold/big_integer.h>
#include <fanfold/bytes.h>
#include <fanfold/exact_value.h>
#include <fanfold/fold.h>
#include <fanfold/int128.h>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <type_traits>

namespace fanfold {

template <class T>
requires std::same_as<T, std::int64_t> || std::same_as<T, std::uint64_t>
class IntegerSum {
 public:
  static constexpr std::size_t packed_bytes = 16;

  constexpr void add(T value) noexcept { add_total(static_cast<Int128>(value)); }
  constexpr void merge(const IntegerSum& other) noexcept {
    if (other.lost()) {
      set(kLost);
    } else {
      add_total(other.total());
    }
  }

  // Throws Overflow when the total does not fit T.
  [[nodiscard]] T value() const {
    const Int128 exact = exact_total();
    if (exact < std::numeric_limits<T>::min() || exact > std::numeric_limits<T>::max()) {
      throw Overflow("the sum " + BigInteger::from_signed(exact).text() +
                     " does not fit 64 bits; sum decimals or doubles instead");
    }
    return static_cast<T>(exact);
  }
  // The total itself; throws Overflow beyond 128 bits.
  [[nodiscard]] Int128 exact_total() const {
    if (lost()) throw Overflow("a sum of integers left 128 bits; it cannot be told any more");
    return total();
  }
  [[nodiscard]] ExactValue exact_value() const {
    return {BigInteger::from_signed(exact_total()), BigInteger::from_unsigned(1), 0, {}};
  }

  [[nodiscard]] std::size_t pack_size() const noexcept { return packed_bytes; }
  void pack(std::byte* out) const noexcept {
    store_little(out, low_);
    store_little(out + 8, high_);
  }
  [[nodiscard]] bool unpack(std::span<const std::byte> in) noexcept {
    if (in.size() != packed_bytes) return false;
    low_ = load_little<std::uint64_t>(in.data());
    high_ = load_little<std::uint64_t>(in.data() + 8);
    return !lost() || low_ == 0;
  }

  friend constexpr bool operator==(const IntegerSum&, const IntegerSum&) = default;

 private:
  static constexpr Int128 kLost = kInt128Min;

  // The 2^64 numbers next to the lowest one count as lost too, so that one comparison tells.
  [[nodiscard]] constexpr bool lost() const noexcept { return high_ == std::uint64_t{1} << 63; }
  [[nodiscard]] constexpr Int128 total() const noexcept { return static_cast<Int128>(join_halves(low_, high_)); }
  constexpr void set(Int128 value) noexcept {
    low_ = low_half(static_cast<UInt128>(value));
    high_ = high_half(static_cast<UInt128>(value));
  }
  constexpr void add_total(Int128 value) noexcept {
    if (lost()) [[unlikely]]
      return;
    Int128 sum = 0;
    const bool overflow = __builtin_add_overflow(total(), value, &sum);
    set(sum);
    if (overflow || lost()) [[unlikely]]
      set(kLost);
  }

  // Halves: a 128-bit member would ask for an alignment of 16 bytes.
  std::uint64_t low_ = 0;
  std::uint64_t high_ = 0;
};

static_assert(Fold<IntegerSum<std::int64_t>> && Fold<IntegerSum<std::uint64_t>>);
static_assert(sizeof(IntegerSum<std::int64_t>) == 16 && std::is_trivially_copyable_v<IntegerSum<std::int64_t>>);

}  // namespace fanfold
