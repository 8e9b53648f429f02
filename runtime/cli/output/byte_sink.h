// byte_sink.h: where formatted results go, and the buffer in front of it that makes few large writes.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <memory>
#include <string_view>

#include "engine/failure.h"

namespace fanfold {

class ByteSink {
 public:
  virtual ~ByteSink() = default;
  // All of the bytes, or a failure; after one every further write fails too.
  virtual Status write(std::string_view bytes) = 0;
};

// Grows as far as one row needs; flush_when_full() between rows keeps it small.
class OutputBuffer {
 public:
  explicit OutputBuffer(ByteSink& sink) : sink_(sink) {}

  // Room for `bytes` more; the caller writes there and says with written_to() how far it came.
  [[nodiscard]] char* room(std::size_t bytes) {
    if (capacity_ - size_ < bytes) grow(bytes);
    return data_.get() + size_;
  }
  void written_to(const char* end) { size_ = static_cast<std::size_t>(end - data_.get()); }

  void put(std::string_view text) {
    char* out = room(text.size());
    if (!text.empty()) std::memcpy(out, text.data(), text.size());
    size_ += text.size();
  }
  void put(char c) {
    *room(1) = c;
    ++size_;
  }
  void put(std::size_t count, char c) {
    if (count != 0) std::memset(room(count), c, count);  // nothing may need no room yet
    size_ += count;
  }

  Status flush_when_full() { return size_ < kFlushBytes ? success() : flush(); }
  Status flush() {
    const std::size_t size = size_;
    size_ = 0;
    return size == 0 ? success() : sink_.write({data_.get(), size});
  }

 private:
  static constexpr std::size_t kFlushBytes = 256 * 1024;

  void grow(std::size_t bytes) {
    const std::size_t capacity = std::max({2 * kFlushBytes, capacity_ * 2, size_ + bytes});
    std::unique_ptr<char[]> data(new char[capacity]);
    if (size_ != 0) std::memcpy(data.get(), data_.get(), size_);
    data_ = std::move(data);
    capacity_ = capacity;
  }

  ByteSink& sink_;
  std::unique_ptr<char[]> data_;
  std::size_t capacity_ = 0;
  std::size_t size_ = 0;
};

}  // namespace fanfold
