#include "jobs/stats/expression.h"

#include <re2/re2.h>

#include <algorithm>
#include <compare>
#include <utility>

#include "jobs/reader/number_scan.h"
#include "jobs/stats/numbers.h"

namespace fanfold::stats {

namespace {

constexpr unsigned kDepthMax = 200;

bool is_number_or_fault(const Value& value) {
  return value.kind == Value::Kind::kNumber || value.kind == Value::Kind::kFault;
}

}  // namespace

std::uint32_t ColumnNames::index_of(std::string_view name) {
  const auto found = std::find(names_.begin(), names_.end(), name);
  if (found != names_.end()) return static_cast<std::uint32_t>(found - names_.begin());
  names_.emplace_back(name);
  return static_cast<std::uint32_t>(names_.size() - 1);
}

// ---- parsing ----

class ExpressionParser {
 public:
  using Operation = Expression::Operation;
  using Type = Expression::Type;
  using Node = Expression::Node;

  ExpressionParser(Lexer& lexer, ColumnNames& columns) : lexer_(lexer), columns_(columns) {}

  Expression condition() {
    expression_.root_ = disjunction();
    // "x between 1 and 2": what is wrong is what follows the value.
    if (is_value(expression_.root_) && !lexer_.at_end()) {
      lexer_.expected("a comparison (=, <, in, is null, =~ and the like)");
    }
    want_truth(expression_.root_);
    return std::move(expression_);
  }
  Expression value() {
    expression_.root_ = sum();
    want_value(expression_.root_);
    return std::move(expression_);
  }

 private:
  // Parentheses, signs and "not" nest by recursion.
  struct Depth {
    explicit Depth(ExpressionParser& parser) : parser_(parser) {
      if (++parser.depth_ > kDepthMax)
        parser.lexer_.refuse(parser.lexer_.peek().begin, "the expression nests too deep");
    }
    ~Depth() { --parser_.depth_; }
    ExpressionParser& parser_;
  };

  Node& node(std::uint32_t index) { return expression_.nodes_[index]; }

  std::uint32_t make(Operation operation, Type type, std::vector<std::uint32_t> operands, std::string text,
                     std::size_t begin) {
    Node made;
    made.operation = operation;
    made.type = type;
    made.operands = std::move(operands);
    made.text = std::move(text);
    made.begin = begin;
    expression_.nodes_.push_back(std::move(made));
    return static_cast<std::uint32_t>(expression_.nodes_.size() - 1);
  }
  std::uint32_t join(Operation operation, Type type, std::uint32_t left, std::uint32_t right,
                     std::string_view between) {
    return make(operation, type, {left, right},
                "(" + node(left).text + " " + std::string(between) + " " + node(right).text + ")", node(left).begin);
  }

  bool is_value(std::uint32_t index) { return node(index).type != Type::kTruth && node(index).type != Type::kNull; }
  void want_truth(std::uint32_t index) {
    if (is_value(index)) {
      lexer_.refuse(node(index).begin, "this is a value where a condition is expected; compare it with something");
    }
  }
  void want_value(std::uint32_t index) {
    if (node(index).type != Type::kTruth) return;
    const bool is_word = node(index).operation == Operation::kConstant;
    lexer_.refuse(node(index).begin,
                  std::string("this is a condition where a value is expected") +
                      (is_word ? "; compare a field with the text, \"" + node(index).text + "\"" : std::string()));
  }
  void want_number(std::uint32_t index) {
    want_value(index);
    if (node(index).type == Type::kText) lexer_.refuse(node(index).begin, "there is no arithmetic on a text");
  }

  std::uint32_t disjunction() {
    std::uint32_t left = conjunction();
    while (lexer_.take_word("or")) {
      want_truth(left);
      const std::uint32_t right = conjunction();
      want_truth(right);
      left = join(Operation::kOr, Type::kTruth, left, right, "or");
    }
    return left;
  }
  std::uint32_t conjunction() {
    std::uint32_t left = negation();
    while (lexer_.take_word("and")) {
      want_truth(left);
      const std::uint32_t right = negation();
      want_truth(right);
      left = join(Operation::kAnd, Type::kTruth, left, right, "and");
    }
    return left;
  }
  std::uint32_t negation() {
    const std::size_t begin = lexer_.peek().begin;
    if (!lexer_.take_word("not")) return test();
    const Depth depth(*this);
    const std::uint32_t operand = negation();
    want_truth(operand);
    return make(Operation::kNot, Type::kTruth, {operand}, "(not " + node(operand).text + ")", begin);
  }

