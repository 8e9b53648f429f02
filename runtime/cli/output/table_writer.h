// table_writer.h: rows as aligned columns for people; row_writer.h has the rules.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "runtime/cli/output/row_writer.h"

namespace fanfold {

class TableWriter final : public RowWriter {
 public:
  // Rows held back until they have decided the widths: this many, or this many bytes of cells.
  static constexpr std::size_t kRowsHeldMax = 10'000;
  static constexpr std::size_t kBytesHeldMax = 4 * 1024 * 1024;
  static constexpr std::size_t kWidthMax = 64;

  TableWriter(const Schema& schema, ByteSink& sink);
  Status write(const fanfold_batch& batch) override;
  Status finish() override;

 private:
  struct Cell {
    std::size_t end;  // in held_text_
    std::size_t width;
  };

  void hold(const fanfold_batch& batch, std::uint64_t row);
  Status release();
  void put_line(const Cell* cells, std::size_t begin);

  Schema schema_;
  OutputBuffer buffer_;
  std::vector<std::size_t> widths_;
  std::string held_text_;
  std::vector<Cell> held_cells_;  // row by row; the header first
  std::size_t held_rows_ = 0;
  bool decided_ = false;
};

}  // namespace fanfold
