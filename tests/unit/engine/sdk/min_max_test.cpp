#include <fanfold/min_max.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "tests/unit/engine/sdk/fold_samples.h"
#include "tests/unit/engine/sdk/sharding.h"

namespace fanfold {
namespace {

constexpr auto kAdd = [](auto& fold, const auto& value) { fold.add(value); };

std::string random_text(Random& random) {
  std::string text;
  for (std::size_t n = below(random, 4); n > 0; --n) text += "a\xffZ\x00\x80"[below(random, 5)];
  return below(random, 6) == 0 ? text + std::string(40, 'b') : text;
}

TEST(MinMax, OfIntegersAreTheirEnds) {
  Random random(1);
  for (int i = 0; i < 100; ++i) {
    std::vector<std::int64_t> values(below(random, 30));
    for (std::int64_t& value : values) value = nasty_integer(random);
    const auto least = fold_in_any_shards<Min<std::int64_t>>(random, values, kAdd, 2).value();
    const auto greatest = fold_in_any_shards<Max<std::int64_t>>(random, values, kAdd, 2).value();
    ASSERT_EQ(least.has_value(), !values.empty());
    if (values.empty()) continue;
    EXPECT_EQ(*least, *std::min_element(values.begin(), values.end()));
    EXPECT_EQ(*greatest, *std::max_element(values.begin(), values.end()));
  }
}

TEST(MinMax, OfDoublesOrderMinusZeroBelowPlusZero) {
  for (const auto& values : {std::vector<double>{0.0, -0.0}, std::vector<double>{-0.0, 0.0}}) {
    Min<double> least;
    Max<double> greatest;
    for (const double value : values) {
      least.add(value);
      greatest.add(value);
    }
    EXPECT_EQ(std::bit_cast<std::uint64_t>(*least.value()), std::uint64_t{1} << 63);
    EXPECT_EQ(std::bit_cast<std::uint64_t>(*greatest.value()), 0U);
  }
}

TEST(MinMax, OfDoublesSkipAndCountNan) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const double all_ones = std::bit_cast<double>(~std::uint64_t{0});
  Min<double> least;
  Max<double> greatest;
  for (const double value : {nan, all_ones, -nan, std::bit_cast<double>(UINT64_MAX >> 1)}) {
    least.add(value);
    greatest.add(value);
  }
  EXPECT_FALSE(least.value().has_value());
  EXPECT_FALSE(greatest.value().has_value());
  EXPECT_EQ(least.nans().value(), 4U);
  const double infinity = std::numeric_limits<double>::infinity();
  least.add(infinity);
  greatest.add(-infinity);
  EXPECT_EQ(least.value(), infinity);
  EXPECT_EQ(greatest.value(), -infinity);
}

TEST(MinMax, OfDoublesAreTheSameInAnyOrderOfMerging) {
  Random random(2);
  for (int i = 0; i < 200; ++i) {
    const auto values = nasty_doubles(random, i % 2 == 0);
    const auto least = fold_in_any_shards<Min<double>>(random, values, kAdd, 2).value();
    const auto greatest = fold_in_any_shards<Max<double>>(random, values, kAdd, 2).value();
    for (const double value : values) {
      if (value != value) continue;
      EXPECT_LE(*least, value);
      EXPECT_GE(*greatest, value);
    }
  }
}

TEST(MinMax, OfTextsAreBytewise) {
  Random random(3);
  for (int i = 0; i < 200; ++i) {
    std::vector<std::string> values(below(random, 12));
    for (std::string& value : values) value = random_text(random);
    const auto least = fold_in_any_shards<Min<std::string>>(random, values, kAdd, 2);
    const auto greatest = fold_in_any_shards<Max<std::string>>(random, values, kAdd, 2);
    ASSERT_EQ(least.value().has_value(), !values.empty());
    if (values.empty()) continue;
    EXPECT_EQ(*least.value(), *std::min_element(values.begin(), values.end()));
    EXPECT_EQ(*greatest.value(), *std::max_element(values.begin(), values.end()));
  }
  Max<std::string> greatest;
  greatest.add("z");
  greatest.add("\xc3\xa9");
  EXPECT_EQ(greatest.value(), "\xc3\xa9");
}

TEST(MinMax, OfTextsTellAnEmptyTextFromNone) {
  Min<std::string> none;
  Min<std::string> empty;
  empty.add("");
  EXPECT_FALSE(none.value().has_value());
  EXPECT_EQ(empty.value(), "");
  EXPECT_NE(packed_bytes_of(none), packed_bytes_of(empty));
}

TEST(MinMax, OfDecimalsAreByValueThenByFractionDigits) {
  const auto both = [](std::vector<const char*> texts) {
    Min<Decimal> least;
    Max<Decimal> greatest;
    for (const char* text : texts) {
      least.add(parse_number(text).decimal());
      greatest.add(parse_number(text).decimal());
    }
    return std::pair(*least.value(), *greatest.value());
  };
  const auto [least, greatest] = both({"1.00", "1.0", "1.000"});
  EXPECT_EQ(least.fraction_digits(), 1U);
  EXPECT_EQ(greatest.fraction_digits(), 3U);
  const auto [low, high] = both({"-99999999999999999999.5", "3", "99999999999999999999"});
  EXPECT_TRUE(low.coefficient() < 0);
  EXPECT_EQ(high.fraction_digits(), 0U);
}

TEST(MinMax, KeepTheLaw) {
  const auto make = []<class F>(F, auto value_of) {
    return [value_of](std::uint64_t seed) {
      Random random(seed);
      F fold;
      for (std::size_t n = below(random, 5); n > 0; --n) fold.add(value_of(random));
      return fold;
    };
  };
  const auto decimal = [](Random& random) { return parse_number(number_text(random, false)).decimal(); };
  const auto real = [](Random& random) {
    return below(random, 4) == 0 ? std::numeric_limits<double>::quiet_NaN()
                                 : finite_double(random, static_cast<unsigned>(below(random, 6)));
  };
  EXPECT_EQ(check_law(make(Min<std::int64_t>{}, nasty_integer)).value_or(""), "");
  EXPECT_EQ(check_law(make(Max<std::int64_t>{}, nasty_integer)).value_or(""), "");
  EXPECT_EQ(check_law(make(Min<double>{}, real)).value_or(""), "");
  EXPECT_EQ(check_law(make(Max<double>{}, real)).value_or(""), "");
  EXPECT_EQ(check_law(make(Min<std::string>{}, random_text)).value_or(""), "");
  EXPECT_EQ(check_law(make(Max<std::string>{}, random_text)).value_or(""), "");
  EXPECT_EQ(check_law(make(Min<Decimal>{}, decimal)).value_or(""), "");
  EXPECT_EQ(check_law(make(Max<Decimal>{}, decimal)).value_or(""), "");
}

TEST(MinMax, SurviveHostileBytes) {
  Random random(5);
  const auto make = []<class F>(F, auto value) {
    return [value](std::uint64_t seed) {
      F fold;
      if (seed % 4 != 0) fold.add(value);
      return fold;
    };
  };
  const auto use = [](const auto& fold) { static_cast<void>(fold.value()); };
  survives_hostile_bytes<Min<std::int64_t>>(random, make(Min<std::int64_t>{}, std::int64_t{-5}), use);
  survives_hostile_bytes<Max<double>>(random, make(Max<double>{}, 2.5), use);
  survives_hostile_bytes<Min<Decimal>>(random, make(Min<Decimal>{}, Decimal(7)), use);
  survives_hostile_bytes<Min<std::string>>(random, make(Min<std::string>{}, std::string("some text")), use);
}

}  // namespace
}  // namespace fanfold
