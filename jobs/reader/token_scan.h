// token_scan.h: finds the runs of token bytes in a block of text: the scanning kernel of jobs that read
// words. 64 bytes become a bit mask, where bits differ from their neighbours runs begin and end, and the
// positions of those edges are written out without a branch a token (after Langdale and Lemire, "Parsing
// gigabytes of JSON per second", 2019). Levels (portable, AVX2, AVX-512) agree bit for bit and are chosen at
// run time. Of Fanfold it knows only the SDK.
#pragma once

#include <fanfold/abi.h>
#include <fanfold/slice.h>

#include <bit>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace fanfold::reader {

// Which bytes separate tokens.
enum class Separators {
  kSpace,      // C's isspace: blank, \t \n \v \f \r
  kNonLetter,  // all but A-Z a-z
  kNonWord,    // all but A-Z a-z 0-9 _
};

namespace token_scan {

constexpr std::uint64_t broadcast(unsigned byte) {
  return 0x0101010101010101ULL * byte;
}

// Bit 7 of each byte set where the byte lies in [low, high]; exact, bytes never carry into each other.
inline std::uint64_t in_range(std::uint64_t bytes, unsigned low, unsigned high) {
  const std::uint64_t seven = bytes & broadcast(0x7f);
  const std::uint64_t at_least_low = seven + broadcast(0x80 - low);
  const std::uint64_t beyond_high = seven + broadcast(0x7f - high);
  return at_least_low & ~beyond_high & ~bytes & broadcast(0x80);
}

template <Separators separators>
struct Portable {
  static std::uint64_t mask8(std::uint64_t bytes) {
    std::uint64_t hits = 0;
    if constexpr (separators == Separators::kSpace) {
      hits = in_range(bytes, 9, 13) | in_range(bytes, 32, 32);
    } else {
      hits = in_range(bytes, 'A', 'Z') | in_range(bytes, 'a', 'z');
      if constexpr (separators == Separators::kNonWord) {
        hits |= in_range(bytes, '0', '9') | in_range(bytes, '_', '_');
      }
      hits ^= broadcast(0x80);
    }
    return ((hits >> 7) * 0x0102040810204080ULL) >> 56;  // one bit a byte, first byte lowest
  }
  static std::uint64_t mask(const char* bytes) {
    std::uint64_t mask = 0;
    for (unsigned word = 0; word < 8; ++word) {
      std::uint64_t eight;
      std::memcpy(&eight, bytes + 8 * word, 8);
      mask |= mask8(eight) << (8 * word);
    }
    return mask;
  }
};

// A level fills masks[i] with the separators among bytes [64 i, 64 i + 64), lowest bit first.
template <Separators separators>
void masks_portable(const char* text, std::uint64_t chunks, std::uint64_t* masks) {
  for (std::uint64_t chunk = 0; chunk < chunks; ++chunk) masks[chunk] = Portable<separators>::mask(text + 64 * chunk);
}

// Where runs begin and end among 64 bytes; `before` is whether the byte before them separates, and then
// whether their last does.
inline std::uint64_t edges_of(std::uint64_t separators, std::uint64_t& before) {
  const std::uint64_t edges = separators ^ ((separators << 1) | before);
  before = separators >> 63;
  return edges;
}

// What an edge's writer may write beyond the edges that there are.
inline constexpr std::uint64_t kEdgeSlack = 64;

// A level writes the positions of all edges, counted from `position`, and tells where it stopped. Here 8 or
// 16 whatever there are, and only those that are count: far fewer branches to miss than one an edge.
inline std::uint32_t* write_edges_portable(const std::uint64_t* masks, std::uint64_t chunks, std::uint32_t position,
                                           std::uint64_t& before, std::uint32_t* out) {
  for (std::uint64_t chunk = 0; chunk < chunks; ++chunk, position += 64) {
    std::uint64_t edges = edges_of(masks[chunk], before);
    const int count = std::popcount(edges);
    const auto write = [&](int begin, int end) {
      for (int index = begin; index < end; ++index, edges &= edges - 1) {
        out[index] = position + static_cast<std::uint32_t>(std::countr_zero(edges));
      }
    };
    write(0, 8);
    if (count > 8) {
      write(8, 16);
      if (count > 16) write(16, count);
    }
    out += count;
  }
  return out;
}

#if defined(__x86_64__)

[[gnu::target("avx2"), gnu::always_inline]] inline __m256i within(__m256i bytes, char low, char width) {
  const __m256i shifted = _mm256_sub_epi8(bytes, _mm256_set1_epi8(low));
  return _mm256_cmpeq_epi8(_mm256_min_epu8(shifted, _mm256_set1_epi8(width)), shifted);
}

template <Separators separators>
[[gnu::target("avx2"), gnu::always_inline]] inline std::uint32_t mask32(const char* text) {
  const __m256i bytes = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(text));
  if constexpr (separators == Separators::kSpace) {
    const __m256i hits = _mm256_or_si256(within(bytes, 9, 4), _mm256_cmpeq_epi8(bytes, _mm256_set1_epi8(' ')));
    return static_cast<std::uint32_t>(_mm256_movemask_epi8(hits));
  } else {
    __m256i hits = within(_mm256_or_si256(bytes, _mm256_set1_epi8(0x20)), 'a', 25);
    if constexpr (separators == Separators::kNonWord) {
      hits = _mm256_or_si256(hits, within(bytes, '0', 9));
      hits = _mm256_or_si256(hits, _mm256_cmpeq_epi8(bytes, _mm256_set1_epi8('_')));
    }
    return ~static_cast<std::uint32_t>(_mm256_movemask_epi8(hits));
  }
}

