// schema.h: what a run answers: its result columns, their row order, the limit and the record
// delimiters, as plain structs. Made once from the job's fanfold_schema, carried in messages as packed
// bytes, read by whoever orders or presents rows. Every Schema in hand has passed check_schema().
#pragma once

#include <fanfold/abi.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/failure.h"

namespace fanfold {

enum class ColumnType : std::uint32_t {
  kText = FANFOLD_TYPE_TEXT,
  kInt64 = FANFOLD_TYPE_INT64,
  kUint64 = FANFOLD_TYPE_UINT64,
  kFloat64 = FANFOLD_TYPE_FLOAT64,
  kDecimal = FANFOLD_TYPE_DECIMAL,
};

// "text", "int64", "uint64", "float64", "decimal".
[[nodiscard]] std::string_view name_of(ColumnType type);

// Whether a value is a string of bytes (with offsets) rather than 8 bytes a row.
[[nodiscard]] constexpr bool is_bytes(ColumnType type) {
  return type == ColumnType::kText || type == ColumnType::kDecimal;
}

struct Column {
  ColumnType type = ColumnType::kText;
  std::string name;
  std::string help;
  bool operator==(const Column&) const = default;
};

struct OrderTerm {
  std::uint32_t column = 0;
  bool descending = false;
  bool operator==(const OrderTerm&) const = default;
};

struct Schema {
  std::vector<Column> columns;
  std::vector<OrderTerm> order;               // completed by all remaining columns, ascending (engine/fold/row_order.h)
  std::uint64_t limit = 0;                    // rows wanted at most; 0: all
  std::array<std::uint8_t, 32> delimiters{};  // a bit a byte value; all zero: '\n'
  bool operator==(const Schema&) const = default;
};

constexpr std::size_t kColumnsMax = 1024;
constexpr std::size_t kColumnNameBytesMax = 256;
constexpr std::size_t kColumnHelpBytesMax = 64 * 1024;

// One to kColumnsMax columns with distinct, bounded UTF-8 names and known types; an order that names existing
// columns, each once. The sentence says what is wrong ("column 3 has no name").
[[nodiscard]] Status check_schema(const Schema& schema);

// Copies what a job's schema() filled in, and checks it. Exit 4: the job is at fault.
[[nodiscard]] Result<Schema> schema_of(const fanfold_schema& filled);

// The schema with the lesser of its own limit and `rows`; 0 is none in both.
[[nodiscard]] Schema with_limit(Schema schema, std::uint64_t rows);

[[nodiscard]] std::vector<std::byte> pack_schema(const Schema& schema);
// Bytes may be hostile: refused unless pack_schema() writes them.
[[nodiscard]] Result<Schema> unpack_schema(std::span<const std::byte> bytes);

}  // namespace fanfold