  std::uint32_t test() {
    const std::uint32_t left = sum();
    constexpr std::pair<std::string_view, Operation> kComparisons[] = {
        {"<=", Operation::kLessOrEqual}, {">=", Operation::kGreaterOrEqual}, {"<>", Operation::kUnequal},
        {"!=", Operation::kUnequal},     {"==", Operation::kEqual},          {"=", Operation::kEqual},
        {"<", Operation::kLess},         {">", Operation::kGreater}};
    for (const auto& [symbol, operation] : kComparisons) {
      if (!lexer_.take_symbol(symbol)) continue;
      want_value(left);
      const std::uint32_t right = sum();
      want_value(right);
      return join(operation, Type::kTruth, left, right, symbol);
    }
    if (lexer_.peek().text == "=~" || lexer_.peek().text == "!~") return match(left);
    if (lexer_.take_word("is")) {
      want_value(left);
      const bool negated = lexer_.take_word("not");
      if (!lexer_.take_word("null")) lexer_.expected("null");
      return negated_if(negated, make(Operation::kIsNull, Type::kTruth, {left}, "(" + node(left).text + " is null)",
                                      node(left).begin));
    }
    if (lexer_.peek().lower == "not" && lexer_.peek_second().lower == "in") {
      lexer_.take();
      lexer_.take();
      return negated_if(true, list(left));
    }
    if (lexer_.take_word("in")) return list(left);
    return left;
  }
  std::uint32_t negated_if(bool negated, std::uint32_t operand) {
    if (!negated) return operand;
    return make(Operation::kNot, Type::kTruth, {operand}, "(not " + node(operand).text + ")", node(operand).begin);
  }
  std::uint32_t list(std::uint32_t left) {
    want_value(left);
    if (!lexer_.take_symbol("(")) lexer_.expected("a list of values in parentheses");
    std::vector<std::uint32_t> operands{left};
    std::string text = "(" + node(left).text + " in (";
    do {
      operands.push_back(sum());
      want_value(operands.back());
      text += (operands.size() > 2 ? ", " : "") + node(operands.back()).text;
    } while (lexer_.take_symbol(","));
    if (!lexer_.take_symbol(")")) lexer_.expected("a comma or a closing parenthesis");
    return make(Operation::kIn, Type::kTruth, std::move(operands), text + "))", node(left).begin);
  }
  std::uint32_t match(std::uint32_t left) {
    if (node(left).type != Type::kField && node(left).type != Type::kText) {
      lexer_.refuse(node(left).begin, "only a column or a text can match a pattern");
    }
    const bool negated = lexer_.take().text == "!~";
    if (lexer_.peek().kind != TokenKind::kText) lexer_.expected("a pattern in quotes");
    const Token pattern = lexer_.take();
    RE2::Options options;
    options.set_log_errors(false);
    auto compiled = std::make_shared<RE2>(pattern.text, options);
    if (!compiled->ok()) lexer_.refuse(pattern.begin, "this is no regular expression (" + compiled->error() + ")");
    const std::uint32_t made = make(Operation::kMatches, Type::kTruth, {left},
                                    "(" + node(left).text + " =~ " + quoted(pattern.text) + ")", node(left).begin);
    node(made).pattern = std::move(compiled);
    return negated_if(negated, made);
  }

