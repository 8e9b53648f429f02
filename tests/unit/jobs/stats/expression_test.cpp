#include "jobs/stats/expression.h"

#include <fanfold/parameters.h>
#include <gtest/gtest.h>

#include <deque>
#include <map>
#include <optional>
#include <string>

#include "jobs/stats/numbers.h"

namespace fanfold::stats {
namespace {

// A row of named fields; those that are absent are null.
class Fields final : public RowFields {
 public:
  Fields(const ColumnNames& columns, const std::map<std::string, std::string>& fields)
      : columns_(columns), fields_(fields) {}
  [[nodiscard]] Value field(std::uint32_t column) const override {
    Value value;
    value.column = column;
    const auto found = fields_.find(columns_.names()[column]);
    if (found == fields_.end()) return value;
    // With room around it, as in a batch.
    held_ = std::string(64, '7') + found->second + std::string(64, '7');
    texts_.push_back(held_);
    value.kind = Value::Kind::kField;
    value.text = std::string_view(texts_.back()).substr(64, found->second.size());
    return value;
  }

 private:
  const ColumnNames& columns_;
  const std::map<std::string, std::string>& fields_;
  mutable std::string held_;
  mutable std::deque<std::string> texts_;
};

const std::map<std::string, std::string> kRow = {{"x", "7"},          {"y", "2.50"},   {"t", "abc"},
                                                 {"d", "2026-01-31"}, {"a b(c)", "1"}, {"zip", "01"}};

std::string shown(const Value& value) {
  switch (value.kind) {
    case Value::Kind::kNull:
      return "null";
    case Value::Kind::kTruth:
      return value.truth ? "true" : "false";
    case Value::Kind::kNumber:
      return text_of(value.number);
    case Value::Kind::kFault:
      return "fault:" + std::string(value.text);
    default:
      return std::string(value.text);
  }
}

std::string condition(const std::string& text) {
  Lexer lexer("--where", text);
  ColumnNames columns;
  const Expression expression = Expression::parse_condition(lexer, columns);
  if (!lexer.at_end()) lexer.expected("the end");
  return shown(expression.evaluate(Fields(columns, kRow)));
}
std::string value(const std::string& text) {
  Lexer lexer("--agg", text);
  ColumnNames columns;
  const Expression expression = Expression::parse_value(lexer, columns);
  if (!lexer.at_end()) lexer.expected("the end");
  return shown(expression.evaluate(Fields(columns, kRow)));
}
std::string refusal(const std::string& text) {
  try {
    return "accepted: " + condition(text);
  } catch (const UsageError& error) {
    return error.sentence;
  }
}

TEST(Expression, ComputesWithTheUsualPrecedence) {
  EXPECT_EQ(value("x + y * 2"), "12.00");
  EXPECT_EQ(value("(x + y) * 2"), "19.00");
  EXPECT_EQ(value("-x - -1"), "-6");
  EXPECT_EQ(value("x / 2"), "3.5");
  EXPECT_EQ(value("x // 2 * 2 + x % 2"), "7");
  EXPECT_EQ(value("x / 0"), "null");
  EXPECT_EQ(value("missing + 1"), "null");
  EXPECT_EQ(value("t + 1"), "fault:abc");
  EXPECT_EQ(value("`a b(c)` + 1"), "2");
  EXPECT_EQ(value("1e3 * 2"), "2000");
}

TEST(Expression, ComparesNumbersByValueAndTextsBytewise) {
  EXPECT_EQ(condition("x > 6.99 and x <= 7.0"), "true");
  EXPECT_EQ(condition("y = 2.5"), "true");
  EXPECT_EQ(condition("x == 7 and x != 8 and x <> 9"), "true");
  // A field beside a text is text; beside a number it is one, if it is one.
  EXPECT_EQ(condition("zip = '01'"), "true");
  EXPECT_EQ(condition("zip = '1'"), "false");
  EXPECT_EQ(condition("zip = 1"), "true");
  EXPECT_EQ(condition("y = '2.5'"), "false");
  EXPECT_EQ(condition("t > 1000000"), "true");
  EXPECT_EQ(condition("t < x"), "false");
  EXPECT_EQ(condition("d >= '2026-01-01' and d < '2026-02-01'"), "true");
  EXPECT_EQ(condition("x in (1, 7.0, 9)"), "true");
  EXPECT_EQ(condition("t not in ('a', \"b\")"), "true");
  EXPECT_EQ(condition("'it''s' = \"it's\""), "true");
}

TEST(Expression, MatchesPatternsAnywhereInTheText) {
  EXPECT_EQ(condition("t =~ 'b'"), "true");
  EXPECT_EQ(condition("t =~ '^b'"), "false");
  EXPECT_EQ(condition("t !~ '^b'"), "true");
  EXPECT_EQ(condition("x =~ '^[0-9]+$'"), "true");
  EXPECT_EQ(condition("missing =~ ''"), "null");
}

TEST(Expression, IsThreeValued) {
  EXPECT_EQ(condition("missing = 1"), "null");
  EXPECT_EQ(condition("not missing = 1"), "null");
  EXPECT_EQ(condition("missing = 1 and false"), "false");
  EXPECT_EQ(condition("missing = 1 and true"), "null");
  EXPECT_EQ(condition("true or missing = 1"), "true");
  EXPECT_EQ(condition("missing = 1 or false"), "null");
  EXPECT_EQ(condition("missing is null and x is not null"), "true");
  EXPECT_EQ(condition("missing in (1)"), "null");
  EXPECT_EQ(condition("x in (1, null)"), "null");
  EXPECT_EQ(condition("x in (7, null)"), "true");
  EXPECT_EQ(condition("x not in (1, null)"), "null");
  EXPECT_EQ(condition("null"), "null");
}

TEST(Expression, AbsorbsFaultsFromEitherSide) {
  EXPECT_EQ(condition("t + 1 > 0 and false"), "false");
  EXPECT_EQ(condition("false and t + 1 > 0"), "false");
  EXPECT_EQ(condition("t + 1 > 0 or true"), "true");
  EXPECT_EQ(condition("t + 1 > 0 or missing = 1"), "fault:abc");
  EXPECT_EQ(condition("missing = 1 and t + 1 > 0"), "fault:abc");
}

TEST(Expression, ErrorsPointAtTheCharacter) {
  EXPECT_EQ(refusal("fare > > 0"),
            "--where \"fare > > 0\", character 8: a column, a number or a text is expected here, not >");
  EXPECT_EQ(refusal("é > 'x"), "--where \"é > 'x\", character 5: a text's quote is not closed");
  EXPECT_EQ(refusal("x = 1 y"), "--where \"x = 1 y\", character 7: the end is expected here, not y");
  EXPECT_EQ(refusal("x + 1"),
            "--where \"x + 1\", character 1: this is a value where a condition is expected; compare it with something");
  EXPECT_EQ(refusal("x + 'a' > 1"), "--where \"x + 'a' > 1\", character 5: there is no arithmetic on a text");
  EXPECT_EQ(refusal("(x > 1) + 1 > 0"),
            "--where \"(x > 1) + 1 > 0\", character 2: this is a condition where a value is expected");
  EXPECT_EQ(refusal("x in 1"),
            "--where \"x in 1\", character 6: a list of values in parentheses is expected here, not 1");
  EXPECT_EQ(refusal("x is 1"), "--where \"x is 1\", character 6: null is expected here, not 1");
  EXPECT_EQ(refusal("t =~ '('"), "--where \"t =~ '('\", character 6: this is no regular expression (missing ): ()");
  EXPECT_EQ(refusal("t =~ x"), "--where \"t =~ x\", character 6: a pattern in quotes is expected here, not x");
  EXPECT_EQ(
      refusal("sum(x) > 1"),
      "--where \"sum(x) > 1\", character 1: there is no function sum in expressions; aggregates stand alone, in --agg");
  EXPECT_EQ(refusal("1.2.3 > x"), "--where \"1.2.3 > x\", character 1: this is no number");
  EXPECT_EQ(refusal("x & y"),
            "--where \"x & y\", character 3: nothing begins with \"&\"; column names of other characters than letters, "
            "digits, _ and . stand in `backquotes`");
  EXPECT_EQ(refusal("(x > 1"), "--where \"(x > 1\", character 7: a closing parenthesis is expected here, not the end");
  EXPECT_NE(refusal(std::string(300, '(') + "x").find("the expression nests too deep"), std::string::npos);
}

}  // namespace
}  // namespace fanfold::stats
