// hot_table.h: HotTable<F>, the part of a mapping Table that fits the cache: the frequent keys are added to in place,
// what falls out of it goes to a log.
//
// A key of up to 15 bytes is one 16-byte value, its length in the last byte, so that one comparison
// decides; four of them are one cache line, and their states lie apart: a line that is compared as a whole
// just after a part of it was stored would wait for the store. Any other key stands in a smaller table of
// entries that point to its bytes. Batches of keys go through short loops, one after the other, none with
// a branch that depends on the keys except where one falls out: half as long again as one loop a key took.
//
// `Log` is where keys fall: log.append(const EncodedKey&, F& state) takes the state as bytes, so that it is
// not destroyed; log.keep(const char* bytes, size) gives back a copy of a long key that lives as long as the
// log. Threads: one at a time. Errors: std::bad_alloc from allocate() and from the log.
#pragma once

#include <fanfold/fold.h>
#include <fanfold/hash.h>
#include <fanfold/memory.h>
#include <fanfold/slice.h>

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <string_view>
#include <type_traits>

namespace fanfold {

template <Fold F>
class HotTable {
 public:
  explicit HotTable(const fanfold_memory* memory) : memory_(memory), shrink_(shrink_for(memory)) {}
  HotTable(const HotTable&) = delete;
  HotTable& operator=(const HotTable&) = delete;
  ~HotTable() { free(); }

  [[nodiscard]] bool allocated() const { return wide_ != nullptr; }

  void allocate() {
    if (buckets_ == nullptr) buckets_ = static_cast<Bucket*>(allocate_zeroed(memory_, bucket_bytes()));
    if (states_ == nullptr) states_ = static_cast<F*>(fanfold::allocate(memory_, state_bytes()));
    if (wide_ == nullptr) wide_ = static_cast<WideEntry*>(allocate_zeroed(memory_, wide_bytes()));
  }

  void free() {
    destroy_states();
    release(memory_, buckets_, bucket_bytes());
    release(memory_, states_, state_bytes());
    release(memory_, wide_, wide_bytes());
    buckets_ = nullptr;
    states_ = nullptr;
    wide_ = nullptr;
  }

  // Empty again, without telling the log.
  void clear() {
    if (!allocated()) return;
    destroy_states();
    std::memset(static_cast<void*>(buckets_), 0, bucket_bytes());
    std::memset(static_cast<void*>(wide_), 0, wide_bytes());
  }

  // The fold of a key, new and empty if it is not here. Valid until the next call.
  template <class Log>
  F& at(const EncodedKey& key, Log& log) {
    const std::uint64_t code = key.meta & kKeyCodeMask;
    if (code > kShortBytesMax + 1) return wide_at(key, log);
    const ShortKey short_key{key.first, key.second | (code << kCodeShift)};
    const auto bucket = static_cast<std::uint32_t>(bucket_of(key.meta));
    const Match match = find(buckets_[bucket], short_key);
    return match.hit != 0 ? states_[bucket * kWays + match.way] : place(short_key, bucket, log);
  }

  // Calls update(F&, std::size_t index) once for each of the keys, bytes of `block`, in no order. 16 bytes
  // behind a key may be read.
  template <class Update, class Log>
  void update(const char* block, std::span<const Slice> keys, Update& update, Log& log) {
    for (std::size_t begin = 0; begin < keys.size(); begin += kBatchKeys) {
      const auto offset_update = [&](F& state, std::size_t index) { update(state, begin + index); };
      update_batch(block, keys.subspan(begin, std::min(keys.size() - begin, kBatchKeys)), offset_update, log);
    }
  }

  // Everything goes to the log.
  template <class Log>
  void flush(Log& log) {
    if (!allocated()) return;
    for (std::uint64_t bucket = 0; bucket < bucket_count(); ++bucket) {
      for (unsigned way = 0; way < kWays; ++way) {
        if (buckets_[bucket].is_empty(way)) continue;
        evict(buckets_[bucket].key(way), states_[bucket * kWays + way], log);
        buckets_[bucket].set(way, {});
      }
    }
    for (std::uint64_t slot = 0; slot < wide_bucket_count() * kWideWays; ++slot) {
      if (wide_[slot].key.meta == 0) continue;
      evict(wide_[slot], log);
      wide_[slot].key.meta = 0;
    }
  }

