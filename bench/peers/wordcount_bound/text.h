// text.h: a file mapped for reading, with readable bytes behind its end.
// Kernels load 64 bytes at a time and words 16 bytes at a time; nobody has to look where the file ends.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace fanfold::bound {

class MappedText {
 public:
  // Maps the whole file; on failure `error()` says why and the text is empty. Lives until the process ends.
  explicit MappedText(const std::string& path);

  const char* data() const { return data_; }
  uint64_t size() const { return size_; }
  const std::string& error() const { return error_; }

  // C's isspace in the "C" locale.
  static bool is_space(char c) { return c == ' ' || static_cast<uint8_t>(c - '\t') < 5; }

 private:
  const char* data_ = nullptr;
  uint64_t size_ = 0;
  std::string error_;
};

}  // namespace fanfold::bound
