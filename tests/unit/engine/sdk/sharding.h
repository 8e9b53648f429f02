// sharding.h: the property that every fold has: the same data, cut into any shards and merged in any
// order and shape, some partials sent packed, gives the same packed bytes as one fold over all of it.
#pragma once

#include <fanfold/fold.h>
#include <fanfold/law.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <random>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace fanfold {

using Random = std::mt19937_64;

inline std::size_t below(Random& random, std::size_t bound) {
  return static_cast<std::size_t>(random() % bound);
}

template <Fold F>
law::Bytes packed_bytes_of(const F& fold) {
  auto bytes = law::packed(fold);
  EXPECT_TRUE(bytes.has_value()) << "pack() does not write exactly pack_size() bytes";
  return bytes ? *bytes : law::Bytes{};
}

// Folds `values` by `add(fold, value)` in one go and `rounds` times in random shards and trees;
// expects the same bytes each time, and returns the fold of one go.
template <Fold F, class Value, class Add>
F fold_in_any_shards(Random& random, std::vector<Value> values, Add add, int rounds = 6) {
  F whole;
  for (const Value& value : values) add(whole, value);
  const law::Bytes expected = packed_bytes_of(whole);
  if constexpr (std::copy_constructible<F>) {  // Merging a fold with itself is merging it with its like.
    F self(whole);
    self.merge(std::as_const(self));
    F like(whole);
    like.merge(F(whole));
    EXPECT_TRUE(packed_bytes_of(self) == packed_bytes_of(like));
  }
  for (int round = 0; round < rounds; ++round) {
    std::shuffle(values.begin(), values.end(), random);
    std::vector<F> partials(1 + below(random, 1 + below(random, 20)));
    for (const Value& value : values) add(partials[below(random, partials.size())], value);
    while (partials.size() > 1) {
      std::shuffle(partials.begin(), partials.end(), random);
      F taken = std::move(partials.back());
      partials.pop_back();
      if (below(random, 2) == 0) {
        F received;
        EXPECT_TRUE(received.unpack(packed_bytes_of(taken)));
        taken = std::move(received);
      }
      partials[below(random, partials.size())].merge(std::move(taken));
    }
    const law::Bytes actual = packed_bytes_of(partials.front());
    EXPECT_TRUE(actual == expected) << "round " << round << ": " << law::difference(actual, expected);
  }
  return whole;
}

// Random bytes, and packed forms with bits turned, bytes cut or added: unpack() answers, and what it
// accepts packs to just those bytes and merges and reads without harm.
template <Fold F, class Make, class Use>
void survives_hostile_bytes(Random& random, Make make, Use use, int rounds = 3000) {
  for (int round = 0; round < rounds; ++round) {
    law::Bytes bytes;
    if (below(random, 3) == 0) {
      bytes.resize(below(random, 80));
      for (std::byte& byte : bytes) byte = static_cast<std::byte>(random());
    } else {
      bytes = packed_bytes_of(make(random()));
      for (std::size_t flips = below(random, 4); flips > 0 && !bytes.empty(); --flips) {
        bytes[below(random, bytes.size())] =
            static_cast<std::byte>(below(random, 2) == 0 ? random() : below(random, 3));
      }
      const std::size_t change = below(random, 4);
      if (change == 1) bytes.resize(below(random, bytes.size() + 1));
      if (change == 2)
        bytes.insert(bytes.begin() + static_cast<std::ptrdiff_t>(below(random, bytes.size() + 1)),
                     static_cast<std::byte>(random()));
    }
    bytes.shrink_to_fit();
    F fold;
    if (!fold.unpack(bytes)) continue;
    ASSERT_EQ(packed_bytes_of(fold), bytes) << "accepted bytes that pack() does not write";
    F other;
    ASSERT_TRUE(other.unpack(bytes));
    other.merge(make(random()));
    fold.merge(std::move(other));
    try {
      use(fold);
    } catch (const Overflow&) {
      // A value beyond its type is a proper answer to absurd bytes.
    }
  }
}

}  // namespace fanfold
