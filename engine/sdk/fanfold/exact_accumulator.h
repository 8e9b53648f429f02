// exact_accumulator.h: the exact sum of binary floating-point values, as one wide integer.
// Common sums stay in a small window of limbs inside the object; when exponents or carries leave it,
// the window moves, and where no window holds the sum it goes to a heap integer of the full range.
// Source: Kulisch's long accumulator; the moving window and the canonical bytes are our own.
#pragma once

#include <fanfold/big_integer.h>
#include <fanfold/box.h>
#include <fanfold/bytes.h>
#include <fanfold/int128.h>
#include <fanfold/limbs.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>

namespace fanfold {

// Adds integers magnitude * 2^position. The unit (2^0) is whatever the caller says: 2^-1074 for doubles.
//   kWindowLimbs  64-bit limbs in the object
//   kSpanLimbs    limbs of the full range: the highest position, plus 128 bits, plus 64 bits of carries,
//                 so that 2^64 additions cannot lose the sign
// Two's complement throughout. The window's lowest bit has the weight 2^base, a multiple of 32.
template <std::size_t kWindowLimbs, std::size_t kSpanLimbs>
class ExactAccumulator {
 public:
  // A mantissa below 2^53 at any position that the span has room for: the hot path of sums of doubles.
  void add_mantissa(std::uint64_t mantissa, bool negative, unsigned position) requires(kWindowLimbs == 3) {
    // One comparison decides: an unset base (nothing yet, or all on the heap) is far away too.
    const unsigned offset = position - base_;
    if (offset <= 64 * kWindowLimbs - 54) [[likely]] {
      // The value as two limbs of two's complement, set at one of the window's limbs by masks: ordinary
      // data straddles the limbs, so no prediction of a branch would hold.
      const auto flip = -static_cast<std::int64_t>(negative);
      const std::int64_t value = (static_cast<std::int64_t>(mantissa) ^ flip) - flip;
      const unsigned shift = offset % 64;
      const auto low = static_cast<std::uint64_t>(value) << shift;
      const auto high = static_cast<std::uint64_t>((value >> 1) >> (63 - shift));
      const auto sign = static_cast<std::uint64_t>(value >> 63);
      const std::uint64_t at_0 = std::uint64_t{0} - static_cast<std::uint64_t>(offset < 64);
      const std::uint64_t at_2 = std::uint64_t{0} - static_cast<std::uint64_t>(offset >= 128);
      const std::uint64_t at_1 = ~(at_0 | at_2);
      const UInt128 lower = join_halves(low & at_0, (high & at_0) | (low & at_1));
      const std::uint64_t upper = (sign & at_0) | (high & at_1) | (low & at_2);
      const UInt128 sum = join_halves(window_[0], window_[1]) + lower;
      const std::uint64_t top = window_[2] + upper + static_cast<std::uint64_t>(sum < lower);
      if (((window_[2] ^ top) & (upper ^ top)) >> 63 == 0) [[likely]] {
        window_[0] = low_half(sum);
        window_[1] = high_half(sum);
        window_[2] = top;
        return;
      }
    }
    add_outside(mantissa, negative, position);
  }

  // A square below 2^106, likewise.
  void add_square(UInt128 square, unsigned position) {
    const unsigned offset = position - base_;
    if (offset <= 64 * kWindowLimbs - 107) [[likely]] {
      const unsigned shift = offset % 64;
      const UInt128 low = square << shift;
      const std::size_t at = offset / 64;
      // Set by address, beyond the end where the highest limb is empty.
      std::array<std::uint64_t, kWindowLimbs + 2> parts{};
      parts[at] = low_half(low);
      parts[at + 1] = high_half(low);
      parts[at + 2] = overhang(square, shift);
      if (add_window(std::span(parts).template first<kWindowLimbs>())) [[likely]]
        return;
    }
    add_outside(square, false, position);
  }