template <Separators separators>
[[gnu::target("avx2")]] void masks_avx2(const char* text, std::uint64_t chunks, std::uint64_t* masks) {
  for (std::uint64_t chunk = 0; chunk < chunks; ++chunk) {
    const std::uint64_t high = mask32<separators>(text + 64 * chunk + 32);
    masks[chunk] = mask32<separators>(text + 64 * chunk) | (high << 32);
  }
}

template <Separators separators>
[[gnu::target("avx512f,avx512bw")]] void masks_avx512(const char* text, std::uint64_t chunks, std::uint64_t* masks) {
  for (std::uint64_t chunk = 0; chunk < chunks; ++chunk) {
    const __m512i bytes = _mm512_loadu_si512(text + 64 * chunk);
    if constexpr (separators == Separators::kSpace) {
      const __m512i shifted = _mm512_sub_epi8(bytes, _mm512_set1_epi8(9));
      masks[chunk] =
          _mm512_cmple_epu8_mask(shifted, _mm512_set1_epi8(4)) | _mm512_cmpeq_epi8_mask(bytes, _mm512_set1_epi8(' '));
    } else {
      const __m512i folded = _mm512_or_si512(bytes, _mm512_set1_epi8(0x20));
      std::uint64_t hits = _mm512_cmple_epu8_mask(_mm512_sub_epi8(folded, _mm512_set1_epi8('a')), _mm512_set1_epi8(25));
      if constexpr (separators == Separators::kNonWord) {
        hits |= _mm512_cmple_epu8_mask(_mm512_sub_epi8(bytes, _mm512_set1_epi8('0')), _mm512_set1_epi8(9)) |
                _mm512_cmpeq_epi8_mask(bytes, _mm512_set1_epi8('_'));
      }
      masks[chunk] = ~hits;
    }
  }
}

// The positions of 16 bytes at a time, those of edges packed by one instruction.
[[gnu::target("avx512f,popcnt")]] inline std::uint32_t* write_edges_avx512(const std::uint64_t* masks,
                                                                           std::uint64_t chunks, std::uint32_t position,
                                                                           std::uint64_t& before, std::uint32_t* out) {
  const __m512i sixteen = _mm512_set1_epi32(16);
  __m512i positions = _mm512_add_epi32(_mm512_set1_epi32(static_cast<int>(position)),
                                       _mm512_set_epi32(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0));
  for (std::uint64_t chunk = 0; chunk < chunks; ++chunk) {
    const std::uint64_t edges = edges_of(masks[chunk], before);
    for (unsigned quarter = 0; quarter < 4; ++quarter) {
      const auto bits = static_cast<__mmask16>(edges >> (16 * quarter));
      _mm512_storeu_si512(out, _mm512_maskz_compress_epi32(bits, positions));
      out += std::popcount(static_cast<std::uint32_t>(bits));
      positions = _mm512_add_epi32(positions, sixteen);
    }
  }
  return out;
}

