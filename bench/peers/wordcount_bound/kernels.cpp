// kernels.cpp: see kernels.h. A word's edges are found 64 bytes at a time: one bit a byte says "white space", the bits
// that differ from their neighbour are edges, and edges come in pairs of begin and end (after Langdale and Lemire,
// "Parsing gigabytes of JSON per second", 2019).
#include "kernels.h"

#include <bit>
#include <cstdlib>
#include <cstring>

#if defined(__x86_64__)
#if !defined(__clang__)
// The compiler's own AVX-512 header starts from undefined registers by intent and is warned of where it is inlined.
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif
#include <immintrin.h>
#endif

namespace fanfold::bound {

namespace {

static_assert(std::endian::native == std::endian::little, "keys are loaded as little-endian integers");

constexpr size_t kBlockBytes = 64;

// The bits of `in_word_bits` that differ from the bit before them; the rest of a block that ends early is left out.
inline uint64_t edges_of(uint64_t in_word_bits, size_t bytes_left, uint64_t& carry) {
  uint64_t edges = in_word_bits ^ (in_word_bits << 1 | carry);
  if (bytes_left < kBlockBytes) {
    edges &= (uint64_t{1} << bytes_left) - 1;
    carry = in_word_bits >> (bytes_left - 1) & 1;
  } else {
    carry = in_word_bits >> 63;
  }
  return edges;
}

// Writes 8 or 16 positions whatever there are, and counts only those that are: far fewer branches to miss than a
// loop over the bits.
[[gnu::always_inline]] inline uint32_t* write_positions(uint64_t edges, uint32_t base, uint32_t* out) {
  const int count = std::popcount(edges);
  const auto write = [&](int begin, int end) {
    for (int i = begin; i < end; ++i, edges &= edges - 1) {
      out[i] = base + static_cast<uint32_t>(std::countr_zero(edges));
    }
  };
  write(0, 8);
  if (count > 8) {
    write(8, 16);
    if (count > 16) write(16, count);
  }
  return out + count;
}

// White space among 8 bytes, one bit a byte: exact arithmetic on 7 bits a byte, so that nothing carries over.
inline uint64_t space_bits(const char* text) {
  constexpr uint64_t kOnes = 0x0101010101010101;
  uint64_t bytes;
  std::memcpy(&bytes, text, 8);
  const uint64_t low = bytes & kOnes * 0x7f;
  const uint64_t not_blank = (low ^ kOnes * ' ') + kOnes * 0x7f;
  const uint64_t from_tab = low + kOnes * (0x80 - '\t');
  const uint64_t beyond_return = low + kOnes * (0x80 - '\r' - 1);
  const uint64_t space = (~not_blank | (from_tab & ~beyond_return)) & ~bytes & kOnes * 0x80;
  return (space >> 7) * 0x0102040810204080 >> 56;
}

size_t find_edges_portable(const char* text, size_t bytes, bool& in_word, uint32_t base, uint32_t* edges) {
  uint32_t* out = edges;
  uint64_t carry = in_word ? 1 : 0;
  for (size_t i = 0; i < bytes; i += kBlockBytes) {
    uint64_t spaces = 0;
    for (size_t part = 0; part < 8; ++part) spaces |= space_bits(text + i + 8 * part) << (8 * part);
    out = write_positions(edges_of(~spaces, bytes - i, carry), base + static_cast<uint32_t>(i), out);
  }
  in_word = carry != 0;
  return static_cast<size_t>(out - edges);
}

size_t count_hits_portable(const ShortKey* keys, const uint32_t* buckets, size_t count, const HotKeys* table,
                           HotCounts* counts, uint32_t* missed) {
  size_t misses = 0;
  for (size_t i = 0; i < count; ++i) {
    const ShortKey key = keys[i];
    const HotKeys& bucket = table[buckets[i]];
    uint32_t way = 0;
    uint32_t hit = 0;
    for (uint32_t w = 0; w < kWays; ++w) {
      const uint32_t equal = ((bucket.way[w].low ^ key.low) | (bucket.way[w].high ^ key.high)) == 0 ? 1 : 0;
      way += equal * w;
      hit += equal;
    }
    counts[buckets[i]].way[way] += hit;
    missed[misses] = static_cast<uint32_t>(i);
    misses += 1 - hit;
  }
  return misses;
}

#if defined(__x86_64__)

#define FANFOLD_AVX2 [[gnu::target("avx2,bmi,bmi2,popcnt,lzcnt")]]
#define FANFOLD_AVX512 [[gnu::target("avx512f,avx512bw,avx512vl,avx512vbmi,avx512vbmi2,bmi,bmi2,popcnt,lzcnt")]]

FANFOLD_AVX2 inline uint32_t space_bits_avx2(const char* text) {
  const __m256i bytes = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(text));
  const __m256i blank = _mm256_cmpeq_epi8(bytes, _mm256_set1_epi8(' '));
  const __m256i from_tab = _mm256_sub_epi8(bytes, _mm256_set1_epi8('\t'));
  const __m256i control = _mm256_cmpeq_epi8(_mm256_min_epu8(from_tab, _mm256_set1_epi8(4)), from_tab);
  return static_cast<uint32_t>(_mm256_movemask_epi8(_mm256_or_si256(blank, control)));
}

FANFOLD_AVX2 size_t find_edges_avx2(const char* text, size_t bytes, bool& in_word, uint32_t base, uint32_t* edges) {
  uint32_t* out = edges;
  uint64_t carry = in_word ? 1 : 0;
  for (size_t i = 0; i < bytes; i += kBlockBytes) {
    const uint64_t spaces = space_bits_avx2(text + i) | uint64_t{space_bits_avx2(text + i + 32)} << 32;
    out = write_positions(edges_of(~spaces, bytes - i, carry), base + static_cast<uint32_t>(i), out);
  }
  in_word = carry != 0;
  return static_cast<size_t>(out - edges);
}

// Which way holds the key, from one equality bit for each half of each way; `way` is 0 and `hit` 0 when none does.
struct Match {
  uint32_t way;
  uint32_t hit;
};
[[gnu::always_inline]] inline Match match_of(uint32_t equal_halves) {
  const uint32_t equal = equal_halves & equal_halves >> 1 & 0x55;
  // The ninth bit stops the count at 8, which is way 4, which is way 0.
  return {(static_cast<uint32_t>(std::countr_zero(equal | 256)) >> 1) & 3, equal != 0 ? 1u : 0u};
}

FANFOLD_AVX2 size_t count_hits_avx2(const ShortKey* keys, const uint32_t* buckets, size_t count, const HotKeys* table,
                                    HotCounts* counts, uint32_t* missed) {
  size_t misses = 0;
  for (size_t i = 0; i < count; ++i) {
    const __m256i key = _mm256_broadcastsi128_si256(_mm_loadu_si128(reinterpret_cast<const __m128i*>(&keys[i])));
    const auto* bucket = reinterpret_cast<const __m256i*>(&table[buckets[i]]);
    const __m256i first = _mm256_cmpeq_epi64(key, _mm256_load_si256(bucket));
    const __m256i second = _mm256_cmpeq_epi64(key, _mm256_load_si256(bucket + 1));
    const auto halves = static_cast<uint32_t>(_mm256_movemask_pd(_mm256_castsi256_pd(first)) |
                                              _mm256_movemask_pd(_mm256_castsi256_pd(second)) << 4);
    const Match match = match_of(halves);
    counts[buckets[i]].way[match.way] += match.hit;
    missed[misses] = static_cast<uint32_t>(i);
    misses += 1 - match.hit;
  }
  return misses;
}

FANFOLD_AVX512 size_t find_edges_avx512(const char* text, size_t bytes, bool& in_word, uint32_t base, uint32_t* edges) {
  alignas(64) static constexpr auto kPositions = [] {
    struct {
      uint8_t value[kBlockBytes];
    } positions{};
    for (size_t i = 0; i < kBlockBytes; ++i) positions.value[i] = static_cast<uint8_t>(i);
    return positions;
  }();
  const __m512i positions = _mm512_load_si512(&kPositions);
  uint32_t* out = edges;
  uint64_t carry = in_word ? 1 : 0;
  for (size_t i = 0; i < bytes; i += kBlockBytes) {
    const __m512i block = _mm512_loadu_si512(text + i);
    const uint64_t spaces = _mm512_cmpeq_epi8_mask(block, _mm512_set1_epi8(' ')) |
                            _mm512_cmplt_epu8_mask(_mm512_sub_epi8(block, _mm512_set1_epi8('\t')), _mm512_set1_epi8(5));
    const uint64_t found = edges_of(~spaces, bytes - i, carry);
    // The positions of the set bits, packed by one instruction, widened 16 at a time.
    const __m512i packed = _mm512_maskz_compress_epi8(found, positions);
    const __m512i first = _mm512_set1_epi32(static_cast<int>(base + i));
    const int count = std::popcount(found);
    _mm512_storeu_si512(out, _mm512_add_epi32(first, _mm512_cvtepu8_epi32(_mm512_castsi512_si128(packed))));
    if (count > 16) {
      _mm512_storeu_si512(out + 16,
                          _mm512_add_epi32(first, _mm512_cvtepu8_epi32(_mm512_extracti32x4_epi32(packed, 1))));
      if (count > 32) {
        _mm512_storeu_si512(out + 32,
                            _mm512_add_epi32(first, _mm512_cvtepu8_epi32(_mm512_extracti32x4_epi32(packed, 2))));
        _mm512_storeu_si512(out + 48,
                            _mm512_add_epi32(first, _mm512_cvtepu8_epi32(_mm512_extracti32x4_epi32(packed, 3))));
      }
    }
    out += count;
  }
  in_word = carry != 0;
  return static_cast<size_t>(out - edges);
}

FANFOLD_AVX512 size_t count_hits_avx512(const ShortKey* keys, const uint32_t* buckets, size_t count,
                                        const HotKeys* table, HotCounts* counts, uint32_t* missed) {
  size_t misses = 0;
  for (size_t i = 0; i < count; ++i) {
    const __m512i key = _mm512_broadcast_i32x4(_mm_loadu_si128(reinterpret_cast<const __m128i*>(&keys[i])));
    const Match match = match_of(_mm512_cmpeq_epi64_mask(key, _mm512_load_si512(&table[buckets[i]])));
    counts[buckets[i]].way[match.way] += match.hit;
    missed[misses] = static_cast<uint32_t>(i);
    misses += 1 - match.hit;
  }
  return misses;
}

bool has_avx2() {
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi2");
}
bool has_avx512() {
  return has_avx2() && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
         __builtin_cpu_supports("avx512vbmi") && __builtin_cpu_supports("avx512vbmi2");
}

#endif

}  // namespace

Kernels choose_kernels() {
  const char* forced = std::getenv("FANFOLD_KERNELS");
  const std::string wanted = forced == nullptr ? "" : forced;
#if defined(__x86_64__)
  if ((wanted.empty() || wanted == "avx512") && has_avx512()) return {"avx512", find_edges_avx512, count_hits_avx512};
  if ((wanted.empty() || wanted == "avx2") && has_avx2()) return {"avx2", find_edges_avx2, count_hits_avx2};
#endif
  if (wanted.empty() || wanted == "portable") return {"portable", find_edges_portable, count_hits_portable};
  return {"", nullptr, nullptr};
}

}  // namespace fanfold::bound
