#include "runtime/cli/output/json_writer.h"

#include <array>
#include <bit>
#include <cmath>

#include "engine/protocol/row_batch.h"
#include "engine/utf8.h"
#include "runtime/cli/output/number_text.h"

namespace fanfold {
namespace {

// Bytes that stand for themselves inside a JSON string, those above ASCII aside.
constexpr std::array<bool, 256> kPlain = [] {
  std::array<bool, 256> plain{};
  for (std::size_t c = 0x20; c < 0x80; ++c) plain[c] = c != '"' && c != '\\';
  return plain;
}();

bool is_plain(std::string_view text) {
  bool plain = true;
  for (const char c : text) plain &= kPlain[static_cast<unsigned char>(c)];
  return plain;
}

// `text` is UTF-8. At most six bytes for one.
char* put_escaped(char* out, std::string_view text) {
  constexpr std::string_view kHex = "0123456789abcdef";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x80 || kPlain[byte]) {
      *out++ = c;
      continue;
    }
    *out++ = '\\';
    switch (c) {
      case '"':
      case '\\':
        *out++ = c;
        break;
      case '\n':
        *out++ = 'n';
        break;
      case '\r':
        *out++ = 'r';
        break;
      case '\t':
        *out++ = 't';
        break;
      case '\b':
        *out++ = 'b';
        break;
      case '\f':
        *out++ = 'f';
        break;
      default:
        for (const char digit : {'u', '0', '0', kHex[byte >> 4], kHex[byte & 15]}) *out++ = digit;
    }
  }
  return out;
}

char* put_base64(char* out, std::string_view bytes) {
  constexpr std::string_view kDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  for (std::size_t at = 0; at < bytes.size(); at += 3) {
    const std::size_t left = bytes.size() - at;
    const auto byte = [&](std::size_t i) { return i < left ? static_cast<unsigned char>(bytes[at + i]) : 0U; };
    const std::uint32_t group = byte(0) << 16 | byte(1) << 8 | byte(2);
    *out++ = kDigits[group >> 18];
    *out++ = kDigits[group >> 12 & 63];
    *out++ = left > 1 ? kDigits[group >> 6 & 63] : '=';
    *out++ = left > 2 ? kDigits[group & 63] : '=';
  }
  return out;
}

// -?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?
bool is_json_number(std::string_view text) {
  std::size_t at = 0;
  const auto digits = [&] {
    const std::size_t begin = at;
    while (at < text.size() && text[at] >= '0' && text[at] <= '9') ++at;
    return at - begin;
  };
  if (at < text.size() && text[at] == '-') ++at;
  const bool zero = at < text.size() && text[at] == '0';
  const std::size_t whole = digits();
  if (whole == 0 || (zero && whole > 1)) return false;
  if (at < text.size() && text[at] == '.') {
    ++at;
    if (digits() == 0) return false;
  }
  if (at < text.size() && (text[at] == 'e' || text[at] == 'E')) {
    ++at;
    if (at < text.size() && (text[at] == '+' || text[at] == '-')) ++at;
    if (digits() == 0) return false;
  }
  return at == text.size();
}

}  // namespace

JsonWriter::JsonWriter(const Schema& schema, ByteSink& sink, bool lines) : lines_(lines), buffer_(sink) {
  for (const Column& column : schema.columns) {
    types_.push_back(column.type);
    std::string key(column.name.size() * 6, '\0');
    key.resize(static_cast<std::size_t>(put_escaped(key.data(), column.name) - key.data()));
    keys_.push_back((keys_.empty() ? "{\"" : ",\"") + key + "\":");
  }
}

void JsonWriter::put_text(std::string_view text) {
  if (is_utf8(text)) {
    char* out = buffer_.room(text.size() * 6 + 2);
    *out++ = '"';
    out = put_escaped(out, text);
    *out++ = '"';
    buffer_.written_to(out);
    return;
  }
  buffer_.put("{\"base64\":\"");
  buffer_.written_to(put_base64(buffer_.room(text.size() / 3 * 4 + 4), text));
  buffer_.put("\"}");
}

void JsonWriter::put_decimal(std::string_view text) {
  if (is_json_number(text)) {
    buffer_.put(text);
  } else {
    put_text(text);
  }
}

void JsonWriter::put_double(double value) {
  if (std::isfinite(value)) {
    buffer_.written_to(put_number(buffer_.room(kNumberBytesMax), value));
  } else {
    buffer_.put(std::isnan(value) ? "\"NaN\"" : value < 0 ? "\"-Infinity\"" : "\"Infinity\"");
  }
}

Status JsonWriter::write(const fanfold_batch& batch) {
  const std::size_t columns = types_.size();
  std::vector<bool> plain(columns, false);
  for (std::size_t i = 0; i < columns && batch.rows != 0; ++i) {
    if (types_[i] != ColumnType::kText) continue;
    plain[i] = is_plain(
        {static_cast<const char*>(batch.data[i].values), static_cast<std::size_t>(batch.data[i].offsets[batch.rows])});
  }
  for (std::uint64_t row = 0; row < batch.rows; ++row) {
    if (!lines_) buffer_.put(first_ ? "[\n" : ",\n");
    first_ = false;
    for (std::size_t i = 0; i < columns; ++i) {
      const fanfold_column_data& column = batch.data[i];
      buffer_.put(keys_[i]);
      if (!is_present(column, row)) {
        buffer_.put("null");
        continue;
      }
      switch (types_[i]) {
        case ColumnType::kText:
          if (plain[i]) {
            buffer_.put('"');
            buffer_.put(bytes_at(column, row));
            buffer_.put('"');
          } else {
            put_text(bytes_at(column, row));
          }
          break;
        case ColumnType::kDecimal:
          put_decimal(bytes_at(column, row));
          break;
        case ColumnType::kInt64:
          buffer_.written_to(
              put_number(buffer_.room(kNumberBytesMax), static_cast<std::int64_t>(word_at(column, row))));
          break;
        case ColumnType::kUint64:
          buffer_.written_to(put_number(buffer_.room(kNumberBytesMax), word_at(column, row)));
          break;
        case ColumnType::kFloat64:
          put_double(std::bit_cast<double>(word_at(column, row)));
          break;
      }
    }
    buffer_.put(lines_ ? "}\n" : "}");
    if (Status status = buffer_.flush_when_full(); !status) return status;
  }
  return success();
}

Status JsonWriter::finish() {
  if (!lines_) buffer_.put(first_ ? "[]\n" : "\n]\n");
  return buffer_.flush();
}

}  // namespace fanfold
