// rows.h: result rows written out cell by cell, for tests of whatever takes or gives batches.
#pragma once

#include <fanfold/abi.h>

#include <bit>
#include <cstdint>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "engine/protocol/row_batch.h"
#include "engine/protocol/schema.h"

namespace fanfold::test {

// A null, bytes, or a number of its column's type.
using Cell = std::variant<std::monostate, std::string, std::int64_t, std::uint64_t, double>;
using Row = std::vector<Cell>;
constexpr std::monostate kNull{};

inline Schema schema_with(std::vector<std::pair<std::string, ColumnType>> columns, std::vector<OrderTerm> order = {},
                          std::uint64_t limit = 0) {
  Schema schema;
  for (auto& [name, type] : columns) schema.columns.push_back({type, name, ""});
  schema.order = std::move(order);
  schema.limit = limit;
  return schema;
}

// A batch and the buffers it points into.
class BuiltBatch {
 public:
  BuiltBatch(const Schema& schema, const std::vector<Row>& rows) {
    columns_.resize(schema.columns.size());
    for (std::size_t i = 0; i < columns_.size(); ++i) {
      Buffers& column = columns_[i];
      const bool bytes = is_bytes(schema.columns[i].type);
      column.offsets.push_back(0);
      column.validity.assign(rows.size() / 8 + 1, 0);
      bool has_null = false;
      for (std::size_t row = 0; row < rows.size(); ++row) {
        const Cell& cell = rows[row][i];
        const bool present = cell.index() != 0;
        has_null |= !present;
        if (present) column.validity[row / 8] = static_cast<std::uint8_t>(column.validity[row / 8] | 1U << (row % 8));
        if (const auto* text = std::get_if<std::string>(&cell)) column.bytes += *text;
        column.offsets.push_back(static_cast<std::int32_t>(column.bytes.size()));
        std::uint64_t word = 0;
        if (const auto* value = std::get_if<std::int64_t>(&cell)) word = static_cast<std::uint64_t>(*value);
        if (const auto* value = std::get_if<std::uint64_t>(&cell)) word = *value;
        if (const auto* value = std::get_if<double>(&cell)) word = std::bit_cast<std::uint64_t>(*value);
        column.words.push_back(word);
      }
      data_.push_back({bytes ? static_cast<const void*>(column.bytes.data()) : column.words.data(),
                       bytes ? column.offsets.data() : nullptr, has_null ? column.validity.data() : nullptr});
    }
    view_ = {sizeof view_, static_cast<std::uint32_t>(columns_.size()), rows.size(), data_.data()};
  }
  BuiltBatch(const BuiltBatch&) = delete;
  BuiltBatch& operator=(const BuiltBatch&) = delete;

  [[nodiscard]] const fanfold_batch& view() const { return view_; }

 private:
  struct Buffers {
    std::string bytes;
    std::vector<std::int32_t> offsets;
    std::vector<std::uint64_t> words;
    std::vector<std::uint8_t> validity;
  };
  std::vector<Buffers> columns_;
  std::vector<fanfold_column_data> data_;
  fanfold_batch view_{};
};

inline std::vector<Row> rows_of(const Schema& schema, const fanfold_batch& batch) {
  std::vector<Row> rows;
  for (std::uint64_t row = 0; row < batch.rows; ++row) {
    Row cells;
    for (std::size_t i = 0; i < schema.columns.size(); ++i) {
      const fanfold_column_data& column = batch.data[i];
      if (!is_present(column, row)) {
        cells.emplace_back(kNull);
        continue;
      }
      switch (schema.columns[i].type) {
        case ColumnType::kText:
        case ColumnType::kDecimal:
          cells.emplace_back(std::string(bytes_at(column, row)));
          break;
        case ColumnType::kInt64:
          cells.emplace_back(static_cast<std::int64_t>(word_at(column, row)));
          break;
        case ColumnType::kUint64:
          cells.emplace_back(word_at(column, row));
          break;
        case ColumnType::kFloat64:
          cells.emplace_back(std::bit_cast<double>(word_at(column, row)));
          break;
      }
    }
    rows.push_back(std::move(cells));
  }
  return rows;
}

}  // namespace fanfold::test
