// count.h: Count, how often something was met. Eight bytes that may be copied like an integer: the
// hot state of counting jobs. Counts only grow, so a saturated one is exactly an overflowed total.
#pragma once

#include <fanfold/bytes.h>
#include <fanfold/fold.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <type_traits>

namespace fanfold {

class Count {
 public:
  static constexpr std::size_t packed_bytes = 8;

  Count() = default;
  constexpr explicit Count(std::uint64_t count) noexcept : count_(count) {}

  constexpr void add(std::uint64_t n = 1) noexcept {
    const std::uint64_t sum = count_ + n;
    count_ = sum < n ? kSaturated : sum;
  }
  constexpr void merge(const Count& other) noexcept { add(other.count_); }

  [[nodiscard]] constexpr bool empty() const noexcept { return count_ == 0; }
  // How much it matters to a table that keeps what is frequent at hand.
  [[nodiscard]] constexpr std::uint64_t weight() const noexcept { return count_; }
  // Its narrow form (fold.h).
  [[nodiscard]] constexpr std::uint64_t narrowed() const noexcept { return count_; }
  [[nodiscard]] static constexpr Count widened(std::uint64_t bits) noexcept { return Count(bits); }
  [[nodiscard]] constexpr bool overflowed() const noexcept { return count_ == kSaturated; }
  // Throws Overflow when 2^64 - 1 or more were counted: the top value stands for all of those.
  [[nodiscard]] std::uint64_t value() const {
    if (overflowed()) throw Overflow("a count reached 2^64 - 1 and cannot be told apart from larger ones");
    return count_;
  }

  [[nodiscard]] std::size_t pack_size() const noexcept { return packed_bytes; }
  void pack(std::byte* out) const noexcept { store_little(out, count_); }
  [[nodiscard]] bool unpack(std::span<const std::byte> in) noexcept {
    if (in.size() != packed_bytes) return false;
    count_ = load_little<std::uint64_t>(in.data());
    return true;
  }

  friend constexpr bool operator==(const Count&, const Count&) = default;

 private:
  static constexpr std::uint64_t kSaturated = UINT64_MAX;
  std::uint64_t count_ = 0;
};

static_assert(NarrowFold<Count> && sizeof(Count) == 8 && std::is_trivially_copyable_v<Count>);

}  // namespace fanfold