  std::uint32_t sum() {
    std::uint32_t left = product();
    for (;;) {
      const bool plus = lexer_.take_symbol("+");
      if (!plus && !lexer_.take_symbol("-")) return left;
      want_number(left);
      const std::uint32_t right = product();
      want_number(right);
      left = join(plus ? Operation::kAdd : Operation::kSubtract, Type::kNumber, left, right, plus ? "+" : "-");
    }
  }
  std::uint32_t product() {
    std::uint32_t left = signed_value();
    constexpr std::pair<std::string_view, Operation> kProducts[] = {{"*", Operation::kMultiply},
                                                                    {"//", Operation::kDivideWhole},
                                                                    {"/", Operation::kDivide},
                                                                    {"%", Operation::kRemainder}};
    for (;;) {
      const auto* found = std::find_if(std::begin(kProducts), std::end(kProducts),
                                       [&](const auto& product) { return lexer_.take_symbol(product.first); });
      if (found == std::end(kProducts)) return left;
      want_number(left);
      const std::uint32_t right = signed_value();
      want_number(right);
      left = join(found->second, Type::kNumber, left, right, found->first);
    }
  }
  std::uint32_t signed_value() {
    const std::size_t begin = lexer_.peek().begin;
    if (lexer_.take_symbol("+")) {
      const Depth depth(*this);
      const std::uint32_t operand = signed_value();
      want_number(operand);
      return operand;
    }
    if (!lexer_.take_symbol("-")) return primary();
    const Depth depth(*this);
    const std::uint32_t operand = signed_value();
    want_number(operand);
    const std::string text = "(-" + node(operand).text + ")";
    if (const Value& value = node(operand).constant; value.kind == Value::Kind::kNumber) {
      return constant(Value::of_number(negate(value.number)), Type::kNumber, text, begin);
    }
    return make(Operation::kNegate, Type::kNumber, {operand}, text, begin);
  }
  std::uint32_t primary() {
    const std::size_t begin = lexer_.peek().begin;
    if (lexer_.take_symbol("(")) {
      const Depth depth(*this);
      const std::uint32_t inner = disjunction();
      if (!lexer_.take_symbol(")")) lexer_.expected("a closing parenthesis");
      return inner;
    }
    switch (lexer_.peek().kind) {
      case TokenKind::kNumber: {
        const Token token = lexer_.take();
        const Number number = parse_number(token.text);
        if (!number) lexer_.refuse(begin, "this is no number");
        return constant(Value::of_number(number), Type::kNumber, text_of(number), begin);
      }
      case TokenKind::kText: {
        const Token token = lexer_.take();
        Value value;
        value.kind = Value::Kind::kText;
        // With room to read around it, as fields have.
        auto owned = std::make_shared<const std::string>(std::string(64, '\0') + token.text + std::string(64, '\0'));
        value.text = std::string_view(*owned).substr(64, token.text.size());
        const std::uint32_t made = constant(value, Type::kText, quoted(token.text), begin);
        node(made).owned = std::move(owned);
        return made;
      }
      case TokenKind::kName:
        return name(begin);
      default:
        lexer_.expected("a column, a number or a text");
    }
  }
  std::uint32_t name(std::size_t begin) {
    if (lexer_.take_word("null")) return constant({}, Type::kNull, "null", begin);
    if (lexer_.take_word("true")) return constant(Value::of_truth(true), Type::kTruth, "true", begin);
    if (lexer_.take_word("false")) return constant(Value::of_truth(false), Type::kTruth, "false", begin);
    for (const std::string_view keyword : {"and", "or", "not", "in", "is", "as", "asc", "desc"}) {
      if (lexer_.peek().lower == keyword) lexer_.expected("a column, a number or a text");
    }
    if (lexer_.peek_second().kind == TokenKind::kSymbol && lexer_.peek_second().text == "(") {
      lexer_.refuse(begin,
                    "there is no function " + lexer_.peek().text + " in expressions; aggregates stand alone, in --agg");
    }
    const Token token = lexer_.take();
    const std::uint32_t made = make(Operation::kColumn, Type::kField, {}, name_in_query(token.text), begin);
    node(made).column = columns_.index_of(token.text);
    return made;
  }
  std::uint32_t constant(const Value& value, Type type, std::string text, std::size_t begin) {
    const std::uint32_t made = make(Operation::kConstant, type, {}, std::move(text), begin);
    node(made).constant = value;
    return made;
  }
  static std::string quoted(std::string_view text) {
    std::string result = "\"";
    for (const char byte : text) result.append(byte == '"' ? 2 : 1, byte);
    return result + "\"";
  }

