#include "jobs/stats/batch_filter.h"

#include <fanfold/int128.h>

#include <compare>

namespace fanfold::stats {

namespace {

unsigned order_number(std::weak_ordering order) {
  return order < 0 ? 0 : order > 0 ? 2 : 1;
}

}  // namespace

BatchFilter::BatchFilter(const Expression& condition, std::string_view null, std::uint32_t kernels)
    : null_(null), kernels_(kernels) {
  const Expression::Conjunction conjunction = condition.conjunction();
  complete_ = conjunction.complete;
  // A null that is a number would be read as one.
  if (parse_number(null)) {
    complete_ = false;
    return;
  }
  for (const Expression::ColumnComparison& found : conjunction.comparisons) {
    Comparison& made = comparisons_.emplace_back();
    made.column = found.column;
    made.holds = found.holds;
    made.constant = found.constant;
    if (found.constant->kind == Value::Kind::kNumber) find_floors(made);
  }
}

void BatchFilter::find_floors(Comparison& comparison) {
  const Number& number = comparison.constant->number;
  // Fields that are read quickly are compared with these; a constant beyond them leaves all fields to the other way.
  const bool narrow = number.kind() == Number::Kind::kDecimal && number.decimal().is_narrow();
  const Int128 units = narrow ? number.decimal().units() : Int128{0};
  for (unsigned digits = 0; digits < comparison.floors.size(); ++digits) {
    const auto divisor = static_cast<Int128>(kPowersOfTen[Decimal::kFractionDigitsMax - digits]);
    Int128 floor = units / divisor;
    const bool exact = floor * divisor == units;
    if (!exact && units < 0) --floor;
    const bool fits = narrow && floor >= INT64_MIN && floor <= INT64_MAX;
    comparison.floors[digits] = {fits ? static_cast<std::int64_t>(floor) : (units < 0 ? INT64_MIN : INT64_MAX),
                                 fits && exact};
  }
}

const std::vector<BatchFilter::Verdict>& BatchFilter::judge(const reader::RowBatch& batch) {
  verdicts_.assign(batch.size(), Verdict::kChosen);
  for (const Comparison& comparison : comparisons_) {
    if (comparison.constant->kind == Value::Kind::kNumber) {
      judge_numbers(comparison, batch);
    } else {
      judge_texts(comparison, batch);
    }
  }
  if (!complete_) {
    for (Verdict& verdict : verdicts_) {
      if (verdict == Verdict::kChosen) verdict = Verdict::kEvaluate;
    }
  }
  return verdicts_;
}

void BatchFilter::judge_numbers(const Comparison& comparison, const reader::RowBatch& batch) {
  const std::span<const Slice> fields = batch.column(comparison.column);
  const Number& number = comparison.constant->number;
  const bool quick = number.kind() == Number::Kind::kDecimal && number.decimal().is_narrow();
  read_.resize(fields.size());
  reader::read_decimals(batch.text(), fields.data(), fields.size(), kernels_, read_.data());
  for (std::size_t row = 0; row < fields.size(); ++row) {
    const reader::ReadDecimal& read = read_[row];
    if (quick && read.is_read != 0) [[likely]] {
      const Comparison::Floor& floor = comparison.floors[read.fraction_digits];
      const bool above = read.coefficient > floor.coefficient;
      const bool equal = floor.exact && read.coefficient == floor.coefficient;
      settle(row, comparison, above ? 2U : equal ? 1U : 0U);
      continue;
    }
    const std::string_view text(batch.text() + fields[row].begin, fields[row].end - fields[row].begin);
    if (text == null_) {
      settle_unknown(row);
      continue;
    }
    Value field;
    field.kind = Value::Kind::kField;
    field.text = text;
    settle(row, comparison, order_number(Expression::compare(field, *comparison.constant)));
  }
}

void BatchFilter::judge_texts(const Comparison& comparison, const reader::RowBatch& batch) {
  const std::span<const Slice> fields = batch.column(comparison.column);
  for (std::size_t row = 0; row < fields.size(); ++row) {
    const std::string_view text(batch.text() + fields[row].begin, fields[row].end - fields[row].begin);
    if (text == null_) {
      settle_unknown(row);
    } else {
      settle(row, comparison, order_number(text <=> comparison.constant->text));
    }
  }
}

}  // namespace fanfold::stats
