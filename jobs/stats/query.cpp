#include "jobs/stats/query.h"

#include <fanfold/big_integer.h>
#include <fanfold/parameters.h>
#include <fanfold/rounding.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include "jobs/stats/numbers.h"

namespace fanfold::stats {

namespace {

constexpr std::size_t kNameBytesMax = 256;  // of a result column (engine/protocol/schema.h refuses more)

struct FunctionName {
  std::string_view name;
  Function function;
};
constexpr std::array<FunctionName, 13> kFunctions = {{{"count", Function::kCount},
                                                      {"sum", Function::kSum},
                                                      {"mean", Function::kMean},
                                                      {"min", Function::kMin},
                                                      {"max", Function::kMax},
                                                      {"var", Function::kVariance},
                                                      {"var_pop", Function::kVariancePopulation},
                                                      {"stddev", Function::kDeviation},
                                                      {"stddev_pop", Function::kDeviationPopulation},
                                                      {"distinct", Function::kDistinct},
                                                      {"approx_distinct", Function::kApproxDistinct},
                                                      {"mode", Function::kMode},
                                                      {"quantile", Function::kQuantile}}};

bool takes_numbers(Function function) {
  switch (function) {
    case Function::kSum:
    case Function::kMean:
    case Function::kVariance:
    case Function::kVariancePopulation:
    case Function::kDeviation:
    case Function::kDeviationPopulation:
    case Function::kQuantile:
      return true;
    default:
      return false;
  }
}
bool needs_squares(Function function) {
  return function == Function::kVariance || function == Function::kVariancePopulation ||
         function == Function::kDeviation || function == Function::kDeviationPopulation;
}

// pNN: p50, p99, p99.9. Up to 100.
std::optional<Decimal> percent_of(std::string_view name) {
  if (name.size() < 2 || name[0] != 'p') return std::nullopt;
  const std::string_view digits = name.substr(1);
  if (digits.find_first_not_of("0123456789.") != std::string_view::npos || digits.front() == '.') return std::nullopt;
  const Number number = parse_number(digits);
  if (number.kind() != Number::Kind::kDecimal || number.decimal().fraction_digits() > 12) return std::nullopt;
  const Decimal percent = number.decimal();
  if (!percent.is_narrow() || compare(number, Number(Decimal(std::int64_t{100}))) > 0) return std::nullopt;
  return percent;
}

std::string help_of(Function function, const std::string& text) {
  switch (function) {
    case Function::kCount:
      return text == "count" ? "rows" : "values that are not null";
    case Function::kDistinct:
      return "different values, exactly";
    case Function::kApproxDistinct:
      return "different values: exact up to 1,024, beyond with a standard error of 0.8 %";
    case Function::kQuantile:
      return "between the two values around that place, as SQL's percentile_cont: exact up to 512 values, beyond each "
             "within 0.4 %, or 0.8, 1.6 ... % where values span more than 32 powers of two";
    case Function::kMode:
      return "the most frequent value, of equally frequent ones the least";
    case Function::kSum:
    case Function::kMean:
      return "exact";
    case Function::kMin:
      return "the least value, numbers before texts";
    case Function::kMax:
      return "the greatest value, numbers before texts";
    default:
      return "from exact sums, rounded once";
  }
}

// floor(sqrt(value)), by Newton's steps from above.
BigInteger root_of(const BigInteger& value) {
  if (value.is_zero()) return value;
  BigInteger root = BigInteger::from_unsigned(1) << ((value.bit_length() + 1) / 2);
  for (;;) {
    BigInteger next = BigInteger::divide(value, root).first + root;
    next.divide_small(2);
    if (next >= root) return root;
    root = next;
  }
}

// The square root of an exact value with so many fraction digits, halves towards plus infinity:
// floor(sqrt(x) + 1/2) is (floor(sqrt(4 x)) + 1) / 2 in whole numbers.
std::string rounded_root(const ExactValue& value, unsigned digits) {
  const BigInteger scale = BigInteger::power_of_ten(2 * digits);
  BigInteger numerator = (value.numerator * scale) << 2;
  BigInteger denominator = value.denominator;
  if (value.exponent >= 0) {
    numerator <<= static_cast<std::size_t>(value.exponent);
  } else {
    denominator <<= static_cast<std::size_t>(-value.exponent);
  }
  BigInteger root = root_of(BigInteger::divide(numerator, denominator).first) + BigInteger::from_unsigned(1);
  root.divide_small(2);
  return decimal_text(root, digits);
}

}  // namespace

Query::Query(const QueryTexts& texts) : decimals_(texts.decimals), null_(texts.null) {
  parse_keys(texts.by);
  if (!texts.where.empty()) {
    Lexer lexer("--where", texts.where);
    where_ = Expression::parse_condition(lexer, columns_);
    if (!lexer.at_end()) lexer.expected("an operator or the end");
  }
  parse_aggregates(texts.aggregates);
  parse_order(texts.order_by);
}

void Query::add_output(Output output, const Lexer& lexer, std::size_t at) {
  if (output.name.size() > kNameBytesMax) {
    lexer.refuse(at, "the result column's name has more than 256 bytes; name it with `as`");
  }
  for (const Output& other : outputs_) {
    if (other.name == output.name) {
      lexer.refuse(at, "there are two result columns " + name_in_query(output.name) + "; name one of them with `as`");
    }
  }
  outputs_.push_back(std::move(output));
}

void Query::parse_keys(const std::string& text) {
  if (text.empty()) return;
  Lexer lexer("--by", text);
  do {
    if (lexer.peek().kind != TokenKind::kName) lexer.expected("a column's name");
    const Token name = lexer.take();
    if (!lexer.at_end() && !(lexer.peek().kind == TokenKind::kSymbol && lexer.peek().text == ",")) {
      lexer.expected("a comma or the end (a name of several words stands in `backquotes`)");
    }
    const std::uint32_t column = columns_.index_of(name.text);
    if (std::find(keys_.begin(), keys_.end(), column) != keys_.end()) {
      lexer.refuse(name.begin, "the key " + name_in_query(name.text) + " is named twice");
    }
    keys_.push_back(column);
    Output output;
    output.name = name.text;
    output.is_key = true;
    add_output(std::move(output), lexer, name.begin);
  } while (lexer.take_symbol(","));
}

std::uint32_t Query::argument_of(Expression expression) {
  for (std::uint32_t index = 0; index < arguments_.size(); ++index) {
    if (arguments_[index].expression.text() == expression.text()) return index;
  }
  arguments_.push_back({std::move(expression), false});
  return static_cast<std::uint32_t>(arguments_.size() - 1);
}

Query::Call Query::parse_call(Lexer& lexer) {
  if (lexer.peek().kind != TokenKind::kName) lexer.expected("an aggregate");
  const Token name = lexer.take();
  Call call;
  call.begin = name.begin;
  const auto* known = std::find_if(kFunctions.begin(), kFunctions.end(),
                                   [&](const FunctionName& one) { return one.name == name.lower; });
  const std::optional<Decimal> percent = percent_of(name.lower);
  if (known != kFunctions.end()) {
    call.function = known->function;
  } else if (name.lower == "median" || percent) {
    call.function = Function::kQuantile;
    call.numerator = percent ? static_cast<std::uint64_t>(percent->narrow()) : 1;
    call.denominator = percent ? 100 * kPowersOfTen[percent->fraction_digits()] : 2;
  } else {
    lexer.refuse(name.begin, "there is no aggregate " + name_in_query(name.text) +
                                 "; there are count, sum, mean, min, max, var, var_pop, stddev, stddev_pop, distinct, "
                                 "approx_distinct, median, quantile, p50 and the like, and mode");
  }
  if (!lexer.take_symbol("(")) lexer.expected("an opening parenthesis");
  const bool star = call.function == Function::kCount && lexer.take_symbol("*");
  const bool empty = lexer.peek().kind == TokenKind::kSymbol && lexer.peek().text == ")";
  if (star || (call.function == Function::kCount && empty)) {
    call.text = "count";
  } else {
    const std::size_t begin = lexer.peek().begin;
    Expression expression = Expression::parse_value(lexer, columns_);
    if (expression.type() == Expression::Type::kText && takes_numbers(call.function)) {
      lexer.refuse(begin,
                   name.lower + " takes numbers, and this is a text; a column's name stands in `backquotes` or bare");
    }
    call.text = name.lower + "(" + [](std::string text) {
      // Without the outer parentheses of an operation.
      return text.front() == '(' ? text.substr(1, text.size() - 2) : text;
    }(expression.text());
    call.argument = argument_of(std::move(expression));
    if (name.lower == "quantile") {
      if (!lexer.take_symbol(",")) lexer.expected("a comma and the rank, from 0 to 1,");
      if (lexer.peek().kind != TokenKind::kNumber) lexer.expected("a rank from 0 to 1");
      const Token rank = lexer.take();
      const Number number = parse_number(rank.text);
      if (number.kind() != Number::Kind::kDecimal || !number.decimal().is_narrow() ||
          compare(number, Number(Decimal(std::int64_t{1}))) > 0) {
        lexer.refuse(rank.begin, "a rank is a number from 0 to 1");
      }
      call.numerator = static_cast<std::uint64_t>(number.decimal().narrow());
      call.denominator = kPowersOfTen[number.decimal().fraction_digits()];
      call.text += ", " + text_of(number);
    }
    call.text += ")";
  }
  if (!lexer.take_symbol(")")) lexer.expected("a closing parenthesis");
  call.name = call.text;
  return call;
}

void Query::parse_aggregates(const std::string& text) {
  Lexer lexer("--agg", text);
  std::vector<Call> calls;
  if (!lexer.at_end()) {
    do {
      Call call = parse_call(lexer);
      if (lexer.take_word("as")) {
        if (lexer.peek().kind != TokenKind::kName) lexer.expected("a name for the result column");
        call.name = lexer.take().text;
      }
      if (call.argument != Addition::kRows && takes_numbers(call.function)) arguments_[call.argument].numeric = true;
      calls.push_back(std::move(call));
    } while (lexer.take_symbol(","));
    if (!lexer.at_end()) lexer.expected("a comma, `as` or the end");
  }
  if (calls.empty() && keys_.empty()) throw UsageError{"there is nothing to compute; give --agg or --by"};

  // What each argument needs of a group's run; what can be shared is.
  struct Needs {
    bool count = false;
    bool sum = false;
    bool squares = false;
    bool least = false;
    bool greatest = false;
    bool tally = false;
    bool distinct = false;
    bool quantiles = false;
  };
  std::vector<Needs> needs(arguments_.size());
  bool rows = false;
  for (const Call& call : calls) {
    if (call.argument == Addition::kRows) {
      rows = true;
      continue;
    }
    Needs& need = needs[call.argument];
    need.count |= call.function == Function::kCount;
    need.sum |= call.function == Function::kSum || call.function == Function::kMean;
    need.squares |= needs_squares(call.function);
    need.least |= call.function == Function::kMin;
    need.greatest |= call.function == Function::kMax;
    need.tally |= call.function == Function::kDistinct || call.function == Function::kMode;
    need.distinct |= call.function == Function::kApproxDistinct;
    need.quantiles |= call.function == Function::kQuantile;
  }
  const auto component = [&](ComponentKind kind, std::uint32_t argument) {
    for (const Addition& addition : additions_) {
      if (addition.kind == kind && addition.argument == argument) return addition.offset;
    }
    const std::uint32_t offset = layout_.add(kind);
    additions_.push_back({kind, offset, argument});
    return offset;
  };
  if (rows) component(ComponentKind::kCount, Addition::kRows);
  for (const Call& call : calls) {
    Output output;
    output.name = call.name;
    output.text = call.text;
    output.help = help_of(call.function, call.text);
    output.function = call.function;
    output.numerator = call.numerator;
    output.denominator = call.denominator;
    const Type rounded = decimals_ >= 0 ? Type::kDecimal : Type::kFloat64;
    if (call.argument == Addition::kRows) {
      output.kind = ComponentKind::kCount;
      output.type = Type::kUint64;
    } else {
      const Needs& need = needs[call.argument];
      const bool numeric = arguments_[call.argument].numeric;
      const bool fused = numeric && need.sum && !need.squares && (need.least || need.greatest);
      const ComponentKind moments = fused          ? ComponentKind::kNumberColumn
                                    : need.squares ? ComponentKind::kVariance
                                                   : ComponentKind::kMoments;
      switch (call.function) {
        case Function::kCount:
          output.type = Type::kUint64;
          output.kind = need.sum || need.squares ? moments : ComponentKind::kCount;
          break;
        case Function::kSum:
          output.type = Type::kDecimal;
          output.kind = moments;
          break;
        case Function::kMean:
          output.type = rounded;
          output.kind = moments;
          break;
        case Function::kMin:
          output.type = Type::kDecimal;
          output.kind = fused ? moments : ComponentKind::kLeast;
          break;
        case Function::kMax:
          output.type = Type::kDecimal;
          output.kind = fused ? moments : ComponentKind::kGreatest;
          break;
        case Function::kDistinct:
          output.type = Type::kUint64;
          output.kind = ComponentKind::kTally;
          break;
        case Function::kMode:
          output.type = Type::kDecimal;
          output.kind = ComponentKind::kTally;
          break;
        case Function::kApproxDistinct:
          output.type = Type::kUint64;
          output.kind = ComponentKind::kDistinct;
          break;
        case Function::kQuantile:
          output.type = rounded;
          output.kind = ComponentKind::kQuantiles;
          break;
        default:
          output.type = rounded;
          output.kind = ComponentKind::kVariance;
      }
    }
    output.offset = component(output.kind, call.argument);
    add_output(std::move(output), lexer, call.begin);
  }
}

void Query::parse_order(const std::string& text) {
  if (text.empty()) return;
  Lexer lexer("--order-by", text);
  do {
    const Token first = lexer.peek();
    std::string wanted = first.text;
    const bool is_call = first.kind == TokenKind::kName && lexer.peek_second().kind == TokenKind::kSymbol &&
                         lexer.peek_second().text == "(";
    if (is_call) {
      const std::size_t arguments = arguments_.size();
      wanted = parse_call(lexer).text;
      arguments_.resize(arguments, arguments_.empty() ? Argument{} : arguments_.front());
    } else if (first.kind == TokenKind::kName) {
      lexer.take();
    } else {
      lexer.expected("a result column");
    }
    std::uint32_t column = 0;
    while (column < outputs_.size() &&
           (is_call ? outputs_[column].is_key || outputs_[column].text != wanted : outputs_[column].name != wanted)) {
      ++column;
    }
    if (column == outputs_.size()) {
      std::string names;
      for (const Output& output : outputs_) names += (names.empty() ? "" : ", ") + name_in_query(output.name);
      lexer.refuse(first.begin, "there is no such result column; there are " + names);
    }
    for (const fanfold_order& term : order_) {
      if (term.column == column) lexer.refuse(first.begin, "a result column is named twice");
    }
    const bool descending = lexer.take_word("desc");
    if (!descending) lexer.take_word("asc");
    order_.push_back({column, descending ? 1U : 0U});
    // Keys that are ordered by wish are ordered as numbers where they are.
    if (outputs_[column].is_key) outputs_[column].type = Type::kDecimal;
  } while (lexer.take_symbol(","));
  if (!lexer.at_end()) lexer.expected("a comma, asc, desc or the end");
}

void Query::append_key(std::string& key, std::string_view field) {
  std::array<std::byte, 10> size{};
  const std::byte* end = store_varint(size.data(), field.size());
  key.append(reinterpret_cast<const char*>(size.data()), static_cast<std::size_t>(end - size.data()));
  key.append(field);
}

void Query::declare(SchemaBuilder& schema) const {
  for (const Output& output : outputs_) schema.column(output.name, output.type, output.help);
  for (const fanfold_order& term : order_) {
    schema.order_by(outputs_[term.column].name, term.descending != 0 ? Direction::kDescending : Direction::kAscending);
  }
}

// ---- results ----

void Query::emit_double(std::optional<double> value, Rows& rows) const {
  if (decimals_ < 0) {
    rows.cell(value);
  } else if (value) {
    rows.cell(rounded_text_of(*value, static_cast<unsigned>(decimals_)));
  } else {
    rows.cell(std::optional<std::string>());
  }
}

template <class Moments>
void Query::emit_moments(const Output& output, const Moments& moments, Rows& rows) const {
  if (output.function == Function::kCount) {
    rows.cell(moments.count());
    return;
  }
  const std::uint64_t count = moments.count();
  if (count == 0) {
    rows.cell(std::optional<std::string>());
    return;
  }
  const DecimalSum& sum = moments.sum();
  if (output.function == Function::kSum) {
    if (decimals_ < 0) {
      rows.cell(sum.text());
    } else {
      rows.cell(sum.rounded(static_cast<unsigned>(decimals_)).value_or(sum.text()));
    }
    return;
  }
  ExactValue mean = sum.exact_value();
  mean.denominator.multiply_small(count);
  if (decimals_ < 0) {
    rows.cell(mean.nearest());
  } else {
    rows.cell(mean.rounded(static_cast<unsigned>(decimals_)).value_or(text_of(mean.nearest())));
  }
}

template <class Extremum>
void Query::emit_extreme(const Extremum& extreme, Rows& rows) const {
  switch (extreme.kind()) {
    case Extremum::Kind::kNothing:
      rows.cell(std::optional<std::string>());
      return;
    case Extremum::Kind::kText:
      rows.cell(extreme.text());
      return;
    default:
      rows.cell(decimals_ < 0 ? text_of(extreme.number())
                              : rounded_text_of(extreme.number(), static_cast<unsigned>(decimals_)));
  }
}

// Between the two values around the place numerator / denominator of the way from the least to the greatest.
void Query::emit_quantile(const Output& output, const Quantiles& quantiles, Rows& rows) const {
  if (quantiles.count() == 0) {
    rows.cell(std::optional<std::string>());
    return;
  }
  const UInt128 place = static_cast<UInt128>(output.numerator) * (quantiles.count() - 1);
  const auto rest = static_cast<std::uint64_t>(place % output.denominator);
  const auto [low, high] = quantiles.at(static_cast<std::uint64_t>(place / output.denominator));
  const bool nearer_low = rest < output.denominator - rest;
  if (rest == 0 || low == high || !std::isfinite(low) || !std::isfinite(high)) {
    const double value = nearer_low ? low : high;
    if (decimals_ < 0 || !std::isfinite(value)) return emit_double(value, rows);
    rows.cell(*point_between(value, value, 0, 1).rounded(static_cast<unsigned>(decimals_)));
    return;
  }
  const ExactValue value = point_between(low, high, rest, output.denominator);
  if (decimals_ < 0) {
    rows.cell(value.nearest());
  } else {
    rows.cell(*value.rounded(static_cast<unsigned>(decimals_)));
  }
}

void Query::emit_aggregate(const Output& output, RunView run, Rows& rows) const {
  switch (output.kind) {
    case ComponentKind::kCount:
      rows.cell(run.at<Count>(output.offset).value());
      return;
    case ComponentKind::kMoments:
      emit_moments(output, run.at<NumberMoments>(output.offset), rows);
      return;
    case ComponentKind::kVariance: {
      const auto& variance = run.at<Variance<Decimal>>(output.offset);
      if (!needs_squares(output.function)) return emit_moments(output, variance, rows);
      const bool sample = output.function == Function::kVariance || output.function == Function::kDeviation;
      const bool root = output.function == Function::kDeviation || output.function == Function::kDeviationPopulation;
      const Divisor divisor = sample ? Divisor::kSample : Divisor::kPopulation;
      if (decimals_ < 0 || variance.count() < (sample ? 2U : 1U)) {
        return emit_double(root ? variance.deviation(divisor) : variance.value(divisor), rows);
      }
      const auto digits = static_cast<unsigned>(decimals_);
      const ExactValue exact = variance.exact_value(divisor);
      if (exact.special.any()) {
        rows.cell(std::string("nan"));
      } else {
        rows.cell(root ? rounded_root(exact, digits) : *exact.rounded(digits));
      }
      return;
    }
    case ComponentKind::kNumberColumn: {
      const auto& column = run.at<NumberColumn>(output.offset);
      if (output.function == Function::kMin) return emit_extreme(column.least(), rows);
      if (output.function == Function::kMax) return emit_extreme(column.greatest(), rows);
      return emit_moments(output, column, rows);
    }
    case ComponentKind::kLeast:
      return emit_extreme(run.at<Least>(output.offset), rows);
    case ComponentKind::kGreatest:
      return emit_extreme(run.at<Greatest>(output.offset), rows);
    case ComponentKind::kTally: {
      const auto& tally = run.at<TextTally>(output.offset);
      if (output.function == Function::kDistinct) {
        rows.cell(tally.size());
        return;
      }
      std::optional<std::string_view> best;
      std::uint64_t most = 0;
      const auto below = [](std::string_view left, std::string_view right) {
        const Number a = parse_number(left);
        const Number b = parse_number(right);
        if (static_cast<bool>(a) != static_cast<bool>(b)) return static_cast<bool>(a);
        if (a && compare(a, b) != 0) return compare(a, b) < 0;
        return left < right;
      };
      tally.for_each([&](std::string_view text, std::uint64_t times) {
        if (times < most || (times == most && !below(text, *best))) return;
        most = times;
        best = text;
      });
      rows.cell(best);
      return;
    }
    case ComponentKind::kDistinct:
      rows.cell(run.at<Distinct>(output.offset).value());
      return;
    case ComponentKind::kQuantiles:
      emit_quantile(output, run.at<Quantiles>(output.offset), rows);
      return;
  }
}

void Query::emit(std::string_view key, RunView run, Rows& rows) const {
  if (!order_.empty() && outputs_[order_[0].column].kind == ComponentKind::kCount &&
      !outputs_[order_[0].column].is_key) {
    const std::uint64_t count = run.at<Count>(outputs_[order_[0].column].offset).value();
    if (!rows.wants(order_[0].column, count)) return;
  }
  ByteReader reader({reinterpret_cast<const std::byte*>(key.data()), key.size()});
  for (const Output& output : outputs_) {
    if (!output.is_key) {
      emit_aggregate(output, run, rows);
      continue;
    }
    std::string_view field = key;
    if (keys_.size() > 1) {
      const auto bytes = reader.take(reader.varint());
      field = {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
    }
    rows.cell(field == null_ ? std::nullopt : std::optional<std::string_view>(field));
  }
  rows.end_row();
}

}  // namespace fanfold::stats
