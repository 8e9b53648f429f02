#include <fanfold/concat.h>
#include <fanfold/count.h>
#include <fanfold/mean.h>
#include <fanfold/min_max.h>
#include <fanfold/sum.h>
#include <fanfold/tuple.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <vector>

#include "tests/unit/engine/sdk/fold_samples.h"
#include "tests/unit/engine/sdk/sharding.h"

namespace fanfold {
namespace {

using Fixed3 = Tuple<Count, Sum<std::int64_t>, Max<double>>;
using Mixed = Tuple<Sum<double>, Count, Min<std::string>, Tuple<Mean<Decimal>, Concat>>;
static_assert(Fixed3::packed_bytes == 40 && Mixed::packed_bytes == kVariableSize && Tuple<>::packed_bytes == 0);
static_assert(Fold<Mixed> && std::is_same_v<std::tuple_element_t<1, Fixed3>, Sum<std::int64_t>>);

void add(Mixed& fold, std::int64_t value) {
  auto& [sum, count, text, inner] = fold;
  sum.add(static_cast<double>(value) * 0.1);
  count.add();
  text.add(std::to_string(value));
  get<0>(inner).add(Decimal(value));
  if (value % 5 == 0) get<1>(inner).add(0, static_cast<std::uint64_t>(value), "x");
}

Mixed random_tuple(std::uint64_t seed) {
  Random random(seed);
  Mixed fold;
  for (std::size_t n = below(random, 6); n > 0; --n) add(fold, nasty_integer(random));
  return fold;
}

TEST(Tuple, MergesEachMemberWithItsLike) {
  Random random(1);
  std::vector<std::int64_t> values(100);
  for (std::int64_t& value : values) value = nasty_integer(random);
  const auto fold = fold_in_any_shards<Mixed>(random, values, add);
  EXPECT_EQ(fold.get<1>().value(), values.size());
  EXPECT_EQ(fold.get<3>().get<0>().count(), values.size());
  Fixed3 left;
  get<0>(left).add(3);
  get<2>(left).add(1.5);
  Fixed3 right;
  get<0>(right).add(4);
  get<1>(right).add(-7);
  left.merge(right);
  EXPECT_EQ(get<0>(left).value(), 7U);
  EXPECT_EQ(get<1>(left).value(), -7);
  EXPECT_EQ(get<2>(left).value(), 1.5);
}

TEST(Tuple, KeepsTheLaw) {
  EXPECT_EQ(check_law(random_tuple).value_or(""), "");
}

TEST(Tuple, SurvivesHostileBytes) {
  Random random(5);
  survives_hostile_bytes<Mixed>(
      random, random_tuple,
      [](const Mixed& fold) {
        static_cast<void>(fold.get<0>().value());
        static_cast<void>(fold.get<3>().get<0>().value());
      },
      20000);
}

}  // namespace
}  // namespace fanfold
