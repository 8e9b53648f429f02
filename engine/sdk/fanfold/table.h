// table.h: Table<Key, Fold>, the keyed fold: a commutative monoid of (key -> Fold), built for speed.
//
// One type plays three parts, as the engine asks for them:
//   a slot's partial   a hot table that fits the L2 cache, in front of a log: blocks of entries per work
//                      part that take what falls out of the hot table. Cheap to fill, reset and throw away.
//   a bundle, a total  one open-addressing table per part, presized or growing, filled from logs or from
//                      packed columns with the slots prefetched a block ahead.
//   packed columns     what travels: hashes, states, key lengths, key bytes, each column linear.
//
// Parts come from the top bits of a key's hash: 128 work parts (a lock each), 1024 parts to pack and
// gather (see abi.h). Slots within a part's table come from low bits, so that entries which arrive in
// hash order do not cluster. Nothing that leaves a table depends on its order: rows are sorted by the engine.
//
// Threads: map-side calls one at a time; merge() and fold() many at once on different parts.
// Errors: std::bad_alloc when memory is refused.
#pragma once

#include <fanfold/abi.h>
#include <fanfold/fold.h>
#include <fanfold/hash.h>
#include <fanfold/hot_table.h>
#include <fanfold/memory.h>
#include <fanfold/slice.h>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace fanfold {

// How a type becomes the bytes of a key and back. Keys are equal when their bytes are.
template <class Key>
struct KeyCodec;

template <>
struct KeyCodec<std::string_view> {
  static EncodedKey encode(std::string_view key) { return encode_key(key); }
  static std::string_view decode(std::string_view bytes) { return bytes; }
};

template <class Integer>
requires std::is_integral_v<Integer>
struct KeyCodec<Integer> {
  static EncodedKey encode(Integer key) {
    std::uint64_t word = 0;
    std::memcpy(&word, &key, sizeof(Integer));
    return hashing::encode_words(word, 0, sizeof(Integer));
  }
  static Integer decode(std::string_view bytes) {
    Integer key;
    std::memcpy(&key, bytes.data(), sizeof(Integer));
    return key;
  }
};

// Thrown over packed columns that check() would have refused.
struct Corrupt {};

// How packed columns begin; all members little-endian. Then, each padded to 8 bytes: hashes (8 bytes an
// entry), key lengths (4), states (packed_bytes each, or a length column of 4 and then their bytes), key
// bytes and 16 zero bytes behind them, so that short keys are read as two words.
struct PackedHeader {
  std::uint64_t entries;
  std::uint64_t key_bytes;
  std::uint64_t state_bytes;
  std::uint64_t format;
};
inline constexpr std::uint64_t kPackedFormat = 0x31424154444c4f46ULL;  // "FOLDTAB1"

// One entry as finish() sees it.
template <class Key, class F>
struct TableRow {
  Key key;
  const F& fold;
};

template <class Key, Fold F>
class Table {
  struct Entry {
    std::uint64_t meta;  // 0: empty
    std::uint64_t first;
    std::uint64_t second;
    F state;

    [[nodiscard]] bool is_long() const { return (meta & kKeyCodeMask) == kLongKey; }
    [[nodiscard]] std::string_view key() const {
      if (is_long()) return {reinterpret_cast<const char*>(first), second};
      return {reinterpret_cast<const char*>(&first), (meta & kKeyCodeMask) - 1};
    }
  };
  static constexpr bool kPlain = std::is_trivially_copyable_v<F> && std::is_trivially_destructible_v<F>;

  // ---- packed columns ----

  struct Columns {
    PackedHeader header{};
    const std::uint64_t* hashes = nullptr;
    const std::uint32_t* key_lengths = nullptr;
    const std::uint32_t* state_lengths = nullptr;  // null when states have one size
    const std::byte* states = nullptr;
    const char* keys = nullptr;

