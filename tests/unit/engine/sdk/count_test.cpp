#include <fanfold/count.h>
#include <gtest/gtest.h>

#include <cstdint>

#include "tests/unit/engine/sdk/sharding.h"

namespace fanfold {
namespace {

TEST(Count, CountsTheSameInAnyOrderOfMerging) {
  Random random(1);
  std::vector<std::uint64_t> values(500);
  std::uint64_t total = 0;
  for (std::uint64_t& value : values) total += value = random() >> 20;
  const Count count = fold_in_any_shards<Count>(random, values, [](Count& fold, std::uint64_t n) { fold.add(n); });
  EXPECT_EQ(count.value(), total);
}

TEST(Count, StaysOverflowedOnceItsTotalIs) {
  Count count;
  count.add(UINT64_MAX - 1);
  EXPECT_EQ(count.value(), UINT64_MAX - 1);
  count.add();
  EXPECT_THROW(static_cast<void>(count.value()), Overflow);
  count.add(UINT64_MAX);
  count.merge(Count(7));
  EXPECT_THROW(static_cast<void>(count.value()), Overflow);
}

TEST(Count, KeepsTheLawAtItsEndToo) {
  const auto failure = check_law([](std::uint64_t seed) { return Count(UINT64_MAX >> (seed % 5)); });
  EXPECT_EQ(failure.value_or(""), "");
}

TEST(Count, RefusesBytesOfAnotherSize) {
  const std::array<std::byte, 9> bytes{};
  Count count;
  EXPECT_FALSE(count.unpack(std::span(bytes).first(7)));
  EXPECT_FALSE(count.unpack(bytes));
  EXPECT_TRUE(count.unpack(std::span(bytes).first(8)));
}

}  // namespace
}  // namespace fanfold
