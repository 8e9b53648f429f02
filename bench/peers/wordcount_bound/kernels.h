// kernels.h: the two inner loops that know vector instructions, chosen once at run time.
// Every kernel gives the same bits; FANFOLD_KERNELS=portable|avx2|avx512 forces one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace fanfold::bound {

// A word of at most 15 bytes, zero-padded, its length in the last byte: two words are equal when these 16 bytes are.
struct ShortKey {
  uint64_t low = 0;
  uint64_t high = 0;
};

// Four keys a cache line, compared by one instruction where there is AVX-512. The counts live apart: a 64-byte load
// over a 4-byte store that is still in flight would wait for it.
constexpr size_t kWays = 4;
struct alignas(64) HotKeys {
  ShortKey way[kWays];
};
struct HotCounts {
  uint32_t way[kWays];  // 0: the way is free
};

struct Kernels {
  std::string name;

  // Writes to `edges` the positions in text[0, bytes) at which a word begins or ends, plus `base`, and returns how
  // many. `in_word` says whether text[-1] belongs to a word and is brought up to date. Reads up to 63 bytes beyond the
  // end, and may write up to 64 edges beyond the ones it returns.
  size_t (*find_edges)(const char* text, size_t bytes, bool& in_word, uint32_t base, uint32_t* edges);

  // Looks keys[i] up in table[buckets[i]], adds 1 to its count where it is, writes i to `missed` where it is not.
  // Returns how many are missed. Without a branch on the outcome: a quarter are misses, in no order to predict.
  size_t (*count_hits)(const ShortKey* keys, const uint32_t* buckets, size_t count, const HotKeys* table,
                       HotCounts* counts, uint32_t* missed);
};

// The fastest kernels of this machine, or those that FANFOLD_KERNELS names; name is empty when it cannot run them.
Kernels choose_kernels();

}  // namespace fanfold::bound