    struct Layout {
      std::uint64_t hashes, key_lengths, state_lengths, states, keys, bytes;
    };
    static std::uint64_t padded(std::uint64_t bytes) { return (bytes + 7) & ~std::uint64_t{7}; }
    static Layout layout(const PackedHeader& header) {
      Layout at{};
      at.hashes = sizeof(PackedHeader);
      at.key_lengths = at.hashes + 8 * header.entries;
      at.state_lengths = at.key_lengths + padded(4 * header.entries);
      at.states = at.state_lengths + (F::packed_bytes == kVariableSize ? padded(4 * header.entries) : 0);
      at.keys = at.states + padded(header.state_bytes);
      at.bytes = at.keys + padded(header.key_bytes) + 16;
      return at;
    }
    // False unless the counts fit the bytes exactly.
    static bool read(std::span<const std::uint8_t> bytes, Columns& columns) {
      if (bytes.size() < sizeof(PackedHeader) || reinterpret_cast<std::uintptr_t>(bytes.data()) % 8 != 0) return false;
      std::memcpy(&columns.header, bytes.data(), sizeof(PackedHeader));
      const PackedHeader& header = columns.header;
      // Each bound by the whole keeps the sums below from wrapping around.
      if (header.format != kPackedFormat || header.entries > bytes.size() / 8 || header.key_bytes > bytes.size() ||
          header.state_bytes > bytes.size()) {
        return false;
      }
      if (F::packed_bytes != kVariableSize && header.state_bytes != header.entries * F::packed_bytes) return false;
      const Layout at = layout(header);
      if (at.bytes != bytes.size()) return false;
      const std::uint8_t* data = bytes.data();
      columns.hashes = reinterpret_cast<const std::uint64_t*>(data + at.hashes);
      columns.key_lengths = reinterpret_cast<const std::uint32_t*>(data + at.key_lengths);
      if (F::packed_bytes == kVariableSize) {
        columns.state_lengths = reinterpret_cast<const std::uint32_t*>(data + at.state_lengths);
      }
      columns.states = reinterpret_cast<const std::byte*>(data + at.states);
      columns.keys = reinterpret_cast<const char*>(data + at.keys);
      return true;
    }
    [[nodiscard]] bool check_states() const {
      std::uint64_t at = 0;
      for (std::uint64_t entry = 0; entry < header.entries; ++entry) {
        const std::uint64_t size = state_lengths != nullptr ? state_lengths[entry] : F::packed_bytes;
        if (size > header.state_bytes - at) return false;
        F state;
        if (!state.unpack({states + at, size})) return false;
        at += size;
      }
      return at == header.state_bytes;
    }
  };

  // Reads packed columns entry by entry, front to back.
  class Cursor {
   public:
    explicit Cursor(const Columns& columns) : columns_(columns) {}
    [[nodiscard]] bool at_end() const { return entry_ == columns_.header.entries; }
    [[nodiscard]] std::uint64_t hash() const { return columns_.hashes[entry_]; }
    [[nodiscard]] std::string_view key() const { return {columns_.keys + key_at_, columns_.key_lengths[entry_]}; }
    [[nodiscard]] bool read_state(F& state) const { return state.unpack({columns_.states + state_at_, state_size()}); }
    // False when the columns are not what check() passed.
    [[nodiscard]] bool read(Entry& entry) const {
      const std::uint64_t length = columns_.key_lengths[entry_];
      if (length > columns_.header.key_bytes - key_at_ || state_size() > columns_.header.state_bytes - state_at_) {
        return false;
      }
      if (length > kInlineKeyBytesMax) {
        entry.meta = hash() | kLongKey;
        entry.first = reinterpret_cast<std::uintptr_t>(columns_.keys + key_at_);
        entry.second = length;
      } else {
        const auto& mask = hashing::kWordMasks.pairs[length];
        entry.meta = hash() | (length + 1);
        entry.first = hashing::load64(columns_.keys + key_at_) & mask[0];
        entry.second = hashing::load64(columns_.keys + key_at_ + 8) & mask[1];
      }
      return read_state(entry.state);
    }
    void next() {
      key_at_ += columns_.key_lengths[entry_];
      state_at_ += state_size();
      ++entry_;
    }
    void skip_to(unsigned part) {
      while (!at_end() && (hash() >> (64 - kLog2Parts)) < part) next();
    }

   private:
    [[nodiscard]] std::uint64_t state_size() const {
      if constexpr (F::packed_bytes == kVariableSize) return columns_.state_lengths[entry_];
      return F::packed_bytes;
    }
    const Columns& columns_;
    std::uint64_t entry_ = 0;
    std::uint64_t key_at_ = 0;
    std::uint64_t state_at_ = 0;
  };

 public:
  static constexpr unsigned kLog2WorkParts = FANFOLD_LOG2_PARTS_WORK;
  static constexpr unsigned kLog2Parts = FANFOLD_LOG2_PARTS_MAX;
  static constexpr unsigned kWorkParts = 1U << kLog2WorkParts;
  static constexpr unsigned kParts = 1U << kLog2Parts;
  static constexpr unsigned kPartsPerWorkPart = kParts / kWorkParts;

