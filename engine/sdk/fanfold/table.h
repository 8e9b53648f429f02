// table.h: Table<Key, Fold>, the keyed fold: a commutative monoid of (key -> Fold), built for speed.
//
// One type plays three parts, as the engine asks for them:
//   a slot's partial   a hot table that fits the L2 cache, in front of a log: blocks of entries per work
//                      part that take what falls out of the hot table. Cheap to fill, reset and throw away.
//   a bundle, a total  a log of records a part (part_log.h), filled from the logs of slots or from packed
//                      columns without looking anything up, and folded part by part, in the cache, when it
//                      is packed or finished, or has outgrown its room.
//   packed columns     what travels (packed_columns.h): hashes, states, key lengths, key bytes.
//
// Parts come from the top bits of a key's hash: 128 work parts (a lock each), 1024 parts to pack and
// gather (see abi.h). Nothing that leaves a table depends on its order: rows are sorted by the engine.
//
// Threads: map-side calls one at a time; all others many at once on different parts.
// Errors: std::bad_alloc when memory is refused.
#pragma once

#include <fanfold/abi.h>
#include <fanfold/fold.h>
#include <fanfold/hash.h>
#include <fanfold/hot_table.h>
#include <fanfold/memory.h>
#include <fanfold/packed_columns.h>
#include <fanfold/part_log.h>
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

// One entry as finish() sees it.
template <class Key, class F>
struct TableRow {
  Key key;
  const F& fold;
};

