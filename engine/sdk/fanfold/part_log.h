// part_log.h: PartLog<F>, one part of a keyed fold as a log of records, (state, key) one after the other:
// adding is a streamed write, nothing is looked up. When the part is to be packed or finished, or has
// outgrown what it may hold, its records are folded together in one pass over them, with an index of 8
// bytes a key beside them. A part is cut small enough for both to stay in the cache, so a key that comes
// often costs one streamed write and one streamed read each time, never a wait for memory.
//
// Entries that come out of packed columns are many times those of the keys they fold into: insert() looks each up as
// it comes, in an index that stays, and writes only what is new.
//
// Keys stand in the records as bytes, long ones too; what falls out by folding stays where it is, marked
// dead, until compact() or clear(). Threads: one at a time a part. Errors: std::bad_alloc; a part whose
// folding was refused memory holds what it held.
#pragma once

#include <fanfold/fold.h>
#include <fanfold/hash.h>
#include <fanfold/memory.h>

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <new>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace fanfold {

template <Fold F>
class PartLog {
  static constexpr bool kPlain = std::is_trivially_copyable_v<F> && std::is_trivially_destructible_v<F>;
  static constexpr bool kNarrow = NarrowFold<F>;
  static constexpr std::uint64_t kAlignment = kNarrow ? 4 : std::max<std::uint64_t>(8, alignof(F));
  static constexpr std::uint64_t aligned(std::uint64_t bytes) { return (bytes + kAlignment - 1) & ~(kAlignment - 1); }

  // A record: the state, meta (of an EncodedKey; code 0: dead, then the rest is the record's size), for a
  // long key its length, and the key's bytes. Of a fold with a narrow form (fold.h) one word holds all but the key:
  // the code of its length; a bit that tells whether the state is wide and stands behind the word, else its narrow
  // form; 32 bits of the hash. Memory costs most when it is first touched: for a word of text this is a quarter less.
  static constexpr std::uint64_t kMetaAt = kNarrow ? 0 : (sizeof(F) + 7) & ~std::uint64_t{7};
  static constexpr std::uint64_t kLengthBytes = kNarrow ? 4 : 8;  // of a long key's length
  static constexpr std::uint64_t kKeyAtMax = 8 + ((sizeof(F) + 7) & ~std::uint64_t{7});
  static constexpr std::uint64_t kInlineRecordBytesMax = aligned(kKeyAtMax + kInlineKeyBytesMax);
  static constexpr std::uint64_t kWide = 32;  // the bit behind the code
  static constexpr unsigned kNarrowShift = 6;
  static constexpr unsigned kTagShift = 32;
  static_assert(kNarrowBits == kTagShift - kNarrowShift);

  static std::uint64_t word_at(const char* bytes) { return hashing::load64(bytes); }
  static void set_word(char* at, std::uint64_t word) { std::memcpy(at, &word, 8); }
  // Hash bits above the key's code, the lowest of which choose an index's slot.
  static std::uint32_t tag_of(std::uint64_t meta) { return static_cast<std::uint32_t>(meta >> 5); }

 public:
  // A record in place.
  class Record {
   public:
    explicit Record(char* at) : at_(at) {}
    // A fold with a narrow form comes as a copy.
    [[nodiscard]] std::conditional_t<kNarrow, F, F&> state() const {
      if constexpr (kNarrow) {
        if (!is_wide()) return F::widened((word() >> kNarrowShift) & kNarrowMax);
        F state;
        std::memcpy(static_cast<void*>(&state), at_ + 8, sizeof(F));
        return state;
      } else {
        return *std::launder(reinterpret_cast<F*>(at_));
      }
    }
    [[nodiscard]] bool is_dead() const { return code() == 0; }
    [[nodiscard]] bool is_long() const { return code() == kLongKey; }
    [[nodiscard]] std::string_view key() const {
      const char* at = at_ + key_at();
      if (is_long()) return {at + kLengthBytes, long_key_bytes()};
      return {at, code() - 1};
    }
    // Without the bits of the code.
    [[nodiscard]] std::uint64_t hash() const {
      if constexpr (kNarrow) return encode_key_in_block(key().data(), key().size()).meta & ~kKeyCodeMask;
      return word() & ~kKeyCodeMask;
    }
    [[nodiscard]] std::uint64_t bytes() const {
      if (is_dead()) return word() >> kDeadShift;
      if (is_long()) return aligned(key_at() + kLengthBytes + long_key_bytes());
      return aligned(key_at() + (code() - 1));
    }

   private:
    friend class PartLog;
    static constexpr unsigned kDeadShift = 5;

    [[nodiscard]] std::uint64_t word() const { return word_at(at_ + kMetaAt); }
    [[nodiscard]] std::uint64_t code() const { return word() & kKeyCodeMask; }
    [[nodiscard]] bool is_wide() const { return kNarrow && (word() & kWide) != 0; }
    [[nodiscard]] std::uint32_t tag() const {
      return kNarrow ? static_cast<std::uint32_t>(word() >> kTagShift) : tag_of(word());
    }
    [[nodiscard]] std::uint64_t key_at() const {
      if constexpr (kNarrow) return is_wide() ? kKeyAtMax : 8;
      return kMetaAt + 8;
    }
    [[nodiscard]] std::uint64_t long_key_bytes() const {
      if constexpr (kNarrow) {
        std::uint32_t length = 0;
        std::memcpy(&length, at_ + key_at(), sizeof length);
        return length;
      } else {
        return word_at(at_ + key_at());
      }
    }
    // Of two records that are not dead, whose tags are the same.
    [[nodiscard]] bool same_key(const Record& other) const {
      const std::uint64_t code = this->code();
      if (code != other.code()) return false;
      if (code == kLongKey) return key() == other.key();
      return same_words(code - 1, word_at(other.at_ + other.key_at()), word_at(other.at_ + other.key_at() + 8));
    }
    [[nodiscard]] bool has_key(const EncodedKey& key) const {
      const std::uint64_t code = key.meta & kKeyCodeMask;
      if (code != this->code()) return false;
      if (code == kLongKey) {
        return this->key() == std::string_view(reinterpret_cast<const char*>(key.first), key.second);
      }
      return same_words(code - 1, key.first, key.second);
    }
    // What stands behind an inline key's own bytes is of no meaning, here and in the words compared with.
    [[nodiscard]] bool same_words(std::uint64_t length, std::uint64_t first, std::uint64_t second) const {
      const char* at = at_ + key_at();
      const auto& mask = hashing::kWordMasks.pairs[length];
      return (((word_at(at) ^ first) & mask[0]) | ((word_at(at + 8) ^ second) & mask[1])) == 0;
    }
    // Takes from `other` what it likes. False where the state has no room in the record: then nothing was done.
    [[nodiscard]] bool merge(F& other) const {
      if constexpr (kNarrow) {
        F total = state();
        total.merge(std::move(other));
        if (is_wide()) {
          std::memcpy(at_ + 8, static_cast<const void*>(&total), sizeof(F));
          return true;
        }
        const std::uint64_t narrow = total.narrowed();
        if (narrow > kNarrowMax) return false;
        set_word(at_, (word() & ~(kNarrowMax << kNarrowShift)) | narrow << kNarrowShift);
      } else {
        state().merge(std::move(other));
      }
      return true;
    }
    void kill() const {
      const std::uint64_t size = bytes();
      if constexpr (!kPlain) std::destroy_at(&state());
      set_word(at_ + kMetaAt, size << kDeadShift);
    }
    char* at_;
  };

  PartLog() = default;
  PartLog(const PartLog&) = delete;
  PartLog& operator=(const PartLog&) = delete;

  [[nodiscard]] bool empty() const { return first_ == nullptr; }
  // What its records occupy, and how many keys of how many bytes stand in it; the latter once folded.
  [[nodiscard]] std::uint64_t bytes() const { return bytes_; }
  [[nodiscard]] std::uint64_t records() const { return records_; }
  // What their states hold outside of themselves, for folds that tell (fold.h); before they are folded, what they held
  // when they came.
  [[nodiscard]] std::uint64_t heap_bytes() const { return heap_bytes_; }
  // Accounts for that. Whoever adds records does so afterwards; where it is refused they are in it all the same.
  void charge_heap(const fanfold_memory* memory) {
    charge(memory, static_cast<std::int64_t>(heap_bytes_ - charged_bytes_));
    charged_bytes_ = heap_bytes_;
  }
  // Whether so many small chunks were spliced into it that it had better be compacted before there are more.
  [[nodiscard]] bool is_scattered() const { return chunks_ > kChunksMax / 2; }
  // What they may occupy before they are folded, as its owner likes: kept here, forgotten by clear().
  [[nodiscard]] std::uint64_t room_bytes() const { return room_bytes_; }
  void set_room_bytes(std::uint64_t bytes) { room_bytes_ = bytes; }
  [[nodiscard]] std::uint64_t entries() const { return entries_; }
  [[nodiscard]] std::uint64_t key_bytes() const { return key_bytes_; }

  // Room for so many records in one piece, and an index of so many keys, ahead of insert().
  void reserve(const fanfold_memory* memory, std::uint64_t records, std::uint64_t key_bytes) {
    const std::uint64_t overhead = (kNarrow ? 8 : kKeyAtMax) + kLengthBytes + kAlignment - 1;
    const std::uint64_t bytes = records * overhead + key_bytes + kInlineRecordBytesMax;
    if (last_ == nullptr || last_->bytes - last_->used < bytes) {
      next_chunk(memory, std::min<std::uint64_t>(bytes, kChunkBytesMax - sizeof(Chunk)));
    }
    make_index(memory, records);
  }

  // Asks for what insert() of a key with this hash will look at first.
  void prefetch(std::uint64_t hash) const {
    if (index_ != nullptr) index_->prefetch(tag_of(hash));
  }

  // Folds a state into its key's. True: the key is new and the state was moved as bytes, not to be destroyed; a long
  // key is copied.
  [[nodiscard]] bool insert(const fanfold_memory* memory, const EncodedKey& key, F& state) {
    if (index_ == nullptr || folded_records_ != records_) [[unlikely]]
      make_index(memory, 0);
    if (entries_ == index_->limit) [[unlikely]]
      index_->grow(memory, entries_);
    const std::uint32_t tag = tag_of(key.meta);
    std::uint64_t slot = tag;
    for (;; ++slot) {
      Slot& there = index_->slots[slot & index_->mask];
      if (there.number == 0) break;
      if (there.tag != tag) continue;
      const Record record = index_->record(there.number);
      if (record.has_key(key)) {
        if constexpr (!kPlain) heap_bytes_ -= fanfold::heap_bytes(record.state());
        const bool merged = record.merge(state);
        if constexpr (!kPlain) heap_bytes_ += fanfold::heap_bytes(record.state());
        if (merged) return false;
        if constexpr (kNarrow) there.number = widen(memory, *index_, record, state);
        folded_records_ = records_;
        return false;
      }
    }
    index_->make_room();
    const Record added = append(memory, key, state);
    index_->slots[slot & index_->mask] = {tag, number_of_last(*index_, added)};
    folded_records_ = records_;
    entries_ += 1;
    const std::uint64_t code = key.meta & kKeyCodeMask;
    key_bytes_ += code == kLongKey ? key.second : code - 1;
    return true;
  }

  // Adds a key and what is to be folded into its state, which is moved from as bytes and not destroyed. A
  // long key is copied.
  Record append(const fanfold_memory* memory, const EncodedKey& key, const F& state) {
    const std::uint64_t code = key.meta & kKeyCodeMask;
    if (code == kLongKey) return append_long(memory, key, state);
    char* at = room(memory, kInlineRecordBytesMax);
    __builtin_prefetch(at + kWriteAheadBytes, 1);
    const std::uint64_t key_at = put_state(at, key.meta, state);
    set_word(at + key_at, key.first);
    set_word(at + key_at + 8, key.second);
    take(aligned(key_at + (code - 1)), state);
    return Record(at);
  }

  // The same of another part's record.
  void append(const fanfold_memory* memory, const Record& record) {
    const std::uint64_t size = record.bytes();
    // As much room as an inline record is given: its key is read as two words.
    std::memcpy(room(memory, std::max(size, kInlineRecordBytesMax)), record.at_, size);
    take(size, record.state());
  }

  // All records of another log of this part, whose memory is of the same account. Where there are more chunks
  // than can be numbered std::bad_alloc is thrown, and both are as they were.
  void splice(PartLog& other) {
    if (other.first_ == nullptr) return;
    if (first_ == nullptr) {
      swap(other);
      return;
    }
    if (chunks_ + other.chunks_ > kChunksMax) throw std::bad_alloc();
    last_->next = other.first_;
    last_ = other.last_;
    chunks_ += other.chunks_;
    bytes_ += other.bytes_;
    heap_bytes_ += other.heap_bytes_;
    charged_bytes_ += other.charged_bytes_;
    records_ += other.records_;
    other.drop_index();
    other.reset();
  }

  // Folds records of equal keys: afterwards each key stands in it once.
  void fold(const fanfold_memory* memory) {
    if (folded_records_ == records_) return;
    // Half as many slots as records: it grows where keys repeat less, and stays in the cache where they do.
    Index index(memory, records_ / 2);
    fold_into(memory, index);
  }

  // Folds, and gives back the room of the dead.
  void compact(const fanfold_memory* memory) {
    fold(memory);
    PartLog living;
    try {
      for_each([&](const Record& record) { living.append(memory, record); });
    } catch (...) {
      living.forget(memory);  // the states still stand here
      throw;
    }
    living.folded_records_ = living.records_;
    living.entries_ = entries_;
    living.key_bytes_ = key_bytes_;
    free_chunks(memory);
    swap(living);
  }

  // Calls visit(Record) for every record that is not dead, in the order they came.
  template <class Visitor>
  void for_each(Visitor&& visit) const {
    for (Chunk* chunk = first_; chunk != nullptr; chunk = chunk->next) {
      char* base = reinterpret_cast<char*>(chunk);
      for (std::uint64_t at = sizeof(Chunk); at < chunk->used;) {
        const Record record(base + at);
        at += record.bytes();
        if (!record.is_dead()) visit(record);
      }
    }
  }

  // Empty again, its memory given back; the states are destroyed.
  void clear(const fanfold_memory* memory) {
    if constexpr (!kPlain) {
      for_each([](const Record& record) { std::destroy_at(&record.state()); });
    }
    free_chunks(memory);
  }
  // The same where the states have been moved elsewhere as bytes.
  void forget(const fanfold_memory* memory) { free_chunks(memory); }

 private:
  struct alignas(std::max<std::uint64_t>(8, kAlignment)) Chunk {
    Chunk* next;
    std::uint64_t bytes;  // of the whole chunk, this header included
    std::uint64_t used;   // the same
  };
  // Few keys take little, many come in powers of two that the pool keeps warm.
  static constexpr std::uint64_t kChunkBytesMin = 256;
  static constexpr std::uint64_t kChunkBytesGrown = 64U << 10;
  static constexpr std::uint64_t kChunkBytesMax = 1U << 20;  // but for one long record

  // Records are written to many parts in turn, more than the processor foresees by itself.
  static constexpr std::uint64_t kWriteAheadBytes = 192;

  // A record's number in the index: its chunk's, and its place there in units of what it is aligned to. 0 is none.
  static constexpr std::uint64_t kUnitBytes = kNarrow ? 4 : 8;
  static constexpr unsigned kUnitBits = kNarrow ? 18 : 17;
  static constexpr std::uint32_t kUnitMask = (1U << kUnitBits) - 1;
  static constexpr std::uint64_t kChunksMax = 1U << (32 - kUnitBits);
  static_assert(kChunkBytesMax / kUnitBytes <= std::uint64_t{1} << kUnitBits);

  static std::uint32_t number_of(std::uint64_t chunk, std::uint64_t at) {
    return static_cast<std::uint32_t>(chunk << kUnitBits | at / kUnitBytes);
  }

  struct Slot {
    std::uint32_t tag;
    std::uint32_t number;
  };
  static constexpr std::uint64_t kIndexSlotsMin = 16;

  struct Index {
    Index(const fanfold_memory* of, std::uint64_t keys)
        : memory(of),
          mask(std::bit_ceil(std::max(keys, kIndexSlotsMin)) - 1),
          limit((mask + 1) / 4 * 3),
          slots(static_cast<Slot*>(allocate_zeroed(of, (mask + 1) * sizeof(Slot)))) {}
    Index(const Index&) = delete;
    Index& operator=(const Index&) = delete;
    ~Index() { release(memory, slots, (mask + 1) * sizeof(Slot)); }

    // For one more chunk.
    void make_room() {
      if (bases.size() == bases.capacity()) bases.reserve(bases.size() + bases.size() / 2 + 8);
    }
    void prefetch(std::uint32_t tag) const { __builtin_prefetch(slots + (tag & mask), 1); }
    // Of a tag whose slot is at hand: the record it most likely stands for.
    void prefetch_record(std::uint32_t tag) const {
      const Slot& there = slots[tag & mask];
      if (there.number != 0)
        __builtin_prefetch(bases[there.number >> kUnitBits] + (there.number & kUnitMask) * kUnitBytes, 1);
    }
    void grow(const fanfold_memory* of, std::uint64_t entries) {
      std::uint64_t capacity = (mask + 1) * 2;
      while (capacity / 4 * 3 < entries + 64) capacity *= 2;
      Index larger(of, capacity);
      for (std::uint64_t from = 0; from <= mask; ++from) {
        if (slots[from].number == 0) continue;
        std::uint64_t slot = slots[from].tag;
        while (larger.slots[slot & larger.mask].number != 0) ++slot;
        larger.slots[slot & larger.mask] = slots[from];
      }
      std::swap(slots, larger.slots);
      std::swap(mask, larger.mask);
      std::swap(limit, larger.limit);
    }

    [[nodiscard]] Record record(std::uint32_t number) const {
      return Record(bases[number >> kUnitBits] + (number & kUnitMask) * kUnitBytes);
    }

    const fanfold_memory* memory;
    std::uint64_t mask;
    std::uint64_t limit;  // of keys, before it grows
    Slot* slots;
    std::vector<char*> bases;  // of the chunks, in order
  };

  // Folds all records, of which an empty index then tells.
  void fold_into(const fanfold_memory* memory, Index& index) {
    for (Chunk* chunk = first_; chunk != nullptr; chunk = chunk->next) {
      index.bases.push_back(reinterpret_cast<char*>(chunk));
    }
    std::uint64_t entries = 0;
    std::uint64_t key_bytes = 0;
    constexpr unsigned kGroup = 32;
    char* group[kGroup];
    std::uint32_t numbers[kGroup];
    unsigned filled = 0;
    const auto fold_group = [&] {
      if (entries + filled > index.limit) index.grow(memory, entries);
      for (unsigned at = 0; at < filled; ++at) index.prefetch_record(Record(group[at]).tag());
      for (unsigned at = 0; at < filled; ++at) {
        const Record record(group[at]);
        const std::uint32_t tag = record.tag();
        for (std::uint64_t slot = tag;; ++slot) {
          Slot& there = index.slots[slot & index.mask];
          if (there.number == 0) {
            there = {tag, numbers[at]};
            ++entries;
            key_bytes += record.key().size();
            break;
          }
          if (there.tag != tag) continue;
          const Record first = index.record(there.number);
          if (!first.same_key(record)) continue;
          if (there.number == numbers[at]) break;  // widened before this loop came to it
          auto&& state = record.state();
          if (!first.merge(state)) {
            if constexpr (kNarrow) there.number = widen(memory, index, first, state);
          }
          record.kill();
          break;
        }
      }
      filled = 0;
    };
    std::uint64_t number = 0;  // of the chunk
    for (Chunk* chunk = first_; chunk != nullptr; chunk = chunk->next, ++number) {
      char* base = reinterpret_cast<char*>(chunk);
      std::uint64_t at = sizeof(Chunk);
      while (at < chunk->used) {
        const Record record(base + at);
        const std::uint64_t size = record.bytes();
        if (!record.is_dead()) {
          index.prefetch(record.tag());
          group[filled] = base + at;
          numbers[filled] = number_of(number, at);
          if (++filled == kGroup) fold_group();
        }
        at += size;
      }
    }
    fold_group();
    folded_records_ = records_;
    entries_ = entries;
    key_bytes_ = key_bytes;
  }

  // An index of all records, folded, that stays for insert().
  void make_index(const fanfold_memory* memory, std::uint64_t keys) {
    if (index_ != nullptr && folded_records_ == records_) return;
    drop_index();
    auto index = std::make_unique<Index>(memory, std::max(keys, records_));
    fold_into(memory, *index);
    index_ = index.release();
  }
  void drop_index() { delete std::exchange(index_, nullptr); }

  // Puts state and meta at a record's begin; tells where its key goes.
  static std::uint64_t put_state(char* at, std::uint64_t meta, const F& state) {
    if constexpr (kNarrow) {
      const std::uint64_t narrow = state.narrowed();
      const std::uint64_t word = std::uint64_t{tag_of(meta)} << kTagShift | (meta & kKeyCodeMask);
      if (narrow <= kNarrowMax) [[likely]] {
        set_word(at, word | narrow << kNarrowShift);
        return 8;
      }
      set_word(at, word | kWide);
      std::memcpy(at + 8, static_cast<const void*>(&state), sizeof(F));
      return kKeyAtMax;
    } else {
      std::memcpy(at, static_cast<const void*>(&state), sizeof(F));
      set_word(at + kMetaAt, meta);
      return kMetaAt + 8;
    }
  }

  Record append_long(const fanfold_memory* memory, const EncodedKey& key, const F& state) {
    if (kNarrow && key.second > UINT32_MAX) throw std::bad_alloc();
    char* at = room(memory, aligned(kKeyAtMax + kLengthBytes + key.second));
    __builtin_prefetch(at + kWriteAheadBytes, 1);
    const std::uint64_t key_at = put_state(at, key.meta, state);
    std::memcpy(at + key_at, &key.second, kLengthBytes);  // little-endian
    copy_some(at + key_at + kLengthBytes, reinterpret_cast<const char*>(key.first), key.second);
    take(aligned(key_at + kLengthBytes + key.second), state);
    return Record(at);
  }

  // Puts what a record and a state come to, which has no room there, into a new one of the same key; tells its number.
  [[gnu::noinline]] std::uint32_t widen(const fanfold_memory* memory, Index& index, const Record& record,
                                        const F& state) {
    index.make_room();  // what is refused is refused before anything changes
    F total = record.state();
    total.merge(F(state));
    const Record wide = append(memory, encode_key(record.key()), total);
    record.kill();
    return number_of_last(index, wide);
  }

  // Of a record that was just appended; its chunk may be new to the index, which has room for it.
  std::uint32_t number_of_last(Index& index, const Record& added) const {
    char* base = reinterpret_cast<char*>(last_);
    if (index.bases.size() < chunks_) index.bases.push_back(base);
    return number_of(chunks_ - 1, static_cast<std::uint64_t>(added.at_ - base));
  }

  // Where `bytes` may be written, at the end of the last chunk.
  char* room(const fanfold_memory* memory, std::uint64_t bytes) {
    if (last_ == nullptr || last_->used + bytes > last_->bytes) [[unlikely]]
      next_chunk(memory, bytes);
    return reinterpret_cast<char*>(last_) + last_->used;
  }
  void take(std::uint64_t bytes, const F& state) {
    last_->used += bytes;
    bytes_ += bytes;
    if constexpr (!kPlain) heap_bytes_ += fanfold::heap_bytes(state);
    ++records_;
  }

  [[gnu::noinline]] void next_chunk(const fanfold_memory* memory, std::uint64_t bytes_needed) {
    if (chunks_ == kChunksMax) throw std::bad_alloc();  // some gigabytes in one part of a thousand
    const std::uint64_t grown = last_ == nullptr ? kChunkBytesMin : std::min(last_->bytes * 2, kChunkBytesGrown);
    std::uint64_t bytes = std::max(grown, bytes_needed + sizeof(Chunk));
    // A longer one holds one record alone: the index cannot number what begins beyond the greatest size.
    if (bytes <= kChunkBytesMax) bytes = std::bit_ceil(bytes);
    auto* chunk = new (allocate(memory, bytes)) Chunk{nullptr, bytes, sizeof(Chunk)};
    (last_ == nullptr ? first_ : last_->next) = chunk;
    last_ = chunk;
    ++chunks_;
  }

  void swap(PartLog& other) {
    std::swap(first_, other.first_);
    std::swap(last_, other.last_);
    std::swap(chunks_, other.chunks_);
    std::swap(bytes_, other.bytes_);
    std::swap(heap_bytes_, other.heap_bytes_);
    std::swap(charged_bytes_, other.charged_bytes_);
    std::swap(records_, other.records_);
    std::swap(folded_records_, other.folded_records_);
    std::swap(entries_, other.entries_);
    std::swap(key_bytes_, other.key_bytes_);
    std::swap(room_bytes_, other.room_bytes_);
    std::swap(index_, other.index_);
  }
  void reset() {
    first_ = last_ = nullptr;
    chunks_ = bytes_ = heap_bytes_ = charged_bytes_ = room_bytes_ = records_ = folded_records_ = entries_ = key_bytes_ =
        0;
  }

  void free_chunks(const fanfold_memory* memory) {
    drop_index();
    for (Chunk* chunk = first_; chunk != nullptr;) {
      Chunk* next = chunk->next;
      release(memory, chunk, chunk->bytes);
      chunk = next;
    }
    charge(memory, -static_cast<std::int64_t>(charged_bytes_));
    reset();
  }

  Chunk* first_ = nullptr;
  Chunk* last_ = nullptr;
  std::uint64_t chunks_ = 0;
  std::uint64_t bytes_ = 0;
  std::uint64_t heap_bytes_ = 0;
  std::uint64_t charged_bytes_ = 0;  // of them
  std::uint64_t room_bytes_ = 0;
  std::uint64_t records_ = 0;
  std::uint64_t folded_records_ = 0;
  std::uint64_t entries_ = 0;
  std::uint64_t key_bytes_ = 0;
  Index* index_ = nullptr;  // of all records, where insert() is used
};

}  // namespace fanfold
