#include "jobs/stats/batch_filter.h"

#include <fanfold/abi.h>
#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <vector>

#include "tests/unit/engine/sdk/sharding.h"

namespace fanfold::stats {
namespace {

// A batch of rows of two columns, x and t.
class Rows final : public RowFields {
 public:
  Rows(std::vector<std::string> x, std::vector<std::string> t, std::string null) : null_(std::move(null)) {
    text_.assign(64, '7');
    for (std::size_t row = 0; row < x.size(); ++row) {
      columns_[0].push_back(put(x[row]));
      columns_[1].push_back(put(t[row]));
      begins_.push_back(static_cast<std::uint32_t>(row));
    }
    text_.append(64, '7');
  }
  [[nodiscard]] reader::RowBatch batch() const { return {text_.data(), 0, begins_, columns_, 0}; }
  void set(std::size_t row) { row_ = row; }
  [[nodiscard]] Value field(std::uint32_t column) const override {
    Value value;
    value.column = column;
    value.text = text_of(column, row_);
    value.kind = value.text == null_ ? Value::Kind::kNull : Value::Kind::kField;
    return value;
  }
  [[nodiscard]] std::string_view text_of(std::uint32_t column, std::size_t row) const {
    const Slice slice = columns_[column][row];
    return std::string_view(text_).substr(slice.begin, slice.end - slice.begin);
  }

 private:
  Slice put(const std::string& field) {
    const auto begin = static_cast<std::uint32_t>(text_.size());
    text_ += field;
    return {begin, static_cast<std::uint32_t>(text_.size())};
  }
  std::string null_;
  std::string text_;
  std::vector<std::vector<Slice>> columns_{2};
  std::vector<std::uint32_t> begins_;
  std::size_t row_ = 0;
};

std::vector<std::uint32_t> levels() {
  std::vector<std::uint32_t> levels{FANFOLD_KERNELS_PORTABLE};
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx2")) levels.push_back(FANFOLD_KERNELS_AVX2);
#endif
  return levels;
}

TEST(BatchFilter, SaysWhatEvaluationRowByRowSays) {
  const std::vector<std::string> numbers = {"0",
                                            "-0",
                                            "1",
                                            "1.0",
                                            "1.5",
                                            "-1.5",
                                            "2",
                                            "2.5",
                                            "2.50",
                                            "-2.51",
                                            "1e0",
                                            "1e40",
                                            "-inf",
                                            "99999999",
                                            "1234567890123456789",
                                            "0.000000000000000001",
                                            "1.49999999",
                                            "x",
                                            "",
                                            "NA"};
  const std::vector<std::string> texts = {"a", "b", "ab", "", "1", "NA", "é"};
  Random random(4);
  std::vector<std::string> x;
  std::vector<std::string> t;
  for (int row = 0; row < 1000; ++row) {
    x.push_back(numbers[below(random, numbers.size())]);
    t.push_back(texts[below(random, texts.size())]);
  }
  std::vector<std::string> simple;
  for (const char* comparison : {"<", "<=", "=", "<>", ">", ">="}) {
    for (const char* constant :
         {"1.5", "-1.5", "0", "2.5", "1e0", "1e30", "1234567890123456789.5", "123456789012345678"}) {
      simple.push_back("x " + std::string(comparison) + " " + constant);
      simple.push_back(std::string(constant) + " " + comparison + " x");
    }
    simple.push_back("t " + std::string(comparison) + " 'ab'");
    simple.push_back("'1' " + std::string(comparison) + " x");
  }
  std::vector<std::string> conditions = simple;
  for (int i = 0; i < 200; ++i) {
    const std::string& one = simple[below(random, simple.size())];
    const std::string& other = simple[below(random, simple.size())];
    const std::string last =
        std::vector<std::string>{"t =~ 'a'", "x + 1 > 1", "x is not null", "null = 1", "t > x"}[below(random, 5)];
    conditions.push_back(one + " and " + other);
    conditions.push_back(last + " and " + one);
    conditions.push_back(one + " and (" + other + " and " + last + ")");
    conditions.push_back(one + " or " + other);
  }
  for (const std::string null : {"", "NA", "1.5"}) {
    Rows rows(x, t, null);
    for (const std::uint32_t kernels : levels()) {
      for (const std::string& text : conditions) {
        ColumnNames columns;
        (void)columns.index_of("x");
        (void)columns.index_of("t");
        Lexer lexer("--where", text);
        const Expression condition = Expression::parse_condition(lexer, columns);
        BatchFilter filter(condition, null, kernels);
        const std::vector<BatchFilter::Verdict>& verdicts = filter.judge(rows.batch());
        for (std::size_t row = 0; row < x.size(); ++row) {
          if (verdicts[row] == BatchFilter::Verdict::kEvaluate) continue;
          rows.set(row);
          const Value value = condition.evaluate(rows);
          ASSERT_NE(value.kind, Value::Kind::kFault) << text;
          const bool chosen = value.kind == Value::Kind::kTruth && value.truth;
          ASSERT_EQ(verdicts[row] == BatchFilter::Verdict::kChosen, chosen)
              << text << " of x " << x[row] << " and t " << t[row] << ", null " << null;
        }
      }
    }
  }
}

TEST(BatchFilter, LeavesNothingToEvaluateOfComparisonsWithConstants) {
  Rows rows({"1", "", "x"}, {"a", "b", ""}, "");
  ColumnNames columns;
  (void)columns.index_of("x");
  (void)columns.index_of("t");
  Lexer lexer("--where", "x >= 1 and 'b' <> t");
  const Expression condition = Expression::parse_condition(lexer, columns);
  BatchFilter filter(condition, "", FANFOLD_KERNELS_PORTABLE);
  EXPECT_EQ(filter.judge(rows.batch()),
            (std::vector<BatchFilter::Verdict>{BatchFilter::Verdict::kChosen, BatchFilter::Verdict::kLeftOut,
                                               BatchFilter::Verdict::kLeftOut}));
}

}  // namespace
}  // namespace fanfold::stats
