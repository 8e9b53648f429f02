#include "engine/protocol/schema.h"

#include <fanfold/bytes.h>

#include <cstring>
#include <unordered_set>

#include "engine/quoted.h"
#include "engine/utf8.h"

namespace fanfold {
namespace {

constexpr std::uint32_t kSchemaMagic = 0x31534646;  // "FFS1" as bytes

Failure job_fault(std::string sentence) {
  return {ExitCode::kJobFailed, std::move(sentence)};
}

std::string_view view_of(const fanfold_bytes& bytes) {
  return bytes.size == 0 ? std::string_view{} : std::string_view{bytes.data, static_cast<std::size_t>(bytes.size)};
}

class Packer {
 public:
  template <class T>
  void integer(T value) {
    const std::size_t at = bytes_.size();
    bytes_.resize(at + sizeof value);
    store_little(bytes_.data() + at, value);
  }
  void text(std::string_view text) {
    integer(static_cast<std::uint32_t>(text.size()));
    const auto* data = reinterpret_cast<const std::byte*>(text.data());
    bytes_.insert(bytes_.end(), data, data + text.size());
  }
  std::vector<std::byte> take() { return std::move(bytes_); }

 private:
  std::vector<std::byte> bytes_;
};

std::string text_of(ByteReader& reader) {
  const auto bytes = reader.take(reader.integer<std::uint32_t>());
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

}  // namespace

std::string_view name_of(ColumnType type) {
  switch (type) {
    case ColumnType::kText:
      return "text";
    case ColumnType::kInt64:
      return "int64";
    case ColumnType::kUint64:
      return "uint64";
    case ColumnType::kFloat64:
      return "float64";
    case ColumnType::kDecimal:
      return "decimal";
  }
  return "unknown";
}

Status check_schema(const Schema& schema) {
  if (schema.columns.empty()) return job_fault("the job declares no result column; declare at least one.");
  if (schema.columns.size() > kColumnsMax) {
    return job_fault("the job declares " + std::to_string(schema.columns.size()) + " result columns; at most " +
                     std::to_string(kColumnsMax) + " are possible.");
  }
  std::unordered_set<std::string_view> names;
  for (std::size_t i = 0; i < schema.columns.size(); ++i) {
    const Column& column = schema.columns[i];
    const std::string which = "result column " + std::to_string(i + 1);
    if (static_cast<std::uint32_t>(column.type) > FANFOLD_TYPE_DECIMAL) {
      return job_fault(which + " has the unknown type " + std::to_string(static_cast<std::uint32_t>(column.type)) +
                       "; build the job against this version of Fanfold.");
    }
    if (column.name.empty()) return job_fault(which + " has no name; name every column.");
    if (column.name.size() > kColumnNameBytesMax) {
      return job_fault("the name of " + which + " is longer than " + std::to_string(kColumnNameBytesMax) +
                       " bytes; shorten it.");
    }
    if (column.help.size() > kColumnHelpBytesMax) {
      return job_fault("the help of " + which + " is longer than " + std::to_string(kColumnHelpBytesMax) +
                       " bytes; shorten it.");
    }
    if (!is_utf8(column.name)) return job_fault("the name of " + which + " is not UTF-8; JSON could not carry it.");
    if (!names.insert(column.name).second) {
      return job_fault("two result columns are named " + quoted(column.name) + "; give each a name of its own.");
    }
  }
  std::vector<bool> ordered(schema.columns.size(), false);
  for (const OrderTerm& term : schema.order) {
    if (term.column >= schema.columns.size()) {
      return job_fault("the row order names column " + std::to_string(term.column) + ", but there are only " +
                       std::to_string(schema.columns.size()) + ", counted from 0.");
    }
    if (ordered[term.column]) {
      return job_fault("the row order names the column " + quoted(schema.columns[term.column].name) +
                       " twice; name it once.");
    }
    ordered[term.column] = true;
  }
  return success();
}

Result<Schema> schema_of(const fanfold_schema& filled) {
  // Whatever a plugin of an older minor did not know is absent, hence zero.
  fanfold_schema known{};
  std::memcpy(&known, &filled, std::min<std::size_t>(sizeof known, filled.size));
  Schema schema;
  if (known.column_count > kColumnsMax) {
    return job_fault("the job declares " + std::to_string(known.column_count) + " result columns; at most " +
                     std::to_string(kColumnsMax) + " are possible.");
  }
  if (known.order_count > known.column_count) {
    return job_fault("the job declares more order terms than result columns; name each column once.");
  }
  if ((known.columns == nullptr && known.column_count != 0) || (known.order == nullptr && known.order_count != 0)) {
    return job_fault("the job counts result columns or order terms but gives none.");
  }
  // An array's stride is the size its maker knew.
  const auto* column = reinterpret_cast<const std::byte*>(known.columns);
  for (std::uint32_t i = 0; i < known.column_count; ++i) {
    fanfold_column one{};
    std::uint32_t stride = 0;
    std::memcpy(&stride, column, sizeof stride);
    if (stride < offsetof(fanfold_column, name) + sizeof one.name) {
      return job_fault("result column " + std::to_string(i + 1) +
                       " tells a size that cannot hold a name; set its size member.");
    }
    std::memcpy(&one, column, std::min<std::size_t>(sizeof one, stride));
    column += stride;
    schema.columns.push_back(
        {static_cast<ColumnType>(one.type), std::string(view_of(one.name)), std::string(view_of(one.help))});
  }
  for (std::uint32_t i = 0; i < known.order_count; ++i) {
    schema.order.push_back({known.order[i].column, known.order[i].descending != 0});
  }
  schema.limit = known.limit;
  std::memcpy(schema.delimiters.data(), known.delimiters, schema.delimiters.size());
  if (Status checked = check_schema(schema); !checked) return checked.failure();
  return schema;
}

Schema with_limit(Schema schema, std::uint64_t rows) {
  if (rows != 0 && (schema.limit == 0 || rows < schema.limit)) schema.limit = rows;
  return schema;
}

std::vector<std::byte> pack_schema(const Schema& schema) {
  Packer packer;
  packer.integer(kSchemaMagic);
  packer.integer(static_cast<std::uint32_t>(schema.columns.size()));
  packer.integer(static_cast<std::uint32_t>(schema.order.size()));
  packer.integer(schema.limit);
  for (const std::uint8_t bits : schema.delimiters) packer.integer(bits);
  for (const Column& column : schema.columns) {
    packer.integer(static_cast<std::uint32_t>(column.type));
    packer.text(column.name);
    packer.text(column.help);
  }
  for (const OrderTerm& term : schema.order) {
    packer.integer(term.column);
    packer.integer(static_cast<std::uint32_t>(term.descending));
  }
  return packer.take();
}

Result<Schema> unpack_schema(std::span<const std::byte> bytes) {
  const Failure refused{ExitCode::kInternal, "the packed schema is not one that this version of Fanfold writes."};
  ByteReader reader(bytes);
  Schema schema;
  if (reader.integer<std::uint32_t>() != kSchemaMagic) return refused;
  const auto columns = reader.integer<std::uint32_t>();
  const auto terms = reader.integer<std::uint32_t>();
  if (!reader.ok() || columns > kColumnsMax || terms > columns) return refused;
  schema.limit = reader.integer<std::uint64_t>();
  for (std::uint8_t& bits : schema.delimiters) bits = reader.integer<std::uint8_t>();
  for (std::uint32_t i = 0; i < columns && reader.ok(); ++i) {
    Column column;
    column.type = static_cast<ColumnType>(reader.integer<std::uint32_t>());
    column.name = text_of(reader);
    column.help = text_of(reader);
    schema.columns.push_back(std::move(column));
  }
  for (std::uint32_t i = 0; i < terms && reader.ok(); ++i) {
    const auto column = reader.integer<std::uint32_t>();
    const auto descending = reader.integer<std::uint32_t>();
    if (descending > 1) return refused;
    schema.order.push_back({column, descending == 1});
  }
  if (!reader.done() || !check_schema(schema)) return refused;
  return schema;
}

}  // namespace fanfold
