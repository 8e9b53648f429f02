// table_growth_test.cpp: what a Table does as it grows: its hot table overflows, its log, its parts; folds that own
// memory, keys that are longer than what holds them.
#include <fanfold/count.h>
#include <fanfold/table.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "tests/unit/engine/sdk/sharding.h"

namespace fanfold {
namespace {

using Counts = std::map<std::string, std::uint64_t>;
using Words = Table<std::string_view, Count>;

// Memory that counts what is out.
struct CountedMemory {
  std::uint64_t bytes = 0;
  fanfold_memory memory{sizeof(fanfold_memory),
                        0,
                        this,
                        [](void* context, std::uint64_t asked) { return take(context, asked); },
                        [](void* context, std::uint64_t asked) {
                          void* block = take(context, asked);
                          if (block != nullptr) std::memset(block, 0, asked);
                          return block;
                        },
                        [](void* context, void* block, std::uint64_t given) {
                          static_cast<CountedMemory*>(context)->bytes -= given;
                          std::free(block);
                        },
                        0};

  static void* take(void* context, std::uint64_t asked) {
    auto* self = static_cast<CountedMemory*>(context);
    self->bytes += asked;
    return std::aligned_alloc(64, (asked + 63) / 64 * 64);
  }
};

// Keys of every kind of length: none, inline to the last byte, and longer; few of them, many times.
std::vector<std::string> some_keys(Random& random, std::size_t distinct) {
  std::vector<std::string> keys{""};
  while (keys.size() < distinct) {
    static constexpr std::size_t kLengths[] = {1, 2, 3, 7, 8, 9, 15, 16, 17, 31, 40, 300};
    std::string key(kLengths[below(random, std::size(kLengths))], 'x');
    for (char& byte : key) byte = static_cast<char>(below(random, 256));
    keys.push_back(std::move(key));
  }
  return keys;
}

template <class F>
std::map<std::string, std::uint64_t> counts_of(Table<std::string_view, F>& table, unsigned log2_parts) {
  Counts counts;
  for (unsigned part = 0; part < 1U << log2_parts; ++part) {
    const auto whole = table.part(log2_parts, part);
    std::uint64_t rows = 0;
    whole.for_each([&](const auto& row) {
      EXPECT_TRUE(counts.emplace(std::string(row.key), row.fold.value()).second) << "a key stands there twice";
      ++rows;
    });
    EXPECT_EQ(whole.size(), rows);
  }
  return counts;
}

// A slot's partial becomes a bundle or a total: merged into an empty one.
template <class AnyTable>
std::unique_ptr<AnyTable> merged(AnyTable& partial, const fanfold_memory* memory = unaccounted_memory()) {
  auto total = std::make_unique<AnyTable>(memory);
  total->merge(std::move(partial));
  return total;
}

// Through the wire: every part packed, checked, and folded into another table.
template <class AnyTable>
std::unique_ptr<AnyTable> sent(AnyTable& bundle, unsigned log2_parts) {
  auto total = std::make_unique<AnyTable>();
  for (unsigned part = 0; part < 1U << log2_parts; ++part) {
    const fanfold_extent extent = bundle.extent(log2_parts, part);
    std::vector<std::uint64_t> words(extent.packed_bytes / 8);
    auto* bytes = reinterpret_cast<std::uint8_t*>(words.data());
    bundle.pack(log2_parts, part, bytes);
    fanfold_extent found{};
    EXPECT_TRUE(AnyTable::check(log2_parts, part, {bytes, extent.packed_bytes}, &found));
    EXPECT_EQ(found.entries, extent.entries);
    EXPECT_EQ(found.key_bytes, extent.key_bytes);
    total->reserve(log2_parts, part, found);
    EXPECT_TRUE(total->fold(log2_parts, part, log2_parts, {bytes, extent.packed_bytes}));
  }
  return total;
}

TEST(KeyedTable, CountsWhatAMapCounts) {
  Random random(1);
  const std::vector<std::string> keys = some_keys(random, 40'000);
  Words words;
  Counts expected;
  // Long enough for the hot table to overflow: more keys than it holds, some of them often.
  for (int add = 0; add < 300'000; ++add) {
    const std::string& key = keys[below(random, 1 + below(random, keys.size()))];
    words[key].add();
    ++expected[key];
  }
  const auto total = merged(words);
  EXPECT_EQ(counts_of(*total, 0), expected);
  EXPECT_EQ(counts_of(*total, Words::kLog2Parts), expected);
}

TEST(KeyedTable, APartialThatOutgrowsItsLogKeepsEveryKey) {
  Table<std::uint64_t, Count> numbers;
  constexpr std::uint64_t kDistinct = 900'000;  // at 32 bytes an entry more than the log holds
  for (int round = 0; round < 2; ++round) {
    for (std::uint64_t n = 0; n < kDistinct; ++n) numbers[n * 7].add(n % 3);
  }
  const auto total = merged(numbers);
  std::uint64_t keys = 0;
  for (unsigned part = 0; part < total->kParts; ++part) {
    total->part(total->kLog2Parts, part).for_each([&](const auto& row) {
      EXPECT_EQ(row.fold.value(), 2 * (row.key / 7 % 3));
      ++keys;
    });
    total->release_part(total->kLog2Parts, part);
  }
  EXPECT_EQ(keys, kDistinct);
}

TEST(KeyedTable, FoldsAPartThatGrowsSoThatRepeatedKeysTakeNoRoom) {
  // Keys of one part, so that little text makes it large.
  Random random(6);
  std::vector<std::string> keys;
  while (keys.size() < 300) {
    std::string key = "key" + std::to_string(random());
    if (encode_key(key).meta >> (64 - Words::kLog2Parts) == 17) keys.push_back(std::move(key));
  }
  CountedMemory counted;
  counted.memory.soft_bytes = 1;  // as little as may be
  std::uint64_t expected = 0;
  {
    Words total(&counted.memory);
    for (int lease = 0; lease < 400; ++lease) {
      Words partial;
      for (const std::string& key : keys) partial[key].add();
      ++expected;
      total.merge(std::move(partial));
      EXPECT_LT(counted.bytes, 200'000U);
    }
    const Counts counts = counts_of(total, 0);
    EXPECT_EQ(counts.size(), keys.size());
    for (const auto& [key, count] : counts) EXPECT_EQ(count, expected);
  }
  EXPECT_EQ(counted.bytes, 0U) << "memory was not given back";
}

// A fold that owns memory: the set of what was added.
struct Numbers {
  static constexpr std::size_t packed_bytes = kVariableSize;
  std::unique_ptr<std::set<std::uint64_t>> set = std::make_unique<std::set<std::uint64_t>>();

  void merge(Numbers&& other) { set->merge(*other.set); }
  [[nodiscard]] std::size_t pack_size() const { return set->size() * 8; }
  void pack(std::byte* out) const {
    for (const std::uint64_t number : *set) {
      store_little(out, number);
      out += 8;
    }
  }
  [[nodiscard]] bool unpack(std::span<const std::byte> in) {
    if (in.size() % 8 != 0) return false;
    for (; !in.empty(); in = in.subspan(8)) set->insert(load_little<std::uint64_t>(in.data()));
    return true;
  }
  [[nodiscard]] std::uint64_t value() const { return set->size(); }
};

TEST(KeyedTable, FoldsThatOwnMemoryAreMovedAndDestroyedOnce) {
  Random random(7);
  const std::vector<std::string> keys = some_keys(random, 200);
  std::map<std::string, std::set<std::uint64_t>> expected;
  CountedMemory counted;
  counted.memory.soft_bytes = 1;
  {
    Table<std::string_view, Numbers> total(&counted.memory);
    for (int lease = 0; lease < 60; ++lease) {
      Table<std::string_view, Numbers> partial;
      for (int add = 0; add < 500; ++add) {
        const std::string& key = keys[below(random, keys.size())];
        const std::uint64_t number = below(random, 50);
        partial[key].set->insert(number);
        expected[key].insert(number);
      }
      if (lease % 3 == 0) {
        const auto bundle = merged(partial);
        total.merge(std::move(*sent(*bundle, 0)));
      } else if (lease % 3 == 1) {
        total.merge(std::move(partial));
      } else {
        total.merge(std::move(partial));
        EXPECT_GT(total.extent(0, 0).entries, 0U);  // folds what is there so far
      }
    }
    Counts sizes;
    for (const auto& [key, numbers] : expected) sizes[key] = numbers.size();
    EXPECT_EQ(counts_of(total, 0), sizes);
  }
  EXPECT_EQ(counted.bytes, 0U);
}

TEST(KeyedTable, AKeyLongerThanAChunkIsAKeyLikeAnyOther) {
  Words words;
  const std::string giant(3'000'000, 'g');
  for (int round = 0; round < 3; ++round) {
    Words partial;
    partial[giant].add();
    partial["small"].add();
    partial[giant + "!"].add();
    words.merge(std::move(partial));
  }
  EXPECT_EQ(counts_of(words, 0), (Counts{{giant, 3}, {giant + "!", 3}, {"small", 3}}));
}

}  // namespace
}  // namespace fanfold