  explicit Table(const fanfold_memory* memory = unaccounted_memory()) : memory_(memory), log_arena_(memory) {}
  Table(const Table&) = delete;
  Table& operator=(const Table&) = delete;
  ~Table() { free_all(); }

  // ---- filling it (map) ----

  // The fold of a key, which is new and empty if the table has none. Valid until the next call.
  F& operator[](Key key) { return at(KeyCodec<Key>::encode(key)); }

  // The same for a key that lies in a shard's block, where 16 bytes behind it may be read: faster.
  F& in_block(std::string_view key) { return at(encode_key_in_block(key.data(), key.size())); }

  F& at(const EncodedKey& key) {
    make_ready();
    return hot_.at(key, *this);
  }

  // Calls update(F&, std::size_t index) once for each of the keys, which lie in a shard's block (16 bytes
  // behind each may be read), in no order: far faster than one by one.
  template <class Update>
  void update(const char* block, std::span<const Slice> keys, Update&& update) {
    make_ready();
    hot_.update(block, keys, update, *this);
  }

  // The hot table goes to the log; nothing is added afterwards until reset(). Tells an upper bound.
  fanfold_extent seal() {
    hot_.flush(*this);
    fanfold_extent extent{0, 0, 0};
    for (unsigned work_part = 0; work_part < kWorkParts && log_ != nullptr; ++work_part) {
      for (const Block* block = log_[work_part].first; block != nullptr; block = block->next) {
        extent.entries += block->fill;
      }
    }
    for (unsigned part = 0; part < kParts && has_subtables(); ++part) extent.entries += subtables()[part].count;
    // Inline keys hold at most 16 bytes; long ones are what the arena took, at most.
    extent.key_bytes = extent.entries * kInlineKeyBytesMax + long_key_bytes_;
    extent.packed_bytes = extent.entries * kPackedEntryBytesMax + extent.key_bytes;
    return extent;
  }

  // Back to the identity. Warm memory of the mapping side is kept.
  void reset() {
    destroy_states();
    hot_.clear();
    reset_log();
    free_subtables();
  }

  // ---- merging ----

  // Consumes `right`'s entries of one work part. `right` is sealed.
  void merge(Table& right, unsigned work_part) {
    Subtable* tables = make_subtables() + work_part * kPartsPerWorkPart;
    if (right.log_ != nullptr) {
      for (Block* block = right.log_[work_part].first; block != nullptr; block = block->next) {
        take_block(tables, work_part, *block);
      }
    }
    if (!right.has_subtables()) return;
    for (unsigned index = 0; index < kPartsPerWorkPart; ++index) {
      Subtable& from = right.subtables()[work_part * kPartsPerWorkPart + index];
      take_subtable(tables[index], work_part, from);
      right.free_subtable(from);
    }
  }

  void merge(Table&& right) {
    right.seal();
    for (unsigned work_part = 0; work_part < kWorkParts; ++work_part) merge(right, work_part);
    right.reset();
  }

  // ---- packing ----

  // The exact extent of a part of a table that others were merged into.
  [[nodiscard]] fanfold_extent extent(unsigned log2_parts, unsigned part) const {
    fanfold_extent extent{0, 0, 0};
    std::uint64_t state_bytes = 0;
    for_subtables(log2_parts, part, [&](const Subtable& table) {
      extent.entries += table.count;
      extent.key_bytes += table.key_bytes;
      if constexpr (F::packed_bytes == kVariableSize) {
        for_entries(table, [&](const Entry& entry) { state_bytes += entry.state.pack_size(); });
      }
    });
    if constexpr (F::packed_bytes != kVariableSize) state_bytes = extent.entries * F::packed_bytes;
    extent.packed_bytes = Columns::layout({extent.entries, extent.key_bytes, state_bytes, kPackedFormat}).bytes;
    return extent;
  }

  // Writes a part's columns: exactly extent().packed_bytes.
  void pack(unsigned log2_parts, unsigned part, std::uint8_t* out) const {
    const fanfold_extent size = extent(log2_parts, part);
    std::uint64_t state_bytes = size.entries * (F::packed_bytes == kVariableSize ? 0 : F::packed_bytes);
    if constexpr (F::packed_bytes == kVariableSize) {
      for_subtables(log2_parts, part, [&](const Subtable& table) {
        for_entries(table, [&](const Entry& entry) { state_bytes += entry.state.pack_size(); });
      });
    }
    Packer packer(out, {size.entries, size.key_bytes, state_bytes, kPackedFormat});
    for_subtables(log2_parts, part,
                  [&](const Subtable& table) { for_entries(table, [&](const Entry& entry) { packer.add(entry); }); });
    packer.close();
  }

