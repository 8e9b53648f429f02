#include <fanfold/mean.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <vector>

#include "tests/unit/engine/sdk/fold_samples.h"
#include "tests/unit/engine/sdk/oracle.h"
#include "tests/unit/engine/sdk/sharding.h"

namespace fanfold {
namespace {

constexpr auto kAdd = [](auto& fold, const auto& value) { fold.add(value); };

Mean<double> random_mean_of_doubles(std::uint64_t seed) {
  Random random(seed);
  Mean<double> mean;
  for (const double value : nasty_doubles(random, below(random, 8) == 0)) mean.add(value);
  return mean;
}

Mean<Decimal> random_mean_of_decimals(std::uint64_t seed) {
  Random random(seed);
  Mean<Decimal> mean;
  for (std::size_t n = below(random, 9); n > 0; --n) mean.add(parse_number(number_text(random, true)));
  return mean;
}

TEST(Mean, OfIntegersIsTheNearestDoubleInAnyOrderOfMerging) {
  Random random(1);
  Oracle oracle;
  for (int i = 0; i < 300; ++i) {
    std::vector<std::int64_t> values(1 + below(random, 40));
    std::string request = "integer.mean";
    for (std::int64_t& value : values) request += " " + std::to_string(value = nasty_integer(random));
    oracle.expect(request, hex_bits(*fold_in_any_shards<Mean<std::int64_t>>(random, values, kAdd, 2).value()));
  }
  oracle.check();
}

TEST(Mean, OfDoublesIsTheNearestDoubleInAnyOrderOfMerging) {
  Random random(2);
  Oracle oracle;
  for (int i = 0; i < 500; ++i) {
    const auto values = nasty_doubles(random, below(random, 8) == 0);
    if (values.empty()) continue;
    std::string request = "double.mean";
    for (const double value : values) request += " " + hex_bits(value);
    oracle.expect(request, hex_bits(*fold_in_any_shards<Mean<double>>(random, values, kAdd, 2).value()));
  }
  oracle.check();
}

TEST(Mean, OfDecimalsIsExactInAnyOrderOfMerging) {
  Random random(3);
  Oracle oracle;
  for (int i = 0; i < 500; ++i) {
    const bool doubles = below(random, 3) == 0;
    std::vector<std::string> texts(1 + below(random, 20));
    std::string words;
    for (std::string& text : texts) words += " " + (text = number_text(random, doubles));
    const auto mean = fold_in_any_shards<Mean<Decimal>>(
        random, texts, [](auto& fold, const std::string& text) { fold.add(parse_number(text)); }, 2);
    oracle.expect("decimal.mean" + words, hex_bits(*mean.value()));
    if (mean.rounded(2)) oracle.expect("decimal.mean_rounded2" + words, *mean.rounded(2));
  }
  oracle.check();
}

TEST(Mean, RoundsHalvesTowardsPlusInfinityAndNeverToMinusZero) {
  const auto rounded = [](std::initializer_list<const char*> texts) {
    Mean<Decimal> mean;
    for (const char* text : texts) mean.add(parse_number(text));
    return *mean.rounded(1);
  };
  EXPECT_EQ(rounded({"0.1", "0.2"}), "0.2");     // 0.15
  EXPECT_EQ(rounded({"-0.1", "-0.2"}), "-0.1");  // -0.15
  EXPECT_EQ(rounded({"-0.1", "0.0"}), "0.0");    // -0.05
  EXPECT_EQ(rounded({"1e0", "0.1"}), "0.6");     // 0.55, a double among them
}

TEST(Mean, OfNothingIsAbsent) {
  EXPECT_FALSE(Mean<double>{}.value().has_value());
  EXPECT_FALSE(Mean<std::int64_t>{}.rounded(2).has_value());
}

TEST(Mean, PassesOverTextsThatAreNoNumbers) {
  Mean<Decimal> mean;
  mean.add(parse_number("3"));
  mean.add(parse_number("three"));
  EXPECT_EQ(mean.count(), 1U);
  EXPECT_EQ(mean.value(), 3.0);
}

TEST(Mean, OfAGridIsExact) {
  Mean<Fixed<10>> mean;
  mean.add(Fixed<10>::nearest(0.5));
  mean.add(Fixed<10>::nearest(0.25));
  EXPECT_EQ(mean.value(), 0.375);
}

TEST(Mean, KeepsTheLaw) {
  EXPECT_EQ(check_law(random_mean_of_doubles).value_or(""), "");
  EXPECT_EQ(check_law(random_mean_of_decimals).value_or(""), "");
}

TEST(Mean, SurvivesHostileBytes) {
  Random random(5);
  const auto use = [](const auto& mean) {
    static_cast<void>(mean.value());
    static_cast<void>(mean.rounded(3));
  };
  survives_hostile_bytes<Mean<double>>(random, random_mean_of_doubles, use);
  survives_hostile_bytes<Mean<Decimal>>(random, random_mean_of_decimals, use);
}

TEST(Mean, OfNoValuesHasNoSum) {
  std::vector<std::byte> bytes(24);
  Mean<std::int64_t> mean;
  EXPECT_TRUE(mean.unpack(bytes));
  bytes[8] = std::byte{1};
  Mean<std::int64_t> odd;
  EXPECT_FALSE(odd.unpack(bytes));
}

}  // namespace
}  // namespace fanfold
