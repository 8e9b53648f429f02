// every_fold.h: every fold of the SDK over one column of lines, as a user's project would use it: through the
// installed headers alone. A line is key, integer, decimal, double, point of a grid and text, between tabs.
// The answer is one row a key, or one of everything; install_test.py computes the same with Python's fractions.
#pragma once

#include <fanfold/concat.h>
#include <fanfold/count.h>
#include <fanfold/fixed_sum.h>
#include <fanfold/mean.h>
#include <fanfold/min_max.h>
#include <fanfold/number.h>
#include <fanfold/sum.h>
#include <fanfold/tuple.h>
#include <fanfold/variance.h>

#include <array>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <fanfold/job.hpp>
#include <optional>
#include <string>
#include <string_view>

namespace outside {

using Grid = fanfold::Fixed<20>;

struct EveryFold {
  using Fold =
      fanfold::Tuple<fanfold::Count, fanfold::Sum<std::int64_t>, fanfold::Sum<std::uint64_t>,
                     fanfold::Sum<fanfold::Decimal>, fanfold::Sum<double>, fanfold::Sum<Grid>,              // 0 .. 5
                     fanfold::Min<std::int64_t>, fanfold::Max<std::int64_t>, fanfold::Min<double>,          // 6 .. 8
                     fanfold::Max<double>, fanfold::Min<fanfold::Decimal>, fanfold::Max<fanfold::Decimal>,  // 9 .. 11
                     fanfold::Min<std::string>, fanfold::Max<std::string>,                                  // 12, 13
                     fanfold::Mean<std::int64_t>, fanfold::Mean<fanfold::Decimal>, fanfold::Mean<double>,
                     fanfold::Mean<Grid>,  // 14 .. 17
                     fanfold::Variance<std::int64_t>, fanfold::Variance<fanfold::Decimal>, fanfold::Variance<double>,
                     fanfold::Concat>;  // 18 .. 21

  static void columns(fanfold::SchemaBuilder& schema) {
    using fanfold::Type;
    schema.column("count", Type::kUint64)
        .column("integer_sum", Type::kInt64)
        .column("magnitude_sum", Type::kUint64)
        .column("decimal_sum", Type::kDecimal)
        .column("double_sum", Type::kFloat64)
        .column("grid_sum", Type::kFloat64)
        .column("integer_min", Type::kInt64)
        .column("integer_max", Type::kInt64)
        .column("double_min", Type::kFloat64)
        .column("double_max", Type::kFloat64)
        .column("decimal_min", Type::kDecimal)
        .column("decimal_max", Type::kDecimal)
        .column("text_min", Type::kText)
        .column("text_max", Type::kText)
        .column("integer_mean", Type::kFloat64)
        .column("decimal_mean", Type::kDecimal, "with 20 fraction digits")
        .column("double_mean", Type::kFloat64)
        .column("grid_mean", Type::kFloat64)
        .column("integer_variance", Type::kFloat64)
        .column("decimal_variance", Type::kDecimal, "of a population, with 20 fraction digits")
        .column("decimal_deviation", Type::kFloat64)
        .column("double_deviation", Type::kFloat64)
        .column("texts", Type::kText, "in the order of the lines");
  }

  // Hands a row's cells to `add`.
  template <class Add>
  static void read(const Fold& fold, Add&& add) {
    const auto text_of = [](const std::optional<fanfold::Decimal>& value) -> std::optional<std::string> {
      if (!value) return std::nullopt;
      return fanfold::decimal_text(fanfold::BigInteger::from_signed(value->coefficient()), value->fraction_digits());
    };
    add(fold.get<0>().value(), fold.get<1>().value(), fold.get<2>().value(), fold.get<3>().text(),
        fold.get<4>().value(), fold.get<5>().value(), fold.get<6>().value(), fold.get<7>().value(),
        fold.get<8>().value(), fold.get<9>().value(), text_of(fold.get<10>().value()), text_of(fold.get<11>().value()),
        fold.get<12>().value(), fold.get<13>().value(), fold.get<14>().value(), fold.get<15>().rounded(20),
        fold.get<16>().value(), fold.get<17>().value(), fold.get<18>().value(),
        fold.get<19>().rounded(20, fanfold::Divisor::kPopulation), fold.get<19>().deviation(),
        fold.get<20>().deviation(), fold.get<21>().value());
  }

  // Adds a line to the fold that `fold_of(key)` gives; false when it is no such line.
  template <class FoldOf>
  static bool add(std::string_view line, std::uint64_t source, std::uint64_t offset, FoldOf&& fold_of) {
    std::array<std::string_view, 6> fields;
    for (std::size_t index = 0; index < fields.size(); ++index) {
      const std::size_t tab = line.find('\t');
      if ((tab == std::string_view::npos) != (index + 1 == fields.size())) return false;
      fields[index] = line.substr(0, tab);
      if (tab != std::string_view::npos) line.remove_prefix(tab + 1);
    }
    std::int64_t integer = 0;
    double real = 0;
    double point = 0;
    const fanfold::Number decimal = fanfold::parse_number(fields[2]);
    if (!parse(fields[1], integer) || decimal.kind() != fanfold::Number::Kind::kDecimal || !parse(fields[3], real) ||
        !parse(fields[4], point)) {
      return false;
    }
    const Grid on_grid = Grid::nearest(point);
    Fold& fold = fold_of(fields[0]);
    fold.get<0>().add();
    fold.get<1>().add(integer);
    fold.get<2>().add(integer < 0 ? 0 - static_cast<std::uint64_t>(integer) : static_cast<std::uint64_t>(integer));
    fold.get<3>().add(decimal);
    fold.get<4>().add(real);
    fold.get<5>().add(on_grid);
    fold.get<6>().add(integer);
    fold.get<7>().add(integer);
    fold.get<8>().add(real);
    fold.get<9>().add(real);
    fold.get<10>().add(decimal.decimal());
    fold.get<11>().add(decimal.decimal());
    fold.get<12>().add(fields[5]);
    fold.get<13>().add(fields[5]);
    fold.get<14>().add(integer);
    fold.get<15>().add(decimal);
    fold.get<16>().add(real);
    fold.get<17>().add(on_grid);
    fold.get<18>().add(integer);
    fold.get<19>().add(decimal);
    fold.get<20>().add(real);
    fold.get<21>().add(source, offset, fields[5]);
    return true;
  }

 private:
  template <class Value>
  static bool parse(std::string_view text, Value& value) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    return error == std::errc{} && end == text.data() + text.size();
  }
};

}  // namespace outside