  void merge(const ExactAccumulator& other) {
    if (other.base_ == kUnset && !other.span_) return;
    if (&other == this) return merge(ExactAccumulator(other));
    if (base_ == kUnset && !span_) {
      *this = other;
      return;
    }
    if (!span_ && !other.span_) {
      if (base_ == other.base_) {
        if (add_window(other.window_)) return;
      } else if (base_ < other.base_) {
        if (add_shifted(other.window_, other.base_ - base_)) return;
      } else {
        ExactAccumulator lower = other;
        if (lower.add_shifted(window_, base_ - lower.base_)) {
          *this = std::move(lower);
          return;
        }
      }
    }
    if (span_) {
      other.add_to(*span_);
      return;
    }
    Span sum;
    add_to(sum);
    other.add_to(sum);
    store(sum);
  }

  // The sum is held_exact() * 2^held_exponent() units.
  [[nodiscard]] BigInteger held_exact() const { return BigInteger::from_limbs(held()); }
  [[nodiscard]] std::int64_t held_exponent() const noexcept { return base_ == kUnset ? 0 : base_; }

  [[nodiscard]] bool is_negative() const noexcept { return (held().back() >> 63) != 0; }

  [[nodiscard]] std::size_t heap_bytes() const noexcept { return span_ ? sizeof(Span) : 0; }

  // Packed: how many bytes, the index of the first of them, the bytes of two's complement from the
  // lowest that is not zero to the highest that tells; for zero, 0 alone.
  [[nodiscard]] std::size_t pack_size() const noexcept {
    const Range range = significant();
    return range.size == 0 ? 1 : varint_size(range.size) + varint_size(range.first) + range.size;
  }
  std::byte* pack(std::byte* out) const noexcept {
    const Range range = significant();
    out = store_varint(out, range.size);
    if (range.size == 0) return out;
    out = store_varint(out, range.first);
    const std::size_t lowest = span_ ? 0 : base_ / 8;
    const auto limbs = held();
    copy_limb_bytes(out, limbs, range.first - lowest, range.size);
    return out + range.size;
  }
  // Into a new accumulator; fails the reader on anything that pack() does not write.
  void unpack(ByteReader& reader) {
    const std::uint64_t size = reader.varint();
    if (size == 0) return;
    const std::uint64_t first = reader.varint();
    const auto bytes = reader.take(size);
    if (!reader.ok()) return;
    if (size > 8 * kSpanLimbs || first > 8 * kSpanLimbs - size) return reader.fail();
    const unsigned top = static_cast<unsigned>(bytes.back());
    const unsigned sign = (top & 0x80U) != 0 ? 0xffU : 0;
    if (bytes.front() == std::byte{0}) return reader.fail();
    if (top == sign && (size == 1 ? sign == 0 : ((static_cast<unsigned>(bytes[size - 2]) ^ sign) & 0x80U) == 0)) {
      return reader.fail();
    }
    if (size + 3 <= 8 * kWindowLimbs) {
      // A base of whole 32 bits at or below the first byte; the sums to come have room on both sides.
      const auto room = (8 * kWindowLimbs - 3 - size) * 2 / 5;
      const auto base = (first - std::min(first, room)) / 4 * 4;
      set_limb_bytes(window_, bytes, static_cast<std::size_t>(first - base));
      base_ = static_cast<std::uint16_t>(8 * base);
      return;
    }
    Span sum;
    set_limb_bytes(sum.limbs, bytes, static_cast<std::size_t>(first));
    store(sum);
  }

 private:
  static constexpr std::uint16_t kUnset = 0xffff;
  static_assert(64 * kSpanLimbs + 64 * kWindowLimbs < kUnset);

  struct Span {
    std::array<std::uint64_t, kSpanLimbs> limbs{};

    // Adds three limbs of magnitude at limb `at`, or takes them away.
    void add(const std::array<std::uint64_t, 3>& parts, bool negative, std::size_t at) noexcept {
      std::uint64_t carry = 0;
      for (std::size_t i = at; i < kSpanLimbs; ++i) {
        const std::uint64_t part = i - at < 3 ? parts[i - at] : 0;
        if (i - at >= 3 && carry == 0) return;
        if (negative) {
          const UInt128 difference = static_cast<UInt128>(limbs[i]) - part - carry;
          limbs[i] = low_half(difference);
          carry = high_half(difference) != 0 ? 1 : 0;
        } else {
          const UInt128 sum = static_cast<UInt128>(limbs[i]) + part + carry;
          limbs[i] = low_half(sum);
          carry = high_half(sum);
        }
      }
    }
  };

