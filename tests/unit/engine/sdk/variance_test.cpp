#include <fanfold/variance.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <vector>

#include "tests/unit/engine/sdk/fold_samples.h"
#include "tests/unit/engine/sdk/oracle.h"
#include "tests/unit/engine/sdk/sharding.h"

namespace fanfold {
namespace {

template <class T>
void expect_moments(Oracle& oracle, const std::string& kind, const std::string& words, const Variance<T>& variance) {
  oracle.expect(kind + ".mean" + words, hex_bits(*variance.mean()));
  oracle.expect(kind + ".variance_population" + words, hex_bits(*variance.value(Divisor::kPopulation)));
  oracle.expect(kind + ".deviation_population" + words, hex_bits(*variance.deviation(Divisor::kPopulation)));
  if (variance.count() < 2) return;
  oracle.expect(kind + ".variance_sample" + words, hex_bits(*variance.value()));
  oracle.expect(kind + ".deviation_sample" + words, hex_bits(*variance.deviation()));
}

Variance<double> random_variance_of_doubles(std::uint64_t seed) {
  Random random(seed);
  Variance<double> variance;
  for (const double value : nasty_doubles(random, below(random, 8) == 0)) variance.add(value);
  return variance;
}

Variance<Decimal> random_variance_of_decimals(std::uint64_t seed) {
  Random random(seed);
  Variance<Decimal> variance;
  const bool doubles = below(random, 3) == 0;
  for (std::size_t n = below(random, 9); n > 0; --n) variance.add(parse_number(number_text(random, doubles)));
  return variance;
}

Variance<std::int64_t> random_variance_of_integers(std::uint64_t seed) {
  Random random(seed);
  Variance<std::int64_t> variance;
  for (std::size_t n = below(random, 9); n > 0; --n) variance.add(nasty_integer(random));
  return variance;
}

TEST(Variance, OfIntegersIsRoundedOnceInAnyOrderOfMerging) {
  Random random(1);
  Oracle oracle;
  for (int i = 0; i < 300; ++i) {
    std::vector<std::int64_t> values(1 + below(random, 30));
    std::string words;
    for (std::int64_t& value : values) words += " " + std::to_string(value = nasty_integer(random));
    expect_moments(oracle, "integer", words,
                   fold_in_any_shards<Variance<std::int64_t>>(
                       random, values, [](auto& fold, std::int64_t value) { fold.add(value); }, 2));
  }
  oracle.check();
}

TEST(Variance, OfUnsignedIntegersReachesAllOfThem) {
  Variance<std::uint64_t> variance;
  variance.add(UINT64_MAX);
  variance.add(UINT64_MAX - 2);
  EXPECT_EQ(variance.value(Divisor::kPopulation), 1.0);
  EXPECT_EQ(variance.value(), 2.0);
}

TEST(Variance, OfDoublesIsRoundedOnceInAnyOrderOfMerging) {
  Random random(2);
  Oracle oracle;
  for (int i = 0; i < 500; ++i) {
    const auto values = nasty_doubles(random, below(random, 8) == 0);
    if (values.empty()) continue;
    std::string words;
    for (const double value : values) words += " " + hex_bits(value);
    expect_moments(oracle, "double", words,
                   fold_in_any_shards<Variance<double>>(
                       random, values, [](auto& fold, double value) { fold.add(value); }, 2));
  }
  oracle.check();
}

TEST(Variance, OfDecimalsIsRoundedOnceInAnyOrderOfMerging) {
  Random random(3);
  Oracle oracle;
  for (int i = 0; i < 500; ++i) {
    const bool doubles = below(random, 3) == 0;
    std::vector<std::string> texts(1 + below(random, 20));
    std::string words;
    for (std::string& text : texts) words += " " + (text = number_text(random, doubles));
    expect_moments(oracle, "decimal", words,
                   fold_in_any_shards<Variance<Decimal>>(
                       random, texts, [](auto& fold, const std::string& text) { fold.add(parse_number(text)); }, 2));
  }
  oracle.check();
}

TEST(Variance, OfTooFewValuesIsAbsent) {
  Variance<double> variance;
  EXPECT_FALSE(variance.mean().has_value());
  EXPECT_FALSE(variance.value(Divisor::kPopulation).has_value());
  variance.add(5.0);
  EXPECT_EQ(variance.value(Divisor::kPopulation), 0.0);
  EXPECT_EQ(variance.deviation(Divisor::kPopulation), 0.0);
  EXPECT_FALSE(variance.value().has_value());
  EXPECT_FALSE(variance.deviation().has_value());
  EXPECT_FALSE(variance.rounded(2).has_value());
}

TEST(Variance, RoundsItsTextFromTheExactValue) {
  Variance<Decimal> variance;
  for (const char* text : {"1.0", "1.5"}) variance.add(parse_number(text));
  EXPECT_EQ(*variance.rounded(3), "0.125");
  EXPECT_EQ(*variance.rounded(2), "0.13");
}

TEST(Variance, KeepsTheLaw) {
  EXPECT_EQ(check_law(random_variance_of_doubles).value_or(""), "");
  EXPECT_EQ(check_law(random_variance_of_decimals).value_or(""), "");
  EXPECT_EQ(check_law(random_variance_of_integers).value_or(""), "");
}

TEST(Variance, SurvivesHostileBytes) {
  Random random(5);
  const auto use = [](const auto& variance) {
    static_cast<void>(variance.deviation());
    static_cast<void>(variance.rounded(3));
  };
  survives_hostile_bytes<Variance<double>>(random, random_variance_of_doubles, use, 10000);
  survives_hostile_bytes<Variance<Decimal>>(random, random_variance_of_decimals, use, 10000);
  survives_hostile_bytes<Variance<std::int64_t>>(random, random_variance_of_integers, use, 10000);
}

}  // namespace
}  // namespace fanfold
