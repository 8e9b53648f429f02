// delimited_scan.h: where fields of delimited text end. 64 bytes become three bit masks (field ends, line ends,
// quotes); quoted stretches are the prefix exclusive-or of the quotes; the positions of what is left are written
// out without a branch a field (after Langdale and Lemire, "Parsing gigabytes of JSON per second", 2019).
// Levels (portable, AVX2, AVX-512) agree bit for bit and are chosen at run time.
#pragma once

#include <fanfold/abi.h>

#include <bit>
#include <cstdint>
#include <cstring>

#include "jobs/reader/token_scan.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace fanfold::reader::delimited_scan {

// Bits of 64 bytes, the first byte lowest.
struct Masks {
  std::uint64_t ends;    // the delimiter, and line ends
  std::uint64_t lines;   // line ends
  std::uint64_t quotes;  // none where quotes mean nothing
};

// The bytes that matter; ASCII. A quote of '\n' stands for none.
struct Alphabet {
  char delimiter;
  char quote;
};

inline std::uint64_t equal8(std::uint64_t bytes, char byte) {
  const std::uint64_t hits =
      token_scan::in_range(bytes, static_cast<unsigned char>(byte), static_cast<unsigned char>(byte));
  return ((hits >> 7) * 0x0102040810204080ULL) >> 56;
}

inline void classify_portable(const char* text, std::uint64_t chunks, Alphabet alphabet, Masks* masks) {
  for (std::uint64_t chunk = 0; chunk < chunks; ++chunk) {
    Masks mask{0, 0, 0};
    for (unsigned word = 0; word < 8; ++word) {
      std::uint64_t eight;
      std::memcpy(&eight, text + 64 * chunk + 8 * word, 8);
      mask.ends |= equal8(eight, alphabet.delimiter) << (8 * word);
      mask.lines |= equal8(eight, '\n') << (8 * word);
      mask.quotes |= equal8(eight, alphabet.quote) << (8 * word);
    }
    mask.ends |= mask.lines;
    if (alphabet.quote == '\n') mask.quotes = 0;
    masks[chunk] = mask;
  }
}

#if defined(__x86_64__)

[[gnu::target("avx2"), gnu::always_inline]] inline std::uint64_t equal64(__m256i low, __m256i high, char byte) {
  const __m256i wanted = _mm256_set1_epi8(byte);
  const auto first = static_cast<std::uint32_t>(_mm256_movemask_epi8(_mm256_cmpeq_epi8(low, wanted)));
  const auto second = static_cast<std::uint32_t>(_mm256_movemask_epi8(_mm256_cmpeq_epi8(high, wanted)));
  return first | (std::uint64_t{second} << 32);
}

[[gnu::target("avx2")]] inline void classify_avx2(const char* text, std::uint64_t chunks, Alphabet alphabet,
                                                  Masks* masks) {
  for (std::uint64_t chunk = 0; chunk < chunks; ++chunk) {
    const __m256i low = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(text + 64 * chunk));
    const __m256i high = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(text + 64 * chunk + 32));
    const std::uint64_t lines = equal64(low, high, '\n');
    masks[chunk].ends = equal64(low, high, alphabet.delimiter) | lines;
    masks[chunk].lines = lines;
    masks[chunk].quotes = alphabet.quote == '\n' ? 0 : equal64(low, high, alphabet.quote);
  }
}

[[gnu::target("avx512f,avx512bw")]] inline void classify_avx512(const char* text, std::uint64_t chunks,
                                                                Alphabet alphabet, Masks* masks) {
  const __m512i delimiter = _mm512_set1_epi8(alphabet.delimiter);
  const __m512i line = _mm512_set1_epi8('\n');
  const __m512i quote = _mm512_set1_epi8(alphabet.quote);
  const std::uint64_t quotes = alphabet.quote == '\n' ? 0 : ~std::uint64_t{0};
  for (std::uint64_t chunk = 0; chunk < chunks; ++chunk) {
    const __m512i bytes = _mm512_loadu_si512(text + 64 * chunk);
    const std::uint64_t lines = _mm512_cmpeq_epi8_mask(bytes, line);
    masks[chunk].ends = _mm512_cmpeq_epi8_mask(bytes, delimiter) | lines;
    masks[chunk].lines = lines;
    masks[chunk].quotes = _mm512_cmpeq_epi8_mask(bytes, quote) & quotes;
  }
}

#endif

// What a writer of positions may write beyond those that there are.
inline constexpr std::uint64_t kPositionSlack = 64;