  // The whole as one packed part whose entries are sorted by key: equal tables give equal bytes.
  [[nodiscard]] std::vector<std::uint8_t> canonical_pack() {
    Table all(memory_);
    all.merge(std::move(*this));
    std::vector<const Entry*> entries;
    fanfold_extent size{0, 0, 0};
    std::uint64_t state_bytes = 0;
    all.for_subtables(0, 0, [&](const Subtable& table) {
      for_entries(table, [&](const Entry& entry) {
        entries.push_back(&entry);
        size.key_bytes += entry.key().size();
        state_bytes += entry.state.pack_size();
      });
    });
    std::sort(entries.begin(), entries.end(),
              [](const Entry* left, const Entry* right) { return left->key() < right->key(); });
    const PackedHeader header{entries.size(), size.key_bytes, state_bytes, kPackedFormat};
    std::vector<std::uint8_t> bytes(Columns::layout(header).bytes);
    Packer packer(bytes.data(), header);
    for (const Entry* entry : entries) packer.add(*entry);
    packer.close();
    merge(std::move(all));
    return bytes;
  }

  // Whether bytes are a packed part as pack() writes it, for this part. Never crashes, whatever they are.
  [[nodiscard]] static bool check(unsigned log2_parts, unsigned part, std::span<const std::uint8_t> bytes,
                                  fanfold_extent* extent) {
    Columns columns;
    if (!Columns::read(bytes, columns)) return false;
    std::uint64_t key_bytes = 0;
    std::uint64_t previous = 0;
    for (std::uint64_t entry = 0; entry < columns.header.entries; ++entry) {
      const std::uint64_t hash = columns.hashes[entry];
      const std::uint64_t top = hash >> (64 - kLog2Parts);
      if ((hash & kKeyCodeMask) != 0 || top < previous) return false;
      if (log2_parts != 0 && top != part) return false;
      previous = top;
      key_bytes += columns.key_lengths[entry];
    }
    if (key_bytes != columns.header.key_bytes) return false;
    if (!columns.check_states()) return false;
    *extent = {columns.header.entries, columns.header.key_bytes, bytes.size()};
    return true;
  }

  // ---- gathering ----

  void reserve(unsigned log2_parts, unsigned part, const fanfold_extent& extent) {
    Subtable* tables = make_subtables();
    const unsigned count = log2_parts == 0 ? kParts : 1;
    const unsigned first = log2_parts == 0 ? 0 : part;
    if (extent.entries == 0) return;
    for (unsigned index = first; index < first + count; ++index) {
      grow_to(tables[index], capacity_for(tables[index].count + extent.entries / count + 1));
    }
  }

  // Adds the entries of a checked packed part that belong to the given part. Long keys are borrowed.
  [[nodiscard]] bool fold(unsigned log2_parts, unsigned part, unsigned packed_log2_parts,
                          std::span<const std::uint8_t> bytes) {
    Columns columns;
    if (!Columns::read(bytes, columns)) return false;
    Subtable* tables = make_subtables();
    Cursor cursor(columns);
    if (log2_parts != 0 && packed_log2_parts == 0) cursor.skip_to(part);
    FoldBatch batch;
    while (!cursor.at_end()) {
      while (batch.filled < kFoldBatch && !cursor.at_end()) {
        const std::uint64_t top = cursor.hash() >> (64 - kLog2Parts);
        if (log2_parts != 0 && top != part) break;
        Entry* entry = new (&batch.entry(batch.filled)) Entry{0, 0, 0, F{}};
        ++batch.filled;
        if (!cursor.read(*entry)) return false;
        prefetch_slot(tables[top], *entry);
        cursor.next();
      }
      if (batch.filled == 0) break;
      for (unsigned index = 0; index < batch.filled; ++index) {
        Entry& entry = batch.entry(index);
        insert(tables[entry.meta >> (64 - kLog2Parts)], entry, nullptr);
      }
      batch.clear();
    }
    return true;
  }

  void release_part(unsigned log2_parts, unsigned part) {
    if (!has_subtables()) return;
    const unsigned first = log2_parts == 0 ? 0 : part;
    const unsigned count = log2_parts == 0 ? kParts : 1;
    for (unsigned index = first; index < first + count; ++index) free_subtable(subtables()[index]);
  }

