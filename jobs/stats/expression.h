// expression.h: an expression over the columns of a row: parsed once, evaluated for each row. Values are null, truth,
// number, text, or a fault (arithmetic on what is no number). docs/stats.md has the grammar and the rules.
//
// Logic is three-valued, and a fault is absorbed where null would be: "false and FAULT" is false whatever stands
// first. Threads: an Expression is immutable once parsed; evaluate from any thread.
#pragma once

#include <fanfold/number.h>

#include <compare>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "jobs/stats/lexer.h"

namespace re2 {
class RE2;
}

namespace fanfold::stats {

// The columns that a query names, each once.
class ColumnNames {
 public:
  std::uint32_t index_of(std::string_view name);
  [[nodiscard]] const std::vector<std::string>& names() const { return names_; }

 private:
  std::vector<std::string> names_;
};

// Where a fault comes from: a column's text that is no number.
struct Fault {
  std::uint32_t column = 0;
  std::string_view text = {};
};

struct Value {
  enum class Kind : std::uint8_t {
    kNull,
    kTruth,
    kNumber,
    kText,   // as written in the query
    kField,  // as written in a row: a number where one is wanted, if it is one
    kFault,
  };
  Kind kind = Kind::kNull;
  bool truth = false;
  std::uint32_t column = 0;    // of a field or fault
  std::string_view text = {};  // of a text, field or fault
  Number number = {};

  [[nodiscard]] static Value of_truth(bool truth) {
    Value value;
    value.kind = Kind::kTruth;
    value.truth = truth;
    return value;
  }
  // Null for no number.
  [[nodiscard]] static Value of_number(const Number& number) {
    Value value;
    value.kind = number ? Kind::kNumber : Kind::kNull;
    value.number = number;
    return value;
  }
};

// Gives the fields of the row that is evaluated: 64 bytes before and behind each may be read.
class RowFields {
 public:
  virtual ~RowFields() = default;
  // kNull or kField.
  [[nodiscard]] virtual Value field(std::uint32_t column) const = 0;
};

class Expression {
 public:
  enum class Type : std::uint8_t { kTruth, kNumber, kText, kField, kNull };

  // A truth, or a value; throws UsageError, pointing at the character, where the text is no expression.
  static Expression parse_condition(Lexer& lexer, ColumnNames& columns);
  static Expression parse_value(Lexer& lexer, ColumnNames& columns);

  [[nodiscard]] Value evaluate(const RowFields& row) const { return evaluate(root_, row); }
  // The value as a number: kNumber, kNull or kFault.
  [[nodiscard]] static Value as_number(const Value& value);

  // What a comparison says of two values that are not null, and no faults.
  [[nodiscard]] static std::weak_ordering compare(const Value& left, const Value& right);

  // A column compared with a number or text of the query; it holds for less, equal and greater as the bits say, from
  // the lowest.
  struct ColumnComparison {
    std::uint32_t column = 0;
    std::uint8_t holds = 0;
    const Value* constant = nullptr;
  };
  // Such comparisons that all have to be true, and whether they are the whole expression.
  struct Conjunction {
    std::vector<ColumnComparison> comparisons = {};
    bool complete = true;
  };
  [[nodiscard]] Conjunction conjunction() const;

  [[nodiscard]] Type type() const { return nodes_[root_].type; }
  // Whether it is a column and nothing else, and which.
  [[nodiscard]] bool is_column() const { return nodes_[root_].operation == Operation::kColumn; }
  [[nodiscard]] std::uint32_t column() const { return nodes_[root_].column; }
  // Equal texts mean equal expressions.
  [[nodiscard]] const std::string& text() const { return nodes_[root_].text; }

 private:
  friend class ExpressionParser;
  enum class Operation : std::uint8_t {
    kColumn,
    kConstant,
    kAdd,
    kSubtract,
    kMultiply,
    kDivide,
    kDivideWhole,
    kRemainder,
    kNegate,
    kLess,
    kLessOrEqual,
    kGreater,
    kGreaterOrEqual,
    kEqual,
    kUnequal,
    kIn,
    kIsNull,
    kMatches,
    kNot,
    kAnd,
    kOr,
  };
  struct Node {
    Operation operation = Operation::kConstant;
    Type type = Type::kNull;
    std::uint32_t column = 0;
    std::vector<std::uint32_t> operands = {};
    Value constant = {};
    std::shared_ptr<const std::string> owned = {};  // of a constant text
    std::shared_ptr<const re2::RE2> pattern = {};
    std::size_t begin = 0;  // its place in the query's text
    std::string text = {};
  };

  [[nodiscard]] Value evaluate(std::uint32_t index, const RowFields& row) const;
  void gather(std::uint32_t index, Conjunction& conjunction) const;

  std::vector<Node> nodes_;
  std::uint32_t root_ = 0;
};

}  // namespace fanfold::stats
