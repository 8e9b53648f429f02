// hash.h: the 64-bit hash of keys, the same on every machine, and the form in which tables hold keys.
// A key of up to 16 bytes is held inline as two little-endian words, zero-padded, so that equality is
// two comparisons and never a look elsewhere. The hash multiplies 64 by 64 bits and folds the halves
// (the mixing step of Wang Yi's wyhash), once for an inline key; its low 5 bits are given up to a code for
// the key's length.
#pragma once

#include <cstdint>
#include <cstring>
#include <string_view>

namespace fanfold {

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "keys and packed columns are little-endian words");

// A key as tables hold it. `meta` is the hash with its low 5 bits replaced by a code: length + 1 for
// an inline key, kLongKey for one that stays where `first` points, `second` bytes long.
struct EncodedKey {
  std::uint64_t meta;
  std::uint64_t first;
  std::uint64_t second;
};

inline constexpr std::uint64_t kInlineKeyBytesMax = 16;
inline constexpr std::uint64_t kKeyCodeMask = 31;
inline constexpr std::uint64_t kLongKey = 18;

namespace hashing {

inline constexpr std::uint64_t kSeed0 = 0xa0761d6478bd642fULL;  // wyhash's default secret
inline constexpr std::uint64_t kSeed1 = 0xe7037ed1a0b428dbULL;
inline constexpr std::uint64_t kSeed2 = 0x8ebc6af09c88c6e3ULL;

inline std::uint64_t multiply_fold(std::uint64_t left, std::uint64_t right) {
  __extension__ using Wide = unsigned __int128;
  const Wide product = static_cast<Wide>(left) * right;
  return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
}

inline std::uint64_t load64(const char* bytes) {
  std::uint64_t word;
  std::memcpy(&word, bytes, 8);
  return word;
}

// The hash of a key of up to 15 bytes whose length + 1 stands in the last byte of its second word, or of one
// of 16 bytes as it is.
inline std::uint64_t hash_tagged(std::uint64_t first, std::uint64_t second) {
  return multiply_fold(first ^ kSeed0, second ^ kSeed1);
}

// The hash of an inline key, from its words and length alone.
inline std::uint64_t hash_words(std::uint64_t first, std::uint64_t second, std::uint64_t length) {
  return hash_tagged(first, length < 16 ? second | ((length + 1) << 56) : second);
}

// The hash of a key longer than 16 bytes: 16 at a time, the last 16 overlapping.
inline std::uint64_t hash_long(const char* bytes, std::uint64_t length) {
  std::uint64_t state = kSeed1;
  std::uint64_t at = 0;
  for (; at + 16 < length; at += 16) {
    state = multiply_fold(load64(bytes + at) ^ kSeed0, load64(bytes + at + 8) ^ state);
  }
  state = multiply_fold(load64(bytes + length - 16) ^ kSeed0, load64(bytes + length - 8) ^ state);
  return multiply_fold(kSeed2 ^ length, state);
}

// Masks that keep the first `length` bytes of two words; 17 pairs.
struct WordMasks {
  std::uint64_t pairs[17][2];
};
constexpr WordMasks make_word_masks() {
  WordMasks masks{};
  for (unsigned length = 0; length <= 16; ++length) {
    const unsigned low = length < 8 ? length : 8;
    const unsigned high = length < 8 ? 0 : length - 8;
    masks.pairs[length][0] = low == 8 ? ~0ULL : (1ULL << (8 * low)) - 1;
    masks.pairs[length][1] = high == 8 ? ~0ULL : (1ULL << (8 * high)) - 1;
  }
  return masks;
}
inline constexpr WordMasks kWordMasks = make_word_masks();

inline EncodedKey encode_words(std::uint64_t first, std::uint64_t second, std::uint64_t length) {
  return {(hash_words(first, second, length) & ~kKeyCodeMask) | (length + 1), first, second};
}

inline EncodedKey encode_long(std::string_view key) {
  return {(hash_long(key.data(), key.size()) & ~kKeyCodeMask) | kLongKey, reinterpret_cast<std::uintptr_t>(key.data()),
          key.size()};
}

}  // namespace hashing

// Encodes a key of any bytes. A long one is borrowed.
inline EncodedKey encode_key(std::string_view key) {
  if (key.size() > kInlineKeyBytesMax) return hashing::encode_long(key);
  std::uint64_t words[2] = {0, 0};
  if (!key.empty()) std::memcpy(words, key.data(), key.size());  // an empty view may point nowhere
  return hashing::encode_words(words[0], words[1], key.size());
}

// The same for a key behind which 16 bytes may be read, as in a shard's blocks: no branch on length.
inline EncodedKey encode_key_in_block(const char* bytes, std::uint64_t length) {
  if (length > kInlineKeyBytesMax) [[unlikely]]
    return hashing::encode_long({bytes, length});
  const auto& mask = hashing::kWordMasks.pairs[length];
  return hashing::encode_words(hashing::load64(bytes) & mask[0], hashing::load64(bytes + 8) & mask[1], length);
}

}  // namespace fanfold