 private:
  static constexpr bool kTrivial = std::is_trivially_copyable_v<F> && std::is_trivially_destructible_v<F>;
  static constexpr std::uint64_t kShortBytesMax = 15;
  static constexpr unsigned kCodeShift = 56;  // of the last byte, which holds length + 1
  static constexpr unsigned kWays = 4;

  struct ShortKey {
    std::uint64_t first;
    std::uint64_t second;  // 0: none
  };
  using Lanes [[gnu::vector_size(16)]] = std::uint64_t;  // GCC and clang make it SSE or NEON
  struct alignas(64) Bucket {
    std::uint64_t first[kWays];
    std::uint64_t second[kWays];

    [[nodiscard]] ShortKey key(unsigned way) const { return {first[way], second[way]}; }
    [[nodiscard]] bool is_empty(unsigned way) const { return second[way] == 0; }
    void set(unsigned way, const ShortKey& key) {
      first[way] = key.first;
      second[way] = key.second;
    }
  };
  struct WideEntry {
    EncodedKey key;  // meta 0: empty
    F state;
  };

  // Small states: keys and states together take up to 512 KiB of an L2 cache of 1 MiB, 4,096 buckets where a state has
  // 8 bytes; 4,096 keys were too few for a text of 10,000 words. Larger ones have up to 8,192 buckets and 2 MiB, which
  // the last cache holds: a line of it that is asked for in time costs less than a key that falls out. They have less
  // where a partial had better be small.
  static constexpr bool kSmall = sizeof(F) <= 8;
  static constexpr std::uint64_t kBucketsMin = 64;
  static constexpr std::uint64_t kBucketsMax = std::clamp<std::uint64_t>(
      std::bit_floor((std::uint64_t{kSmall ? 512 : 2048} << 10) / (kWays * (sizeof(ShortKey) + sizeof(F)))),
      kBucketsMin, 8192);
  // Of long words of text 70 % miss whatever the size: 4,096 and 65,536 entries are alike.
  static constexpr unsigned kWideWays = 2;
  static constexpr std::uint64_t kWideBucketsMax = std::max<std::uint64_t>(
      std::bit_floor((std::uint64_t{kSmall ? 128 : 512} << 10) / (kWideWays * sizeof(WideEntry))), kBucketsMin);
  static constexpr std::size_t kBatchKeys = 512;  // their keys, buckets and indexes stay in L1

  // How often all is halved.
  static unsigned shrink_for(const fanfold_memory* memory) {
    const std::uint64_t soft = FANFOLD_HAS(memory, fanfold_memory, soft_bytes) ? memory->soft_bytes : 0;
    constexpr std::uint64_t kAll =
        kBucketsMax * (sizeof(Bucket) + kWays * sizeof(F)) + kWideBucketsMax * kWideWays * sizeof(WideEntry);
    unsigned shrink = 0;
    while (!kSmall && soft != 0 && (kAll >> shrink) > soft / 4 && shrink < 4) ++shrink;
    return shrink;
  }
  [[nodiscard]] std::uint64_t bucket_count() const {
    return kSmall ? kBucketsMax : std::max(kBucketsMax >> shrink_, kBucketsMin);
  }
  [[nodiscard]] std::uint64_t wide_bucket_count() const {
    return kSmall ? kWideBucketsMax : std::max(kWideBucketsMax >> shrink_, kBucketsMin);
  }
  [[nodiscard]] std::uint64_t bucket_bytes() const { return bucket_count() * sizeof(Bucket); }
  [[nodiscard]] std::uint64_t state_bytes() const { return bucket_count() * kWays * sizeof(F); }
  [[nodiscard]] std::uint64_t wide_bytes() const { return wide_bucket_count() * kWideWays * sizeof(WideEntry); }

  static constexpr unsigned kBucketShift = 36;  // apart from the bits that choose a part (54..63) and a slot (5..)
  [[nodiscard]] std::uint64_t bucket_of(std::uint64_t hash) const {
    return (hash >> kBucketShift) & (bucket_count() - 1);
  }
  [[nodiscard]] std::uint64_t wide_bucket_of(std::uint64_t hash) const {
    return (hash >> kBucketShift) & (wide_bucket_count() - 1);
  }

