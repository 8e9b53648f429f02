#include "runtime/cli/output/table_writer.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "engine/protocol/row_batch.h"
#include "runtime/cli/output/number_text.h"
#include "runtime/cli/output/text_width.h"

namespace fanfold {
namespace {

constexpr std::string_view kBetweenColumns = "  ";

}  // namespace

TableWriter::TableWriter(const Schema& schema, ByteSink& sink)
    : schema_(schema), buffer_(sink), widths_(schema.columns.size(), 0) {
  for (const Column& column : schema_.columns) {
    const std::size_t width = append_visible(held_text_, column.name);
    held_cells_.push_back({held_text_.size(), width});
  }
}

Status TableWriter::write(const fanfold_batch& batch) {
  for (std::uint64_t row = 0; row < batch.rows; ++row) {
    hold(batch, row);
    // Once the widths stand, a row is held no longer than it takes to print it.
    if (!decided_ && held_rows_ < kRowsHeldMax && held_text_.size() < kBytesHeldMax) continue;
    if (Status status = release(); !status) return status;
  }
  return success();
}

Status TableWriter::finish() {
  if (!decided_) {
    if (Status status = release(); !status) return status;
  }
  return buffer_.flush();
}

void TableWriter::hold(const fanfold_batch& batch, std::uint64_t row) {
  ++held_rows_;
  for (std::size_t i = 0; i < schema_.columns.size(); ++i) {
    const fanfold_column_data& column = batch.data[i];
    char number[kNumberBytesMax];
    std::string_view text = "null";
    if (is_present(column, row)) {
      switch (schema_.columns[i].type) {
        case ColumnType::kText:
        case ColumnType::kDecimal:
          text = bytes_at(column, row);
          break;
        case ColumnType::kInt64:
          text = {number, put_number(number, static_cast<std::int64_t>(word_at(column, row)))};
          break;
        case ColumnType::kUint64:
          text = {number, put_number(number, word_at(column, row))};
          break;
        case ColumnType::kFloat64: {
          const auto value = std::bit_cast<double>(word_at(column, row));
          text = std::isnan(value)   ? "nan"
                 : std::isinf(value) ? (value < 0 ? "-inf" : "inf")
                                     : std::string_view(number, put_number(number, value));
          break;
        }
      }
    }
    const std::size_t width = append_visible(held_text_, text);
    held_cells_.push_back({held_text_.size(), width});
  }
}

// Prints what is held; the first time decides the widths by it, and the header comes first.
Status TableWriter::release() {
  const std::size_t columns = schema_.columns.size();
  const std::size_t lines = held_cells_.size() / columns;
  if (!decided_) {
    for (std::size_t i = 0; i < held_cells_.size(); ++i) {
      std::size_t& width = widths_[i % columns];
      width = std::max(width, std::min(held_cells_[i].width, kWidthMax));
    }
  }
  std::size_t begin = 0;
  for (std::size_t line = 0; line < lines; ++line) {
    put_line(held_cells_.data() + line * columns, begin);
    begin = held_cells_[(line + 1) * columns - 1].end;
    if (!decided_ && line == 0) {
      for (std::size_t i = 0; i < columns; ++i) {
        if (i != 0) buffer_.put(kBetweenColumns);
        buffer_.put(widths_[i], '-');
      }
      buffer_.put('\n');
    }
    if (Status status = buffer_.flush_when_full(); !status) return status;
  }
  decided_ = true;
  held_text_.clear();
  if (held_text_.capacity() > kBytesHeldMax) held_text_.shrink_to_fit();
  held_cells_.clear();
  held_rows_ = 0;
  return success();
}

void TableWriter::put_line(const Cell* cells, std::size_t begin) {
  const std::size_t columns = schema_.columns.size();
  for (std::size_t i = 0; i < columns; ++i) {
    const std::string_view text(held_text_.data() + begin, cells[i].end - begin);
    begin = cells[i].end;
    const std::size_t padding = widths_[i] - std::min(widths_[i], cells[i].width);
    const bool to_the_right = schema_.columns[i].type != ColumnType::kText;
    if (i != 0) buffer_.put(kBetweenColumns);
    if (to_the_right) buffer_.put(padding, ' ');
    buffer_.put(text);
    if (!to_the_right && i + 1 != columns) buffer_.put(padding, ' ');
  }
  buffer_.put('\n');
}

}  // namespace fanfold