  Lexer& lexer_;
  ColumnNames& columns_;
  Expression expression_;
  unsigned depth_ = 0;
};

Expression Expression::parse_condition(Lexer& lexer, ColumnNames& columns) {
  return ExpressionParser(lexer, columns).condition();
}

Expression Expression::parse_value(Lexer& lexer, ColumnNames& columns) {
  return ExpressionParser(lexer, columns).value();
}

// ---- evaluating ----

// By value where both are numbers or may be read as such; a text of the query compares as text.
std::weak_ordering Expression::compare(const Value& left, const Value& right) {
  const bool as_text = left.kind == Value::Kind::kText || right.kind == Value::Kind::kText;
  const auto number_of = [](const Value& value) {
    return value.kind == Value::Kind::kNumber ? value.number
                                              : reader::read_number(value.text.data(), value.text.size());
  };
  if (as_text) {
    // A number computed is below all texts; a field is text here.
    const bool left_number = left.kind == Value::Kind::kNumber;
    const bool right_number = right.kind == Value::Kind::kNumber;
    if (left_number || right_number) return right_number <=> left_number;
    return left.text <=> right.text;
  }
  const Number a = number_of(left);
  const Number b = number_of(right);
  if (a && b) return stats::compare(a, b);
  if (a || b) return a ? std::weak_ordering::less : std::weak_ordering::greater;
  return left.text <=> right.text;
}

Expression::Conjunction Expression::conjunction() const {
  Conjunction conjunction;
  gather(root_, conjunction);
  return conjunction;
}

void Expression::gather(std::uint32_t index, Conjunction& conjunction) const {
  const Node& node = nodes_[index];
  if (node.operation == Operation::kAnd) {
    gather(node.operands[0], conjunction);
    gather(node.operands[1], conjunction);
    return;
  }
  constexpr std::uint8_t kIfLess = 1;
  constexpr std::uint8_t kIfEqual = 2;
  constexpr std::uint8_t kIfGreater = 4;
  std::uint8_t holds = 0;
  switch (node.operation) {
    case Operation::kLess:
      holds = kIfLess;
      break;
    case Operation::kLessOrEqual:
      holds = kIfLess | kIfEqual;
      break;
    case Operation::kGreater:
      holds = kIfGreater;
      break;
    case Operation::kGreaterOrEqual:
      holds = kIfGreater | kIfEqual;
      break;
    case Operation::kEqual:
      holds = kIfEqual;
      break;
    case Operation::kUnequal:
      holds = kIfLess | kIfGreater;
      break;
    default:
      conjunction.complete = false;
      return;
  }
  const Node* left = &nodes_[node.operands[0]];
  const Node* right = &nodes_[node.operands[1]];
  if (left->operation == Operation::kConstant) {
    std::swap(left, right);
    const bool less = (holds & kIfLess) != 0;
    const bool greater = (holds & kIfGreater) != 0;
    holds = static_cast<std::uint8_t>((holds & kIfEqual) | (less ? kIfGreater : 0) | (greater ? kIfLess : 0));
  }
  if (left->operation != Operation::kColumn || right->operation != Operation::kConstant ||
      right->constant.kind == Value::Kind::kNull) {
    conjunction.complete = false;
    return;
  }
  conjunction.comparisons.push_back({left->column, holds, &right->constant});
}

Value Expression::as_number(const Value& value) {
  if (value.kind != Value::Kind::kField && value.kind != Value::Kind::kText) return value;
  const Number number = reader::read_number(value.text.data(), value.text.size());
  if (number) return Value::of_number(number);
  Value fault = value;
  fault.kind = Value::Kind::kFault;
  return fault;
}

Value Expression::evaluate(std::uint32_t index, const RowFields& row) const {
  const Node& node = nodes_[index];
  const auto operand = [&](std::size_t which) { return evaluate(node.operands[which], row); };
  switch (node.operation) {
    case Operation::kColumn:
      return row.field(node.column);
    case Operation::kConstant:
      return node.constant;
    case Operation::kNegate: {
      const Value value = as_number(operand(0));
      return value.kind == Value::Kind::kNumber ? Value::of_number(negate(value.number)) : value;
    }
    case Operation::kAdd:
    case Operation::kSubtract:
    case Operation::kMultiply:
    case Operation::kDivide:
    case Operation::kDivideWhole:
    case Operation::kRemainder: {
      const Value left = as_number(operand(0));
      const Value right = as_number(operand(1));
      if (left.kind == Value::Kind::kFault) return left;
      if (right.kind == Value::Kind::kFault) return right;
      if (!is_number_or_fault(left) || !is_number_or_fault(right)) return {};
      switch (node.operation) {
        case Operation::kAdd:
          return Value::of_number(add(left.number, right.number));
        case Operation::kSubtract:
          return Value::of_number(subtract(left.number, right.number));
        case Operation::kMultiply:
          return Value::of_number(multiply(left.number, right.number));
        case Operation::kDivide:
          return Value::of_number(divide(left.number, right.number));
        case Operation::kDivideWhole:
          return Value::of_number(divide_whole(left.number, right.number));
        default:
          return Value::of_number(remainder(left.number, right.number));
      }
    }
    case Operation::kLess:
    case Operation::kLessOrEqual:
    case Operation::kGreater:
    case Operation::kGreaterOrEqual:
    case Operation::kEqual:
    case Operation::kUnequal: {
      const Value left = operand(0);
      const Value right = operand(1);
      if (left.kind == Value::Kind::kFault) return left;
      if (right.kind == Value::Kind::kFault) return right;
      if (left.kind == Value::Kind::kNull || right.kind == Value::Kind::kNull) return {};
      const std::weak_ordering order = compare(left, right);
      switch (node.operation) {
        case Operation::kLess:
          return Value::of_truth(order < 0);
        case Operation::kLessOrEqual:
          return Value::of_truth(order <= 0);
        case Operation::kGreater:
          return Value::of_truth(order > 0);
        case Operation::kGreaterOrEqual:
          return Value::of_truth(order >= 0);
        case Operation::kEqual:
          return Value::of_truth(order == 0);
        default:
          return Value::of_truth(order != 0);
      }
    }
    case Operation::kIn: {
      const Value left = operand(0);
      if (left.kind == Value::Kind::kNull || left.kind == Value::Kind::kFault) return left;
      Value unknown = Value::of_truth(false);
      for (std::size_t which = 1; which < node.operands.size(); ++which) {
        const Value right = operand(which);
        if (right.kind == Value::Kind::kNull || right.kind == Value::Kind::kFault) {
          if (unknown.kind != Value::Kind::kFault) unknown = right;
        } else if (compare(left, right) == 0) {
          return Value::of_truth(true);
        }
      }
      return unknown;
    }
    case Operation::kIsNull: {
      const Value value = operand(0);
      return value.kind == Value::Kind::kFault ? value : Value::of_truth(value.kind == Value::Kind::kNull);
    }
    case Operation::kMatches: {
      const Value value = operand(0);
      if (value.kind == Value::Kind::kNull || value.kind == Value::Kind::kFault) return value;
      return Value::of_truth(RE2::PartialMatch({value.text.data(), value.text.size()}, *node.pattern));
    }
    case Operation::kNot: {
      const Value value = operand(0);
      return value.kind == Value::Kind::kTruth ? Value::of_truth(!value.truth) : value;
    }
    case Operation::kAnd:
    case Operation::kOr: {
      const bool absorbing = node.operation == Operation::kOr;
      const Value left = operand(0);
      if (left.kind == Value::Kind::kTruth && left.truth == absorbing) return left;
      const Value right = operand(1);
      if (right.kind == Value::Kind::kTruth && right.truth == absorbing) return right;
      if (left.kind == Value::Kind::kFault) return left;
      if (right.kind == Value::Kind::kFault) return right;
      return left.kind == Value::Kind::kNull ? left : right;
    }
  }
  return {};
}

}  // namespace fanfold::stats