// Writes the positions of all ends, counted from `position`, and tells where it stopped.
inline std::uint32_t* write_positions_portable(const Masks* masks, std::uint64_t chunks, std::uint32_t position,
                                               std::uint32_t* out) {
  for (std::uint64_t chunk = 0; chunk < chunks; ++chunk, position += 64) {
    std::uint64_t ends = masks[chunk].ends;
    const int count = std::popcount(ends);
    const auto write = [&](int begin, int end) {
      for (int index = begin; index < end; ++index, ends &= ends - 1) {
        out[index] = position + static_cast<std::uint32_t>(std::countr_zero(ends));
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

[[gnu::target("avx512f,popcnt")]] inline std::uint32_t* write_positions_avx512(const Masks* masks, std::uint64_t chunks,
                                                                               std::uint32_t position,
                                                                               std::uint32_t* out) {
  const __m512i sixteen = _mm512_set1_epi32(16);
  __m512i positions = _mm512_add_epi32(_mm512_set1_epi32(static_cast<int>(position)),
                                       _mm512_set_epi32(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0));
  for (std::uint64_t chunk = 0; chunk < chunks; ++chunk) {
    for (unsigned quarter = 0; quarter < 4; ++quarter) {
      const auto bits = static_cast<__mmask16>(masks[chunk].ends >> (16 * quarter));
      _mm512_storeu_si512(out, _mm512_maskz_compress_epi32(bits, positions));
      out += std::popcount(static_cast<std::uint32_t>(bits));
      positions = _mm512_add_epi32(positions, sixteen);
    }
  }
  return out;
}

#endif

struct Kernels {
  void (*classify)(const char* text, std::uint64_t chunks, Alphabet alphabet, Masks* masks);
  std::uint32_t* (*write_positions)(const Masks* masks, std::uint64_t chunks, std::uint32_t position,
                                    std::uint32_t* out);
};

// `level` is what the host tells (abi.h).
inline Kernels kernels_for(std::uint32_t level) {
#if defined(__x86_64__)
  if (level >= FANFOLD_KERNELS_AVX512) return {classify_avx512, write_positions_avx512};
  if (level >= FANFOLD_KERNELS_AVX2) return {classify_avx2, write_positions_portable};
#else
  (void)level;
#endif
  return {classify_portable, write_positions_portable};
}

// Each bit the exclusive-or of itself and all below.
constexpr std::uint64_t prefix_xor(std::uint64_t bits) {
  for (unsigned shift = 1; shift < 64; shift *= 2) bits ^= bits << shift;
  return bits;
}

// What quoting did to the masks of a stretch of text that begins outside of quotes.
enum class Quoting : std::uint8_t {
  kSound,  // ends and lines within quotes are gone from the masks
  kOpen,   // the same, and the last quote is not closed
  kOdd,    // a quote stands where RFC 4180 has none: to be looked at byte by byte
};

// Takes ends and lines within quotes out of the masks of text[0, size), whose last chunk has no bits from `size`
// on. `lines_may_be_quoted`: else a line end within quotes is odd.
inline Quoting resolve_quotes(const char* text, std::uint64_t size, bool lines_may_be_quoted, Masks* masks,
                              std::uint64_t chunks) {
  std::uint64_t carry = 0;     // all ones within quotes
  std::uint64_t may_open = 1;  // whether the byte before ends a field or closes a quote
  std::uint64_t closed = 0;    // whether the byte before closes a quote
  for (std::uint64_t chunk = 0; chunk < chunks; ++chunk) {
    const std::uint64_t quotes = masks[chunk].quotes;
    const std::uint64_t inside = prefix_xor(quotes) ^ carry;
    carry = std::uint64_t{0} - (inside >> 63);
    const std::uint64_t opening = quotes & inside;
    const std::uint64_t closing = quotes & ~inside;
    if ((masks[chunk].lines & inside) != 0 && !lines_may_be_quoted) return Quoting::kOdd;
    masks[chunk].ends &= ~inside;
    masks[chunk].lines &= ~inside;
    const std::uint64_t ends = masks[chunk].ends;
    const std::uint64_t before = ends | closing;
    if ((opening & ~((before << 1) | may_open)) != 0) return Quoting::kOdd;
    may_open = before >> 63;
    std::uint64_t unexpected = ((closing << 1) | closed) & ~(ends | opening);
    closed = closing >> 63;
    for (; unexpected != 0; unexpected &= unexpected - 1) {
      const std::uint64_t at = 64 * chunk + static_cast<std::uint64_t>(std::countr_zero(unexpected));
      if (at >= size) break;
      if (text[at] != '\r' || (at + 1 < size && text[at + 1] != '\n')) return Quoting::kOdd;
    }
  }
  return carry != 0 ? Quoting::kOpen : Quoting::kSound;
}

}  // namespace fanfold::reader::delimited_scan
