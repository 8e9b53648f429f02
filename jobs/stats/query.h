// query.h: Query, what was asked, planned: which columns are read, which expressions are computed, which components a
// group's run holds, and how each result column is read from it. Made once when the job is opened; immutable.
#pragma once

#include <fanfold/rows.h>
#include <fanfold/schema_builder.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "jobs/stats/expression.h"
#include "jobs/stats/run.h"

namespace fanfold::stats {

// The parameters as given; docs/stats.md says what each means.
struct QueryTexts {
  std::string by = {};
  std::string aggregates = "count()";
  std::string where = {};
  std::string order_by = {};
  int decimals = -1;  // -1: results as they are
  std::string null = {};
};

enum class Function : std::uint8_t {
  kCount,
  kSum,
  kMean,
  kMin,
  kMax,
  kVariance,
  kVariancePopulation,
  kDeviation,
  kDeviationPopulation,
  kDistinct,
  kApproxDistinct,
  kQuantile,
  kMode,
};

// An expression inside aggregates.
struct Argument {
  Expression expression;
  // Whether an aggregate over it takes numbers alone; then a text in it is a bad record.
  bool numeric = false;
};

// What is added to a run for each row.
struct Addition {
  ComponentKind kind = ComponentKind::kCount;
  std::uint32_t offset = 0;
  std::uint32_t argument = 0;  // kRows: the row itself
  static constexpr std::uint32_t kRows = UINT32_MAX;
};

class Query {
 public:
  // Throws UsageError, pointing at the place.
  explicit Query(const QueryTexts& texts);

  // The columns of the input that are read; keys come first, in the order of --by.
  [[nodiscard]] const std::vector<std::string>& columns() const { return columns_.names(); }
  [[nodiscard]] const std::vector<std::uint32_t>& keys() const { return keys_; }
  [[nodiscard]] const std::optional<Expression>& where() const { return where_; }
  [[nodiscard]] const std::vector<Argument>& arguments() const { return arguments_; }
  [[nodiscard]] const std::vector<Addition>& additions() const { return additions_; }
  [[nodiscard]] const Layout& layout() const { return layout_; }
  [[nodiscard]] const std::string& null() const { return null_; }

  // A group's key as tables hold it: the field of one key; of more, each behind its length.
  static void append_key(std::string& key, std::string_view field);

  void declare(SchemaBuilder& schema) const;

  // Emits a group's row.
  void emit(std::string_view key, RunView run, Rows& rows) const;

 private:
  struct Output {
    std::string name;
    std::string help;
    Type type = Type::kText;
    bool is_key = false;
    Function function = Function::kCount;
    ComponentKind kind = ComponentKind::kCount;
    std::uint32_t offset = 0;
    std::uint64_t numerator = 0;  // of a quantile
    std::uint64_t denominator = 1;
    std::string text = {};  // the call as the query has it, for --order-by
  };
  struct Call {
    Function function = Function::kCount;
    std::uint32_t argument = Addition::kRows;
    std::uint64_t numerator = 0;
    std::uint64_t denominator = 1;
    std::string text = {};
    std::string name = {};
    std::size_t begin = 0;
  };

  void parse_keys(const std::string& text);
  void parse_aggregates(const std::string& text);
  Call parse_call(Lexer& lexer);
  std::uint32_t argument_of(Expression expression);
  void parse_order(const std::string& text);
  void add_output(Output output, const Lexer& lexer, std::size_t at);
  void emit_aggregate(const Output& output, RunView run, Rows& rows) const;
  template <class Moments>
  void emit_moments(const Output& output, const Moments& moments, Rows& rows) const;
  template <class Extremum>
  void emit_extreme(const Extremum& extreme, Rows& rows) const;
  void emit_quantile(const Output& output, const Quantiles& quantiles, Rows& rows) const;
  void emit_double(std::optional<double> value, Rows& rows) const;

  ColumnNames columns_;
  std::vector<std::uint32_t> keys_;
  std::optional<Expression> where_;
  std::vector<Argument> arguments_;
  std::vector<Addition> additions_;
  Layout layout_;
  std::vector<Output> outputs_;
  std::vector<fanfold_order> order_;
  int decimals_ = -1;
  std::string null_;
};

}  // namespace fanfold::stats
