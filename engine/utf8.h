// utf8.h: whether bytes are UTF-8, and the characters in them. Strict: no surrogates, no longer form than
// needed, nothing above U+10FFFF.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string_view>

namespace fanfold {

struct Utf8Character {
  char32_t code = 0;
  std::size_t bytes = 0;
};

// The character at the start of `text`, which is not empty; none where its bytes are not UTF-8.
[[nodiscard]] inline std::optional<Utf8Character> first_character(std::string_view text) {
  const auto byte = [text](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char lead = byte(0);
  if (lead < 0x80) return Utf8Character{lead, 1};
  std::size_t bytes = 0;
  char32_t code = 0;
  char32_t least = 0;
  if (lead >= 0xc2 && lead < 0xe0) {
    bytes = 2, code = lead & 0x1fU, least = 0x80;
  } else if (lead >= 0xe0 && lead < 0xf0) {
    bytes = 3, code = lead & 0x0fU, least = 0x800;
  } else if (lead >= 0xf0 && lead < 0xf5) {
    bytes = 4, code = lead & 0x07U, least = 0x10000;
  } else {
    return std::nullopt;
  }
  if (text.size() < bytes) return std::nullopt;
  for (std::size_t i = 1; i < bytes; ++i) {
    if ((byte(i) & 0xc0U) != 0x80) return std::nullopt;
    code = code << 6 | (byte(i) & 0x3fU);
  }
  if (code < least || code > 0x10ffff || (code >= 0xd800 && code < 0xe000)) return std::nullopt;
  return Utf8Character{code, bytes};
}

[[nodiscard]] inline bool is_utf8(std::string_view text) {
  while (!text.empty()) {
    std::uint64_t eight = 0;
    if (text.size() >= sizeof eight) {
      std::memcpy(&eight, text.data(), sizeof eight);
      if ((eight & 0x8080808080808080U) == 0) {
        text.remove_prefix(sizeof eight);
        continue;
      }
    }
    const auto character = first_character(text);
    if (!character) return false;
    text.remove_prefix(character->bytes);
  }
  return true;
}

}  // namespace fanfold
