// schema_builder.h: what a run answers, as a job declares it: columns, row order, limit, and the bytes that end
// a record. Filled once when the job is opened, immutable afterwards.
#pragma once

#include <fanfold/abi.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace fanfold {

enum class Type : std::uint32_t {
  kText = FANFOLD_TYPE_TEXT,
  kInt64 = FANFOLD_TYPE_INT64,
  kUint64 = FANFOLD_TYPE_UINT64,
  kFloat64 = FANFOLD_TYPE_FLOAT64,
  kDecimal = FANFOLD_TYPE_DECIMAL,  // exact decimal text, ordered as a number
};

enum class Direction { kAscending, kDescending };

class SchemaBuilder {
 public:
  SchemaBuilder() = default;

  SchemaBuilder& column(std::string_view name, Type type, std::string_view help = {}) {
    columns_.push_back({std::string(name), type, std::string(help)});
    return *this;
  }

  // A term of the row order; the first call is the first term. The engine completes the order by all
  // remaining columns, ascending. Unknown names throw std::out_of_range through at().
  SchemaBuilder& order_by(std::string_view name, Direction direction = Direction::kAscending) {
    for (std::uint32_t index = 0; index < columns_.size(); ++index) {
      if (columns_[index].name == name) {
        order_.push_back({index, direction == Direction::kDescending ? 1U : 0U});
        return *this;
      }
    }
    throw UnknownColumn();
  }

  // At most so many rows; 0: all.
  SchemaBuilder& limit(std::uint64_t rows) {
    limit_ = rows;
    return *this;
  }

  // Records end at any of these bytes instead of at line ends.
  SchemaBuilder& delimiters(std::string_view bytes) {
    for (const char byte : bytes) {
      const auto code = static_cast<unsigned char>(byte);
      delimiters_[code / 8] = static_cast<std::uint8_t>(delimiters_[code / 8] | (1U << (code % 8)));
    }
    return *this;
  }

  struct UnknownColumn {};
  struct Column {
    std::string name;
    Type type;
    std::string help;
  };
  [[nodiscard]] const std::vector<Column>& columns() const { return columns_; }
  [[nodiscard]] const std::vector<fanfold_order>& order() const { return order_; }
  [[nodiscard]] std::uint64_t limit() const { return limit_; }
  [[nodiscard]] const std::uint8_t* delimiters() const { return delimiters_; }

 private:
  std::vector<Column> columns_;
  std::vector<fanfold_order> order_;
  std::uint64_t limit_ = 0;
  std::uint8_t delimiters_[32] = {};
};

}  // namespace fanfold
