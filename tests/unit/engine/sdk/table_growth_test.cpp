// table_growth_test.cpp: what a Table does as it grows: its hot table overflows, its log, its parts; folds that own
// memory, keys that are longer than what holds them.
#include <fanfold/count.h>
#include <fanfold/quantiles.h>
#include <fanfold/table.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <map>
#include <memory>
#include <set>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "tests/unit/engine/sdk/sharding.h"

namespace fanfold {
namespace {

using Counts = std::map<std::string, std::uint64_t>;
using Words = Table<std::string_view, Count>;

// Memory that counts what is out, and gives so many blocks.
struct CountedMemory {
  std::uint64_t bytes = 0;
  std::uint64_t blocks_left = UINT64_MAX;
  std::int64_t charged = 0;  // held outside of blocks
  std::int64_t charged_max = INT64_MAX;
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
                        0,
                        [](void* context, std::int64_t held) {
                          auto* self = static_cast<CountedMemory*>(context);
                          if (self->charged + held > self->charged_max) return std::int32_t{FANFOLD_EXHAUSTED};
                          self->charged += held;
                          return std::int32_t{FANFOLD_OK};
                        }};

  static void* take(void* context, std::uint64_t asked) {
    auto* self = static_cast<CountedMemory*>(context);
    if (self->blocks_left == 0) return nullptr;
    self->blocks_left -= 1;
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

TEST(KeyedTable, AMergeThatWasRefusedMemoryGoesOnWhereItEnded) {
  Random random(8);
  const std::vector<std::string> keys = some_keys(random, 10'000);
  for (const std::uint64_t blocks : {1U, 300U, 1500U}) {
    Table<std::string_view, Numbers> partial;
    std::map<std::string, std::set<std::uint64_t>> expected;
    for (int add = 0; add < 30'000; ++add) {
      const std::string& key = keys[below(random, keys.size())];
      const std::uint64_t number = below(random, 50);
      partial[key].set->insert(number);
      expected[key].insert(number);
    }
    Counts sizes;
    for (const auto& [key, numbers] : expected) sizes[key] = numbers.size();
    CountedMemory counted;
    counted.blocks_left = blocks;
    {
      Table<std::string_view, Numbers> total(&counted.memory);
      partial.seal();
      const auto merge_all = [&] {
        for (unsigned work_part = 0; work_part < Words::kWorkParts; ++work_part) total.merge(partial, work_part);
      };
      EXPECT_THROW(merge_all(), std::bad_alloc) << blocks;
      counted.blocks_left = UINT64_MAX;
      merge_all();
      EXPECT_EQ(counts_of(total, 0), sizes) << blocks;
    }
    EXPECT_EQ(counted.bytes, 0U);
  }
}

// A block of keys, one after the other, and where they lie.
struct KeyBlock {
  std::string bytes;
  std::vector<Slice> keys;
  void add(std::string_view key) {
    const auto begin = static_cast<std::uint32_t>(bytes.size());
    bytes += key;
    keys.push_back({begin, static_cast<std::uint32_t>(bytes.size())});
  }
  void close() { bytes.append(16, '!'); }
};

TEST(KeyedTable, KeysThatSeldomComeAgainCountTheSameBesideThoseThatDo) {
  // Far more keys than a hot table holds, so that after the first lease they go by it; then few keys, which do too.
  Random random(12);
  Counts expected;
  std::map<std::string, std::set<std::uint64_t>> expected_sets;
  Words words;
  Table<std::string_view, Numbers> sets;
  Words total;
  Table<std::string_view, Numbers> total_sets;
  for (std::uint64_t lease = 0; lease < 4; ++lease) {
    for (std::uint64_t batch = 0; batch < 60; ++batch) {
      KeyBlock block;
      for (std::uint64_t at = 0; at < 5'000; ++at) {
        const std::uint64_t number = lease == 2 ? below(random, 20) : random() % 400'000;
        block.add(std::string(number % 40, 'k') + std::to_string(number));
      }
      block.close();
      words.update(block.bytes.data(), block.keys, [](Count& count, std::size_t) { count.add(); });
      for (const Slice& key : block.keys) ++expected[block.bytes.substr(key.begin, key.end - key.begin)];
      if (batch % 2 != 0) continue;
      sets.update(block.bytes.data(), block.keys,
                  [](Numbers& numbers, std::size_t index) { numbers.set->insert(index % 7); });
      for (std::size_t index = 0; index < block.keys.size(); ++index) {
        const Slice& key = block.keys[index];
        expected_sets[block.bytes.substr(key.begin, key.end - key.begin)].insert(index % 7);
      }
    }
    words.seal();
    for (unsigned work_part = 0; work_part < Words::kWorkParts; ++work_part) total.merge(words, work_part);
    words.reset();
    sets.seal();
    for (unsigned work_part = 0; work_part < Words::kWorkParts; ++work_part) total_sets.merge(sets, work_part);
    sets.reset();
  }
  EXPECT_EQ(counts_of(total, 0), expected);
  Counts sizes;
  for (const auto& [key, numbers] : expected_sets) sizes[key] = numbers.size();
  EXPECT_EQ(counts_of(total_sets, 0), sizes);
}

TEST(KeyedTable, AnUpdateThatThrowsAmongKeysThatSeldomComeAgainLeavesNothingBehind) {
  CountedMemory counted;
  {
    Table<std::string_view, Numbers> sets(&counted.memory);
    for (std::uint64_t batch = 0; batch < 60; ++batch) {
      KeyBlock block;
      for (std::uint64_t at = 0; at < 5'000; ++at) block.add("key " + std::to_string(batch * 5'000 + at));
      block.close();
      const auto update = [&] {
        sets.update(block.bytes.data(), block.keys, [&](Numbers& numbers, std::size_t index) {
          if (batch == 59 && index == 2'500) throw std::out_of_range("a bad value");
          numbers.set->insert(index);
        });
      };
      if (batch == 59) {
        EXPECT_THROW(update(), std::out_of_range);
      } else {
        update();
      }
    }
    sets.reset();
    EXPECT_TRUE(counts_of(*merged(sets), 0).empty());
  }
  EXPECT_EQ(counted.bytes, 0U);
}

// A fold that holds much outside of itself, and tells.
struct Large {
  static constexpr std::size_t packed_bytes = 8;
  static constexpr std::size_t kHeapBytes = 64U << 10;
  struct Block {
    Block() { ++alive; }
    Block(const Block&) = delete;
    Block& operator=(const Block&) = delete;
    ~Block() { --alive; }
    std::uint64_t value = 0;
    inline static std::uint64_t alive = 0;
  };
  std::unique_ptr<Block> block;

  void add(std::uint64_t value) {
    if (block == nullptr) block = std::make_unique<Block>();
    block->value += value;
  }
  void merge(Large&& other) { add(other.value()); }
  [[nodiscard]] std::size_t heap_bytes() const { return block == nullptr ? 0 : kHeapBytes; }
  [[nodiscard]] static std::size_t pack_size() { return packed_bytes; }
  void pack(std::byte* out) const { store_little(out, value()); }
  [[nodiscard]] bool unpack(std::span<const std::byte> in) {
    if (in.size() != 8) return false;
    add(load_little<std::uint64_t>(in.data()));
    return true;
  }
  [[nodiscard]] std::uint64_t value() const { return block == nullptr ? 0 : block->value; }
};

TEST(KeyedTable, LargeStatesOfOneKeyAreFoldedSoonWhetherMergedOrGathered) {
  Random random(10);
  const std::vector<std::string> keys = some_keys(random, 50);
  const auto large_table = [&](const fanfold_memory* memory) {
    auto table = std::make_unique<Table<std::string_view, Large>>(memory);
    for (const std::string& key : keys) (*table)[key].add(1);
    return table;
  };
  CountedMemory counted;
  counted.memory.soft_bytes = 64U << 20;
  {
    Table<std::string_view, Large> merged_total(&counted.memory);
    Table<std::string_view, Large> gathered_total(&counted.memory);
    const auto bundle = merged(*large_table(unaccounted_memory()));
    const fanfold_extent extent = bundle->extent(0, 0);
    std::vector<std::uint64_t> packed(extent.packed_bytes / 8);
    auto* bytes = reinterpret_cast<std::uint8_t*>(packed.data());
    bundle->pack(0, 0, bytes);
    constexpr int kLeases = 100;
    for (int lease = 0; lease < kLeases; ++lease) {
      merged_total.merge(std::move(*large_table(unaccounted_memory())));
      ASSERT_TRUE(gathered_total.fold(0, 0, 0, {bytes, extent.packed_bytes}));
      EXPECT_LE(Large::Block::alive, 8 * keys.size());
    }
    for (auto* total : {&merged_total, &gathered_total}) {
      const Counts counts = counts_of(*total, 0);
      EXPECT_EQ(counts.size(), keys.size());
      for (const auto& [key, count] : counts) EXPECT_EQ(count, kLeases);
    }
  }
  EXPECT_EQ(counted.bytes, 0U);
  EXPECT_EQ(Large::Block::alive, 0U);
}

// A count that fits the narrow form in a record, just fits it, or does not.
std::uint64_t some_count(Random& random) {
  static constexpr std::uint64_t kCounts[] = {
      1, 3, kNarrowMax / 3, kNarrowMax - 1, kNarrowMax, kNarrowMax + 1, std::uint64_t{1} << 40};
  return kCounts[below(random, std::size(kCounts))];
}

TEST(KeyedTable, CountsThatOutgrowTheirNarrowFormAreExact) {
  Random random(11);
  const std::vector<std::string> keys = some_keys(random, 3'000);
  CountedMemory counted;
  {
    Words merged_total(&counted.memory);
    Words gathered_total(&counted.memory);
    Counts expected;
    for (int lease = 0; lease < 12; ++lease) {
      Words partial;
      for (int add = 0; add < 2'000; ++add) {
        const std::string& key = keys[below(random, keys.size())];
        const std::uint64_t count = lease < 9 ? 1 + lease % 2 * (kNarrowMax / 5) : some_count(random);
        partial[key].add(count);
        expected[key] += count;
      }
      const auto bundle = merged(partial);
      const fanfold_extent extent = bundle->extent(0, 0);
      std::vector<std::uint64_t> words(extent.packed_bytes / 8);
      auto* bytes = reinterpret_cast<std::uint8_t*>(words.data());
      bundle->pack(0, 0, bytes);
      ASSERT_TRUE(gathered_total.fold(0, 0, 0, {bytes, extent.packed_bytes}));
      merged_total.merge(std::move(*bundle));
      // Folded or not, it goes on.
      if (lease % 4 == 3) {
        EXPECT_EQ(merged_total.extent(0, 0).entries, expected.size());
      }
    }
    EXPECT_EQ(counts_of(merged_total, 0), expected);
    EXPECT_EQ(counts_of(gathered_total, 0), expected);
    EXPECT_EQ(merged_total.canonical_pack(), gathered_total.canonical_pack());
    EXPECT_EQ(counts_of(*sent(merged_total, Words::kLog2Parts), 0), expected);
  }
  EXPECT_EQ(counted.bytes, 0U);
}

TEST(PartLog, WhoseCountsOutgrowTheirNarrowFormAsMemoryIsRefusedHoldsWhatItHeld) {
  for (std::uint64_t blocks = 0;; ++blocks) {
    CountedMemory counted;
    PartLog<Count> log;
    std::map<std::uint64_t, std::uint64_t> expected;
    for (std::uint64_t key = 0; key < 20'000; ++key) {
      for (const std::uint64_t count : {kNarrowMax, kNarrowMax - key, key + 1}) {
        log.append(&counted.memory, KeyCodec<std::uint64_t>::encode(key), Count(count));
        expected[key] += count;
      }
    }
    counted.blocks_left = blocks;
    bool refused = false;
    try {
      log.fold(&counted.memory);
    } catch (const std::bad_alloc&) {
      refused = true;
    }
    std::map<std::uint64_t, std::uint64_t> held;
    log.for_each(
        [&](const auto& record) { held[KeyCodec<std::uint64_t>::decode(record.key())] += record.state().value(); });
    EXPECT_EQ(held, expected) << "with " << blocks << " blocks";
    counted.blocks_left = UINT64_MAX;
    log.compact(&counted.memory);
    EXPECT_EQ(log.entries(), expected.size());
    EXPECT_EQ(log.records(), expected.size());
    log.for_each([&](const auto& record) {
      EXPECT_EQ(record.state().value(), expected.at(KeyCodec<std::uint64_t>::decode(record.key())));
    });
    log.clear(&counted.memory);
    EXPECT_EQ(counted.bytes, 0U);
    if (!refused) {
      EXPECT_GT(blocks, 3U);
      break;
    }
  }
}

TEST(PartLog, OfMorePiecesThanItsIndexCanNumberIsCompactedOrRefused) {
  const fanfold_memory* memory = unaccounted_memory();
  const auto one = [&](PartLog<Count>& log, std::uint64_t key) {
    Count count;
    count.add();
    log.append(memory, KeyCodec<std::uint64_t>::encode(key), count);
  };
  const auto check = [](const PartLog<Count>& log, std::uint64_t records) {
    std::uint64_t sum = 0;
    log.for_each([&](const auto& record) {
      EXPECT_EQ(record.state().value(), record.key() == std::string_view("\0\0\0\0\0\0\0\0", 8) ? records - 99 : 1);
      sum += record.state().value();
    });
    EXPECT_EQ(sum, records);
    EXPECT_EQ(log.entries(), 100U);
  };
  constexpr std::uint64_t kPieces = 100'000;
  PartLog<Count> compacted;
  PartLog<Count> refused;
  bool was_refused = false;
  std::uint64_t taken = 0;
  for (std::uint64_t piece = 0; piece < kPieces; ++piece) {
    PartLog<Count> log;
    one(log, piece < 100 ? piece : 0);
    compacted.splice(log);
    if (compacted.is_scattered()) compacted.compact(memory);
    if (was_refused) continue;
    one(log, piece < 100 ? piece : 0);
    try {
      refused.splice(log);
      taken += 1;
    } catch (const std::bad_alloc&) {
      was_refused = true;
      log.clear(memory);
    }
  }
  EXPECT_TRUE(was_refused);
  compacted.fold(memory);
  refused.fold(memory);
  check(compacted, kPieces);
  check(refused, taken);
  compacted.clear(memory);
  refused.clear(memory);
}

TEST(KeyedTable, AccountsForWhatItsStatesHoldUntilTheyAreGone) {
  using Sketches = Table<std::uint64_t, Quantiles>;
  constexpr std::uint64_t kKeys = 500;
  const auto fill = [&](Sketches& partial) {
    std::int64_t grown = 0;
    for (std::uint64_t key = 0; key < kKeys; ++key) {
      Quantiles& quantiles = partial[key];
      grown -= static_cast<std::int64_t>(quantiles.heap_bytes());
      for (int value = 0; value < 100; ++value) quantiles.add(value);
      grown += static_cast<std::int64_t>(quantiles.heap_bytes());
    }
    partial.charge_added(grown);
    return grown;
  };
  CountedMemory mapping;
  CountedMemory bundle_memory;
  CountedMemory total_memory;
  {
    Sketches bundle(&bundle_memory.memory);
    Sketches total(&total_memory.memory);
    for (int lease = 1; lease <= 2; ++lease) {
      Sketches partial(&mapping.memory);
      const std::int64_t grown = fill(partial);
      EXPECT_GE(grown, static_cast<std::int64_t>(kKeys * 100 * 8));
      EXPECT_EQ(mapping.charged, grown);
      bundle.merge(std::move(partial));
      EXPECT_EQ(mapping.charged, 0);
      EXPECT_GE(bundle_memory.charged, lease == 1 ? grown : grown + 1);
    }
    // Packed parts that fold into keys which are there already make their states larger.
    std::int64_t before = 0;
    for (int time = 0; time < 2; ++time) {
      for (unsigned part = 0; part < Sketches::kParts; ++part) {
        const fanfold_extent extent = bundle.extent(Sketches::kLog2Parts, part);
        std::vector<std::uint8_t> bytes(extent.packed_bytes);
        bundle.pack(Sketches::kLog2Parts, part, bytes.data());
        ASSERT_TRUE(total.fold(Sketches::kLog2Parts, part, Sketches::kLog2Parts, bytes));
      }
      EXPECT_GT(total_memory.charged, before + static_cast<std::int64_t>(kKeys * 200 * 8) / 2);
      before = total_memory.charged;
    }
    total.release_part(0, 0);
    EXPECT_EQ(total_memory.charged, 0);
    // What is refused is an exception, and nothing is counted that was refused.
    Sketches partial(&mapping.memory);
    mapping.charged_max = 1000;
    EXPECT_THROW(fill(partial), std::bad_alloc);
    EXPECT_EQ(mapping.charged, 0);
  }
  EXPECT_EQ(mapping.charged, 0);
  EXPECT_EQ(bundle_memory.charged, 0);
}

TEST(KeyedTable, AsksAnOlderHostForNothingThatItDoesNotTell) {
  // Keys of one part, so that few of them make it large.
  std::vector<std::uint64_t> keys;
  for (std::uint64_t key = 0; keys.size() < 1000; ++key) {
    if (KeyCodec<std::uint64_t>::encode(key).meta >> (64 - Words::kLog2Parts) == 5) keys.push_back(key);
  }
  const auto bytes_after = [&](std::uint32_t size_of_memory) {
    CountedMemory counted;
    counted.memory.size = size_of_memory;
    counted.memory.soft_bytes = 1;  // as little as may be, where it is there
    Table<std::uint64_t, Count> total(&counted.memory);
    for (int lease = 0; lease < 16; ++lease) {
      Table<std::uint64_t, Count> partial;
      for (const std::uint64_t key : keys) partial[key].add();
      total.merge(std::move(partial));
    }
    return counted.bytes;
  };
  EXPECT_LT(bytes_after(sizeof(fanfold_memory)), 200'000U);
  EXPECT_GT(bytes_after(offsetof(fanfold_memory, soft_bytes)), 200'000U);
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
