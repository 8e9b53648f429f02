// row_values.h: RowValues, the arguments of a batch's rows, computed: a vector of cells an argument. What the tables
// add to runs; made by row_folder.h.
#pragma once

#include <fanfold/number.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace fanfold::stats {

// A value of one row. Sixteen bytes, those of reader::ReadDecimal; what is wider lies beside the cells.
struct Cell {
  enum class Kind : std::uint8_t {
    kNull = 0,
    kNarrow = 1,  // a decimal whose coefficient is `word`
    kNumber,      // any number: number `word` of the vector
    kText,        // no number
  };
  std::int64_t word = 0;
  Kind kind = Kind::kNull;
  std::uint8_t digits = 0;
};

struct CellVector {
  std::vector<Cell> cells;
  std::vector<Number> numbers;
  // As text, of every cell that is not null; empty where no aggregate asks for it.
  std::vector<std::string_view> texts;

  [[nodiscard]] Number number(const Cell& cell) const {
    return cell.kind == Cell::Kind::kNarrow ? Number(*Decimal::make(cell.word, cell.digits))
                                            : numbers[static_cast<std::size_t>(cell.word)];
  }
};

struct RowValues {
  std::vector<CellVector> arguments;  // as Query::arguments()
};

}  // namespace fanfold::stats
