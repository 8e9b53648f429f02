// bytes.h: little-endian integers in byte strings, for the packed forms of folds.
// Every read is bounded: a ByteReader that runs out stays failed, and says so at the end.
#pragma once

#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <type_traits>

namespace fanfold {

template <std::integral T>
inline void store_little(std::byte* out, T value) noexcept {
  using Bits = std::make_unsigned_t<T>;
  const Bits bits = static_cast<Bits>(value);
  if constexpr (std::endian::native == std::endian::little) {
    std::memcpy(out, &bits, sizeof bits);
  } else {
    for (std::size_t i = 0; i < sizeof bits; ++i) out[i] = static_cast<std::byte>(bits >> (8 * i));
  }
}

template <std::integral T>
[[nodiscard]] inline T load_little(const std::byte* in) noexcept {
  using Bits = std::make_unsigned_t<T>;
  Bits bits = 0;
  if constexpr (std::endian::native == std::endian::little) {
    std::memcpy(&bits, in, sizeof bits);
  } else {
    for (std::size_t i = 0; i < sizeof bits; ++i) {
      bits = static_cast<Bits>(bits | static_cast<Bits>(static_cast<Bits>(in[i]) << (8 * i)));
    }
  }
  return static_cast<T>(bits);
}

// Sizes and counts inside packed forms: seven bits a byte, the lowest first, the high bit says that
// more follow; the shortest form is the only one.
[[nodiscard]] inline std::size_t varint_size(std::uint64_t value) noexcept {
  return value == 0 ? 1 : (static_cast<std::size_t>(std::bit_width(value)) + 6) / 7;
}

inline std::byte* store_varint(std::byte* out, std::uint64_t value) noexcept {
  for (; value >= 0x80; value >>= 7) *out++ = static_cast<std::byte>((value & 0x7f) | 0x80);
  *out++ = static_cast<std::byte>(value);
  return out;
}

// A cursor over bytes that may be hostile. After a failed read every further one fails too.
class ByteReader {
 public:
  explicit ByteReader(std::span<const std::byte> bytes) noexcept : rest_(bytes) {}

  template <std::integral T>
  [[nodiscard]] T integer() noexcept {
    const std::span<const std::byte> bytes = take(sizeof(T));
    return bytes.size() == sizeof(T) ? load_little<T>(bytes.data()) : T{0};
  }

  [[nodiscard]] std::uint64_t varint() noexcept {
    std::uint64_t value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
      const auto digit = integer<std::uint8_t>();
      if (failed_) return 0;
      const std::uint64_t low = digit & 0x7fU;
      if (shift == 63 && low > 1) break;
      value |= low << shift;
      if ((digit & 0x80U) == 0) {
        if (low == 0 && shift != 0) break;  // A longer form of a shorter number.
        return value;
      }
    }
    failed_ = true;
    return 0;
  }

  // The next `size` bytes, borrowed; none when fewer are left.
  [[nodiscard]] std::span<const std::byte> take(std::uint64_t size) noexcept {
    if (failed_ || size > rest_.size()) {
      failed_ = true;
      return {};
    }
    const auto bytes = rest_.first(static_cast<std::size_t>(size));
    rest_ = rest_.subspan(static_cast<std::size_t>(size));
    return bytes;
  }

  void fail() noexcept { failed_ = true; }
  [[nodiscard]] bool ok() const noexcept { return !failed_; }
  // Whether everything was read, and nothing is left over.
  [[nodiscard]] bool done() const noexcept { return !failed_ && rest_.empty(); }
  [[nodiscard]] std::size_t rest_bytes() const noexcept { return rest_.size(); }

 private:
  std::span<const std::byte> rest_;
  bool failed_ = false;
};

}  // namespace fanfold
