// law.h: check_law(), which tries a fold against the law: exact identity, associativity and
// commutativity, canonical packing, and refusal of bytes cut short. For the tests of a job's author.
// Not a proof: it looks for a counterexample among random partials, the same ones for the same seed.
#pragma once

#include <fanfold/fold.h>

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace fanfold {

// A small generator (SplitMix64, Steele, Lea and Flood 2014) that gives the same numbers everywhere.
class LawRandom {
 public:
  explicit LawRandom(std::uint64_t seed) noexcept : state_(seed) {}
  [[nodiscard]] std::uint64_t next() noexcept {
    state_ += 0x9e3779b97f4a7c15U;
    std::uint64_t mixed = state_;
    mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9U;
    mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111ebU;
    return mixed ^ (mixed >> 31);
  }
  // Below `bound`, which is positive; the bias of so small bounds does not matter here.
  [[nodiscard]] std::size_t below(std::size_t bound) noexcept { return static_cast<std::size_t>(next() % bound); }

 private:
  std::uint64_t state_;
};

struct LawOptions {
  std::uint64_t seed = 1;
  unsigned rounds = 200;          // Sets of partials that are tried.
  unsigned partials_max = 9;      // In a set.
  unsigned truncations_max = 64;  // Cuts tried for each packed form.
};

namespace law {

using Bytes = std::vector<std::byte>;

// Packs, with fences around the bytes; empty when pack() wrote beyond its size, or not as often as it says.
template <Fold F>
[[nodiscard]] std::optional<Bytes> packed(const F& fold) {
  const std::size_t size = fold.pack_size();
  constexpr std::size_t kFence = 16;
  Bytes first(size + 2 * kFence, std::byte{0xa5});
  Bytes second(size + 2 * kFence, std::byte{0x5a});
  fold.pack(first.data() + kFence);
  fold.pack(second.data() + kFence);
  for (std::size_t i = 0; i < kFence; ++i) {
    if (first[i] != std::byte{0xa5} || first[first.size() - 1 - i] != std::byte{0xa5}) return std::nullopt;
    if (second[i] != std::byte{0x5a} || second[second.size() - 1 - i] != std::byte{0x5a}) return std::nullopt;
  }
  // A byte left unwritten differs between the two.
  Bytes bytes(first.begin() + kFence, first.end() - kFence);
  if (!std::equal(bytes.begin(), bytes.end(), second.begin() + kFence)) return std::nullopt;
  return bytes;
}

// Where two packed forms part.
[[nodiscard]] inline std::string difference(const Bytes& left, const Bytes& right) {
  const auto at = static_cast<std::size_t>(std::mismatch(left.begin(), left.end(), right.begin(), right.end()).first -
                                           left.begin());
  return "packed forms of " + std::to_string(left.size()) + " and " + std::to_string(right.size()) +
         " bytes differ from byte " + std::to_string(at) + " on";
}

}  // namespace law

// Tries the fold with partials made by `make(seed)`, which gives the same partial for the same seed.
// Returns what failed, as a sentence with the seeds to make it again; nothing when no fault was found.
template <class Make>
requires Fold<std::invoke_result_t<Make&, std::uint64_t>>
[[nodiscard]] std::optional<std::string> check_law(Make&& make, const LawOptions& options = {}) {
  using F = std::invoke_result_t<Make&, std::uint64_t>;
  using law::Bytes;
  LawRandom random(options.seed);

  const auto identity = law::packed(F{});
  if (!identity) return "pack() does not write exactly pack_size() bytes, the same each time, of the identity";

  for (unsigned round = 0; round < options.rounds; ++round) {
    std::vector<std::uint64_t> seeds(1 + random.below(std::max(1U, options.partials_max)));
    for (std::uint64_t& seed : seeds) seed = random.next();
    std::string names = "for the partials of seeds";
    for (const std::uint64_t seed : seeds) names += " " + std::to_string(seed);
    const auto failed = [&](const std::string& what) { return what + " " + names; };

    // One partial: its packed form.
    const F one = make(seeds[0]);
    const auto bytes = law::packed(one);
    if (!bytes) return failed("pack() does not write exactly pack_size() bytes, the same each time,");
    if (F::packed_bytes != kVariableSize && bytes->size() != F::packed_bytes) {
      return failed("pack_size() is " + std::to_string(bytes->size()) + ", not the fixed packed_bytes of " +
                    std::to_string(F::packed_bytes) + ",");
    }
    if (law::packed(make(seeds[0])) != bytes) {
      return failed("the same seed does not make the same partial, so nothing can be checked,");
    }
    {
      F back;
      if (!back.unpack(*bytes)) return failed("unpack() refuses what pack() wrote");
      const auto again = law::packed(back);
      if (again != bytes) {
        return failed("packing, unpacking and packing again changes the bytes (" +
                      (again ? law::difference(*bytes, *again) : std::string("pack() does not fill its size")) + ")");
      }
    }
    if constexpr (NarrowFold<F>) {
      const std::uint64_t narrow = one.narrowed();
      if (narrow <= kNarrowMax && law::packed(F::widened(narrow)) != bytes) {
        return failed("widened() does not make of narrowed() what it was");
      }
    }
    const std::size_t cuts = std::min<std::size_t>(bytes->size(), options.truncations_max);
    for (std::size_t i = 0; i < cuts; ++i) {
      const std::size_t size = bytes->size() <= cuts ? i : random.below(bytes->size());
      F back;
      // A copy of just that size, so that a sanitizer sees a read behind its end.
      const Bytes cut(bytes->begin(), bytes->begin() + static_cast<std::ptrdiff_t>(size));
      if (back.unpack(cut)) {
        return failed("unpack() accepts the first " + std::to_string(size) + " of " + std::to_string(bytes->size()) +
                      " bytes");
      }
    }
    {
      Bytes longer = *bytes;
      longer.push_back(std::byte{0});
      F back;
      if (back.unpack(longer)) return failed("unpack() accepts a byte behind the end");
    }

    // Identity, from both sides.
    const auto merged = [&](F left, F right) {
      left.merge(std::move(right));
      return law::packed(left);
    };
    if (merged(make(seeds[0]), F{}) != bytes) return failed("merging the identity into a partial changes it,");
    if (merged(F{}, make(seeds[0])) != bytes) return failed("merging a partial into the identity changes it,");

    // Pairs and triples first: the shortest counterexamples.
    const std::uint64_t b = seeds[random.below(seeds.size())];
    const std::uint64_t c = seeds[random.below(seeds.size())];
    const auto left_right = merged(make(seeds[0]), make(b));
    const auto right_left = merged(make(b), make(seeds[0]));
    if (!left_right || !right_left) return failed("pack() does not fill its size after a merge");
    if (left_right != right_left) {
      return failed("merge is not commutative (" + law::difference(*left_right, *right_left) + "): seeds " +
                    std::to_string(seeds[0]) + " and " + std::to_string(b) + ",");
    }
    {
      F left = make(seeds[0]);
      left.merge(make(b));
      left.merge(make(c));
      F tail = make(b);
      tail.merge(make(c));
      F right = make(seeds[0]);
      right.merge(std::move(tail));
      const auto left_first = law::packed(left);
      const auto right_first = law::packed(right);
      if (!left_first || !right_first) return failed("pack() does not fill its size after a merge");
      if (left_first != right_first) {
        return failed("merge is not associative (" + law::difference(*left_first, *right_first) + "): seeds " +
                      std::to_string(seeds[0]) + ", " + std::to_string(b) + " and " + std::to_string(c) + ",");
      }
    }

    // All of them: from left to right, and over random trees in a random order, some edges packed.
    F line;
    for (const std::uint64_t seed : seeds) line.merge(make(seed));
    const auto expected = law::packed(line);
    for (unsigned tree = 0; tree < 3; ++tree) {
      std::vector<F> rest;
      for (const std::uint64_t seed : seeds) rest.push_back(make(seed));
      while (rest.size() > 1) {
        const std::size_t taken = random.below(rest.size());
        if (taken + 1 != rest.size()) std::swap(rest[taken], rest.back());
        F right = std::move(rest.back());
        rest.pop_back();
        F& left = rest[random.below(rest.size())];
        if (random.below(2) == 0) {
          const auto wire = law::packed(right);
          F received;
          if (!wire || !received.unpack(*wire)) return failed("unpack() refuses a packed merge of partials");
          left.merge(std::move(received));
        } else {
          left.merge(std::move(right));
        }
      }
      const auto actual = law::packed(rest.front());
      if (!expected || !actual) return failed("pack() does not fill its size after a merge");
      if (actual != expected) {
        return failed("merging in another order and shape gives other bytes (" + law::difference(*expected, *actual) +
                      ")");
      }
    }
  }
  return std::nullopt;
}

// The same over given partials, which are copied by packing and unpacking.
template <Fold F>
[[nodiscard]] std::optional<std::string> check_law(std::span<const F> partials, const LawOptions& options = {}) {
  if (partials.empty()) return "no partials were given, so nothing can be checked";
  std::vector<law::Bytes> packed;
  for (const F& partial : partials) {
    auto bytes = law::packed(partial);
    F back;
    if (!bytes) return "pack() does not write exactly pack_size() bytes, the same each time";
    if (!back.unpack(*bytes)) return "unpack() refuses what pack() wrote";
    packed.push_back(std::move(*bytes));
  }
  return check_law(
      [&](std::uint64_t seed) {
        F copy;
        // It unpacked before, so it does again; where not, the round trip is reported.
        if (!copy.unpack(packed[static_cast<std::size_t>(seed % packed.size())])) return F{};
        return copy;
      },
      options);
}

}  // namespace fanfold