  // ---- reading it (finish) ----

  // One part's entries, from a table or straight from packed columns; each once, in no order.
  class Part {
   public:
    // Calls visit(TableRow<Key, F>) for every entry.
    template <class Visitor>
    void for_each(Visitor&& visit) const {
      if (table_ != nullptr) {
        table_->for_subtables(log2_parts_, part_, [&](const Subtable& subtable) {
          for_entries(subtable, [&](const Entry& entry) {
            visit(TableRow<Key, F>{KeyCodec<Key>::decode(entry.key()), entry.state});
          });
        });
        return;
      }
      for (Cursor cursor(columns_); !cursor.at_end(); cursor.next()) {
        F state;
        if (!cursor.read_state(state)) throw Corrupt();
        visit(TableRow<Key, F>{KeyCodec<Key>::decode(cursor.key()), state});
      }
    }
    [[nodiscard]] std::uint64_t size() const {
      return table_ != nullptr ? table_->extent(log2_parts_, part_).entries : columns_.header.entries;
    }

   private:
    friend class Table;
    Part(const Table* table, unsigned log2_parts, unsigned part)
        : table_(table), log2_parts_(log2_parts), part_(part) {}
    const Table* table_ = nullptr;
    unsigned log2_parts_ = 0;
    unsigned part_ = 0;
    typename Table::Columns columns_{};
  };

  [[nodiscard]] Part part(unsigned log2_parts, unsigned part) const { return Part(this, log2_parts, part); }
  // Over bytes that check() has passed; they stay borrowed.
  [[nodiscard]] static Part packed_part(std::span<const std::uint8_t> bytes) {
    Part part(nullptr, 0, 0);
    if (!Columns::read(bytes, part.columns_)) throw Corrupt();
    return part;
  }

  // A sum over entries that is equal for equal contents, whatever their order.
  static void digest(std::span<const std::uint8_t> bytes, std::uint64_t digest[2]) {
    Columns columns;
    if (!Columns::read(bytes, columns)) throw Corrupt();
    std::vector<std::byte> packed;
    for (Cursor cursor(columns); !cursor.at_end(); cursor.next()) {
      F state;
      if (!cursor.read_state(state)) throw Corrupt();
      packed.resize(state.pack_size());
      state.pack(packed.data());
      const EncodedKey key = encode_key(cursor.key());
      const EncodedKey value = encode_key({reinterpret_cast<const char*>(packed.data()), packed.size()});
      digest[0] += hashing::multiply_fold(key.meta ^ hashing::kSeed0, value.meta ^ hashing::kSeed1);
      digest[1] += hashing::multiply_fold(key.meta ^ hashing::kSeed2, value.meta ^ hashing::kSeed0);
    }
  }

 private:
  // ---- sizes, each with its reason ----

  // A log block: 2 KiB at 32 bytes an entry; long enough to prefetch over, short enough for 128 in L2.
  struct Block;
  static constexpr unsigned kBlockEntries =
      sizeof(Entry) <= 64 ? (2048 - 16) / sizeof(Entry) : (8192 - 16) / sizeof(Entry) + 1;
  struct Block {
    Block* next;
    std::uint64_t fill;
    Entry entries[kBlockEntries];
  };
  struct Log {
    Block* first;
    Block* last;
  };
  // A log beyond this is folded into the slot's own tables: it has left the cache anyhow.
  static constexpr std::uint64_t kLogBytesMax = 24U << 20;

  static constexpr std::uint64_t kPackedEntryBytesMax =
      8 + 4 + 4 + (F::packed_bytes == kVariableSize ? sizeof(F) : F::packed_bytes);
  static constexpr unsigned kFoldBatch = 32;  // slots prefetched ahead; 16 and more are alike
  static constexpr std::uint64_t kCapacityMin = 16;

  // Entries on their way from packed columns into a table.
  struct FoldBatch {
    alignas(Entry) std::byte bytes[kFoldBatch * sizeof(Entry)];
    unsigned filled = 0;

    FoldBatch() = default;
    FoldBatch(const FoldBatch&) = delete;
    FoldBatch& operator=(const FoldBatch&) = delete;
    ~FoldBatch() { clear(); }
    [[nodiscard]] Entry& entry(unsigned index) { return reinterpret_cast<Entry*>(bytes)[index]; }
    void clear() {
      if constexpr (!kPlain) {
        for (unsigned index = 0; index < filled; ++index) std::destroy_at(&entry(index));
      }
      filled = 0;
    }
  };

