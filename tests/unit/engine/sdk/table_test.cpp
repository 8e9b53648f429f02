// table_test.cpp: the law for keyed folds: the same records, cut into any shards, mapped by one key or by batches,
// merged in any order and tree, packed into one part or many and folded again, give the same rows and the same
// canonical bytes; and packed columns from a stranger are refused or read without harm.
#include <fanfold/concat.h>
#include <fanfold/count.h>
#include <fanfold/min_max.h>
#include <fanfold/sum.h>
#include <fanfold/table.h>
#include <fanfold/tuple.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <map>
#include <memory>
#include <new>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tests/unit/engine/sdk/fold_samples.h"
#include "tests/unit/engine/sdk/sharding.h"

namespace fanfold {
namespace {

struct Record {
  std::string key;
  std::uint64_t value;
};

// Keys of every length about the borders of what is held inline, any bytes; some records share a few of them.
std::vector<Record> some_records(Random& random, std::size_t size) {
  std::vector<std::string> vocabulary(1 + below(random, below(random, 2) == 0 ? 10 : 8000));
  for (std::string& word : vocabulary) {
    word.resize(below(random, 4) == 0 ? 14 + below(random, 5) : below(random, 40));
    for (char& byte : word) byte = static_cast<char>(below(random, 3) == 0 ? below(random, 2) : random());
  }
  std::vector<Record> records;
  while (records.size() < size) {
    const std::size_t rank = below(random, 1 + below(random, vocabulary.size()));
    records.push_back({vocabulary[rank], random()});
  }
  return records;
}

// What each kind of fold is given of a record.
struct Counting {
  using F = Count;
  static void add(F& fold, const Record&) { fold.add(); }
};
struct Summing {  // of no fixed size, and with memory of its own where the values are far apart
  using F = Sum<double>;
  static void add(F& fold, const Record& record) {
    fold.add(double_from((record.value & 1) != 0, static_cast<unsigned>(record.value >> 4) % 2047, record.value >> 12));
  }
};
struct Joining {
  using F = Tuple<Count, Max<std::string>, Concat>;
  static void add(F& fold, const Record& record) {
    fold.get<0>().add();
    fold.get<1>().add(std::to_string(record.value));
    fold.get<2>().add(record.value % 3, record.value >> 8, std::string_view("pieces").substr(0, record.value % 7));
  }
};

template <class Kind>
using TextTable = Table<std::string_view, typename Kind::F>;
using Rows = std::map<std::string, law::Bytes>;

template <class Kind>
Rows rows_of(const std::vector<Record>& records) {
  std::map<std::string, typename Kind::F> folds;
  for (const Record& record : records) Kind::add(folds[record.key], record);
  Rows rows;
  for (const auto& [key, fold] : folds) rows.emplace(key, packed_bytes_of(fold));
  return rows;
}

template <class Part>
void read_rows(const Part& part, Rows& rows) {
  part.for_each([&](const auto& row) {
    EXPECT_TRUE(rows.emplace(row.key, packed_bytes_of(row.fold)).second) << "a key is there twice";
  });
}

template <class Kind>
Rows rows_of(TextTable<Kind>& table, unsigned log2_parts) {
  Rows rows;
  for (unsigned part = 0; part < 1U << log2_parts; ++part) read_rows(table.part(log2_parts, part), rows);
  return rows;
}

// Maps records into a table: one by one, or as a block's slices.
template <class Kind>
void map_into(Random& random, TextTable<Kind>& table, const std::vector<Record>& records) {
  if (below(random, 2) == 0) {
    for (const Record& record : records) Kind::add(table[record.key], record);
    return;
  }
  std::string block;
  std::vector<Slice> slices;
  for (const Record& record : records) {
    const auto begin = static_cast<std::uint32_t>(block.size());
    block += record.key;
    slices.push_back({begin, static_cast<std::uint32_t>(block.size())});
  }
  block.append(64, '?');  // what a block's margin holds is nobody's
  table.update(block.data(), slices,
               [&](typename Kind::F& fold, std::size_t index) { Kind::add(fold, records[index]); });
}

using AlignedBytes = std::vector<std::uint64_t>;

struct PackedPart {
  unsigned log2_parts = 0;
  unsigned part = 0;
  std::uint64_t size = 0;
  AlignedBytes words;
  [[nodiscard]] std::span<const std::uint8_t> bytes() const {
    return {reinterpret_cast<const std::uint8_t*>(words.data()), size};
  }
};

template <class Kind>
PackedPart pack_part(TextTable<Kind>& table, unsigned log2_parts, unsigned part) {
  const fanfold_extent extent = table.extent(log2_parts, part);
  PackedPart packed{log2_parts, part, extent.packed_bytes,
                    AlignedBytes(extent.packed_bytes / 8 + 2, ~std::uint64_t{0})};
  EXPECT_EQ(extent.packed_bytes % 8, 0U);
  table.pack(log2_parts, part, reinterpret_cast<std::uint8_t*>(packed.words.data()));
  // Behind its end nothing is written.
  EXPECT_EQ(packed.words[extent.packed_bytes / 8], ~std::uint64_t{0});
  fanfold_extent told{};
  EXPECT_TRUE(TextTable<Kind>::check(log2_parts, part, packed.bytes(), &told));
  EXPECT_EQ(told.entries, extent.entries);
  EXPECT_EQ(told.key_bytes, extent.key_bytes);
  return packed;
}

// A table as it arrives at the gatherer: packed into one part or many, then folded into one part or many.
template <class Kind>
void send(Random& random, TextTable<Kind>& table, TextTable<Kind>& total, unsigned total_log2_parts) {
  const unsigned log2_parts = below(random, 2) == 0 ? 0 : FANFOLD_LOG2_PARTS_MAX;
  std::vector<PackedPart> parts;
  for (unsigned part = 0; part < 1U << log2_parts; ++part) parts.push_back(pack_part<Kind>(table, log2_parts, part));
  for (unsigned to = 0; to < 1U << total_log2_parts; ++to) {
    for (unsigned from = 0; from < parts.size(); ++from) {
      if (log2_parts != 0 && total_log2_parts != 0 && from != to) continue;
      if (below(random, 2) == 0) {
        total.reserve(total_log2_parts, to, {parts[from].size / 32, 0, 0});  // more or less what will come
      }
      EXPECT_TRUE(total.fold(total_log2_parts, to, log2_parts, parts[from].bytes()));
    }
  }
}

template <class Kind>
void keeps_the_law(std::uint64_t seed) {
  Random random(seed);
  for (int round = 0; round < 12; ++round) {
    const std::vector<Record> records = some_records(random, below(random, round == 0 ? 60'000 : 6000));
    const Rows expected = rows_of<Kind>(records);
    std::vector<std::uint8_t> canonical;
    {
      TextTable<Kind> whole;
      map_into<Kind>(random, whole, records);
      canonical = whole.canonical_pack();
      EXPECT_TRUE(rows_of<Kind>(whole, 0) == expected);
      EXPECT_TRUE(whole.canonical_pack() == canonical) << "packing twice";
    }
    // Shards: any records, any number.
    std::vector<std::vector<Record>> shards(1 + below(random, 12));
    for (const Record& record : records) shards[below(random, shards.size())].push_back(record);
    std::vector<std::unique_ptr<TextTable<Kind>>> tables;
    for (const auto& shard : shards) {
      tables.push_back(std::make_unique<TextTable<Kind>>());
      map_into<Kind>(random, *tables.back(), shard);
      if (below(random, 3) == 0) {  // a slot's partial that is used again
        tables.back()->reset();
        map_into<Kind>(random, *tables.back(), shard);
      }
      tables.back()->seal();
    }
    while (tables.size() > 1) {
      std::swap(tables[below(random, tables.size())], tables.back());
      std::unique_ptr<TextTable<Kind>> right = std::move(tables.back());
      tables.pop_back();
      std::unique_ptr<TextTable<Kind>>& left = tables[below(random, tables.size())];
      // What was mapped is merged into something else, never into; so the left begins as an empty total.
      auto total = std::make_unique<TextTable<Kind>>();
      total->merge(std::move(*left));
      if (below(random, 3) != 0) {
        total->merge(std::move(*right));
      } else {
        TextTable<Kind> bundle;
        bundle.merge(std::move(*right));
        send<Kind>(random, bundle, *total, below(random, 2) == 0 ? 0 : FANFOLD_LOG2_PARTS_MAX);
      }
      left = std::move(total);
    }
    TextTable<Kind> total;
    total.merge(std::move(*tables.front()));
    EXPECT_TRUE(rows_of<Kind>(total, below(random, 2) == 0 ? 0 : FANFOLD_LOG2_PARTS_MAX) == expected);
    EXPECT_TRUE(total.canonical_pack() == canonical) << "round " << round;
  }
}

TEST(KeyedTable, OfCountsKeepsTheLaw) {
  keeps_the_law<Counting>(1);
}

TEST(KeyedTable, OfFoldsWithMemoryOfTheirOwnKeepsTheLaw) {
  keeps_the_law<Summing>(2);
}

TEST(KeyedTable, OfTuplesKeepsTheLaw) {
  keeps_the_law<Joining>(3);
}

TEST(KeyedTable, KeepsIntegerKeysOfEveryValue) {
  Random random(4);
  Table<std::int32_t, Count> table;
  std::map<std::int32_t, std::uint64_t> expected;
  for (int round = 0; round < 50'000; ++round) {
    const auto key = static_cast<std::int32_t>(below(random, 2) == 0 ? random() : below(random, 50));
    table[key].add();
    expected[key] += 1;
  }
  for (const std::int32_t key : {std::numeric_limits<std::int32_t>::min(), -1, 0, 1}) {
    table[key].add();
    expected[key] += 1;
  }
  Table<std::int32_t, Count> total;
  total.merge(std::move(table));
  std::map<std::int32_t, std::uint64_t> actual;
  total.part(0, 0).for_each([&](const auto& row) { actual[row.key] += row.fold.value(); });
  EXPECT_EQ(actual, expected);
}

// A bundle that is alone at the gatherer is finished from its columns, without a table.
TEST(KeyedTable, GivesTheSameRowsFromItsPackedColumns) {
  Random random(5);
  const std::vector<Record> records = some_records(random, 9000);
  TextTable<Joining> table;
  map_into<Joining>(random, table, records);
  TextTable<Joining> bundle;
  bundle.merge(std::move(table));
  const Rows expected = rows_of<Joining>(records);
  for (const unsigned log2_parts : {0U, unsigned{FANFOLD_LOG2_PARTS_MAX}}) {
    Rows rows;
    for (unsigned part = 0; part < 1U << log2_parts; ++part) {
      const PackedPart packed = pack_part<Joining>(bundle, log2_parts, part);
      read_rows(TextTable<Joining>::packed_part(packed.bytes()), rows);
    }
    EXPECT_TRUE(rows == expected);
  }
}

TEST(KeyedTable, HasADigestThatDoesNotDependOnOrder) {
  Random random(6);
  std::vector<Record> records = some_records(random, 3000);
  const auto digest_of = [&](const std::vector<Record>& some) {
    TextTable<Counting> table;
    map_into<Counting>(random, table, some);
    TextTable<Counting> bundle;
    bundle.merge(std::move(table));
    const unsigned log2_parts = below(random, 2) == 0 ? 0 : FANFOLD_LOG2_PARTS_MAX;
    std::pair<std::uint64_t, std::uint64_t> sum{0, 0};
    for (unsigned part = 0; part < 1U << log2_parts; ++part) {
      std::uint64_t digest[2] = {0, 0};
      TextTable<Counting>::digest(pack_part<Counting>(bundle, log2_parts, part).bytes(), digest);
      sum.first += digest[0];
      sum.second += digest[1];
    }
    return sum;
  };
  const auto whole = digest_of(records);
  std::shuffle(records.begin(), records.end(), random);
  EXPECT_EQ(digest_of(records), whole);
  records.back().key += "!";
  EXPECT_NE(digest_of(records), whole);
}

TEST(KeyedTable, RefusesItsColumnsCutShortOrInAnotherPart) {
  Random random(7);
  TextTable<Joining> table;
  map_into<Joining>(random, table, some_records(random, 300));
  TextTable<Joining> bundle;
  bundle.merge(std::move(table));
  const PackedPart packed = pack_part<Joining>(bundle, 0, 0);
  fanfold_extent extent{};
  for (std::uint64_t size = 0; size < packed.size; ++size) {
    // A block of just that size, so that a sanitizer sees a read behind its end.
    const std::unique_ptr<std::uint8_t[]> cut(new std::uint8_t[size]);
    std::memcpy(cut.get(), packed.words.data(), size);
    ASSERT_FALSE(TextTable<Joining>::check(0, 0, {cut.get(), size}, &extent)) << size;
  }
  EXPECT_FALSE(TextTable<Joining>::check(FANFOLD_LOG2_PARTS_MAX, 0, packed.bytes(), &extent));
}

TEST(KeyedTable, RefusesOrReadsDamagedColumnsWithoutHarm) {
  Random random(8);
  for (int round = 0; round < 1000; ++round) {
    TextTable<Joining> table;
    map_into<Joining>(random, table, some_records(random, below(random, 30)));
    TextTable<Joining> bundle;
    bundle.merge(std::move(table));
    const PackedPart whole = pack_part<Joining>(bundle, 0, 0);
    const std::unique_ptr<std::uint8_t[]> bytes(new std::uint8_t[whole.size]);
    std::memcpy(bytes.get(), whole.words.data(), whole.size);
    for (std::size_t flips = 1 + below(random, 4); flips > 0; --flips) {
      // Half of them in the header and the first columns, where the counts are.
      const std::size_t at = below(random, below(random, 2) == 0 ? std::min<std::size_t>(whole.size, 80) : whole.size);
      bytes[at] = static_cast<std::uint8_t>(below(random, 2) == 0 ? random() : below(random, 3));
    }
    const std::span<const std::uint8_t> damaged(bytes.get(), whole.size);
    fanfold_extent extent{};
    if (!TextTable<Joining>::check(0, 0, damaged, &extent)) continue;
    TextTable<Joining> total;
    ASSERT_TRUE(total.fold(0, 0, 0, damaged));
    Rows rows;
    total.part(0, 0).for_each([&](const auto& row) { rows.emplace(row.key, packed_bytes_of(row.fold)); });
    EXPECT_LE(rows.size(), extent.entries);
  }
}

// Memory that is refused from the n-th block on.
struct Miser {
  std::size_t blocks_left;
  std::size_t held = 0;
  static void* give(void* context, std::uint64_t bytes) {
    auto& miser = *static_cast<Miser*>(context);
    if (miser.blocks_left == 0) return nullptr;
    miser.blocks_left -= 1;
    miser.held += 1;
    return std::aligned_alloc(64, (bytes + 63) / 64 * 64);
  }
  static void* give_zeroed(void* context, std::uint64_t bytes) {
    void* block = give(context, bytes);
    if (block != nullptr) std::memset(block, 0, bytes);
    return block;
  }
  static void take_back(void* context, void* block, std::uint64_t) {
    static_cast<Miser*>(context)->held -= 1;
    std::free(block);
  }
};

TEST(KeyedTable, ThrowsWhereMemoryIsRefusedAndGivesAllOfItBack) {
  Random random(9);
  const std::vector<Record> records = some_records(random, 30'000);
  const Rows expected = rows_of<Summing>(records);
  bool refused = true;
  for (std::size_t blocks = 0; refused; blocks += blocks < 40 ? 1 : 1 + blocks / 3) {
    Miser miser{blocks};
    const fanfold_memory memory{sizeof(fanfold_memory), 0, &miser, Miser::give, Miser::give_zeroed,
                                Miser::take_back,       0, nullptr};
    {
      TextTable<Summing> table(&memory);
      TextTable<Summing> total(&memory);
      try {
        map_into<Summing>(random, table, records);
        total.merge(std::move(table));
        refused = false;
        EXPECT_TRUE(rows_of<Summing>(total, 0) == expected);
      } catch (const std::bad_alloc&) {
        // The run fails; the partials are reset or freed.
        if (below(random, 2) == 0) table.reset();
      }
    }
    ASSERT_EQ(miser.held, 0U) << "with " << blocks << " blocks";
  }
}

}  // namespace
}  // namespace fanfold
