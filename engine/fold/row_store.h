// row_store.h: result rows as they lie at the gatherer until they are ordered: one after the other in
// large blocks. By row, not by column, because ordering and keeping the best touch whole rows in random
// order (one cache miss each); they become columns again when they leave (row_sink.h).
// A stored row: its size and the first 32 validity bits, more of them a word each 64 columns, a word a
// column (a value, or offset and length of bytes), then the bytes, padded to 8.
#pragma once

#include <fanfold/abi.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/protocol/limits.h"
#include "engine/protocol/schema.h"

namespace fanfold {

// A row longer than this fails the job: its bytes could not leave in one batch.
constexpr std::uint64_t kRowBytesMax = kMessageBytesMax - (std::uint64_t{8} << 20);

// The blocks' memory: the host's, or the process's heap; counted.
class BlockMemory {
 public:
  explicit BlockMemory(const fanfold_memory* host) : host_(host) {}
  [[nodiscard]] std::byte* allocate(std::uint64_t bytes);  // null: refused
  void release(std::byte* block, std::uint64_t bytes);
  [[nodiscard]] std::uint64_t bytes_held() const { return bytes_held_.load(std::memory_order_relaxed); }

 private:
  const fanfold_memory* host_;
  std::atomic<std::uint64_t> bytes_held_{0};
};

// One block, released when it goes.
class RowBlock {
 public:
  RowBlock() = default;
  RowBlock(std::shared_ptr<BlockMemory> memory, std::byte* data, std::uint64_t bytes)
      : memory_(std::move(memory)), data_(data), bytes_(bytes) {}
  RowBlock(RowBlock&& other) noexcept
      : memory_(std::move(other.memory_)),
        data_(std::exchange(other.data_, nullptr)),
        bytes_(std::exchange(other.bytes_, 0)) {}
  RowBlock& operator=(RowBlock&& other) noexcept {
    std::swap(memory_, other.memory_);
    std::swap(data_, other.data_);
    std::swap(bytes_, other.bytes_);
    return *this;
  }
  ~RowBlock() {
    if (data_ != nullptr) memory_->release(data_, bytes_);
  }
  [[nodiscard]] std::byte* data() const { return data_; }
  [[nodiscard]] std::uint64_t bytes() const { return bytes_; }

 private:
  std::shared_ptr<BlockMemory> memory_;
  std::byte* data_ = nullptr;
  std::uint64_t bytes_ = 0;
};

// Where the parts of a stored row are.
class RowLayout {
 public:
  explicit RowLayout(const Schema& schema);

  [[nodiscard]] std::size_t columns() const { return types_.size(); }
  [[nodiscard]] ColumnType type(std::size_t column) const { return types_[column]; }

  [[nodiscard]] static std::uint64_t row_bytes(const std::byte* row) { return load<std::uint32_t>(row); }
  [[nodiscard]] bool present(const std::byte* row, std::size_t column) const {
    if (column < 32) return ((load<std::uint32_t>(row + 4) >> column) & 1U) != 0;
    const std::size_t bit = column - 32;
    return ((load<std::uint64_t>(row + 8 + bit / 64 * 8) >> (bit % 64)) & 1U) != 0;
  }
  [[nodiscard]] std::uint64_t word(const std::byte* row, std::size_t column) const {
    return load<std::uint64_t>(row + words_at_ + column * 8);
  }
  [[nodiscard]] std::string_view bytes(const std::byte* row, std::size_t column) const {
    const std::uint64_t place = word(row, column);
    return {reinterpret_cast<const char*>(row) + (place & 0xffffffffU), static_cast<std::size_t>(place >> 32)};
  }

  // The size row `row` of a checked batch will have in store.
  [[nodiscard]] std::uint64_t stored_bytes(const fanfold_batch& batch, std::uint64_t row) const;
  // Writes it. NaN loses sign and payload: no order could tell them apart.
  void store(const fanfold_batch& batch, std::uint64_t row, std::uint64_t row_bytes, std::byte* out) const;

 private:
  template <class T>
  static T load(const std::byte* at) {
    T value;
    std::memcpy(&value, at, sizeof value);
    return value;
  }
  std::vector<ColumnType> types_;
  std::vector<std::size_t> bytes_columns_;
  std::uint64_t words_at_;
  std::uint64_t fixed_bytes_;
};

// Rows appended by one thread. Rows never move while they are in store.
class RowStore {
 public:
  explicit RowStore(std::shared_ptr<BlockMemory> memory) : memory_(std::move(memory)) {}

  // Room for a row of so many bytes, to be written at once; null when memory refuses.
  [[nodiscard]] std::byte* append(std::uint64_t row_bytes);
  // Gives up the row appended last.
  void take_back(std::uint64_t row_bytes);
  // Forgets all rows but keeps blocks of the usual size for the next ones.
  void clear();

  struct Filled {
    RowBlock block;
    std::uint64_t used_bytes = 0;
    std::uint64_t rows = 0;
  };
  [[nodiscard]] std::span<const Filled> blocks() const { return filled_; }
  [[nodiscard]] std::uint64_t rows() const { return rows_; }

 private:
  std::shared_ptr<BlockMemory> memory_;
  std::vector<Filled> filled_;  // the last one takes rows
  std::vector<RowBlock> spare_;
  std::uint64_t rows_ = 0;
};

}  // namespace fanfold