  struct Subtable {
    Entry* slots;
    std::uint64_t mask;  // capacity - 1
    std::uint64_t count;
    std::uint64_t limit;  // of count, before it grows
    std::uint64_t key_bytes;
  };

  // ---- hot table and log ----

  friend class HotTable<F>;  // appends and keeps

  // Before keys are added: a log that has outgrown the cache is folded first, and the hot table with it,
  // whose long keys lie in the log's arena.
  void make_ready() {
    if (!hot_.allocated()) [[unlikely]] {
      if (log_ == nullptr) log_ = static_cast<Log*>(allocate_zeroed(memory_, kWorkParts * sizeof(Log)));
      hot_.allocate();
    }
    if (absorb_needed_) [[unlikely]]
      settle();
  }

  // A long key's bytes, which live until the log is reset.
  const char* keep(const char* bytes, std::uint64_t size) {
    const char* kept = log_arena_.copy(bytes, size);
    long_key_bytes_ += size;
    return kept;
  }

  // Entries may be moved as bytes: folds are trivially relocatable.
  static void relocate(Entry* to, const Entry* from) {
    std::memcpy(static_cast<void*>(to), static_cast<const void*>(from), sizeof(Entry));
  }

  void append(const EncodedKey& key, F& state) {
    Log& log = log_[key.meta >> (64 - kLog2WorkParts)];
    Block* block = log.last;
    if (block == nullptr || block->fill == kBlockEntries) [[unlikely]]
      block = next_block(log);
    new (static_cast<void*>(&block->entries[block->fill++])) Entry{key.meta, key.first, key.second, std::move(state)};
  }

  Block* next_block(Log& log) {
    if (log_bytes_ >= kLogBytesMax && log.last != nullptr && !absorbing_) absorb_needed_ = true;
    log_bytes_ += sizeof(Block);
    auto* block = static_cast<Block*>(log_blocks_.take(sizeof(Block), 64));
    block->next = nullptr;
    block->fill = 0;
    (log.first == nullptr ? log.first : log.last->next) = block;
    log.last = block;
    return block;
  }

  // Folds a log that has outgrown the cache into the slot's own tables.
  void settle() {
    absorbing_ = true;
    hot_.flush(*this);
    for (unsigned work_part = 0; work_part < kWorkParts; ++work_part) {
      Subtable* tables = make_subtables() + work_part * kPartsPerWorkPart;
      for (Block* block = log_[work_part].first; block != nullptr; block = block->next) {
        take_block(tables, work_part, *block);
      }
    }
    reset_log();
  }

  void reset_log() {
    if (log_ != nullptr) std::memset(static_cast<void*>(log_), 0, kWorkParts * sizeof(Log));
    log_blocks_.rewind();
    log_arena_.rewind();
    log_bytes_ = 0;
    long_key_bytes_ = 0;
    absorb_needed_ = false;
    absorbing_ = false;
  }

  // ---- subtables ----

  [[nodiscard]] bool has_subtables() const { return subtables_.load(std::memory_order_acquire) != nullptr; }
  [[nodiscard]] Subtable* subtables() const { return subtables_.load(std::memory_order_acquire)->parts; }

  // Arenas of long keys, one a work part, so that threads on different work parts do not meet.
  struct Subtables {
    explicit Subtables(const fanfold_memory* memory) {
      for (unsigned work_part = 0; work_part < kWorkParts; ++work_part) arenas[work_part] = new Arena(memory);
    }
    ~Subtables() {
      for (Arena* arena : arenas) delete arena;
    }
    Subtables(const Subtables&) = delete;
    Subtables& operator=(const Subtables&) = delete;
    Subtable parts[kParts] = {};
    Arena* arenas[kWorkParts];
  };

  Subtable* make_subtables() {
    Subtables* present = subtables_.load(std::memory_order_acquire);
    if (present == nullptr) {
      auto made = std::make_unique<Subtables>(memory_);
      if (subtables_.compare_exchange_strong(present, made.get(), std::memory_order_acq_rel)) {
        present = made.release();
      }
    }
    return present->parts;
  }

  static void prefetch_slot(const Subtable& table, const Entry& entry) {
    __builtin_prefetch(table.slots + ((entry.meta >> 5) & table.mask), 1);
  }

