// token_scan.h: finds the runs of token bytes in a block of text, 64 bytes at a time as a bit mask: the
// scanning kernel of jobs that read words. Levels (portable, AVX2, AVX-512) agree bit for bit and are
// chosen at run time. Of Fanfold it knows only the SDK.
#pragma once

#include <fanfold/abi.h>

#include <cstdint>
#include <cstring>
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

#endif

using MaskFunction = void (*)(const char*, std::uint64_t, std::uint64_t*);

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

// Calls visit(const char* token, std::uint64_t bytes) for each token, in order. 64 bytes behind the text
// may be read. `kernels` is what the host tells (abi.h).
template <Separators separators, class Visitor>
void for_each_token(std::string_view text, std::uint32_t kernels, Visitor&& visit) {
  constexpr std::uint64_t kBatchChunks = 64;  // 4 KiB of text: masks and text stay in L1
  const token_scan::MaskFunction fill = token_scan::masks_for<separators>(kernels);
  const char* const end = text.data() + text.size();
  const char* start = nullptr;
  std::uint64_t before = 1;  // whether the byte before was a separator
  bool inside = false;
  std::uint64_t masks[kBatchChunks];
  for (const char* batch = text.data(); batch < end; batch += 64 * kBatchChunks) {
    const auto bytes = static_cast<std::uint64_t>(end - batch);
    const std::uint64_t chunks = bytes >= 64 * kBatchChunks ? kBatchChunks : (bytes + 63) / 64;
    fill(batch, chunks, masks);
    if (bytes < 64 * chunks) masks[chunks - 1] |= ~0ULL << (bytes % 64);  // behind the end all separates
    for (std::uint64_t chunk = 0; chunk < chunks; ++chunk) {
      const char* const at = batch + 64 * chunk;
      const std::uint64_t separators_here = masks[chunk];
      std::uint64_t edges = separators_here ^ ((separators_here << 1) | before);  // where runs begin and end
      before = separators_here >> 63;
      if (inside && edges != 0) {
        visit(start, static_cast<std::uint64_t>(at + __builtin_ctzll(edges) - start));
        edges &= edges - 1;
        inside = false;
      }
      while (edges != 0) {
        start = at + __builtin_ctzll(edges);
        edges &= edges - 1;
        if (edges == 0) {
          inside = true;
          break;
        }
        visit(start, static_cast<std::uint64_t>(at + __builtin_ctzll(edges) - start));
        edges &= edges - 1;
      }
    }
  }
  if (inside) visit(start, static_cast<std::uint64_t>(end - start));
}

}  // namespace fanfold::reader
