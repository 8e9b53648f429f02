// counter.cpp: see counter.h. Each batch goes through short loops, one after the other, instead of one long loop a
// word: each has one thing to wait for, none has a branch that depends on the words, except where a word is evicted.
#include "counter.h"

#include <algorithm>

namespace fanfold::bound {

namespace {

// The bytes of a word of each length in its two halves; the seventeenth entry is for any longer one, not used as key.
struct Masks {
  uint64_t low[17];
  uint64_t high[17];
};
constexpr Masks kMasks = [] {
  Masks masks{};
  for (size_t length = 0; length <= 16; ++length) {
    masks.low[length] = length >= 8 ? ~uint64_t{0} : (uint64_t{1} << (8 * length)) - 1;
    masks.high[length] = length <= 8 ? 0 : length >= 16 ? ~uint64_t{0} : (uint64_t{1} << (8 * (length - 8))) - 1;
  }
  return masks;
}();

// Of the hash, the top bits choose the partition and the bottom bits the bucket; a log's tag is the low half.
constexpr uint64_t bits(uint64_t hash, int log2_size) {
  return hash & ((uint64_t{1} << log2_size) - 1);
}

}  // namespace

size_t Counter::arena_bytes(uint64_t text_bytes) {
  // A record stands for at least one word: of one byte and a blank, or of sixteen and a blank.
  return sizeof(HotKeys) * (size_t{1} << kLog2HotBuckets) + sizeof(HotCounts) * (size_t{1} << kLog2HotBuckets) +
         sizeof(HotLong) * (size_t{1} << kLog2HotLong) + ShortLog::bytes_max(text_bytes, 2, kLog2ShortPartitions) +
         LongLog::bytes_max(text_bytes, kShortBytesMax + 2, kLog2LongPartitions);
}

Counter::Counter(const MappedText& text, const Kernels& kernels)
    : text_(text.data()),
      text_bytes_(text.size()),
      kernels_(kernels),
      arena_(arena_bytes(text.size())),
      hot_keys_(reinterpret_cast<HotKeys*>(arena_.take(sizeof(HotKeys) << kLog2HotBuckets))),
      hot_counts_(reinterpret_cast<HotCounts*>(arena_.take(sizeof(HotCounts) << kLog2HotBuckets))),
      hot_long_(reinterpret_cast<HotLong*>(arena_.take(sizeof(HotLong) << kLog2HotLong))),
      short_log_(arena_, kLog2ShortPartitions),
      long_log_(arena_, kLog2LongPartitions),
      edges_(kBatchBytes + 2 + 64),
      keys_(kBatchWordsMax),
      buckets_(kBatchWordsMax),
      missed_(kBatchWordsMax),
      long_(kBatchWordsMax),
      long_hashes_(kBatchWordsMax) {}

void Counter::count(uint64_t begin, uint64_t end) {
  uint64_t position = begin;
  if (begin > 0 && !MappedText::is_space(text_[begin - 1])) {
    // The word that reaches into this range is another's.
    while (position < end && !MappedText::is_space(text_[position])) ++position;
  }
  bool in_word = false;
  size_t pending = 0;  // edges not yet counted: none, or the begin of a word that goes on behind the batch
  while (position < end) {
    const size_t bytes = std::min<uint64_t>(kBatchBytes, end - position);
    size_t edges = pending + kernels_.find_edges(text_ + position, bytes, in_word,
                                                 static_cast<uint32_t>(position - begin), edges_.data() + pending);
    position += bytes;
    if (position == end && edges % 2 == 1) {
      uint64_t word_end = end;
      while (word_end < text_bytes_ && !MappedText::is_space(text_[word_end])) ++word_end;
      // Edges are 32 bits: a last word that is longer is logged alone, where it stands.
      if (word_end - begin > UINT32_MAX) {
        const uint64_t word_begin = begin + edges_[edges - 1];
        log_long(hash_of_long(text_ + word_begin, word_end - word_begin), LongWord(word_begin, word_end - word_begin),
                 1);
        --edges;
      } else {
        edges_[edges++] = static_cast<uint32_t>(word_end - begin);
      }
    }
    count_batch(text_ + begin, begin, edges / 2);
    pending = edges % 2;
    if (pending == 1) edges_[0] = edges_[edges - 1];
  }
  if (words_since_seal_ > kWordsBetweenSealsMax) seal();
}

void Counter::count_batch(const char* base, uint64_t base_position, size_t words) {
  words_since_seal_ += words;
  const uint32_t* edges = edges_.data();
  ShortKey* keys = keys_.data();
  uint32_t* buckets = buckets_.data();
  uint32_t* longs = long_.data();
  size_t short_count = 0;
  size_t long_count = 0;
  for (size_t i = 0; i < words; ++i) {
    const uint32_t begin = edges[2 * i];
    const uint32_t bytes = edges[2 * i + 1] - begin;
    const char* word = base + begin;
    __builtin_prefetch(word + kBatchBytes);  // the next batch; a prefetch beyond the end does nothing
    const size_t is_long = bytes > kShortBytesMax ? 1 : 0;
    const size_t length = std::min<size_t>(bytes, 16);
    const ShortKey key{load8(word) & kMasks.low[length],
                       (load8(word + 8) & kMasks.high[length]) | uint64_t{bytes} << 56};
    keys[short_count] = key;
    buckets[short_count] = static_cast<uint32_t>(bits(hash_of(key), kLog2HotBuckets));
    short_count += 1 - is_long;
    longs[long_count] = static_cast<uint32_t>(i);
    long_count += is_long;
  }
  place_missed(kernels_.count_hits(keys, buckets, short_count, hot_keys_, hot_counts_, missed_.data()));
  count_long(base, base_position, long_count);
}

// Each missed word takes the way of the rarest word of its bucket.
void Counter::place_missed(size_t missed) {
  for (size_t m = 0; m < missed; ++m) {
    const ShortKey key = keys_[missed_[m]];
    HotKeys& bucket = hot_keys_[buckets_[missed_[m]]];
    HotCounts& counts = hot_counts_[buckets_[missed_[m]]];
    size_t found = kWays;
    for (size_t way = 0; way < kWays; ++way) {
      if (((bucket.way[way].low ^ key.low) | (bucket.way[way].high ^ key.high)) == 0) found = way;
    }
    if (found < kWays) [[unlikely]] {  // it came twice in this batch
      ++counts.way[found];
      continue;
    }
    const size_t left = counts.way[1] < counts.way[0] ? 1 : 0;
    const size_t right = counts.way[3] < counts.way[2] ? 3 : 2;
    const size_t rarest = counts.way[right] < counts.way[left] ? right : left;
    if (counts.way[rarest] > 0) log_short(bucket.way[rarest], counts.way[rarest]);
    bucket.way[rarest] = key;
    counts.way[rarest] = 1;
  }
}

void Counter::count_long(const char* base, uint64_t base_position, size_t words) {
  const uint32_t* edges = edges_.data();
  for (size_t i = 0; i < words; ++i) {
    const uint32_t begin = edges[2 * long_[i]];
    const uint64_t hash = hash_of_long(base + begin, edges[2 * long_[i] + 1] - begin);
    long_hashes_[i] = hash;
    __builtin_prefetch(&hot_long_[bits(hash, kLog2HotLong)], 1);
  }
  for (size_t i = 0; i < words; ++i) {
    const uint32_t begin = edges[2 * long_[i]];
    const size_t bytes = edges[2 * long_[i] + 1] - begin;
    const LongWord word(base_position + begin, bytes);
    const uint64_t hash = long_hashes_[i];
    HotLong& hot = hot_long_[bits(hash, kLog2HotLong)];
    if (hot.count > 0) {
      const LongWord other = LongWord::unpack(hot.word);
      if (hot.hash == hash && word.bytes_known() && other.bytes_clipped() == bytes &&
          equal_long(text_ + other.position(), base + begin, bytes)) {
        ++hot.count;
        continue;
      }
      log_long(hot.hash, other, hot.count);
    }
    hot = {hash, word.packed(), 1};
  }
}

void Counter::log_short(const ShortKey& key, uint64_t count) {
  const size_t partition = hash_of(key) >> (64 - kLog2ShortPartitions);
  if (count < 8) [[likely]] {
    short_log_.append(partition, {key.low, key.high | count << kShortWeightBits});
    return;
  }
  for (uint32_t code = 15; code > 0; --code) {
    for (; count >= short_weight(code); count -= short_weight(code)) {
      short_log_.append(partition, {key.low, key.high | uint64_t{code} << kShortWeightBits});
    }
  }
}

void Counter::log_long(uint64_t hash, LongWord word, uint64_t count) {
  const size_t partition = hash >> (64 - kLog2LongPartitions);
  const auto append = [&](uint32_t code) {
    long_log_.append(partition, {static_cast<uint32_t>(hash), static_cast<uint32_t>(word.packed()),
                                 static_cast<uint32_t>(word.packed() >> 32) | code << 24});
  };
  if (count < 128) [[likely]] {
    append(static_cast<uint32_t>(count));
    return;
  }
  if (count % 128 > 0) append(static_cast<uint32_t>(count % 128));
  count /= 128;
  for (uint32_t code = 128; count > 0; ++code, count /= 2) {
    if (count % 2 == 1) append(code);
  }
}

void Counter::seal() {
  for (size_t bucket = 0; bucket < size_t{1} << kLog2HotBuckets; ++bucket) {
    for (size_t way = 0; way < kWays; ++way) {
      uint32_t& count = hot_counts_[bucket].way[way];
      if (count > 0) log_short(hot_keys_[bucket].way[way], count);
      // The key goes too: a hit is told by the key alone.
      hot_keys_[bucket].way[way] = {};
      count = 0;
    }
  }
  for (size_t slot = 0; slot < size_t{1} << kLog2HotLong; ++slot) {
    HotLong& hot = hot_long_[slot];
    if (hot.count > 0) log_long(hot.hash, LongWord::unpack(hot.word), hot.count);
    hot.count = 0;
  }
  words_since_seal_ = 0;
}

}  // namespace fanfold::bound
