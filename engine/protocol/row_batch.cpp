#include "engine/protocol/row_batch.h"

#include <fanfold/bytes.h>

#include <bit>
#include <cstring>
#include <limits>
#include <string>

#include "engine/quoted.h"

namespace fanfold {
namespace {

// Packed: the header, a ColumnCounts a column, then for each column its offsets, values and validity,
// each padded with zeros to 8 bytes.
constexpr std::uint32_t kBatchMagic = 0x31424646;  // "FFB1" as bytes
constexpr std::size_t kHeaderBytes = 16;
constexpr std::size_t kColumnCountsBytes = 16;
static_assert(std::endian::native == std::endian::little, "buffers are packed as they lie in memory");

constexpr std::uint64_t padded(std::uint64_t bytes) {
  return (bytes + 7) / 8 * 8;
}

std::uint64_t value_bytes(ColumnType type, const fanfold_column_data& column, std::uint64_t rows) {
  return is_bytes(type) ? static_cast<std::uint64_t>(column.offsets[rows]) : rows * 8;
}

Failure malformed(const Schema& schema, std::size_t column, std::string_view what) {
  return {ExitCode::kJobFailed, "the job gave a batch of rows whose column " + quoted(schema.columns[column].name) +
                                    " " + std::string(what) + "; this is a mistake in the job."};
}

// From 0, never falling.
bool sound_offsets(const std::int32_t* offsets, std::uint64_t rows) {
  if (offsets[0] != 0) return false;
  bool sound = true;
  for (std::uint64_t row = 0; row < rows; ++row) sound &= offsets[row] <= offsets[row + 1];
  return sound;
}

}  // namespace

Status check_batch(const Schema& schema, const fanfold_batch& batch) {
  if (batch.size < sizeof(fanfold_batch) || batch.columns != schema.columns.size() || batch.data == nullptr) {
    return Failure{ExitCode::kJobFailed, "the job gave a batch of rows that has not the " +
                                             std::to_string(schema.columns.size()) +
                                             " columns it declared; this is a mistake in the job."};
  }
  if (batch.rows > static_cast<std::uint64_t>(std::numeric_limits<std::int32_t>::max())) {
    return Failure{ExitCode::kJobFailed, "the job gave a batch of " + std::to_string(batch.rows) +
                                             " rows; about a thousand are good, 2147483647 the most."};
  }
  if (batch.rows == 0) return success();
  for (std::size_t i = 0; i < schema.columns.size(); ++i) {
    const fanfold_column_data& column = batch.data[i];
    if (is_bytes(schema.columns[i].type)) {
      if (column.offsets == nullptr) return malformed(schema, i, "has no offsets");
      if (!sound_offsets(column.offsets, batch.rows)) return malformed(schema, i, "has offsets that fall");
      if (column.values == nullptr && column.offsets[batch.rows] != 0) return malformed(schema, i, "has no bytes");
    } else if (column.values == nullptr) {
      return malformed(schema, i, "has no values");
    }
  }
  return success();
}

fanfold_batch RowBatch::view() const {
  return {sizeof(fanfold_batch), static_cast<std::uint32_t>(columns_.size()), rows_, columns_.data()};
}

std::vector<std::byte> pack_batch(const Schema& schema, const fanfold_batch& batch) {
  const std::size_t columns = schema.columns.size();
  const std::uint64_t rows = batch.rows;
  std::uint64_t total = kHeaderBytes + columns * kColumnCountsBytes;
  if (rows != 0) {
    for (std::size_t i = 0; i < columns; ++i) {
      const ColumnType type = schema.columns[i].type;
      if (is_bytes(type)) total += padded((rows + 1) * 4);
      total += padded(value_bytes(type, batch.data[i], rows));
      if (batch.data[i].validity != nullptr) total += padded((rows + 7) / 8);
    }
  }
  std::vector<std::byte> packed(total);
  std::byte* out = packed.data();
  store_little(out, kBatchMagic);
  store_little(out + 4, static_cast<std::uint32_t>(columns));
  store_little(out + 8, rows);
  std::byte* counts = out + kHeaderBytes;
  out = counts + columns * kColumnCountsBytes;
  const auto put = [&out](const void* data, std::uint64_t bytes) {
    if (bytes != 0) std::memcpy(out, data, bytes);
    out += padded(bytes);
  };
  for (std::size_t i = 0; i < columns; ++i, counts += kColumnCountsBytes) {
    const ColumnType type = schema.columns[i].type;
    store_little(counts, static_cast<std::uint32_t>(type));
    if (rows == 0) continue;
    const fanfold_column_data& column = batch.data[i];
    const std::uint64_t bytes = value_bytes(type, column, rows);
    store_little(counts + 4, static_cast<std::uint32_t>(column.validity != nullptr));
    store_little(counts + 8, bytes);
    if (is_bytes(type)) put(column.offsets, (rows + 1) * 4);
    put(column.values, bytes);
    if (column.validity != nullptr) put(column.validity, (rows + 7) / 8);
  }
  return packed;
}

Result<RowBatch> unpack_batch(const Schema& schema, std::span<const std::byte> bytes) {
  const Failure refused{ExitCode::kInternal, "the packed rows are not what this version of Fanfold writes."};
  const std::size_t columns = schema.columns.size();
  ByteReader reader(bytes);
  if (reader.integer<std::uint32_t>() != kBatchMagic || reader.integer<std::uint32_t>() != columns) return refused;
  const auto rows = reader.integer<std::uint64_t>();
  if (!reader.ok() || rows > static_cast<std::uint64_t>(std::numeric_limits<std::int32_t>::max())) return refused;
  const auto counts = reader.take(columns * kColumnCountsBytes);
  if (!reader.ok()) return refused;
  const std::size_t buffer_bytes = reader.rest_bytes();
  if (buffer_bytes % 8 != 0) return refused;

  // First the sizes, against the bytes there are: nothing is allocated for counts that lie.
  std::uint64_t expected = 0;
  for (std::size_t i = 0; i < columns; ++i) {
    const std::byte* count = counts.data() + i * kColumnCountsBytes;
    const auto has_validity = load_little<std::uint32_t>(count + 4);
    const auto value = load_little<std::uint64_t>(count + 8);
    const ColumnType type = schema.columns[i].type;
    if (load_little<std::uint32_t>(count) != static_cast<std::uint32_t>(type) || has_validity > 1) return refused;
    if (value > buffer_bytes || (rows == 0 && (value != 0 || has_validity != 0))) return refused;
    if (!is_bytes(type) && value != rows * 8) return refused;
    if (rows != 0 && is_bytes(type)) expected += padded((rows + 1) * 4);
    expected += padded(value) + (has_validity != 0 ? padded((rows + 7) / 8) : 0);
    if (expected > buffer_bytes) return refused;
  }
  if (expected != buffer_bytes) return refused;

  RowBatch batch;
  batch.rows_ = rows;
  batch.block_.resize(buffer_bytes / 8);
  if (buffer_bytes != 0) std::memcpy(batch.block_.data(), reader.take(buffer_bytes).data(), buffer_bytes);
  batch.columns_.resize(columns, fanfold_column_data{nullptr, nullptr, nullptr});
  if (rows == 0) return batch;
  const std::uint64_t* at = batch.block_.data();
  for (std::size_t i = 0; i < columns; ++i) {
    const std::byte* count = counts.data() + i * kColumnCountsBytes;
    const auto value = load_little<std::uint64_t>(count + 8);
    fanfold_column_data& column = batch.columns_[i];
    if (is_bytes(schema.columns[i].type)) {
      column.offsets = reinterpret_cast<const std::int32_t*>(at);
      if (!sound_offsets(column.offsets, rows)) return refused;
      if (static_cast<std::uint64_t>(column.offsets[rows]) != value) return refused;
      at += padded((rows + 1) * 4) / 8;
    }
    column.values = at;
    at += padded(value) / 8;
    if (load_little<std::uint32_t>(count + 4) != 0) {
      column.validity = reinterpret_cast<const std::uint8_t*>(at);
      at += padded((rows + 7) / 8) / 8;
    }
  }
  return batch;
}

}  // namespace fanfold
