// few_words_test.cpp: the generated text of few distinct words is the same bytes for a seed and has the words asked
// for. Records of benchmarks from different machines compare only if it is.
#include <gtest/gtest.h>

#include <cstdio>
#include <set>
#include <sstream>
#include <string>

namespace {

std::string text_of(const std::string& arguments) {
  std::string command = FANFOLD_BINARY_DIR "/few_words ";
  command.append(arguments);
  std::FILE* pipe = popen(command.c_str(), "r");
  EXPECT_NE(pipe, nullptr);
  std::string text;
  char buffer[65536];
  for (size_t got; (got = std::fread(buffer, 1, sizeof(buffer), pipe)) > 0;) text.append(buffer, got);
  EXPECT_EQ(pclose(pipe), 0) << command;
  return text;
}

std::set<std::string> words_of(const std::string& text) {
  std::istringstream stream(text);
  std::set<std::string> words;
  for (std::string word; stream >> word;) words.insert(word);
  return words;
}

TEST(FewWords, IsTheSameTextForASeedAndAnotherForAnother) {
  const std::string text = text_of("3000000 1000 7");
  EXPECT_TRUE(text == text_of("3000000 1000 7"));
  EXPECT_FALSE(text == text_of("3000000 1000 8"));
}

TEST(FewWords, BeginsWithTheWordsThatItBeganWithEverywhere) {
  EXPECT_EQ(
      text_of("200 10000 20240607"),
      "iag vedewonobyit wefe gonote oqemire haci emeo nudomulpar wesoc seod senit yfe tajot botgytyrine sasir suryt\n");
}

TEST(FewWords, HoldsAllDistinctWordsAskedForAndNoOther) {
  EXPECT_EQ(words_of(text_of("3000000 1000 7")).size(), 1000U);
  EXPECT_EQ(words_of(text_of("1000 1 7")).size(), 1U);
}

TEST(FewWords, FillsTheSizeToTheLastWholeLine) {
  const std::string text = text_of("100000 5000 7");
  EXPECT_LE(text.size(), 100000U);
  EXPECT_GT(text.size(), 100000U - 400U);
  EXPECT_EQ(text.back(), '\n');
}

}  // namespace