  struct Range {
    std::size_t first = 0;  // Index of the lowest byte that is not zero, from position 0.
    std::size_t size = 0;
  };

  // What a shift by fewer than 64 pushes out of 128 bits.
  [[nodiscard]] static std::uint64_t overhang(UInt128 magnitude, unsigned shift) noexcept {
    return (high_half(magnitude) >> 1) >> (63 - shift);
  }

  [[gnu::noinline]] void add_outside(UInt128 magnitude, bool negative, unsigned position) {
    if (magnitude == 0) return;
    const unsigned shift = position % 64;
    const UInt128 low = magnitude << shift;
    const std::array<std::uint64_t, 3> parts{low_half(low), high_half(low), overhang(magnitude, shift)};
    if (span_) {
      span_->add(parts, negative, position / 64);
      return;
    }
    Span sum;
    if (base_ != kUnset) add_to(sum);
    sum.add(parts, negative, position / 64);
    store(sum);
  }

  // Adds a window of the same base, unless the sign would be lost. In place, and taken back then: a
  // sum held aside is copied in wider words than it was written in, which stalls the next addition.
  [[nodiscard]] bool add_window(std::span<const std::uint64_t, kWindowLimbs> other) noexcept {
    const std::uint64_t old_top = window_[kWindowLimbs - 1];
    std::uint64_t carry = 0;
    for (std::size_t i = 0; i < kWindowLimbs; ++i) {
      const UInt128 limb = static_cast<UInt128>(window_[i]) + other[i] + carry;
      window_[i] = low_half(limb);
      carry = high_half(limb);
    }
    const std::uint64_t top = window_[kWindowLimbs - 1];
    if (((old_top ^ top) & (other[kWindowLimbs - 1] ^ top)) >> 63 == 0) [[likely]]
      return true;
    std::uint64_t borrow = 0;
    for (std::size_t i = 0; i < kWindowLimbs; ++i) {
      const UInt128 limb = static_cast<UInt128>(window_[i]) - other[i] - borrow;
      window_[i] = low_half(limb);
      borrow = high_half(limb) != 0 ? 1 : 0;
    }
    return false;
  }
  // Adds a window whose base is `distance` bits higher, unless bits would be lost.
  [[nodiscard]] bool add_shifted(const std::array<std::uint64_t, kWindowLimbs>& other, unsigned distance) noexcept {
    const std::uint64_t sign = (other[kWindowLimbs - 1] >> 63) != 0 ? ~std::uint64_t{0} : 0;
    std::size_t redundant = 0;  // Leading bits that repeat the sign, the sign itself not counted.
    for (std::size_t i = kWindowLimbs; i-- > 0;) {
      const auto same = static_cast<std::size_t>(std::countl_zero(other[i] ^ sign));
      redundant += same;
      if (same != 64) break;
    }
    if (redundant < distance + 1) return false;
    const std::size_t whole = distance / 64;
    const unsigned part = distance % 64;
    std::array<std::uint64_t, kWindowLimbs> shifted{};
    for (std::size_t i = whole; i < kWindowLimbs; ++i) {
      const std::uint64_t below = i > whole ? other[i - whole - 1] : 0;
      shifted[i] = part == 0 ? other[i - whole] : (other[i - whole] << part) | (below >> (64 - part));
    }
    return add_window(shifted);
  }

