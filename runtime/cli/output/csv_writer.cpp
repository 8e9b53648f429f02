#include "runtime/cli/output/csv_writer.h"

#include <bit>
#include <cmath>
#include <cstring>
#include <vector>

#include "engine/protocol/row_batch.h"
#include "runtime/cli/output/number_text.h"

namespace fanfold {
namespace {

bool is_special(char c) {
  return c == '"' || c == ',' || c == '\n' || c == '\r';
}

// Over all cells of a column at once, without a branch a byte.
bool has_special(const char* bytes, std::size_t size) {
  bool found = false;
  for (std::size_t i = 0; i < size; ++i) found |= is_special(bytes[i]);
  return found;
}

// At most twice the text and two quotes.
char* put_field(char* out, std::string_view text, bool may_be_special) {
  if (text.empty()) {
    *out++ = '"';
    *out++ = '"';
    return out;
  }
  if (!may_be_special || !has_special(text.data(), text.size())) {
    std::memcpy(out, text.data(), text.size());
    return out + text.size();
  }
  *out++ = '"';
  for (const char c : text) {
    if (c == '"') *out++ = '"';
    *out++ = c;
  }
  *out++ = '"';
  return out;
}

char* put_double(char* out, double value) {
  const std::string_view word = std::isnan(value) ? "nan" : std::isinf(value) ? (value < 0 ? "-inf" : "inf") : "";
  if (word.empty()) return put_number(out, value);
  std::memcpy(out, word.data(), word.size());
  return out + word.size();
}

}  // namespace

CsvWriter::CsvWriter(const Schema& schema, ByteSink& sink) : schema_(schema), buffer_(sink) {
  for (std::size_t i = 0; i < schema_.columns.size(); ++i) {
    const std::string& name = schema_.columns[i].name;
    if (i != 0) buffer_.put(',');
    buffer_.written_to(put_field(buffer_.room(name.size() * 2 + 2), name, true));
  }
  buffer_.put('\n');
}

Status CsvWriter::write(const fanfold_batch& batch) {
  const std::size_t columns = schema_.columns.size();
  std::vector<bool> special(columns, false);
  for (std::size_t i = 0; i < columns && batch.rows != 0; ++i) {
    if (!is_bytes(schema_.columns[i].type)) continue;
    special[i] = has_special(static_cast<const char*>(batch.data[i].values),
                             static_cast<std::size_t>(batch.data[i].offsets[batch.rows]));
  }
  for (std::uint64_t row = 0; row < batch.rows; ++row) {
    for (std::size_t i = 0; i < columns; ++i) {
      const fanfold_column_data& column = batch.data[i];
      const ColumnType type = schema_.columns[i].type;
      const std::string_view bytes = is_bytes(type) ? bytes_at(column, row) : std::string_view{};
      char* out = buffer_.room(bytes.size() * 2 + 2 + kNumberBytesMax);
      if (i != 0) *out++ = ',';
      if (is_present(column, row)) {
        switch (type) {
          case ColumnType::kText:
          case ColumnType::kDecimal:
            out = put_field(out, bytes, special[i]);
            break;
          case ColumnType::kInt64:
            out = put_number(out, static_cast<std::int64_t>(word_at(column, row)));
            break;
          case ColumnType::kUint64:
            out = put_number(out, word_at(column, row));
            break;
          case ColumnType::kFloat64:
            out = put_double(out, std::bit_cast<double>(word_at(column, row)));
            break;
        }
      }
      buffer_.written_to(out);
    }
    buffer_.put('\n');
    if (Status status = buffer_.flush_when_full(); !status) return status;
  }
  return success();
}

Status CsvWriter::finish() {
  return buffer_.flush();
}

}  // namespace fanfold
