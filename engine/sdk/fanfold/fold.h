// fold.h: what a fold is, as a concept, and the errors that every fold shares.
// A fold is an element of a commutative monoid: `F{}` is the identity, merge() is associative and
// commutative exactly, and equal values pack to equal bytes, whatever the order of adding and merging.
#pragma once

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace fanfold {

// The `packed_bytes` of a fold whose packed form has no fixed size.
inline constexpr std::size_t kVariableSize = SIZE_MAX;

// Thrown by result accessors alone, at finish: the true total does not fit the type of the result.
// Never thrown while adding or merging, where the order would decide.
class Overflow : public std::runtime_error {
 public:
  explicit Overflow(const std::string& sentence) : std::runtime_error(sentence) {}
};

// What the engine asks of a fold.
//   identity  default construction
//   memory    trivially relocatable: the engine may move one by memcpy and forget the source, so no
//             member may point into the object itself (std::string does; keep it behind a pointer)
//   merge     takes from `other` what it likes; `other` is only destroyed or assigned afterwards
//   pack      writes exactly pack_size() bytes (packed_bytes of them when that is fixed), integers
//             little-endian, no padding; canonical: equal values give equal bytes
//   unpack    called on an identity; false for bytes that pack() does not write (hostile, cut short,
//             too long, not canonical); allocates no more than in proportion to the bytes given
//   threads   many folds at once, never two threads on one
template <class F>
concept Fold = std::default_initializable<F> && std::movable<F> &&
    requires(F& fold, F&& other, const F& constant, std::byte* out, std::span<const std::byte> in) {
  requires std::same_as<std::remove_cvref_t<decltype(F::packed_bytes)>, std::size_t>;
  typename std::integral_constant<std::size_t, F::packed_bytes>;
  fold.merge(std::move(other));
  { constant.pack_size() } -> std::same_as<std::size_t>;
  constant.pack(out);
  { fold.unpack(in) } -> std::same_as<bool>;
};

// A fold that many a table holds in a narrow form of a few bits says so with two members:
//   narrowed()  those bits, of which equal states have equal ones; anything above kNarrowMax: it has no such form now
//   widened()   static: the fold that narrowed() told the bits of
inline constexpr unsigned kNarrowBits = 26;
inline constexpr std::uint64_t kNarrowMax = (std::uint64_t{1} << kNarrowBits) - 1;
template <class F>
concept NarrowFold = Fold<F> && std::is_trivially_copyable_v<F> && std::is_trivially_destructible_v<F> &&
    requires(const F& fold, std::uint64_t bits) {
  { fold.narrowed() } -> std::same_as<std::uint64_t>;
  { F::widened(bits) } -> std::same_as<F>;
};

// Bytes that a fold holds outside of itself, for memory budgets. A fold that allocates says so with
// a member heap_bytes(); all others hold none.
template <class F>
[[nodiscard]] std::size_t heap_bytes(const F& fold) {
  if constexpr (requires {
                  { fold.heap_bytes() } -> std::convertible_to<std::size_t>;
                }) {
    return fold.heap_bytes();
  } else {
    return 0;
  }
}

// Whether a fold packs to just these bytes.
template <Fold F>
[[nodiscard]] bool packs_to(const F& fold, std::span<const std::byte> bytes) {
  if (fold.pack_size() != bytes.size()) return false;
  std::vector<std::byte> packed(bytes.size());
  fold.pack(packed.data());
  return std::equal(packed.begin(), packed.end(), bytes.begin());
}

}  // namespace fanfold
