#include <fanfold/concat.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "tests/unit/engine/sdk/sharding.h"

namespace fanfold {
namespace {

struct Line {
  std::uint64_t source;
  std::uint64_t offset;
  std::string text;
  auto operator<=>(const Line&) const = default;
};

constexpr auto kAdd = [](Concat& fold, const Line& line) { fold.add(line.source, line.offset, line.text); };

std::vector<Line> random_lines(Random& random, std::size_t count) {
  std::vector<Line> lines(count);
  for (Line& line : lines) {
    line = {below(random, 3), below(random, 2) == 0 ? below(random, 5) : random(), std::string(below(random, 6), 'x')};
    for (char& character : line.text) character = static_cast<char>(random());
  }
  return lines;
}

Concat random_concat(std::uint64_t seed) {
  Random random(seed);
  Concat concat;
  for (const Line& line : random_lines(random, below(random, 6))) kAdd(concat, line);
  return concat;
}

TEST(Concat, PutsPiecesInTheOrderOfTheirPlaces) {
  Random random(1);
  for (int i = 0; i < 100; ++i) {
    auto lines = random_lines(random, below(random, 50));
    const auto concat = fold_in_any_shards<Concat>(random, lines, kAdd, 3);
    std::sort(lines.begin(), lines.end());
    std::string expected;
    for (const Line& line : lines) expected += line.text;
    EXPECT_EQ(concat.value(), expected);
    EXPECT_EQ(concat.size(), lines.size());
    EXPECT_EQ(concat.text_bytes(), expected.size());
  }
}

TEST(Concat, KeepsPiecesOfOnePlaceAndEmptyOnes) {
  Concat concat;
  concat.add(0, 5, "b");
  concat.add(0, 5, "a");
  concat.add(0, 5, "a");
  concat.add(0, 4, "");
  EXPECT_EQ(concat.value(), "aab");
  EXPECT_EQ(concat.pieces().size(), 4U);
}

TEST(Concat, KeepsTheLaw) {
  EXPECT_EQ(check_law(random_concat).value_or(""), "");
}

TEST(Concat, SurvivesHostileBytes) {
  Random random(5);
  survives_hostile_bytes<Concat>(
      random, random_concat, [](const Concat& concat) { static_cast<void>(concat.value()); }, 20000);
}

TEST(Concat, RefusesACountThatItsBytesCannotHold) {
  std::vector<std::byte> bytes(16);
  store_varint(bytes.data(), UINT64_MAX / 8);
  Concat concat;
  EXPECT_FALSE(concat.unpack(bytes));
}

}  // namespace
}  // namespace fanfold