  // Empties a block of a log. Where memory is refused in the midst, what was not taken is still in it.
  void take_block(Subtable* tables, unsigned work_part, Block& block) {
    Arena* arena = subtables_.load(std::memory_order_relaxed)->arenas[work_part];
    constexpr unsigned kShift = 64 - kLog2Parts;
    for (std::uint64_t index = 0; index < block.fill; ++index) {
      const Entry& entry = block.entries[index];
      prefetch_slot(tables[(entry.meta >> kShift) % kPartsPerWorkPart], entry);
    }
    if constexpr (kPlain) {
      for (std::uint64_t index = 0; index < block.fill; ++index) {
        Entry& entry = block.entries[index];
        insert(tables[(entry.meta >> kShift) % kPartsPerWorkPart], entry, arena);
      }
      block.fill = 0;
    } else {
      for (; block.fill > 0; --block.fill) {
        Entry& entry = block.entries[block.fill - 1];
        insert(tables[(entry.meta >> kShift) % kPartsPerWorkPart], entry, arena);
        std::destroy_at(&entry.state);
      }
    }
  }

  void take_subtable(Subtable& to, unsigned work_part, Subtable& from) {
    if (from.count == 0) return;
    Arena* arena = subtables_.load(std::memory_order_relaxed)->arenas[work_part];
    grow_to(to, capacity_for(std::max(to.count, from.count)));
    constexpr std::uint64_t kAhead = 16;
    const std::uint64_t capacity = from.mask + 1;
    for (std::uint64_t slot = 0; slot < capacity; ++slot) {
      if (slot + kAhead < capacity) prefetch_slot(to, from.slots[slot + kAhead]);
      Entry& entry = from.slots[slot];
      if (entry.meta == 0) continue;
      insert(to, entry, arena);
      if constexpr (!kPlain) std::destroy_at(&entry.state);
      entry.meta = 0;
    }
    from.count = 0;
  }

  // Adds an entry, whose state is left moved-from. A new long key is copied into `arena`, or borrowed
  // where that is null.
  void insert(Subtable& table, Entry& entry, Arena* arena) {
    if (table.count >= table.limit) [[unlikely]]
      grow_to(table, table.slots == nullptr ? kCapacityMin : (table.mask + 1) * 2);
    const bool is_long = entry.is_long();
    for (std::uint64_t index = entry.meta >> 5;; ++index) {
      Entry& slot = table.slots[index & table.mask];
      if (slot.meta == 0) {
        std::uint64_t first = entry.first;
        if (is_long && arena != nullptr) {
          // Before anything is in the slot: the memory may be refused.
          first = reinterpret_cast<std::uintptr_t>(arena->copy(reinterpret_cast<const char*>(first), entry.second));
        }
        slot.meta = entry.meta;
        slot.first = first;
        slot.second = entry.second;
        new (static_cast<void*>(&slot.state)) F(std::move(entry.state));
        ++table.count;
        table.key_bytes += is_long ? entry.second : (entry.meta & kKeyCodeMask) - 1;
        return;
      }
      if (slot.meta == entry.meta && slot.second == entry.second) {
        const bool equal = is_long ? std::memcmp(reinterpret_cast<const char*>(slot.first),
                                                 reinterpret_cast<const char*>(entry.first), entry.second) == 0
                                   : slot.first == entry.first;
        if (equal) {
          slot.state.merge(std::move(entry.state));
          return;
        }
      }
    }
  }

  // A table is at most three quarters full: probes stay short and growth is rare.
  static std::uint64_t capacity_for(std::uint64_t entries) {
    std::uint64_t capacity = kCapacityMin;
    while (capacity / 4 * 3 < entries) capacity *= 2;
    return capacity;
  }

  void grow_to(Subtable& table, std::uint64_t capacity) {
    if (table.slots != nullptr && capacity <= table.mask + 1) return;
    auto* slots = static_cast<Entry*>(allocate_zeroed(memory_, capacity * sizeof(Entry)));
    if (table.slots != nullptr) {
      for (std::uint64_t from = 0; from <= table.mask; ++from) {
        if (table.slots[from].meta == 0) continue;
        std::uint64_t index = table.slots[from].meta >> 5;
        while (slots[index & (capacity - 1)].meta != 0) ++index;
        relocate(&slots[index & (capacity - 1)], &table.slots[from]);
      }
      release(memory_, table.slots, (table.mask + 1) * sizeof(Entry));
    }
    table.slots = slots;
    table.mask = capacity - 1;
    table.limit = capacity / 4 * 3;
  }