  // Adds this sum to one of the full range.
  void add_to(Span& sum) const noexcept {
    std::array<std::uint64_t, kSpanLimbs> mine;
    if (span_) {
      mine = span_->limbs;
    } else {
      if (base_ == kUnset) return;
      const std::uint64_t sign = (window_[kWindowLimbs - 1] >> 63) != 0 ? ~std::uint64_t{0} : 0;
      const std::size_t whole = base_ / 64;
      const unsigned part = base_ % 64;
      const auto window_at = [&](std::size_t i) {
        return i < whole ? 0 : i - whole < kWindowLimbs ? window_[i - whole] : sign;
      };
      for (std::size_t i = 0; i < kSpanLimbs; ++i) {
        mine[i] = part == 0 ? window_at(i) : (window_at(i) << part) | (i == 0 ? 0 : window_at(i - 1) >> (64 - part));
      }
    }
    std::uint64_t carry = 0;
    for (std::size_t i = 0; i < kSpanLimbs; ++i) {
      const UInt128 limb = static_cast<UInt128>(sum.limbs[i]) + mine[i] + carry;
      sum.limbs[i] = low_half(limb);
      carry = high_half(limb);
    }
  }

  // Takes the sum into a window that holds it, with room on both sides, or to the heap.
  void store(const Span& sum) {
    const std::uint64_t sign = (sum.limbs[kSpanLimbs - 1] >> 63) != 0 ? ~std::uint64_t{0} : 0;
    std::size_t low = 0;
    while (low < kSpanLimbs && sum.limbs[low] == 0) ++low;
    if (low == kSpanLimbs) {
      base_ = kUnset;
      window_.fill(0);
      return;
    }
    std::size_t high = kSpanLimbs - 1;
    while (high > low && sum.limbs[high] == sign) --high;
    const std::size_t low_bit = 64 * low + static_cast<std::size_t>(std::countr_zero(sum.limbs[low]));
    const std::size_t high_bit = 64 * high + 64 - static_cast<std::size_t>(std::countl_zero(sum.limbs[high] ^ sign));
    // high_bit is one above the highest bit that differs from the sign; the sign takes one more.
    const std::size_t used = high_bit > low_bit ? high_bit - low_bit + 1 : 2;
    if (used + 31 > 64 * kWindowLimbs) {
      span_.emplace(sum);
      base_ = kUnset;
      window_.fill(0);
      return;
    }
    // Values grow by their number as well as by their size: a little more of the room goes above.
    const std::size_t room_below = (64 * kWindowLimbs - used - 31) * 2 / 5;
    const std::size_t base = low_bit > room_below ? (low_bit - room_below) / 32 * 32 : 0;
    base_ = static_cast<std::uint16_t>(base);
    const std::size_t whole = base / 64;
    const unsigned part = base % 64;
    const auto limb_at = [&](std::size_t i) { return i < kSpanLimbs ? sum.limbs[i] : sign; };
    for (std::size_t i = 0; i < kWindowLimbs; ++i) {
      window_[i] =
          part == 0 ? limb_at(i + whole) : (limb_at(i + whole) >> part) | (limb_at(i + whole + 1) << (64 - part));
    }
  }

  [[nodiscard]] std::span<const std::uint64_t> held() const noexcept {
    if (span_) return span_->limbs;
    return window_;
  }
  [[nodiscard]] Range significant() const noexcept {
    const auto limbs = held();
    const std::uint64_t sign = (limbs.back() >> 63) != 0 ? ~std::uint64_t{0} : 0;
    std::size_t low = 0;
    while (low < limbs.size() && limbs[low] == 0) ++low;
    if (low == limbs.size()) return {};
    std::size_t high = limbs.size() - 1;
    while (high > low && limbs[high] == sign) --high;
    const std::size_t first = 8 * low + static_cast<std::size_t>(std::countr_zero(limbs[low])) / 8;
    // Bits up to the highest that differs from the sign, and one for the sign, in whole bytes.
    const std::size_t bits = 64 * high + 64 - static_cast<std::size_t>(std::countl_zero(limbs[high] ^ sign)) + 1;
    const std::size_t end = std::max((bits + 7) / 8, first + 1);
    return {first + (span_ ? 0 : base_ / 8U), end - first};
  }

  std::array<std::uint64_t, kWindowLimbs> window_{};
  Box<Span> span_;
  std::uint16_t base_ = kUnset;
};

}  // namespace fanfold
