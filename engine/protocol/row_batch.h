// row_batch.h: result rows in columns, owned, and their packed form for the wire and for files.
// A batch holds the buffers of fanfold_batch (Arrow's layout) in one block of memory; view() lends them
// to whatever reads a fanfold_batch. Packed: little-endian counts first, then the same buffers.
#pragma once

#include <fanfold/abi.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "engine/protocol/schema.h"

namespace fanfold {

// What the engine itself puts into one batch at most (a single longer row makes a batch of its own).
constexpr std::uint64_t kBatchRowsMax = 4096;
constexpr std::uint64_t kBatchBytesMax = 1024 * 1024;

// Whether a batch has the schema's columns and sound buffers (offsets that begin at 0 and never fall).
[[nodiscard]] Status check_batch(const Schema& schema, const fanfold_batch& batch);

class RowBatch {
 public:
  RowBatch() = default;
  RowBatch(RowBatch&&) noexcept = default;
  RowBatch& operator=(RowBatch&&) noexcept = default;

  [[nodiscard]] std::uint64_t rows() const { return rows_; }
  // Valid as long as this batch lives and is not assigned to.
  [[nodiscard]] fanfold_batch view() const;

 private:
  friend Result<RowBatch> unpack_batch(const Schema& schema, std::span<const std::byte> bytes);
  std::uint64_t rows_ = 0;
  std::vector<std::uint64_t> block_;
  std::vector<fanfold_column_data> columns_;
};

// The batch's bytes, to be read back with the same schema. The batch must have passed check_batch().
[[nodiscard]] std::vector<std::byte> pack_batch(const Schema& schema, const fanfold_batch& batch);
// Bytes may be hostile: sizes are compared with the bytes there are before anything is allocated.
[[nodiscard]] Result<RowBatch> unpack_batch(const Schema& schema, std::span<const std::byte> bytes);

// Reading single cells of a batch.
[[nodiscard]] inline bool is_present(const fanfold_column_data& column, std::uint64_t row) {
  return column.validity == nullptr || ((column.validity[row / 8] >> (row % 8)) & 1U) != 0;
}
[[nodiscard]] inline std::string_view bytes_at(const fanfold_column_data& column, std::uint64_t row) {
  const std::int32_t begin = column.offsets[row];
  const std::int32_t end = column.offsets[row + 1];
  if (begin == end) return {};
  return {static_cast<const char*>(column.values) + begin, static_cast<std::size_t>(end - begin)};
}
[[nodiscard]] inline std::uint64_t word_at(const fanfold_column_data& column, std::uint64_t row) {
  return static_cast<const std::uint64_t*>(column.values)[row];
}

}  // namespace fanfold