  struct Match {
    std::uint32_t way;
    std::uint32_t hit;  // 1, or 0 and way 0
  };
  static Match find(const Bucket& bucket, const ShortKey& key) {
    // A key stands in one way at most: what is left of these codes is a bit that says hit and the way, or 0.
    const Lanes low = matching(bucket, 0, key) & Lanes{4, 5};
    const Lanes high = matching(bucket, 2, key) & Lanes{6, 7};
    const Lanes both = low | high;
    const std::uint64_t code = both[0] | both[1];
    return {static_cast<std::uint32_t>(code % kWays), static_cast<std::uint32_t>(code / kWays)};
  }
  // All ones where one of two ways holds the key.
  static Lanes matching(const Bucket& bucket, unsigned way, const ShortKey& key) {
    Lanes first;
    Lanes second;
    std::memcpy(&first, bucket.first + way, sizeof first);
    std::memcpy(&second, bucket.second + way, sizeof second);
    return reinterpret_cast<Lanes>((first == key.first) & (second == key.second));
  }

  template <class Update, class Log>
  void update_batch(const char* block, std::span<const Slice> keys, const Update& update, Log& log) {
    ShortKey short_keys[kBatchKeys];
    std::uint32_t buckets[kBatchKeys];
    std::uint32_t indexes[kBatchKeys];  // of the short keys
    std::uint32_t wide[kBatchKeys];     // indexes of all others
    std::size_t shorts = 0;
    std::size_t wides = 0;
    const std::uint64_t last_bucket = bucket_count() - 1;
    for (std::size_t index = 0; index < keys.size(); ++index) {
      const char* bytes = block + keys[index].begin;
      const std::uint64_t length = keys[index].end - keys[index].begin;
      const auto is_wide = static_cast<std::size_t>(length > kShortBytesMax);
      const std::uint64_t masked = std::min<std::uint64_t>(length, kInlineKeyBytesMax);
      const auto& mask = hashing::kWordMasks.pairs[masked];
      const ShortKey key{hashing::load64(bytes) & mask[0],
                         (hashing::load64(bytes + 8) & mask[1]) | ((length + 1) << kCodeShift)};
      short_keys[shorts] = key;
      buckets[shorts] =
          static_cast<std::uint32_t>((hashing::hash_tagged(key.first, key.second) >> kBucketShift) & last_bucket);
      indexes[shorts] = static_cast<std::uint32_t>(index);
      if constexpr (!kSmall) __builtin_prefetch(buckets_ + buckets[shorts]);
      shorts += 1 - is_wide;
      wide[wides] = static_cast<std::uint32_t>(index);
      wides += is_wide;
    }

    std::uint32_t slots[kBatchKeys];  // of the keys that are here
    std::uint32_t found[kBatchKeys];  // their indexes
    std::uint32_t missed[kBatchKeys];
    std::size_t hits = 0;
    std::size_t misses = 0;
    for (std::size_t at = 0; at < shorts; ++at) {
      const Match match = find(buckets_[buckets[at]], short_keys[at]);
      slots[hits] = buckets[at] * kWays + match.way;
      if constexpr (!kSmall) __builtin_prefetch(states_ + slots[hits], 1);
      found[hits] = indexes[at];
      hits += match.hit;
      missed[misses] = static_cast<std::uint32_t>(at);
      misses += 1 - match.hit;
    }
    for (std::size_t at = 0; at < hits; ++at) update(states_[slots[at]], found[at]);

    for (std::size_t at = 0; at < misses; ++at) {
      const std::uint32_t miss = missed[at];
      const Match match = find(buckets_[buckets[miss]], short_keys[miss]);  // it may have come twice
      F& state =
          match.hit != 0 ? states_[buckets[miss] * kWays + match.way] : place(short_keys[miss], buckets[miss], log);
      update(state, indexes[miss]);
    }
    update_wide(block, keys, {wide, wides}, update, log);
  }

  template <class Update, class Log>
  void update_wide(const char* block, std::span<const Slice> keys, std::span<const std::uint32_t> indexes,
                   const Update& update, Log& log) {
    EncodedKey encoded[kBatchKeys];
    for (std::size_t at = 0; at < indexes.size(); ++at) {
      const Slice& slice = keys[indexes[at]];
      encoded[at] = encode_key_in_block(block + slice.begin, slice.end - slice.begin);
      __builtin_prefetch(wide_ + wide_bucket_of(encoded[at].meta) * kWideWays, 1);
    }
    for (std::size_t at = 0; at < indexes.size(); ++at) update(wide_at(encoded[at], log), indexes[at]);
  }