  void free_subtable(Subtable& table) {
    if (table.slots == nullptr) return;
    if constexpr (!kPlain) {
      for (std::uint64_t slot = 0; slot <= table.mask; ++slot) {
        if (table.slots[slot].meta != 0) std::destroy_at(&table.slots[slot].state);
      }
    }
    release(memory_, table.slots, (table.mask + 1) * sizeof(Entry));
    table = Subtable{};
  }

  void free_subtables() {
    Subtables* present = subtables_.exchange(nullptr);
    if (present == nullptr) return;
    for (Subtable& table : present->parts) free_subtable(table);
    delete present;
  }

  // Folds that own memory are destroyed where they still stand in the log.
  void destroy_states() {
    if constexpr (!kPlain) {
      for (unsigned work_part = 0; log_ != nullptr && work_part < kWorkParts; ++work_part) {
        for (Block* block = log_[work_part].first; block != nullptr; block = block->next) {
          for (std::uint64_t index = 0; index < block->fill; ++index) std::destroy_at(&block->entries[index].state);
        }
      }
    }
  }

  void free_all() {
    destroy_states();
    free_subtables();
    hot_.free();
    release(memory_, log_, kWorkParts * sizeof(Log));
    log_ = nullptr;
    log_blocks_.free();
    log_arena_.free();
  }

  template <class Visitor>
  void for_subtables(unsigned log2_parts, unsigned part, Visitor&& visit) const {
    if (!has_subtables()) return;
    const unsigned first = log2_parts == 0 ? 0 : part;
    const unsigned count = log2_parts == 0 ? kParts : 1;
    for (unsigned index = first; index < first + count; ++index) visit(subtables()[index]);
  }

  template <class Visitor>
  static void for_entries(const Subtable& table, Visitor&& visit) {
    if (table.count == 0) return;
    for (std::uint64_t slot = 0; slot <= table.mask; ++slot) {
      if (table.slots[slot].meta != 0) visit(table.slots[slot]);
    }
  }

  // ---- packing ----

  class Packer {
   public:
    Packer(std::uint8_t* out, const PackedHeader& header) : header_(header) {
      const typename Columns::Layout at = Columns::layout(header);
      std::memcpy(out, &header, sizeof header);
      hashes_ = reinterpret_cast<std::uint64_t*>(out + at.hashes);
      key_lengths_ = reinterpret_cast<std::uint32_t*>(out + at.key_lengths);
      state_lengths_ = reinterpret_cast<std::uint32_t*>(out + at.state_lengths);
      states_ = reinterpret_cast<std::byte*>(out + at.states);
      keys_ = reinterpret_cast<char*>(out + at.keys);
    }
    void add(const Entry& entry) {
      hashes_[added_] = entry.meta & ~kKeyCodeMask;
      const std::string_view key = entry.key();
      key_lengths_[added_] = static_cast<std::uint32_t>(key.size());
      if (!entry.is_long()) {
        std::memcpy(keys_, &entry.first, 16);  // what follows the key is overwritten or cleared
      } else {
        std::memcpy(keys_, key.data(), key.size());
      }
      keys_ += key.size();
      const std::uint64_t size = F::packed_bytes == kVariableSize ? entry.state.pack_size() : F::packed_bytes;
      entry.state.pack(states_);
      states_ += size;
      if constexpr (F::packed_bytes == kVariableSize) state_lengths_[added_] = static_cast<std::uint32_t>(size);
      ++added_;
    }
    // Clears the padding: equal contents give equal bytes.
    void close() {
      if (added_ % 2 == 1) {
        key_lengths_[added_] = 0;
        if constexpr (F::packed_bytes == kVariableSize) state_lengths_[added_] = 0;
      }
      std::memset(static_cast<void*>(states_), 0, Columns::padded(header_.state_bytes) - header_.state_bytes);
      std::memset(keys_, 0, Columns::padded(header_.key_bytes) - header_.key_bytes + 16);
    }

   private:
    PackedHeader header_;
    std::uint64_t* hashes_;
    std::uint32_t* key_lengths_;
    std::uint32_t* state_lengths_;
    std::byte* states_;
    char* keys_;
    std::uint64_t added_ = 0;
  };

  const fanfold_memory* memory_;
  HotTable<F> hot_{memory_};
  Log* log_ = nullptr;
  Arena log_arena_;  // long keys of hot table and log
  Arena log_blocks_{memory_};
  std::uint64_t log_bytes_ = 0;
  std::uint64_t long_key_bytes_ = 0;
  bool absorb_needed_ = false;
  bool absorbing_ = false;
  std::atomic<Subtables*> subtables_ = nullptr;
};

}  // namespace fanfold
