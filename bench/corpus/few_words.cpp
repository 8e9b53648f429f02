// few_words.cpp: writes a text of few distinct words to standard output, the same bytes on every machine.
// scripts/corpus makes the benchmark's skewed text with it. Words are drawn by Zipf's law; frequent ones are short,
// lines hold 4 to 20 words. Integers alone: no libm, no library generator, so a seed names one text.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

namespace {

// SplitMix64 (Steele, Lea, Flood 2014): tiny, full period, good enough to draw words.
class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed) {}
  uint64_t next() {
    uint64_t z = (state_ += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
  }
  // The high bits decide, so that the bias is below 2^-32 for the small limits used here.
  uint32_t below(uint32_t limit) { return static_cast<uint32_t>((next() >> 32) * limit >> 32); }

 private:
  uint64_t state_;
};

// Letters repeat by how often English uses them, so that words look like words.
constexpr std::string_view kVowels = "eeeeeeaaaaooooiiiiuuy";
constexpr std::string_view kConsonants = "ttttttnnnnnsssssrrrrhhhhlllddddcccmmmffppggwwbbvkxjqz";

// The word of a rank: 1 to 4 letters for the first hundred, growing to about 12 for the last.
std::string draw_word(Random& random, uint32_t rank) {
  uint32_t length_min = 1;
  uint32_t spread = 4;
  if (rank >= 20) length_min = 2;
  if (rank >= 100) length_min = 3, spread = 5;
  if (rank >= 1000) length_min = 4, spread = 9;
  const uint32_t length = length_min + random.below(spread);
  std::string word;
  bool vowel = random.below(3) == 0;
  while (word.size() < length) {
    const std::string_view letters = vowel ? kVowels : kConsonants;
    word += letters[random.below(static_cast<uint32_t>(letters.size()))];
    vowel = random.below(8) == 0 ? vowel : !vowel;
  }
  return word;
}

std::vector<std::string> draw_vocabulary(Random& random, uint32_t size) {
  std::vector<std::string> words;
  std::unordered_set<std::string> seen;
  // Short words run out (there are 26 of one letter), so a rank that keeps colliding asks for a rarer, longer one.
  for (uint32_t rank = 0, tries = 0; words.size() < size; ++tries) {
    std::string word = draw_word(random, rank + tries * 10);
    if (!seen.insert(word).second) continue;
    words.push_back(std::move(word));
    ++rank;
    tries = 0;
  }
  return words;
}

// Vose's alias method over integer weights: two draws and no search for each word.
class Picker {
 public:
  explicit Picker(const std::vector<uint64_t>& weights) : cells_(weights.size()) {
    const uint64_t count = weights.size();
    uint64_t total = 0;
    for (uint64_t weight : weights) total += weight;
    std::vector<uint64_t> scaled(count);  // a cell holds `total`; below 2^63 for the sizes allowed
    std::vector<uint32_t> small, large;
    for (uint32_t i = 0; i < count; ++i) {
      scaled[i] = weights[i] * count;
      (scaled[i] < total ? small : large).push_back(i);
    }
    while (!small.empty() && !large.empty()) {
      const uint32_t low = small.back(), high = large.back();
      small.pop_back();
      cells_[low] = {threshold(scaled[low], total), high};
      scaled[high] -= total - scaled[low];
      if (scaled[high] < total) {
        large.pop_back();
        small.push_back(high);
      }
    }
    for (uint32_t i : small) cells_[i] = {UINT32_MAX, i};
    for (uint32_t i : large) cells_[i] = {UINT32_MAX, i};
  }
  uint32_t pick(Random& random) const {
    const uint64_t bits = random.next();
    const auto cell = static_cast<uint32_t>((bits >> 32) * cells_.size() >> 32);
    return static_cast<uint32_t>(bits) < cells_[cell].threshold ? cell : cells_[cell].other;
  }

 private:
  struct Cell {
    uint32_t threshold = 0;
    uint32_t other = 0;
  };
  static uint32_t threshold(uint64_t scaled, uint64_t total) {
    return static_cast<uint32_t>((scaled >> 20) * UINT32_MAX / (total >> 20));
  }
  std::vector<Cell> cells_;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) {
    std::fprintf(stderr, "usage: few_words BYTES DISTINCT_WORDS SEED > FILE\n");
    return 2;
  }
  const uint64_t bytes_wanted = std::strtoull(argv[1], nullptr, 10);
  const auto distinct = static_cast<uint32_t>(std::strtoul(argv[2], nullptr, 10));
  if (distinct == 0 || distinct > 100000) {
    std::fprintf(stderr, "few_words: DISTINCT_WORDS is %s; give a number from 1 to 100000.\n", argv[2]);
    return 2;
  }
  Random random(std::strtoull(argv[3], nullptr, 10));
  const std::vector<std::string> words = draw_vocabulary(random, distinct);
  // Zipf-Mandelbrot with exponent 1 and offset 2.7, the shape of English prose.
  std::vector<uint64_t> weights(distinct);
  for (uint64_t rank = 0; rank < distinct; ++rank) weights[rank] = (uint64_t{1} << 40) / (10 * rank + 37);
  const Picker picker(weights);

  std::string buffer;
  uint64_t bytes_left = bytes_wanted;
  for (bool cut = false; !cut;) {
    buffer.clear();
    while (buffer.size() < (size_t{1} << 20)) {
      for (uint32_t left = 4 + random.below(17); left > 0; --left) {
        buffer += words[picker.pick(random)];
        buffer += left == 1 ? '\n' : ' ';
      }
    }
    if (buffer.size() > bytes_left) {
      // At a line's end, so that no word is cut in two and none beyond the vocabulary appears.
      buffer.resize(bytes_left);
      buffer.resize(buffer.rfind('\n') + 1);  // npos + 1 is 0
      cut = true;
    }
    if (std::fwrite(buffer.data(), 1, buffer.size(), stdout) != buffer.size()) {
      std::perror("few_words: cannot write the text");
      return 3;
    }
    bytes_left -= buffer.size();
  }
  if (std::fflush(stdout) != 0) {
    std::perror("few_words: cannot write the text");
    return 3;
  }
  return 0;
}