  // Puts a new key in the place of the one that matters least.
  template <class Log>
  F& place(const ShortKey& key, std::uint32_t bucket, Log& log) {
    const unsigned way = victim(bucket);
    F& state = states_[bucket * kWays + way];
    if (!buckets_[bucket].is_empty(way)) evict(buckets_[bucket].key(way), state, log);
    buckets_[bucket].set(way, key);
    return *std::construct_at(&state);
  }

  unsigned victim(std::uint32_t bucket) {
    const Bucket& keys = buckets_[bucket];
    if constexpr (requires(const F& state) { state.weight(); }) {
      const F* states = states_ + bucket * kWays;
      unsigned lightest = 0;
      std::uint64_t least = UINT64_MAX;
      for (unsigned way = 0; way < kWays; ++way) {
        const std::uint64_t weight = keys.is_empty(way) ? 0 : states[way].weight();
        lightest = weight < least ? way : lightest;
        least = std::min(weight, least);
      }
      return lightest;
    } else {
      for (unsigned way = 0; way < kWays; ++way) {
        if (keys.is_empty(way)) return way;
      }
      return turn_++ % kWays;
    }
  }

  template <class Log>
  static void evict(const ShortKey& key, F& state, Log& log) {
    const std::uint64_t code = key.second >> kCodeShift;
    const std::uint64_t second = key.second & ((std::uint64_t{1} << kCodeShift) - 1);
    const std::uint64_t hash = hashing::hash_tagged(key.first, key.second);
    log.append(EncodedKey{(hash & ~kKeyCodeMask) | code, key.first, second}, state);
  }
  template <class Log>
  static void evict(WideEntry& entry, Log& log) {
    log.append(entry.key, entry.state);
  }

  static bool equal(const EncodedKey& left, const EncodedKey& right) {
    if (left.meta != right.meta || left.second != right.second) return false;
    if ((left.meta & kKeyCodeMask) != kLongKey) return left.first == right.first;
    return std::memcmp(reinterpret_cast<const char*>(left.first), reinterpret_cast<const char*>(right.first),
                       left.second) == 0;
  }

  template <class Log>
  F& wide_at(const EncodedKey& key, Log& log) {
    WideEntry* bucket = wide_ + wide_bucket_of(key.meta) * kWideWays;
    for (unsigned way = 0; way < kWideWays; ++way) {
      if (equal(bucket[way].key, key)) return bucket[way].state;
    }
    // A new key comes first; what was there moves back, what was last falls out. The log may refuse, so it
    // is asked before anything moves.
    EncodedKey kept = key;
    if ((key.meta & kKeyCodeMask) == kLongKey) {
      kept.first = reinterpret_cast<std::uintptr_t>(log.keep(reinterpret_cast<const char*>(key.first), key.second));
    }
    WideEntry& last = bucket[kWideWays - 1];
    if (last.key.meta != 0) evict(last, log);
    // Folds may be moved as bytes.
    std::memmove(static_cast<void*>(bucket + 1), static_cast<const void*>(bucket), (kWideWays - 1) * sizeof(WideEntry));
    bucket->key = kept;
    return *std::construct_at(&bucket->state);
  }

  void destroy_states() {
    if constexpr (!kTrivial) {
      if (!allocated()) return;
      for (std::uint64_t slot = 0; slot < bucket_count() * kWays; ++slot) {
        if (!buckets_[slot / kWays].is_empty(slot % kWays)) std::destroy_at(&states_[slot]);
      }
      for (std::uint64_t slot = 0; slot < wide_bucket_count() * kWideWays; ++slot) {
        if (wide_[slot].key.meta != 0) std::destroy_at(&wide_[slot].state);
      }
    }
  }

  const fanfold_memory* memory_;
  Bucket* buckets_ = nullptr;
  F* states_ = nullptr;
  WideEntry* wide_ = nullptr;
  const unsigned shrink_;
  unsigned turn_ = 0;
};

}  // namespace fanfold
