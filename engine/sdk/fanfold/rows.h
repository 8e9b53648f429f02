// rows.h: where finish() puts result rows: cells gathered into columnar batches and handed to the engine
// a thousand at a time. A row that cannot be among those wanted (abi.h, cutoff) is dropped at once.
// One Rows a thread. A refused batch throws Refused, which the adapter turns into its status.
#pragma once

#include <fanfold/abi.h>
#include <fanfold/schema_builder.h>

#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace fanfold {

class Rows {
 public:
  struct Refused {
    std::int32_t status;
  };
  struct WrongCells {};  // add() was given other cells than the schema has columns

  Rows(const fanfold_rows* sink, const SchemaBuilder& schema) : sink_(sink), columns_(schema.columns().size()) {
    for (std::size_t index = 0; index < columns_.size(); ++index) {
      columns_[index].type = schema.columns()[index].type;
      columns_[index].offsets.assign(1, 0);
    }
    if (sink->has_cutoff != 0 && !schema.order().empty()) {
      cutoff_column_ = schema.order()[0].column;
      cutoff_descending_ = schema.order()[0].descending != 0;
      cutoff_signed_ = schema.columns()[cutoff_column_].type == Type::kInt64;
    }
  }
  Rows(const Rows&) = delete;
  Rows& operator=(const Rows&) = delete;

  // One row: a cell a column, of the column's type. Integers convert; std::optional may be null; text is
  // copied.
  template <class... Cells>
  void add(const Cells&... cells) {
    if (sizeof...(Cells) != columns_.size()) throw WrongCells();
    if (cutoff_column_ != kNone) {
      std::size_t index = 0;
      bool beyond = false;
      ((beyond = beyond || (index == cutoff_column_ && is_beyond(cells)), ++index), ...);
      if (beyond) return;
    }
    std::size_t index = 0;
    (put(columns_[index++], cells), ...);
    ++rows_;
    if (rows_ == kBatchRows || text_bytes_ >= kBatchTextBytes) flush();
  }

  // The same for jobs that know at run time alone how many columns there are: a cell a column, in order, then
  // end_row().
  template <class Cell>
  void cell(const Cell& value) {
    if (next_cell_ == columns_.size()) throw WrongCells();
    put(columns_[next_cell_++], value);
  }
  void end_row() {
    if (next_cell_ != columns_.size()) throw WrongCells();
    next_cell_ = 0;
    ++rows_;
    if (rows_ == kBatchRows || text_bytes_ >= kBatchTextBytes) flush();
  }

  // Whether a row with this integer in this column may be among those wanted: else it need not be made.
  template <class Cell>
  requires std::is_integral_v<Cell>
  [[nodiscard]] bool wants(std::size_t column, Cell value) const {
    return column != cutoff_column_ || !is_beyond(value);
  }

  // Hands over what is left. The adapter calls it after finish().
  void flush() {
    if (rows_ == 0) return;
    std::vector<fanfold_column_data> data;
    data.reserve(columns_.size());
    for (const Column& column : columns_) {
      const bool is_text = column.type == Type::kText || column.type == Type::kDecimal;
      const void* values = is_text ? static_cast<const void*>(column.text.data()) : column.words.data();
      data.push_back(
          {values, is_text ? column.offsets.data() : nullptr, column.has_nulls ? column.validity.data() : nullptr});
    }
    const fanfold_batch batch{sizeof(fanfold_batch), static_cast<std::uint32_t>(columns_.size()), rows_, data.data()};
    const std::int32_t status = sink_->emit(sink_->context, &batch);
    rows_ = 0;
    text_bytes_ = 0;
    for (Column& column : columns_) {
      column.words.clear();
      column.text.clear();
      column.offsets.assign(1, 0);
      column.validity.clear();
      column.has_nulls = false;
    }
    if (status != FANFOLD_OK) throw Refused{status};
  }

 private:
  static constexpr std::uint64_t kBatchRows = 1024;
  static constexpr std::uint64_t kBatchTextBytes = 1U << 20;
  static constexpr std::size_t kNone = ~std::size_t{0};

  struct Column {
    Type type = Type::kText;
    std::vector<std::uint64_t> words;
    std::string text;
    std::vector<std::int32_t> offsets;
    std::vector<std::uint8_t> validity;
    bool has_nulls = false;
  };

  template <class Cell>
  [[nodiscard]] bool is_beyond(const Cell& cell) const {
    if constexpr (std::is_integral_v<Cell>) {
      const std::uint64_t cutoff = __atomic_load_n(sink_->cutoff, __ATOMIC_RELAXED);
      const auto value = static_cast<std::uint64_t>(cell);
      const bool less =
          cutoff_signed_ ? static_cast<std::int64_t>(value) < static_cast<std::int64_t>(cutoff) : value < cutoff;
      return cutoff_descending_ ? less : !less && value != cutoff;
    } else {
      return false;
    }
  }

  void mark(Column& column, bool present) {
    if (rows_ % 8 == 0) column.validity.push_back(0);
    if (present) column.validity.back() = static_cast<std::uint8_t>(column.validity.back() | (1U << (rows_ % 8)));
    column.has_nulls = column.has_nulls || !present;
  }

  template <class Cell>
  void put(Column& column, const std::optional<Cell>& cell) {
    if (cell.has_value()) {
      put(column, *cell);
    } else if (column.type == Type::kText || column.type == Type::kDecimal) {
      column.offsets.push_back(column.offsets.back());
      mark(column, false);
    } else {
      column.words.push_back(0);
      mark(column, false);
    }
  }
  void put(Column& column, std::string_view cell) {
    if (column.type != Type::kText && column.type != Type::kDecimal) throw WrongCells();
    column.text.append(cell);
    column.offsets.push_back(static_cast<std::int32_t>(column.text.size()));
    text_bytes_ += cell.size();
    mark(column, true);
  }
  void put(Column& column, const std::string& cell) { put(column, std::string_view(cell)); }
  template <class Cell>
  requires std::is_arithmetic_v<Cell>
  void put(Column& column, Cell cell) {
    std::uint64_t word = 0;
    if (column.type == Type::kFloat64) {
      const double value = static_cast<double>(cell);
      std::memcpy(&word, &value, sizeof word);
    } else if (std::is_integral_v<Cell> && (column.type == Type::kInt64 || column.type == Type::kUint64)) {
      word = static_cast<std::uint64_t>(cell);
    } else {
      throw WrongCells();
    }
    column.words.push_back(word);
    mark(column, true);
  }

  const fanfold_rows* sink_;
  std::vector<Column> columns_;
  std::size_t next_cell_ = 0;
  std::uint64_t rows_ = 0;
  std::uint64_t text_bytes_ = 0;
  std::size_t cutoff_column_ = kNone;
  bool cutoff_descending_ = false;
  bool cutoff_signed_ = false;
};

}  // namespace fanfold