#endif

using MaskFunction = void (*)(const char*, std::uint64_t, std::uint64_t*);
using EdgeFunction = std::uint32_t* (*)(const std::uint64_t*, std::uint64_t, std::uint32_t, std::uint64_t&,
                                        std::uint32_t*);

inline EdgeFunction edges_for(std::uint32_t kernels) {
#if defined(__x86_64__)
  if (kernels >= FANFOLD_KERNELS_AVX512) return write_edges_avx512;
#else
  (void)kernels;
#endif
  return write_edges_portable;
}

template <Separators separators>
MaskFunction masks_for(std::uint32_t kernels) {
#if defined(__x86_64__)
  if (kernels >= FANFOLD_KERNELS_AVX512) return masks_avx512<separators>;
  if (kernels >= FANFOLD_KERNELS_AVX2) return masks_avx2<separators>;
#else
  (void)kernels;
#endif
  return masks_portable<separators>;
}

}  // namespace token_scan

// Calls visit(std::span<const Slice> tokens) for batches of the text's tokens, in order; each is a slice of
// `text`, which is smaller than 4 GiB. 64 bytes behind the text may be read. `kernels` is what the host
// tells (abi.h).
template <Separators separators, class Visitor>
void for_each_token_batch(std::string_view text, std::uint32_t kernels, Visitor&& visit) {
  constexpr std::uint64_t kBatchChunks = 64;  // 4 KiB of text: text, masks and edges stay in L1
  const token_scan::MaskFunction fill = token_scan::masks_for<separators>(kernels);
  const token_scan::EdgeFunction write = token_scan::edges_for(kernels);
  std::uint64_t before = 1;  // whether the byte before separates
  std::uint64_t masks[kBatchChunks];
  // Begins and ends in turn; the last may be the begin of a token that ends in a later batch.
  std::uint32_t edges[64 * kBatchChunks + 2 + token_scan::kEdgeSlack];
  std::uint32_t* end = edges;
  const auto visit_whole = [&] {
    const auto tokens = static_cast<std::size_t>(end - edges) / 2;
    if (tokens != 0) visit(std::span<const Slice>(reinterpret_cast<const Slice*>(edges), tokens));
    const bool open = (end - edges) % 2 == 1;
    if (open) edges[0] = end[-1];
    end = open ? edges + 1 : edges;
  };
  for (std::uint64_t position = 0; position < text.size(); position += 64 * kBatchChunks) {
    const std::uint64_t bytes = text.size() - position;
    const std::uint64_t chunks = bytes >= 64 * kBatchChunks ? kBatchChunks : (bytes + 63) / 64;
    fill(text.data() + position, chunks, masks);
    if (bytes < 64 * chunks) masks[chunks - 1] |= ~0ULL << (bytes % 64);  // behind the end all separates
    end = write(masks, chunks, static_cast<std::uint32_t>(position), before, end);
    visit_whole();
  }
  if (end == edges) return;
  *end++ = static_cast<std::uint32_t>(text.size());
  visit_whole();
}

// Calls visit(const char* token, std::uint64_t bytes) for each token, in order; the same conditions.
template <Separators separators, class Visitor>
void for_each_token(std::string_view text, std::uint32_t kernels, Visitor&& visit) {
  for_each_token_batch<separators>(text, kernels, [&](std::span<const Slice> tokens) {
    for (const Slice& token : tokens) visit(text.data() + token.begin, std::uint64_t{token.end} - token.begin);
  });
}

}  // namespace fanfold::reader
