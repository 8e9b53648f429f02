// batch_filter.h: BatchFilter, a condition over a batch of rows: comparisons of a column with a number or a text, alone
// or joined by `and`, are judged column by column, many times faster than by an expression's evaluation row by row,
// which remains for all else and says the same. One a call of map().
#pragma once

#include <fanfold/slice.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "jobs/reader/delimited_reader.h"
#include "jobs/reader/number_scan.h"
#include "jobs/stats/expression.h"

namespace fanfold::stats {

class BatchFilter {
 public:
  enum class Verdict : std::uint8_t {
    kChosen,    // the condition is true
    kLeftOut,   // it is false or unknown
    kEvaluate,  // the expression has to be evaluated
  };

  // `kernels` is what the host tells (abi.h).
  BatchFilter(const Expression& condition, std::string_view null, std::uint32_t kernels);

  // One of a row, valid until the next call. Columns of the batch are those of the expression.
  const std::vector<Verdict>& judge(const reader::RowBatch& batch);

 private:
  // What comes of a comparison: whether it holds for less, equal and greater, a bit each from the lowest.
  struct Comparison {
    std::uint32_t column = 0;
    std::uint8_t holds = 0;
    const Value* constant = nullptr;
    // Of a number: the greatest coefficient at so many fraction digits that is not above it, and whether it is equal.
    struct Floor {
      std::int64_t coefficient = 0;
      bool exact = false;
    };
    std::array<Floor, Decimal::kFractionDigitsMax + 1> floors{};
  };

  static void find_floors(Comparison& comparison);
  void judge_numbers(const Comparison& comparison, const reader::RowBatch& batch);
  void judge_texts(const Comparison& comparison, const reader::RowBatch& batch);
  // `order` is 0 for less, 1 for equal, 2 for greater.
  void settle(std::size_t row, const Comparison& comparison, unsigned order) {
    if ((comparison.holds >> order & 1) == 0) verdicts_[row] = Verdict::kLeftOut;
  }
  // Of a null: the row is not among those wanted, but what else there is may be a fault.
  void settle_unknown(std::size_t row) {
    if (verdicts_[row] == Verdict::kChosen) verdicts_[row] = complete_ ? Verdict::kLeftOut : Verdict::kEvaluate;
  }

  const std::string_view null_;
  const std::uint32_t kernels_;
  std::vector<Comparison> comparisons_;
  bool complete_ = true;  // whether they are the whole condition
  std::vector<Verdict> verdicts_;
  std::vector<reader::ReadDecimal> read_;
};

}  // namespace fanfold::stats
