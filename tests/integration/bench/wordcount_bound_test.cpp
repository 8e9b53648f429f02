// wordcount_bound_test.cpp: the hand-written word count answers as a map in memory does, and as coreutils do.
// A yardstick that skips words would make every ratio in the benchmarks a lie.
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace {

const std::string kProgram = FANFOLD_BINARY_DIR "/wordcount_bound";

// What a shell command prints; fails the test when it does not end well.
std::string output_of(const std::string& command) {
  std::FILE* pipe = popen(command.c_str(), "r");
  EXPECT_NE(pipe, nullptr) << command;
  std::string output;
  std::array<char, 65536> buffer;
  for (size_t got; (got = std::fread(buffer.data(), 1, buffer.size(), pipe)) > 0;) output.append(buffer.data(), got);
  EXPECT_EQ(pclose(pipe), 0) << command;
  return output;
}

bool is_space(char c) {
  return std::string_view(" \t\n\v\f\r").find(c) != std::string_view::npos;
}

// The answer by the plainest means: every word, by count descending, then bytewise.
std::string expected_csv(const std::string& text) {
  std::map<std::string, uint64_t> counts;
  for (size_t i = 0; i < text.size();) {
    if (is_space(text[i])) {
      ++i;
      continue;
    }
    size_t end = i;
    while (end < text.size() && !is_space(text[end])) ++end;
    ++counts[text.substr(i, end - i)];
    i = end;
  }
  std::vector<std::pair<std::string, uint64_t>> rows(counts.begin(), counts.end());
  std::stable_sort(rows.begin(), rows.end(), [](const auto& a, const auto& b) { return a.second > b.second; });
  std::string csv = "word,count\n";
  for (const auto& [word, count] : rows) {
    if (word.find_first_of(",\"\r\n") == std::string::npos) {
      csv += word;
    } else {
      csv += '"';
      for (char c : word) csv.append(c == '"' ? 2 : 1, c);
      csv += '"';
    }
    csv.append(1, ',').append(std::to_string(count)).append(1, '\n');
  }
  return csv;
}

// The command that prints every word of a file.
std::string count_all(const std::string& path, const std::string& more = "") {
  return kProgram + " " + path + " --top 1000000000 " + more;
}

class WordcountBound : public testing::Test {
 protected:
  WordcountBound() {
    std::string pattern = testing::TempDir() + "wordcount_bound.XXXXXX";
    folder_ = mkdtemp(pattern.data());
  }
  ~WordcountBound() override { std::filesystem::remove_all(folder_); }

  std::string write(const std::string& text) {
    std::string path = folder_ + "/text";
    std::ofstream(path, std::ios::binary) << text;
    return path;
  }

  void expect_right(const std::string& text) {
    const std::string path = write(text);
    const std::string expected = expected_csv(text);
    for (const char* threads : {"1", "2", "3"}) {
      // Not EXPECT_EQ: a difference of megabytes helps nobody.
      const std::string command = count_all(path, std::string("--threads ").append(threads));
      EXPECT_TRUE(output_of(command) == expected) << threads << " threads";
    }
  }

 private:
  std::string folder_;
};

std::string random_words(uint32_t seed, size_t bytes, uint32_t distinct, const std::vector<size_t>& lengths,
                         std::string_view alphabet) {
  std::mt19937 random(seed);
  std::vector<std::string> words(distinct);
  for (std::string& word : words) {
    const size_t length = lengths[random() % lengths.size()];
    while (word.size() < length) word += alphabet[random() % alphabet.size()];
  }
  std::string text;
  while (text.size() < bytes) {
    text += words[random() % (1 + random() % distinct)];
    for (uint32_t blanks = 1 + random() % 8 / 7 * 3; blanks > 0; --blanks) text += " \t\n\v\f\r"[random() % 6];
  }
  return text;
}

TEST_F(WordcountBound, CountsNothingInAnEmptyFile) {
  expect_right("");
}

TEST_F(WordcountBound, CountsNothingInWhiteSpace) {
  expect_right(std::string(3000000, '\n'));
}

TEST_F(WordcountBound, CountsTheLastWordWithoutALineEnd) {
  expect_right("one two one");
}

TEST_F(WordcountBound, AnswersTheSameForManyDistinctWords) {
  expect_right(random_words(1, 4000000, 500000, {1, 2, 5, 7, 8, 9, 14, 15, 16, 17, 31, 32, 33, 40}, "abcdefgh,\"-"));
}

TEST_F(WordcountBound, AnswersTheSameForFewWordsWithHighCounts) {
  expect_right(random_words(2, 4000000, 40, {1, 2, 3, 15, 16, 20}, "ab"));
}

TEST_F(WordcountBound, TellsWordsApartByTrailingZeroBytes) {
  expect_right(random_words(3, 300000, 3000, {1, 2, 3, 8, 15, 16, 17}, std::string_view("a\0", 2)));
}

TEST_F(WordcountBound, TakesAnyBytesForText) {
  std::mt19937_64 random(4);
  std::string text(3000000, '\0');
  for (char& c : text) c = static_cast<char>(random() >> 32);
  expect_right(text);
}

TEST_F(WordcountBound, CountsWordsLongerThanItsRecordsCanSay) {
  const std::string huge(3500000, 'x');
  std::string text;
  for (size_t bytes : {65534u, 65535u, 65536u, 65534u, 65535u, 70000u}) text.append(bytes, 'y').append(1, ' ');
  expect_right(text + huge + "\n" + huge + "\n" + huge + "z");
}

TEST_F(WordcountBound, AnswersTheSameWithEveryKernel) {
  const std::string text = random_words(5, 1500000, 100000, {1, 3, 6, 15, 16, 25}, "abcdefghij\x80\xff\x89\xa0");
  const std::string path = write(text);
  const std::string expected = expected_csv(text);
  int ran = 0;
  for (const char* kernels : {"portable", "avx2", "avx512"}) {
    const std::string command = std::string("FANFOLD_KERNELS=").append(kernels).append(1, ' ').append(count_all(path));
    if (std::system(std::string(command).append(" >/dev/null 2>&1").c_str()) != 0) continue;  // not on this machine
    EXPECT_TRUE(output_of(command) == expected) << kernels;
    ++ran;
  }
  EXPECT_GE(ran, 1);
}

TEST_F(WordcountBound, AgreesWithCoreutils) {
  const std::string path = write(random_words(6, 1000000, 50000, {1, 2, 4, 8, 12, 16, 24}, "etaoinshrdlu"));
  const std::string by_coreutils = output_of(
      "export LC_ALL=C; echo word,count; tr -s ' \\t\\n\\v\\f\\r' '\\n' <" + path +
      " | grep -v '^$' | sort | uniq -c | sort -k1,1nr -k2,2 | head -n 25 | sed 's/^ *\\([0-9]*\\) \\(.*\\)/\\2,\\1/'");
  EXPECT_EQ(output_of(kProgram + " " + path + " --top 25"), by_coreutils);
}

}  // namespace
