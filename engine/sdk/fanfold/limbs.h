// limbs.h: two's complement integers of a fixed number of 64-bit limbs, the lowest first, and their
// canonical bytes: the fewest that hold the value. States of folds are made of these; whatever is
// wider or rarer is big_integer.h's.
#pragma once

#include <fanfold/big_integer.h>
#include <fanfold/bytes.h>
#include <fanfold/int128.h>

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

namespace fanfold {

// `size` bytes of limbs from the index `first` on, the lowest first.
inline void copy_limb_bytes(std::byte* out, std::span<const std::uint64_t> limbs, std::size_t first,
                            std::size_t size) noexcept {
  if constexpr (std::endian::native == std::endian::little) {
    std::memcpy(out, reinterpret_cast<const std::byte*>(limbs.data()) + first, size);
  } else {
    for (std::size_t i = first; i < first + size; ++i) *out++ = static_cast<std::byte>(limbs[i / 8] >> (8 * (i % 8)));
  }
}

// Limbs with these bytes of two's complement from the index `first` on: zeros below, the sign above.
template <std::size_t kLimbs>
void set_limb_bytes(std::array<std::uint64_t, kLimbs>& limbs, std::span<const std::byte> bytes,
                    std::size_t first) noexcept {
  const bool negative = !bytes.empty() && (static_cast<unsigned>(bytes.back()) & 0x80U) != 0;
  const unsigned sign = negative ? 0xffU : 0U;
  std::array<std::byte, 8 * kLimbs> flat;
  std::memset(flat.data(), 0, first);
  if (!bytes.empty()) std::memcpy(flat.data() + first, bytes.data(), bytes.size());
  std::memset(flat.data() + first + bytes.size(), static_cast<int>(sign), flat.size() - first - bytes.size());
  for (std::size_t i = 0; i < kLimbs; ++i) limbs[i] = load_little<std::uint64_t>(flat.data() + 8 * i);
}

template <std::size_t kLimbs>
class Limbs {
 public:
  constexpr Limbs() = default;
  [[nodiscard]] static constexpr Limbs from_signed(Int128 value) noexcept {
    Limbs result;
    result.limbs_.fill(value < 0 ? ~std::uint64_t{0} : 0);
    result.limbs_[0] = low_half(static_cast<UInt128>(value));
    result.limbs_[1] = high_half(static_cast<UInt128>(value));
    return result;
  }
  [[nodiscard]] static constexpr Limbs from_unsigned(UInt128 value) noexcept {
    static_assert(kLimbs > 2, "two limbs have no room for a sign above an unsigned number");
    Limbs result;
    result.limbs_[0] = low_half(value);
    result.limbs_[1] = high_half(value);
    return result;
  }

  // Modulo 2^(64 * kLimbs); true when the sign was lost.
  constexpr bool add(const Limbs& other) noexcept {
    const std::uint64_t top = limbs_[kLimbs - 1];
    std::uint64_t carry = 0;
    for (std::size_t i = 0; i < kLimbs; ++i) {
      const UInt128 sum = static_cast<UInt128>(limbs_[i]) + other.limbs_[i] + carry;
      limbs_[i] = low_half(sum);
      carry = high_half(sum);
    }
    return (((top ^ limbs_[kLimbs - 1]) & (other.limbs_[kLimbs - 1] ^ limbs_[kLimbs - 1])) >> 63) != 0;
  }
  constexpr void negate() noexcept {
    std::uint64_t carry = 1;
    for (std::uint64_t& limb : limbs_) {
      limb = ~limb + carry;
      carry = (carry != 0 && limb == 0) ? 1 : 0;
    }
  }
  // Times a factor, modulo 2^(64 * kLimbs).
  constexpr void multiply(std::uint64_t factor) noexcept {
    std::uint64_t carry = 0;
    for (std::uint64_t& limb : limbs_) {
      const UInt128 product = static_cast<UInt128>(limb) * factor + carry;
      limb = low_half(product);
      carry = high_half(product);
    }
  }
  // Times 2^64, modulo 2^(64 * kLimbs).
  constexpr void shift_up_one_limb() noexcept {
    for (std::size_t i = kLimbs; i-- > 1;) limbs_[i] = limbs_[i - 1];
    limbs_[0] = 0;
  }
  // Divides by a factor; returns the rest of the magnitude.
  constexpr std::uint64_t divide(std::uint64_t divisor) noexcept {
    const bool negative = is_negative();
    if (negative) negate();
    std::uint64_t rest = 0;
    for (std::size_t i = kLimbs; i-- > 0;) {
      const UInt128 part = join_halves(limbs_[i], rest);
      limbs_[i] = static_cast<std::uint64_t>(part / divisor);
      rest = static_cast<std::uint64_t>(part % divisor);
    }
    if (negative) negate();
    return rest;
  }

  [[nodiscard]] constexpr bool is_negative() const noexcept { return (limbs_[kLimbs - 1] >> 63) != 0; }
  [[nodiscard]] constexpr bool is_zero() const noexcept {
    for (const std::uint64_t limb : limbs_) {
      if (limb != 0) return false;
    }
    return true;
  }
  // Whether the value is one of 128 signed bits, and that.
  [[nodiscard]] constexpr bool fits_int128() const noexcept {
    const std::uint64_t sign = (limbs_[1] >> 63) != 0 ? ~std::uint64_t{0} : 0;
    for (std::size_t i = 2; i < kLimbs; ++i) {
      if (limbs_[i] != sign) return false;
    }
    return true;
  }
  [[nodiscard]] constexpr Int128 to_int128() const noexcept {
    return static_cast<Int128>(join_halves(limbs_[0], limbs_[1]));
  }
  [[nodiscard]] BigInteger exact() const { return BigInteger::from_limbs(limbs_); }
  [[nodiscard]] constexpr std::span<const std::uint64_t, kLimbs> limbs() const noexcept { return limbs_; }

  // A byte with the number of bytes that follow, then the fewest bytes of two's complement; zero has none.
  [[nodiscard]] std::size_t pack_size() const noexcept { return 1 + significant_bytes(); }
  std::byte* pack(std::byte* out) const noexcept {
    const std::size_t size = significant_bytes();
    *out++ = static_cast<std::byte>(size);
    copy_limb_bytes(out, limbs_, 0, size);
    return out + size;
  }
  // Reads what pack() wrote; fails the reader on anything else.
  void unpack(ByteReader& reader) noexcept {
    const auto size = reader.integer<std::uint8_t>();
    const auto bytes = reader.take(size);
    if (!reader.ok()) return;
    if (bytes.size() > 8 * kLimbs) return reader.fail();
    set_limb_bytes(limbs_, bytes, 0);
    if (significant_bytes() != bytes.size()) reader.fail();
  }

  friend constexpr bool operator==(const Limbs&, const Limbs&) = default;

 private:
  static_assert(kLimbs >= 2 && 8 * kLimbs < 256);

  [[nodiscard]] std::size_t significant_bytes() const noexcept {
    const std::uint64_t sign = is_negative() ? ~std::uint64_t{0} : 0;
    std::size_t top = kLimbs - 1;
    while (top > 0 && limbs_[top] == sign) --top;
    // Bits up to the highest that differs from the sign, and one for the sign, in whole bytes.
    const auto bits = 64 * (top + 1) - static_cast<std::size_t>(std::countl_zero(limbs_[top] ^ sign)) + 1;
    return bits == 1 && sign == 0 ? 0 : (bits + 7) / 8;
  }

  std::array<std::uint64_t, kLimbs> limbs_{};
};

}  // namespace fanfold
