// components_test.cpp: the states of groups keep the law, alone and in a run.
#include <fanfold/law.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <string>
#include <vector>

#include "jobs/stats/run.h"
#include "tests/unit/engine/sdk/fold_samples.h"

namespace fanfold::stats {
namespace {

std::string random_text(Random& random) {
  switch (below(random, 3)) {
    case 0:
      return number_text(random, true);
    case 1:
      return std::string(below(random, 30), static_cast<char>('a' + below(random, 3)));
    default:
      return std::to_string(below(random, 20)) + (below(random, 2) == 0 ? ".0" : "");
  }
}

template <class Extremum>
Extremum random_extreme(std::uint64_t seed) {
  Random random(seed);
  Extremum extreme;
  for (std::size_t count = below(random, 6); count > 0; --count) {
    const std::string text = random_text(random);
    if (const Number number = parse_number(text)) {
      extreme.add(number);
    } else {
      extreme.add_text(text);
    }
  }
  return extreme;
}

// Mostly plain, for the narrow way; at times as wide as can be.
Number random_number(Random& random, bool plain) {
  if (plain) return *Decimal::make(static_cast<Int128>(below(random, 2000)) - 1000, 1);
  if (below(random, 5) == 0) return *Decimal::make(nasty_integer(random), static_cast<unsigned>(below(random, 5)));
  return parse_number(number_text(random, below(random, 3) == 0));
}

NumberColumn random_column(std::uint64_t seed) {
  Random random(seed);
  NumberColumn column;
  const bool plain = below(random, 2) == 0;
  for (std::size_t count = below(random, 8); count > 0; --count) column.add(random_number(random, plain));
  return column;
}

NumberMoments random_moments(std::uint64_t seed) {
  Random random(seed);
  NumberMoments moments;
  const bool plain = below(random, 2) == 0;
  for (std::size_t count = below(random, 8); count > 0; --count) moments.add(random_number(random, plain));
  return moments;
}

TextTally random_tally(std::uint64_t seed) {
  Random random(seed);
  TextTally tally;
  for (std::size_t count = below(random, 40); count > 0; --count) tally.add(random_text(random));
  return tally;
}

TEST(Components, KeepTheLaw) {
  for (const auto& failed : {check_law(random_extreme<Least>), check_law(random_extreme<Greatest>),
                             check_law(random_column), check_law(random_moments), check_law(random_tally)}) {
    EXPECT_FALSE(failed.has_value()) << *failed;
  }
}

TEST(NumberColumn, HoldsWhatItsPartsHold) {
  for (std::uint64_t seed = 0; seed < 500; ++seed) {
    Random random(seed);
    NumberColumn column;
    NumberMoments moments;
    DecimalSum sum;
    Least least;
    Greatest greatest;
    const bool plain = below(random, 3) == 0;
    const std::size_t count = 1 + below(random, 9);
    for (std::size_t i = 0; i < count; ++i) {
      const Number number = random_number(random, plain);
      column.add(number);
      moments.add(number);
      sum.add(number);
      least.add(number);
      greatest.add(number);
    }
    EXPECT_EQ(column.count(), count);
    EXPECT_EQ(column.sum().text(), sum.text());
    EXPECT_EQ(moments.count(), count);
    EXPECT_EQ(moments.sum().text(), sum.text());
    EXPECT_EQ(text_of(column.least().number()), text_of(least.number()));
    EXPECT_EQ(text_of(column.greatest().number()), text_of(greatest.number()));
  }
}

TEST(Extreme, PutsNumbersBeforeTextsAndFewerDigitsFirst) {
  Least least;
  Greatest greatest;
  for (const char* text : {"b", "10", "9.50", "9.5", "a", "1e1", "-3"}) {
    if (const Number number = parse_number(text)) {
      least.add(number);
      greatest.add(number);
    } else {
      least.add_text(text);
      greatest.add_text(text);
    }
  }
  EXPECT_EQ(text_of(least.number()), "-3");
  EXPECT_EQ(greatest.text(), "b");
  Greatest equal;
  for (const char* text : {"9.50", "9.5"}) equal.add(parse_number(text));
  EXPECT_EQ(text_of(equal.number()), "9.50");
}

using WideRun = Run<512>;

class RunOfAll : public testing::Test {
 protected:
  RunOfAll() {
    for (const ComponentKind kind : {ComponentKind::kCount, ComponentKind::kMoments, ComponentKind::kVariance,
                                     ComponentKind::kNumberColumn, ComponentKind::kLeast, ComponentKind::kGreatest,
                                     ComponentKind::kTally, ComponentKind::kDistinct, ComponentKind::kQuantiles}) {
      offsets_.push_back(layout_.add(kind));
    }
  }
  WideRun random_run(std::uint64_t seed) const {
    Random random(seed);
    WideRun run;
    for (std::size_t count = below(random, 5); count > 0; --count) {
      const Number number = random_number(random, below(random, 2) == 0);
      run.at<Count>(offsets_[0]).add();
      run.at<NumberMoments>(offsets_[1]).add(number);
      run.at<Variance<Decimal>>(offsets_[2]).add(number);
      run.at<NumberColumn>(offsets_[3]).add(number);
      run.at<Least>(offsets_[4]).add(number);
      run.at<Greatest>(offsets_[5]).add_text(random_text(random));
      run.at<TextTally>(offsets_[6]).add(random_text(random));
      run.at<Distinct>(offsets_[7]).add(random_text(random));
      run.at<Quantiles>(offsets_[8]).add(nearest_double_of(number));
    }
    return run;
  }
  Layout layout_;
  std::vector<std::uint32_t> offsets_;
};

TEST_F(RunOfAll, KeepsTheLaw) {
  const LayoutScope scope(layout_);
  const auto failed = check_law([this](std::uint64_t seed) { return random_run(seed); }, {.rounds = 100});
  EXPECT_FALSE(failed.has_value()) << *failed;
}

TEST_F(RunOfAll, BeginsAsZeroBytesWhichAreEveryComponentsIdentity) {
  const LayoutScope scope(layout_);
  for (const Component& component : layout_.components()) {
    with_component(component.kind, [&]<class T>(ComponentType<T>) {
      alignas(T) std::byte zeros[sizeof(T)] = {};
      const T identity{};
      EXPECT_EQ(law::packed(*reinterpret_cast<const T*>(zeros)), law::packed(identity));
    });
  }
}

}  // namespace
}  // namespace fanfold::stats
