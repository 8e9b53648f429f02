// numeric_cases_test.cpp: NIST's certified means and standard deviations (NumAcc1..4), read as text
// through the decimal lane, and as doubles.
#include <fanfold/number.h>
#include <fanfold/variance.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "tests/unit/engine/sdk/oracle.h"
#include "tests/unit/engine/sdk/sharding.h"

namespace fanfold {
namespace {

struct Certified {
  std::string name;
  std::size_t count;
  double mean;
  double deviation;
};

class NumericCases : public testing::Test {
 protected:
  void SetUp() override {
    if (!std::filesystem::exists(folder_)) GTEST_SKIP() << "the numeric cases are not beside this source folder";
    std::ifstream table(folder_ / "certified.csv");
    std::string line;
    std::getline(table, line);
    while (std::getline(table, line)) {
      std::replace(line.begin(), line.end(), ',', ' ');
      std::istringstream words(line);
      Certified certified;
      words >> certified.name >> certified.count >> certified.mean >> certified.deviation;
      certified_.push_back(certified);
    }
    ASSERT_EQ(certified_.size(), 4U);
  }

  std::vector<std::string> texts_of(const std::string& name) const {
    std::ifstream file(folder_ / (name + ".csv"));
    std::vector<std::string> texts;
    std::string line;
    std::getline(file, line);
    while (std::getline(file, line)) texts.push_back(line);
    return texts;
  }

  // Beside the source folder, or beside the folder that holds several checkouts.
  static std::filesystem::path folder() {
    const std::filesystem::path source = FANFOLD_SOURCE_DIR;
    const auto beside = source / "../shared/cases/numeric";
    return std::filesystem::exists(beside) ? beside : source / "../../shared/cases/numeric";
  }

  std::filesystem::path folder_ = folder();
  std::vector<Certified> certified_;
};

TEST_F(NumericCases, GiveAllCertifiedDigitsAsDecimals) {
  Random random(1);
  for (const Certified& certified : certified_) {
    SCOPED_TRACE(certified.name);
    const auto texts = texts_of(certified.name);
    ASSERT_EQ(texts.size(), certified.count);
    const auto variance = fold_in_any_shards<Variance<Decimal>>(
        random, texts, [](auto& fold, const std::string& text) { fold.add(parse_number(text)); });
    // The certified values are exact, so the results are the doubles nearest to them.
    EXPECT_EQ(variance.mean(), certified.mean);
    EXPECT_EQ(variance.deviation(), certified.deviation);
  }
}

// The doubles nearest to the texts of NumAcc3 and 4 have another deviation than the texts: the
// answer for them is that of the doubles, rounded once.
TEST_F(NumericCases, GiveTheExactlyRoundedValueOfTheirDoubles) {
  Random random(2);
  Oracle oracle;
  for (const Certified& certified : certified_) {
    std::vector<double> values;
    std::string words;
    for (const std::string& text : texts_of(certified.name)) {
      values.push_back(std::strtod(text.c_str(), nullptr));
      words += " " + hex_bits(values.back());
    }
    const auto variance =
        fold_in_any_shards<Variance<double>>(random, values, [](auto& fold, double value) { fold.add(value); });
    oracle.expect("double.mean" + words, hex_bits(*variance.mean()));
    oracle.expect("double.deviation_sample" + words, hex_bits(*variance.deviation()));
    if (certified.name == "NumAcc4") {
      EXPECT_NE(variance.deviation(), certified.deviation);
    }
  }
  oracle.check();
}

}  // namespace
}  // namespace fanfold
