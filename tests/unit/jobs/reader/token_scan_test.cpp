// token_scan_test.cpp: every level of the scanning kernels finds the tokens that a loop over bytes finds, at
// every length about the borders of vectors and batches, whatever lies behind the text.
#include "jobs/reader/token_scan.h"

#include <gtest/gtest.h>

#include <memory>
#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace fanfold::reader {
namespace {

using Random = std::mt19937_64;
using Tokens = std::vector<std::pair<std::uint32_t, std::uint32_t>>;

template <Separators separators>
bool separates(unsigned char byte) {
  const bool letter = (byte >= 'A' && byte <= 'Z') || (byte >= 'a' && byte <= 'z');
  if (separators == Separators::kSpace) return byte == ' ' || (byte >= '\t' && byte <= '\r');
  if (separators == Separators::kNonLetter) return !letter;
  return !letter && !(byte >= '0' && byte <= '9') && byte != '_';
}

template <Separators separators>
Tokens tokens_by_a_loop(std::string_view text) {
  Tokens tokens;
  for (std::uint32_t at = 0; at < text.size();) {
    if (separates<separators>(static_cast<unsigned char>(text[at]))) {
      ++at;
      continue;
    }
    const std::uint32_t begin = at;
    while (at < text.size() && !separates<separators>(static_cast<unsigned char>(text[at]))) ++at;
    tokens.emplace_back(begin, at);
  }
  return tokens;
}

template <Separators separators>
Tokens tokens_by_kernels(std::string_view text, std::uint32_t kernels) {
  Tokens tokens;
  for_each_token_batch<separators>(text, kernels, [&](std::span<const Slice> batch) {
    for (const Slice& token : batch) tokens.emplace_back(token.begin, token.end);
  });
  return tokens;
}

std::vector<std::uint32_t> levels_of_this_machine() {
  std::vector<std::uint32_t> levels{FANFOLD_KERNELS_PORTABLE};
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx2")) levels.push_back(FANFOLD_KERNELS_AVX2);
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw")) {
    levels.push_back(FANFOLD_KERNELS_AVX512);
  }
#endif
  return levels;
}

// The text in a block of its own: just so much behind it as may be read, of bytes that are in no token of it.
template <Separators separators>
void expect_the_same(const std::string& text, char behind) {
  const std::unique_ptr<char[]> block(new char[text.size() + 64]);
  text.copy(block.get(), text.size());
  std::fill_n(block.get() + text.size(), 64, behind);
  const Tokens expected = tokens_by_a_loop<separators>(text);
  for (const std::uint32_t level : levels_of_this_machine()) {
    ASSERT_EQ(tokens_by_kernels<separators>({block.get(), text.size()}, level), expected)
        << "level " << level << ", " << text.size() << " bytes";
  }
}

template <Separators separators>
void finds_what_a_loop_finds(std::uint64_t seed) {
  Random random(seed);
  for (int round = 0; round < 1500; ++round) {
    constexpr std::size_t kBorders[] = {0, 16, 32, 64, 128, 4096, 8192};
    std::size_t size = kBorders[random() % std::size(kBorders)] + random() % 5;
    size -= std::min<std::size_t>(size, random() % 5);
    std::string text(size, 'x');
    const std::uint64_t kind = random() % 4;  // any bytes, words, alternating, nearly all of one kind
    for (char& byte : text) {
      const bool space = kind == 2 ? (&byte - text.data()) % 2 == 0 : random() % (kind == 3 ? 500 : 6) == 0;
      byte = kind == 0 ? static_cast<char>(random())
             : space   ? "\t\n\v\f\r .,\x80\xff"[random() % 10]
                       : "azAZ09_"[random() % 7];
    }
    expect_the_same<separators>(text, random() % 2 == 0 ? 'a' : ' ');
  }
}

TEST(TokenScan, AtEveryLevelFindsWhatStandsBetweenWhiteSpace) {
  finds_what_a_loop_finds<Separators::kSpace>(1);
}

TEST(TokenScan, AtEveryLevelFindsRunsOfLetters) {
  finds_what_a_loop_finds<Separators::kNonLetter>(2);
}

TEST(TokenScan, AtEveryLevelFindsWhatASplitAtNonWordsLeaves) {
  finds_what_a_loop_finds<Separators::kNonWord>(3);
}

TEST(TokenScan, KnowsEveryByteForWhatItIs) {
  for (int code = 0; code < 256; ++code) {
    std::string text(70, static_cast<char>(code));
    text[33] = 'a';
    text[65] = ' ';
    expect_the_same<Separators::kSpace>(text, 'a');
    expect_the_same<Separators::kNonLetter>(text, 'a');
    expect_the_same<Separators::kNonWord>(text, 'a');
  }
}

}  // namespace
}  // namespace fanfold::reader
