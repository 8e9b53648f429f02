// delimiters.h: the bytes that end a record, and the search for the first and the last of them.
// One delimiter, the usual case, is searched by the C library's vector code.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace fanfold {

class DelimiterSet {
 public:
  // A bit a byte, least significant first, as in fanfold_schema; all zero means '\n'.
  explicit DelimiterSet(const std::array<uint8_t, 32>& bits) {
    int count = 0;
    for (int byte = 0; byte < 256; ++byte) {
      const bool member = ((bits[static_cast<size_t>(byte) / 8] >> (byte % 8)) & 1) != 0;
      members_[static_cast<size_t>(byte)] = member;
      if (member) {
        single_ = byte;
        ++count;
      }
    }
    if (count == 0) {
      single_ = '\n';
      members_['\n'] = true;
    } else if (count > 1) {
      single_ = kMany;
    }
  }

  [[nodiscard]] bool has(char c) const { return members_[static_cast<unsigned char>(c)]; }

  // The first, or the last, delimiter of [data, data + size), or null.
  [[nodiscard]] const char* first(const char* data, size_t size) const {
    if (size == 0) return nullptr;
    if (single_ != kMany) return static_cast<const char*>(std::memchr(data, single_, size));
    for (const char* at = data; at != data + size; ++at)
      if (has(*at)) return at;
    return nullptr;
  }
  [[nodiscard]] const char* last(const char* data, size_t size) const {
    if (size == 0) return nullptr;
    if (single_ != kMany) return static_cast<const char*>(memrchr(data, single_, size));
    for (const char* at = data + size; at != data;)
      if (has(*--at)) return at;
    return nullptr;
  }

 private:
  static constexpr int kMany = -1;
  std::array<bool, 256> members_ = {};
  int single_ = kMany;
};

}  // namespace fanfold
