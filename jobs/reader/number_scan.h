// number_scan.h: read_number(), a field as a number, quickly where it is a short decimal: up to 16 characters are
// read in two words without a branch a digit (digits paired by multiplications, as in Lemire's and others' parsers).
// It says what parse_number() of <fanfold/number.h> says, which also reads everything else.
#pragma once

#include <fanfold/abi.h>
#include <fanfold/int128.h>
#include <fanfold/number.h>
#include <fanfold/slice.h>

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace fanfold::reader {

// A decimal whose coefficient has 64 bits.
struct ShortDecimal {
  std::int64_t coefficient;
  std::uint32_t fraction_digits;
  bool good;  // else the text is to be read by parse_number()
};

namespace number_scan {

inline constexpr std::uint64_t kOnes = 0x0101010101010101U;
inline constexpr std::uint64_t kZeros = 0x30 * kOnes;  // "00000000"

inline bool are_digits(std::uint64_t word) {
  constexpr std::uint64_t kHigh = 0xf0 * kOnes;
  return (((word & kHigh) ^ kZeros) | (((word + 0x06 * kOnes) & kHigh) ^ kZeros)) == 0;
}

// Eight digits, the first in the lowest byte.
inline std::uint64_t value_of(std::uint64_t word) {
  constexpr std::uint64_t kPairs = 0x000000ff000000ffU;
  word -= kZeros;
  word = word * 10 + (word >> 8);
  return ((word & kPairs) * 0x000f424000000064U + ((word >> 16) & kPairs) * 0x0000271000000001U) >> 32;
}

// 0x80 in the lowest byte that is a point, and perhaps in others above.
inline std::uint64_t points_of(std::uint64_t word) {
  const std::uint64_t point = word ^ (0x2e * kOnes);
  return (point - kOnes) & ~point & (0x80 * kOnes);
}

}  // namespace number_scan

// `text` lies in a batch of rows: 64 bytes before and behind it may be read.
[[nodiscard]] inline ShortDecimal read_short_decimal(const char* text, std::size_t size) {
  using namespace number_scan;
  const bool minus = *text == '-';
  text += minus;
  size -= minus;
  if (size - 1 >= 16) return {0, 0, false};
  std::uint64_t tail;
  std::memcpy(&tail, text + size - 8, 8);
  if (size <= 8) {
    // What lies before the text becomes zeros.
    const unsigned before = 64 - 8 * static_cast<unsigned>(size);
    tail = (tail >> before << before) | (kZeros & ~(~std::uint64_t{0} << before));
    const std::uint64_t found = points_of(tail);
    std::uint32_t digits = 0;
    if (found != 0) {
      const auto at = static_cast<unsigned>(std::countr_zero(found)) / 8;
      digits = 7 - at;
      const std::uint64_t behind = at == 7 ? 0 : tail >> (8 * at + 8) << (8 * at + 8);
      const std::uint64_t ahead = tail & ((std::uint64_t{1} << (8 * at)) - 1);
      tail = behind | (ahead << 8) | 0x30;
    }
    const auto value = static_cast<std::int64_t>(value_of(tail));
    return {minus ? -value : value, digits, are_digits(tail) && (size > 1 || found == 0)};
  }
  std::uint64_t head;
  std::memcpy(&head, text + size - 16, 8);
  const unsigned before = 128 - 8 * static_cast<unsigned>(size);
  if (before != 0) head = (before == 64 ? 0 : head >> before << before) | (kZeros & ~(~std::uint64_t{0} << before));
  UInt128 word = join_halves(head, tail);
  const std::uint64_t found_head = points_of(head);
  const std::uint64_t found_tail = points_of(tail);
  std::uint32_t digits = 0;
  if ((found_head | found_tail) != 0) {
    const unsigned at = found_head != 0 ? static_cast<unsigned>(std::countr_zero(found_head)) / 8
                                        : 8 + static_cast<unsigned>(std::countr_zero(found_tail)) / 8;
    digits = 15 - at;
    const UInt128 behind = at == 15 ? UInt128{0} : word >> (8 * at + 8) << (8 * at + 8);
    const UInt128 ahead = word & ((UInt128{1} << (8 * at)) - 1);
    word = behind | (ahead << 8) | 0x30;
    head = low_half(word);
    tail = high_half(word);
  }
  const auto value = static_cast<std::int64_t>(value_of(head) * 100'000'000U + value_of(tail));
  return {minus ? -value : value, digits, are_digits(head) && are_digits(tail)};
}

// The same for every text, exactly as parse_number() has it.
[[nodiscard]] inline Number read_number(const char* text, std::size_t size) {
  if (size != 0) {
    const ShortDecimal quick = read_short_decimal(text, size);
    if (quick.good) [[likely]]
      return Decimal::make(quick.coefficient, quick.fraction_digits).value();
  }
  return parse_number({text, size});
}

// What a batch of fields says: sixteen bytes a field.
struct ReadDecimal {
  std::int64_t coefficient;
  std::uint8_t is_read;  // 1; or 0: the text is to be read by read_number(), if it is a number at all
  std::uint8_t fraction_digits;
};

namespace number_scan {

inline void read_decimals_portable(const char* text, const Slice* fields, std::size_t count, ReadDecimal* out) {
  for (std::size_t at = 0; at < count; ++at) {
    const std::size_t size = fields[at].end - fields[at].begin;
    const ShortDecimal quick =
        size == 0 ? ShortDecimal{0, 0, false} : read_short_decimal(text + fields[at].begin, size);
    out[at] = {quick.coefficient, quick.good, static_cast<std::uint8_t>(quick.fraction_digits)};
  }
}

#if defined(__x86_64__)

// Four fields of up to eight characters at a time, each in a lane: the steps of read_short_decimal(). Longer ones are
// left unread.
[[gnu::target("avx2")]] inline void read_decimals_avx2(const char* text, const Slice* fields, std::size_t count,
                                                       ReadDecimal* out) {
  const __m256i eight = _mm256_set1_epi64x(8);
  const __m256i ones = _mm256_set1_epi64x(-1);
  const __m256i zeros = _mm256_set1_epi8('0');
  const __m256i low_halves = _mm256_set1_epi64x(0xffffffff);
  std::size_t at = 0;
  for (; at + 4 <= count; at += 4) {
    const __m256i slices = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(fields + at));
    const __m256i begins = _mm256_and_si256(slices, low_halves);
    const __m256i ends = _mm256_srli_epi64(slices, 32);
    const __m256i size = _mm256_sub_epi64(ends, begins);
    __m256i word = _mm256_i64gather_epi64(reinterpret_cast<const long long*>(text), _mm256_sub_epi64(ends, eight), 1);
    // What lies before a field becomes zeros. Shifts by 64 and more give nothing, and such lanes are not good.
    const __m256i before = _mm256_slli_epi64(_mm256_sub_epi64(eight, size), 3);
    const __m256i own = _mm256_sllv_epi64(ones, before);
    word = _mm256_blendv_epi8(zeros, word, own);
    // A minus in the first byte becomes a zero.
    const __m256i first = _mm256_and_si256(own, _mm256_sllv_epi64(_mm256_set1_epi64x(0xff), before));
    const __m256i minus = _mm256_and_si256(_mm256_cmpeq_epi8(word, _mm256_set1_epi8('-')), first);
    word = _mm256_blendv_epi8(word, zeros, minus);
    const __m256i negative = _mm256_cmpgt_epi64(minus, _mm256_setzero_si256());
    const __m256i negative_top = _mm256_cmpgt_epi64(_mm256_setzero_si256(), minus);  // the first byte is the last
    const __m256i is_negative = _mm256_or_si256(negative, negative_top);
    // The first point goes, what is before it moves up.
    const __m256i points = _mm256_cmpeq_epi8(word, _mm256_set1_epi8('.'));
    const __m256i lowest = _mm256_and_si256(points, _mm256_sub_epi64(_mm256_setzero_si256(), points));
    const __m256i point = _mm256_sub_epi64(_mm256_slli_epi64(lowest, 8), lowest);
    const __m256i has_point = _mm256_xor_si256(_mm256_cmpeq_epi64(points, _mm256_setzero_si256()), ones);
    const __m256i ahead = _mm256_andnot_si256(points, _mm256_sub_epi64(lowest, _mm256_set1_epi64x(1)));
    const __m256i ahead_mask = _mm256_and_si256(ahead, has_point);
    const __m256i moved =
        _mm256_or_si256(_mm256_slli_epi64(_mm256_and_si256(word, ahead_mask), 8), _mm256_set1_epi64x('0'));
    const __m256i behind = _mm256_andnot_si256(_mm256_or_si256(ahead_mask, point), word);
    word = _mm256_blendv_epi8(word, _mm256_or_si256(behind, moved), has_point);
    // How many bytes are ahead of the point: seven less that are behind it.
    const __m256i ahead_count =
        _mm256_sad_epu8(_mm256_and_si256(ahead_mask, _mm256_set1_epi8(1)), _mm256_setzero_si256());
    const __m256i digits = _mm256_and_si256(_mm256_sub_epi64(_mm256_set1_epi64x(7), ahead_count), has_point);
    // All digits, one at least, and eight bytes at most.
    const __m256i values = _mm256_sub_epi8(word, zeros);
    const __m256i is_digit = _mm256_cmpeq_epi8(_mm256_min_epu8(values, _mm256_set1_epi8(9)), values);
    const __m256i all_digits = _mm256_cmpeq_epi64(is_digit, ones);
    const __m256i signs = _mm256_add_epi64(is_negative, has_point);  // minus one for each
    const __m256i enough = _mm256_cmpgt_epi64(_mm256_add_epi64(size, signs), _mm256_setzero_si256());
    const __m256i short_enough = _mm256_cmpgt_epi64(_mm256_set1_epi64x(9), size);
    const __m256i good = _mm256_and_si256(all_digits, _mm256_and_si256(enough, short_enough));
    // Pairs, fours, eights.
    const __m256i pairs = _mm256_maddubs_epi16(values, _mm256_set1_epi16(0x010a));
    const __m256i fours = _mm256_madd_epi16(pairs, _mm256_set1_epi32(0x00010064));
    const __m256i value =
        _mm256_add_epi64(_mm256_mul_epu32(fours, _mm256_set1_epi64x(10000)), _mm256_srli_epi64(fours, 32));
    const __m256i coefficient = _mm256_sub_epi64(_mm256_xor_si256(value, is_negative), is_negative);
    const __m256i tag = _mm256_or_si256(_mm256_and_si256(good, _mm256_set1_epi64x(1)), _mm256_slli_epi64(digits, 8));
    const __m256i even = _mm256_unpacklo_epi64(coefficient, tag);
    const __m256i odd = _mm256_unpackhi_epi64(coefficient, tag);
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(out + at), _mm256_permute2x128_si256(even, odd, 0x20));
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(out + at + 2), _mm256_permute2x128_si256(even, odd, 0x31));
  }
  read_decimals_portable(text, fields + at, count - at, out + at);
}

#endif

}  // namespace number_scan

// Reads fields of a batch, which lie in `text` with 64 bytes around them. What is read is what read_number() says;
// levels may leave different fields unread, so that with it they agree. `level` is what the host tells (abi.h).
inline void read_decimals(const char* text, const Slice* fields, std::size_t count, std::uint32_t level,
                          ReadDecimal* out) {
  static_assert(sizeof(ReadDecimal) == 16 && sizeof(Slice) == 8);
#if defined(__x86_64__)
  if (level >= FANFOLD_KERNELS_AVX2) return number_scan::read_decimals_avx2(text, fields, count, out);
#else
  (void)level;
#endif
  number_scan::read_decimals_portable(text, fields, count, out);
}

}  // namespace fanfold::reader
