// counter.h: what one thread does while text is left: words into hot tables, what falls out of them into logs.
// No thread waits for another before the text is read; a word's whole count is in no single place until then.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "kernels.h"
#include "record_log.h"
#include "text.h"
#include "words.h"

namespace fanfold::bound {

using ShortLog = RecordLog<ShortRecord>;
using LongLog = RecordLog<LongRecord>;

class Counter {
 public:
  Counter(const MappedText& text, const Kernels& kernels);

  // Counts the words whose first byte lies in [begin, end).
  void count(uint64_t begin, uint64_t end);

  // Moves everything that is still hot into the logs.
  void seal();

  const ShortLog& short_log() const { return short_log_; }
  const LongLog& long_log() const { return long_log_; }

 private:
  // Bytes tokenized in one go: its keys and edges stay in the first-level cache until they are counted.
  static constexpr size_t kBatchBytes = 8192;
  static constexpr size_t kBatchWordsMax = kBatchBytes / 2 + 2;
  // 16,384 short words in 320 KiB and 4,096 long ones in 96 KiB: what an L2 cache of 512 KiB holds beside the lines
  // that are being written.
  static constexpr int kLog2HotBuckets = 12;
  static constexpr int kLog2HotLong = 12;
  // A hot count has 32 bits.
  static constexpr uint64_t kWordsBetweenSealsMax = uint64_t{1} << 31;

  struct HotLong {
    uint64_t hash;
    uint64_t word;   // LongWord, packed
    uint64_t count;  // 0: free
  };

  static size_t arena_bytes(uint64_t text_bytes);

  void count_batch(const char* base, uint64_t base_position, size_t words);
  void place_missed(size_t missed);
  void count_long(const char* base, uint64_t base_position, size_t words);
  void log_short(const ShortKey& key, uint64_t count);
  void log_long(uint64_t hash, LongWord word, uint64_t count);

  const char* text_;
  uint64_t text_bytes_;
  Kernels kernels_;
  Arena arena_;
  HotKeys* hot_keys_;
  HotCounts* hot_counts_;
  HotLong* hot_long_;
  ShortLog short_log_;
  LongLog long_log_;
  uint64_t words_since_seal_ = 0;

  // One batch: the edges of its words, then its short words, and which of them are not hot; and its long words.
  std::vector<uint32_t> edges_;
  std::vector<ShortKey> keys_;
  std::vector<uint32_t> buckets_;
  std::vector<uint32_t> missed_;
  std::vector<uint32_t> long_;
  std::vector<uint64_t> long_hashes_;
};

}  // namespace fanfold::bound
