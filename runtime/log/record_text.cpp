#include "runtime/log/record_text.h"

#include <nlohmann/json.hpp>

#include "engine/quoted.h"

namespace fanfold::log {

namespace {

std::string value_text(const Field& field) {
  if (const auto* number = std::get_if<std::uint64_t>(&field.value)) return std::to_string(*number);
  return std::get<std::string>(field.value);
}

void append_text(std::string& text, const Fields& fields, std::string_view sentence) {
  for (const Field& field : fields) {
    const std::string value = value_text(field);
    if (value.empty() || sentence.find(value) != std::string_view::npos) continue;
    text +=
        "  " + field.name + "=" + (std::holds_alternative<std::string>(field.value) ? fanfold::quoted(value) : value);
  }
}

void append_json(nlohmann::ordered_json& object, const Fields& fields) {
  for (const Field& field : fields) {
    std::visit([&](const auto& value) { object[field.name] = value; }, field.value);
  }
}

}  // namespace

std::string escaped(std::string_view text) {
  constexpr std::string_view kHex = "0123456789abcdef";
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x20 && byte != 0x7f) {
      out += c;
    } else if (c == '\n') {
      out += "\\n";
    } else if (c == '\t') {
      out += "\\t";
    } else {
      out += "\\x";
      out += kHex[byte >> 4];
      out += kHex[byte & 15];
    }
  }
  return out;
}

std::string text_of(const Record& record) {
  std::string text = std::string(record.role) + ": " + escaped(record.sentence);
  append_text(text, *record.fields, record.sentence);
  append_text(text, *record.context, record.sentence);
  return text;
}

std::string json_of(const Record& record) {
  nlohmann::ordered_json object;
  object["role"] = record.role;
  object["name"] = record.name;
  object["pid"] = record.pid;
  object["message"] = record.sentence;
  append_json(object, *record.context);
  append_json(object, *record.fields);
  return object.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace).substr(1);
}

}  // namespace fanfold::log
