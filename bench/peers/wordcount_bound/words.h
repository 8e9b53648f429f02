// words.h: the two forms of a word and their hashes, for those who write logs and those who fold them.
// Words of up to 15 bytes are values; longer ones are positions in the text, which stays mapped.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "kernels.h"

namespace fanfold::bound {

constexpr size_t kShortBytesMax = 15;

// Partitions of a log: enough that one's table fits L2 with 12 million distinct words, few enough that the lines
// being written do too.
constexpr int kLog2ShortPartitions = 10;
constexpr int kLog2LongPartitions = 10;

inline uint64_t load8(const char* bytes) {
  uint64_t value;
  std::memcpy(&value, bytes, 8);
  return value;
}

// The 128-bit product of both, folded: one multiplication mixes 16 bytes (after wyhash by Wang Yi, public domain).
__extension__ using Product = unsigned __int128;
inline uint64_t mix(uint64_t a, uint64_t b) {
  const Product product = static_cast<Product>(a) * b;
  return static_cast<uint64_t>(product) ^ static_cast<uint64_t>(product >> 64);
}
constexpr uint64_t kMixLow = 0xa0761d6478bd642f;
constexpr uint64_t kMixHigh = 0xe7037ed1a0b428db;
constexpr uint64_t kMixLength = 0x8ebc6af09c88c6e3;

inline uint64_t hash_of(const ShortKey& key) {
  return mix(key.low ^ kMixLow, key.high ^ kMixHigh);
}

// Of at least 16 bytes; the last step reads the last 16, over some that were read already.
inline uint64_t hash_of_long(const char* word, size_t bytes) {
  const char* last = word + bytes - 16;
  uint64_t hash = bytes * kMixLength;
  for (; word < last; word += 16) hash = mix(load8(word) ^ kMixLow ^ hash, load8(word + 8) ^ kMixHigh);
  return mix(load8(last) ^ kMixLow ^ hash, load8(last + 8) ^ kMixHigh);
}

// Of two words of the same length, at least 16 bytes; `last` as above.
inline bool equal_long(const char* a, const char* b, size_t bytes) {
  const char* last = a + bytes - 16;
  uint64_t differ = (load8(last) ^ load8(b + bytes - 16)) | (load8(last + 8) ^ load8(b + bytes - 8));
  for (; a < last; a += 16, b += 16) differ |= (load8(a) ^ load8(b)) | (load8(a + 8) ^ load8(b + 8));
  return differ == 0;
}

// The count of a short record is four bits beside the length: 1 to 7 as they are, above that a power of eight, so
// that any count is a few records and a record never needs a second one.
struct ShortRecord {
  uint64_t low;
  uint64_t high;  // the top byte: length, and the weight's code above it
};
constexpr uint32_t kShortWeightBits = 60;
inline uint64_t short_weight(uint32_t code) {
  return code < 8 ? code : uint64_t{1} << (3 * (code - 7));
}

// Where a long word stands: its position above its length; lengths beyond 16 bits are found by looking.
class LongWord {
 public:
  LongWord() = default;
  LongWord(uint64_t position, size_t bytes)
      : packed_(position << 16 | (bytes < kBytesUnknown ? bytes : kBytesUnknown)) {}
  static LongWord unpack(uint64_t packed) {
    LongWord word;
    word.packed_ = packed;
    return word;
  }
  uint64_t packed() const { return packed_; }
  uint64_t position() const { return packed_ >> 16; }
  size_t bytes_clipped() const { return packed_ & kBytesUnknown; }
  bool bytes_known() const { return bytes_clipped() != kBytesUnknown; }

 private:
  static constexpr uint64_t kBytesUnknown = 0xffff;
  uint64_t packed_ = 0;
};

// 12 bytes: 56 bits of LongWord, 8 of weight (1 to 127 as they are, above that a power of two), and a tag of the hash.
struct LongRecord {
  uint32_t tag;
  uint32_t word_low;
  uint32_t word_high_weight;
};
inline uint64_t long_weight(uint32_t code) {
  return code < 128 ? code : uint64_t{1} << (code - 128 + 7);
}

}  // namespace fanfold::bound
