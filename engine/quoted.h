// quoted.h: a name inside a sentence: between double quotes, its control bytes, quotes and backslashes
// escaped, so that a hostile file name cannot break a line or steer a terminal. Bytes from 0x80 on pass,
// for they are UTF-8 as a rule.
#pragma once

#include <string>
#include <string_view>

namespace fanfold {

inline std::string quoted(std::string_view name) {
  constexpr std::string_view kHex = "0123456789abcdef";
  std::string text = "\"";
  for (const char c : name) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      text += '\\';
      text += c;
    } else if (c == '\n') {
      text += "\\n";
    } else if (c == '\t') {
      text += "\\t";
    } else if (byte < 0x20 || byte == 0x7f) {
      text += "\\x";
      text += kHex[byte >> 4];
      text += kHex[byte & 15];
    } else {
      text += c;
    }
  }
  return text + '"';
}

}  // namespace fanfold