template <class Key, Fold F>
class Table {
  using Columns = PackedColumns<F>;
  using Record = typename PartLog<F>::Record;
  static constexpr bool kPlain = std::is_trivially_copyable_v<F> && std::is_trivially_destructible_v<F>;

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
    if (bypass_keys_left_ == 0) {
      judged_keys_ += keys.size();
      hot_.update(block, keys, update, *this);
      if (judged_keys_ >= kJudgedKeys) judge();
      return;
    }
    bypass_keys_left_ -= std::min<std::uint64_t>(bypass_keys_left_, keys.size());
    for (std::size_t index = 0; index < keys.size(); ++index) {
      EncodedKey key = encode_key_in_block(block + keys[index].begin, keys[index].end - keys[index].begin);
      if ((key.meta & kKeyCodeMask) == kLongKey) [[unlikely]]
        key.first = reinterpret_cast<std::uintptr_t>(keep(reinterpret_cast<const char*>(key.first), key.second));
      update(construct_entry(key), index);
    }
  }

  // Tells how much more than at the last call the states hold outside of themselves that keys were added to. What is
  // not told is accounted for when they are merged.
  void charge_added(std::int64_t bytes) {
    charge(memory_, bytes);
    added_heap_bytes_ += bytes;
  }

  // The hot table goes to the log; nothing is added afterwards until reset(). Tells an upper bound.
  fanfold_extent seal() {
    hot_.flush(*this);
    fanfold_extent extent{0, 0, 0};
    for (unsigned work_part = 0; work_part < kWorkParts && log_ != nullptr; ++work_part) {
      log_[work_part].close();
      for (const Block* block = log_[work_part].first; block != nullptr; block = block->next) {
        extent.entries += block->fill;
      }
    }
    // Inline keys hold at most 16 bytes; long ones are what the arena took, at most.
    extent.key_bytes = extent.entries * kInlineKeyBytesMax + long_key_bytes_;
    for_parts(0, 0, [&](const PartLog<F>& log) {
      extent.entries += log.records();
      extent.key_bytes += log.bytes();
    });
    extent.packed_bytes = extent.entries * kPackedEntryBytesMax + extent.key_bytes;
    return extent;
  }

  // Back to the identity. Warm memory of the mapping side is kept.
  void reset() {
    destroy_states();
    hot_.clear();
    reset_log();
    free_parts();
  }

  // ---- merging ----

  // Consumes `right`'s entries of one work part. `right` is sealed.
  void merge(Table& right, unsigned work_part) {
    take_log(right, work_part);
    if (right.parts() == nullptr) return;
    PartLog<F>* logs = make_parts() + work_part * kPartsPerWorkPart;
    for (unsigned index = 0; index < kPartsPerWorkPart; ++index) {
      take_part(logs[index], right, right.parts()[work_part * kPartsPerWorkPart + index]);
    }
  }

  void merge(Table&& right) {
    right.seal();
    for (unsigned work_part = 0; work_part < kWorkParts; ++work_part) merge(right, work_part);
    right.reset();
  }

  // ---- packing ----

  // The exact extent of a part of a table that others were merged into. Folds it.
  [[nodiscard]] fanfold_extent extent(unsigned log2_parts, unsigned part) {
    const PackedHeader header = fold_and_measure(log2_parts, part);
    return {header.entries, header.key_bytes, Columns::layout(header).bytes};
  }

  // Writes a part's columns: exactly extent().packed_bytes.
  void pack(unsigned log2_parts, unsigned part, std::uint8_t* out) {
    PackedWriter<F> writer(out, fold_and_measure(log2_parts, part));
    for_records(log2_parts, part, [&](const Record& record) { write(writer, record); });
    writer.close();
  }

  // The whole as one packed part whose entries are sorted by key: equal tables give equal bytes.
  [[nodiscard]] std::vector<std::uint8_t> canonical_pack() {
    Table all(memory_);
    all.merge(std::move(*this));
    const PackedHeader header = all.fold_and_measure(0, 0);
    std::vector<Record> records;
    all.for_records(0, 0, [&](const Record& record) { records.push_back(record); });
    std::sort(records.begin(), records.end(),
              [](const Record& left, const Record& right) { return left.key() < right.key(); });
    std::vector<std::uint8_t> bytes(Columns::layout(header).bytes);
    PackedWriter<F> writer(bytes.data(), header);
    for (const Record& record : records) write(writer, record);
    writer.close();
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
    if (extent.entries == 0) return;
    PartLog<F>* logs = make_parts();
    const unsigned count = log2_parts == 0 ? kParts : 1;
    const unsigned first = log2_parts == 0 ? 0 : part;
    for (unsigned index = first; index < first + count; ++index) {
      logs[index].reserve(memory_, extent.entries / count + 1, extent.key_bytes / count);
    }
  }

  // Adds the entries of a checked packed part that belong to the given part.
  [[nodiscard]] bool fold(unsigned log2_parts, unsigned part, unsigned packed_log2_parts,
                          std::span<const std::uint8_t> bytes) {
    Columns columns;
    if (!Columns::read(bytes, columns)) return false;
    PartLog<F>* logs = make_parts();
    PackedCursor<F> cursor(columns);
    const auto top = [&] { return static_cast<unsigned>(cursor.hash() >> (64 - kLog2Parts)); };
    if (log2_parts != 0 && packed_log2_parts == 0) {
      while (!cursor.at_end() && top() < part) cursor.next();
    }
    for (; !cursor.at_end() && (log2_parts == 0 || top() == part); cursor.next()) {
      Unpacked unpacked;
      EncodedKey key;
      if (!cursor.read(key, unpacked.state)) return false;
      // What lies ahead may be of another part, whose index another thread may be growing.
      const std::uint64_t ahead = cursor.hash_ahead(kFoldAhead);
      const std::uint64_t ahead_part = ahead >> (64 - kLog2Parts);
      if (log2_parts == 0 || ahead_part == part) logs[ahead_part].prefetch(ahead);
      unpacked.moved = logs[top()].insert(memory_, key, unpacked.state);
    }
    // States that are large are folded bundle by bundle; the others once, when all of them are here.
    if constexpr (!kPlain) {
      for_parts(log2_parts, part, [&](PartLog<F>& log) {
        if (log.heap_bytes() > log.bytes()) keep_small(log);
        log.charge_heap(memory_);
      });
    }
    return true;
  }

  void release_part(unsigned log2_parts, unsigned part) {
    for_parts(log2_parts, part, [&](PartLog<F>& log) { log.clear(memory_); });
  }

  // ---- reading it (finish) ----

  // One part's entries, from a table or straight from packed columns; each once, in no order.
  class Part {
   public:
    // Calls visit(TableRow<Key, F>) for every entry.
    template <class Visitor>
    void for_each(Visitor&& visit) const {
      if (table_ != nullptr) {
        table_->for_records(log2_parts_, part_, [&](const Record& record) {
          visit(TableRow<Key, F>{KeyCodec<Key>::decode(record.key()), record.state()});
        });
        return;
      }
      for (PackedCursor<F> cursor(columns_); !cursor.at_end(); cursor.next()) {
        F state;
        if (!cursor.read_state(state)) throw Corrupt();
        visit(TableRow<Key, F>{KeyCodec<Key>::decode(cursor.key()), state});
      }
    }
    [[nodiscard]] std::uint64_t size() const { return entries_; }

   private:
    friend class Table;
    const Table* table_ = nullptr;
    unsigned log2_parts_ = 0;
    unsigned part_ = 0;
    std::uint64_t entries_ = 0;
    Columns columns_{};
  };

  // Folds it. Valid until the part changes.
  [[nodiscard]] Part part(unsigned log2_parts, unsigned part) {
    Part whole;
    whole.table_ = this;
    whole.log2_parts_ = log2_parts;
    whole.part_ = part;
    for_parts(log2_parts, part, [&](PartLog<F>& log) {
      log.fold(memory_);
      whole.entries_ += log.entries();
    });
    return whole;
  }
  // Over bytes that check() has passed; they stay borrowed.
  [[nodiscard]] static Part packed_part(std::span<const std::uint8_t> bytes) {
    Part part;
    if (!Columns::read(bytes, part.columns_)) throw Corrupt();
    part.entries_ = part.columns_.header.entries;
    return part;
  }

  // A sum over entries that is equal for equal contents, whatever their order.
  static void digest(std::span<const std::uint8_t> bytes, std::uint64_t digest[2]) {
    Columns columns;
    if (!Columns::read(bytes, columns)) throw Corrupt();
    std::vector<std::byte> packed;
    for (PackedCursor<F> cursor(columns); !cursor.at_end(); cursor.next()) {
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

  // What falls out of the hot table. Folds may be moved as bytes.
  struct Entry {
    EncodedKey key;
    F state;
  };
  // A log block: 2 KiB at 32 bytes an entry; short enough for 128 of them in L2.
  static constexpr unsigned kBlockEntries =
      sizeof(Entry) <= 64 ? (2048 - 16) / sizeof(Entry) : (8192 - 16) / sizeof(Entry) + 1;
  struct Block {
    Block* next;
    std::uint64_t fill;
    Entry entries[kBlockEntries];
  };
  // All zero: empty. Where the next entry goes stands here: the begin of a block is seldom in the cache.
  struct Log {
    Block* first;
    Block* last;
    Entry* next;
    Entry* end;  // of the last block
    // Tells the last block how full it is.
    void close() {
      if (last != nullptr) last->fill = static_cast<std::uint64_t>(next - last->entries);
    }
  };
  // A log beyond this goes to the partial's own parts: it has left the cache anyhow.
  static constexpr std::uint64_t kLogBytesMax = 24U << 20;

  // How much a part may hold before its records are folded to make room: where memory is plenty, and at first.
  static constexpr std::uint64_t kPartBytesMax = 1U << 20;
  static constexpr std::uint64_t kPartBytesMin = 16U << 10;

  // After so many keys, several times what a hot table holds, it is judged whether two of three fell out of the hot
  // table, by the blocks they filled; the next so many then go by it.
  static constexpr std::uint64_t kJudgedKeys = std::uint64_t{256} << 10;
  static constexpr std::uint64_t kBypassedKeys = 16 * kJudgedKeys;

  // A work part's next entries, whose memory is asked for as one is written: there are more parts than the processor
  // foresees by itself. Behind a block's end this is of no use and no harm.
  static constexpr std::uint64_t kWriteAhead = 192 / sizeof(Entry) + 1;

  static constexpr std::uint64_t kFoldAhead = 16;  // entries whose slots are asked for ahead; more are alike

  static constexpr std::uint64_t kPackedEntryBytesMax =
      8 + 4 + 4 + (F::packed_bytes == kVariableSize ? sizeof(F) : F::packed_bytes);

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
    auto* kept = static_cast<char*>(log_arena_.take(size, 1));
    copy_some(kept, bytes, size);
    long_key_bytes_ += size;
    return kept;
  }

  // Takes the state as bytes.
  void append(const EncodedKey& key, F& state) {
    Log& log = log_[key.meta >> (64 - kLog2WorkParts)];
    if (log.next == log.end) [[unlikely]]
      next_block(log);
    Entry* entry = log.next++;
    __builtin_prefetch(entry + kWriteAhead, 1);
    entry->key = key;
    std::memcpy(static_cast<void*>(&entry->state), static_cast<const void*>(&state), sizeof(F));
  }

  // An entry with the identity for a state.
  F& construct_entry(const EncodedKey& key) {
    Log& log = log_[key.meta >> (64 - kLog2WorkParts)];
    if (log.next == log.end) [[unlikely]]
      next_block(log);
    Entry* entry = log.next++;
    __builtin_prefetch(entry + kWriteAhead, 1);
    entry->key = key;
    return *std::construct_at(&entry->state);
  }

  // Whether keys come again so seldom that the hot table only costs: if so, they go to the log for a while.
  [[gnu::noinline]] void judge() {
    if (fallen_entries_ > judged_keys_ / 3 * 2) bypass_keys_left_ = kBypassedKeys;
    judged_keys_ = 0;
    fallen_entries_ = 0;
  }

  [[gnu::noinline]] void next_block(Log& log) {
    if (log_bytes_ >= kLogBytesMax && log.last != nullptr && !absorbing_) absorb_needed_ = true;
    auto* block = static_cast<Block*>(log_blocks_.take(sizeof(Block), 64));
    log_bytes_ += sizeof(Block);
    if (log.last != nullptr) fallen_entries_ += kBlockEntries;
    log.close();
    block->next = nullptr;
    (log.first == nullptr ? log.first : log.last->next) = block;
    log.last = block;
    log.next = block->entries;
    log.end = block->entries + kBlockEntries;
  }

  // A log that has outgrown the cache goes to the partial's own parts.
  void settle() {
    absorbing_ = true;
    forget_added();
    hot_.flush(*this);
    for (unsigned work_part = 0; work_part < kWorkParts; ++work_part) take_log(*this, work_part);
    reset_log();
  }

  // The states that it was told of are in the parts now, or nowhere.
  void forget_added() { charge(memory_, -std::exchange(added_heap_bytes_, 0)); }

  void reset_log() {
    forget_added();
    if (log_ != nullptr) std::memset(static_cast<void*>(log_), 0, kWorkParts * sizeof(Log));
    log_blocks_.rewind();
    log_arena_.rewind();
    log_bytes_ = 0;
    long_key_bytes_ = 0;
    absorb_needed_ = false;
    absorbing_ = false;
  }

  // ---- parts ----

  struct Parts {
    PartLog<F> logs[kParts];
  };
  // Null while nothing was merged into it.
  [[nodiscard]] PartLog<F>* parts() const {
    Parts* present = parts_.load(std::memory_order_acquire);
    return present == nullptr ? nullptr : present->logs;
  }
  PartLog<F>* make_parts() {
    Parts* present = parts_.load(std::memory_order_acquire);
    if (present == nullptr) {
      auto made = std::make_unique<Parts>();
      if (parts_.compare_exchange_strong(present, made.get(), std::memory_order_acq_rel)) present = made.release();
    }
    return present->logs;
  }

  // A state on its way into a part.
  struct Unpacked {
    Unpacked() : state() {}
    Unpacked(const Unpacked&) = delete;
    Unpacked& operator=(const Unpacked&) = delete;
    ~Unpacked() {
      if (!moved) std::destroy_at(&state);
    }
    union {
      F state;
    };
    bool moved = false;  // as bytes
  };

  // Entries of a log on their way into parts, as many as stay in the cache. Those of one key are folded here: what
  // falls out of a hot table often comes again soon, and memory that is not touched is the cheapest.
  struct Window {
    static constexpr std::uint32_t kEntriesMax = 2048;
    static constexpr std::uint32_t kSlots = 2 * kEntriesMax;
    Entry* entries[kEntriesMax];
    std::uint32_t filled = 0;
    std::uint16_t slots[kSlots] = {};  // number + 1 of an entry, or 0

    void add(Entry& entry) {
      for (std::uint64_t at = entry.key.meta >> 5;; ++at) {
        std::uint16_t& slot = slots[at % kSlots];
        if (slot == 0) {
          prefetch_long_key(entry.key);
          entries[filled++] = &entry;
          slot = static_cast<std::uint16_t>(filled);
          return;
        }
        Entry& other = *entries[slot - 1];
        if (other.key.meta == entry.key.meta && same_key(other.key, entry.key)) {
          other.state.merge(std::move(entry.state));
          if constexpr (!kPlain) std::destroy_at(&entry.state);
          entry.key.meta = 0;
          return;
        }
      }
    }
    void clear() {
      filled = 0;
      std::memset(slots, 0, sizeof slots);
    }
  };

  // Of keys whose meta is the same.
  static bool same_key(const EncodedKey& left, const EncodedKey& right) {
    if (left.second != right.second) return false;
    if ((left.meta & kKeyCodeMask) != kLongKey) return left.first == right.first;
    return std::memcmp(reinterpret_cast<const char*>(left.first), reinterpret_cast<const char*>(right.first),
                       left.second) == 0;
  }

  // All its entries were taken.
  static void clear_log(Table& from, unsigned work_part) {
    for (Block* block = from.log_[work_part].first; block != nullptr; block = block->next) block->fill = 0;
    from.log_[work_part].next = from.log_[work_part].last->entries;
  }

  // Its bytes are to be copied soon.
  static void prefetch_long_key(const EncodedKey& key) {
    if ((key.meta & kKeyCodeMask) == kLongKey) __builtin_prefetch(reinterpret_cast<const char*>(key.first));
  }

  // Empties a work part of a log. Where memory is refused in the midst, what was not taken is still in it.
  void take_log(Table& from, unsigned work_part) {
    if (from.log_ == nullptr || from.log_[work_part].first == nullptr) return;
    from.log_[work_part].close();
    PartLog<F>* logs = make_parts() + work_part * kPartsPerWorkPart;
    const auto take = [&](Entry& entry) {
      logs[(entry.key.meta >> (64 - kLog2Parts)) % kPartsPerWorkPart].append(memory_, entry.key, entry.state);
      entry.key.meta = 0;
    };
    if (from.bypass_keys_left_ != 0) {
      // Keys seldom come again: looking for those that do costs more than their records.
      for (Block* block = from.log_[work_part].first; block != nullptr; block = block->next) {
        for (std::uint64_t index = 0; index < block->fill; ++index) prefetch_long_key(block->entries[index].key);
        for (std::uint64_t index = 0; index < block->fill; ++index) {
          if (block->entries[index].key.meta != 0) take(block->entries[index]);
        }
      }
      clear_log(from, work_part);
      for (unsigned index = 0; index < kPartsPerWorkPart; ++index) keep_small(logs[index]);
      return;
    }
    Window window;
    const auto take_window = [&] {
      for (std::uint32_t index = 0; index < window.filled; ++index) take(*window.entries[index]);
      window.clear();
    };
    for (Block* block = from.log_[work_part].first; block != nullptr; block = block->next) {
      for (std::uint64_t index = 0; index < block->fill; ++index) {
        if (block->entries[index].key.meta != 0)
          window.add(block->entries[index]);  // 0: taken before memory was refused
      }
      if (window.filled > Window::kEntriesMax - kBlockEntries) take_window();
    }
    take_window();
    clear_log(from, work_part);
    for (unsigned index = 0; index < kPartsPerWorkPart; ++index) keep_small(logs[index]);
  }

  void take_part(PartLog<F>& to, Table& right, PartLog<F>& from) {
    if (from.empty()) return;
    if (right.memory_ == memory_) {
      to.splice(from);
    } else {
      PartLog<F> copied;
      try {
        from.for_each([&](const Record& record) { copied.append(memory_, record); });
        to.splice(copied);
      } catch (...) {
        copied.forget(memory_);  // the states still stand there
        throw;
      }
      from.forget(right.memory_);
    }
    keep_small(to);
  }

  // Records of one key add up. A part is folded early on, to see; where little of it was left it is kept that
  // small, else it may first fill its share of the room. Each time it may grow to a multiple of what was left, so
  // that each record is read a few times at most. What states hold outside of themselves counts with them.
  void keep_small(PartLog<F>& log) {
    if constexpr (!kPlain) log.charge_heap(memory_);
    const std::uint64_t before = log.bytes() + log.heap_bytes();
    if (before <= std::max(kPartBytesMin, log.room_bytes()) && !log.is_scattered()) return;
    log.compact(memory_);
    if constexpr (!kPlain) log.charge_heap(memory_);
    const std::uint64_t left = log.bytes() + log.heap_bytes();
    const std::uint64_t share = soft_bytes() == 0 ? kPartBytesMax : soft_bytes() / kParts / 4 * 3;
    const bool repeats = left < before / 4;
    log.set_room_bytes(repeats ? 4 * left : std::max(std::min(share, kPartBytesMax), 2 * left));
  }
  // An older host does not tell.
  [[nodiscard]] std::uint64_t soft_bytes() const {
    return FANFOLD_HAS(memory_, fanfold_memory, soft_bytes) ? memory_->soft_bytes : 0;
  }

  void free_parts() {
    Parts* present = parts_.exchange(nullptr);
    if (present == nullptr) return;
    for (PartLog<F>& log : present->logs) log.clear(memory_);
    delete present;
  }

  // Folds that own memory are destroyed where they still stand in the log.
  void destroy_states() {
    if constexpr (!kPlain) {
      for (unsigned work_part = 0; log_ != nullptr && work_part < kWorkParts; ++work_part) {
        log_[work_part].close();
        for (Block* block = log_[work_part].first; block != nullptr; block = block->next) {
          for (std::uint64_t index = 0; index < block->fill; ++index) {
            Entry& entry = block->entries[index];
            if (entry.key.meta != 0) std::destroy_at(&entry.state);  // 0: it was taken elsewhere
          }
        }
      }
    }
  }

  void free_all() {
    forget_added();
    destroy_states();
    free_parts();
    hot_.free();
    release(memory_, log_, kWorkParts * sizeof(Log));
    log_ = nullptr;
    log_blocks_.free();
    log_arena_.free();
  }

  template <class Visitor>
  void for_parts(unsigned log2_parts, unsigned part, Visitor&& visit) const {
    PartLog<F>* logs = parts();
    if (logs == nullptr) return;
    const unsigned first = log2_parts == 0 ? 0 : part;
    const unsigned count = log2_parts == 0 ? kParts : 1;
    for (unsigned index = first; index < first + count; ++index) visit(logs[index]);
  }

  template <class Visitor>
  void for_records(unsigned log2_parts, unsigned part, Visitor&& visit) const {
    for_parts(log2_parts, part, [&](const PartLog<F>& log) { log.for_each(visit); });
  }

  // ---- packing ----

  PackedHeader fold_and_measure(unsigned log2_parts, unsigned part) {
    PackedHeader header{0, 0, 0, kPackedFormat};
    for_parts(log2_parts, part, [&](PartLog<F>& log) {
      log.fold(memory_);
      header.entries += log.entries();
      header.key_bytes += log.key_bytes();
    });
    if constexpr (F::packed_bytes == kVariableSize) {
      for_records(log2_parts, part, [&](const Record& record) { header.state_bytes += record.state().pack_size(); });
    } else {
      header.state_bytes = header.entries * F::packed_bytes;
    }
    return header;
  }

  static void write(PackedWriter<F>& writer, const Record& record) {
    writer.add(record.hash(), record.key(), record.state());
  }

  const fanfold_memory* memory_;
  HotTable<F> hot_{memory_};
  Log* log_ = nullptr;
  Arena log_arena_;  // long keys of hot table and log
  Arena log_blocks_{memory_};
  std::uint64_t log_bytes_ = 0;
  std::uint64_t long_key_bytes_ = 0;
  std::int64_t added_heap_bytes_ = 0;  // told by charge_added()
  std::uint64_t judged_keys_ = 0;
  std::uint64_t fallen_entries_ = 0;    // since judged_keys_ was 0
  std::uint64_t bypass_keys_left_ = 0;  // that go by the hot table
  bool absorb_needed_ = false;
  bool absorbing_ = false;
  std::atomic<Parts*> parts_ = nullptr;
};

}  // namespace fanfold
