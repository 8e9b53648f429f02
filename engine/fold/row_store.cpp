#include "engine/fold/row_store.h"

#include <algorithm>
#include <bit>
#include <new>
#include <utility>

#include "engine/protocol/row_batch.h"

namespace fanfold {
namespace {

// Blocks begin small, so that ten rows cost little, and double up to a huge page.
constexpr std::uint64_t kFirstBlockBytes = 16 * 1024;
constexpr std::uint64_t kBlockBytes = 2 * 1024 * 1024;
constexpr std::align_val_t kHeapAlignment{64};

constexpr std::uint64_t kNan = 0x7ff8000000000000;

bool is_nan_bits(std::uint64_t bits) {
  return (bits & 0x7fffffffffffffff) > 0x7ff0000000000000;
}

}  // namespace

std::byte* BlockMemory::allocate(std::uint64_t bytes) {
  auto* block = static_cast<std::byte*>(host_ != nullptr ? host_->allocate(host_->context, bytes)
                                                         : ::operator new(bytes, kHeapAlignment, std::nothrow));
  if (block != nullptr) bytes_held_.fetch_add(bytes, std::memory_order_relaxed);
  return block;
}

void BlockMemory::release(std::byte* block, std::uint64_t bytes) {
  bytes_held_.fetch_sub(bytes, std::memory_order_relaxed);
  if (host_ != nullptr) {
    host_->release(host_->context, block, bytes);
  } else {
    ::operator delete(block, kHeapAlignment);
  }
}

RowLayout::RowLayout(const Schema& schema) {
  for (std::size_t i = 0; i < schema.columns.size(); ++i) {
    types_.push_back(schema.columns[i].type);
    if (is_bytes(types_.back())) bytes_columns_.push_back(i);
  }
  const std::uint64_t columns = types_.size();
  words_at_ = 8 + (columns > 32 ? (columns - 32 + 63) / 64 * 8 : 0);
  fixed_bytes_ = words_at_ + columns * 8;
}

std::uint64_t RowLayout::stored_bytes(const fanfold_batch& batch, std::uint64_t row) const {
  std::uint64_t bytes = fixed_bytes_;
  for (const std::size_t i : bytes_columns_) {
    const fanfold_column_data& column = batch.data[i];
    if (is_present(column, row)) bytes += static_cast<std::uint64_t>(column.offsets[row + 1] - column.offsets[row]);
  }
  return (bytes + 7) / 8 * 8;
}

void RowLayout::store(const fanfold_batch& batch, std::uint64_t row, std::uint64_t row_bytes, std::byte* out) const {
  const auto put = [out](std::uint64_t at, auto value) { std::memcpy(out + at, &value, sizeof value); };
  std::uint64_t tail_at = fixed_bytes_;
  std::uint64_t validity = 0;
  std::size_t validity_from = 0;
  put(0, static_cast<std::uint32_t>(row_bytes));
  for (std::size_t i = 0; i < types_.size(); ++i) {
    if (i == 32) put(4, static_cast<std::uint32_t>(validity));
    if (i >= 32 && (i - 32) % 64 == 0) {
      if (i > 32) put(8 + (validity_from - 32) / 8, validity);
      validity = 0;
      validity_from = i;
    }
    const fanfold_column_data& column = batch.data[i];
    std::uint64_t word = 0;
    if (is_present(column, row)) {
      validity |= std::uint64_t{1} << (i - validity_from);
      if (is_bytes(types_[i])) {
        const std::string_view bytes = bytes_at(column, row);
        if (!bytes.empty()) std::memcpy(out + tail_at, bytes.data(), bytes.size());
        word = tail_at | (static_cast<std::uint64_t>(bytes.size()) << 32);
        tail_at += bytes.size();
      } else {
        word = word_at(column, row);
        if (types_[i] == ColumnType::kFloat64 && is_nan_bits(word)) word = kNan;
      }
    }
    put(words_at_ + i * 8, word);
  }
  if (types_.size() <= 32) {
    put(4, static_cast<std::uint32_t>(validity));
  } else {
    put(8 + (validity_from - 32) / 8, validity);
  }
  std::memset(out + tail_at, 0, row_bytes - tail_at);
}

std::byte* RowStore::append(std::uint64_t row_bytes) {
  if (filled_.empty() || filled_.back().block.bytes() - filled_.back().used_bytes < row_bytes) {
    const std::uint64_t last = filled_.empty() ? kFirstBlockBytes / 2 : filled_.back().block.bytes();
    RowBlock block;
    if (!spare_.empty() && spare_.back().bytes() >= row_bytes) {
      block = std::move(spare_.back());
      spare_.pop_back();
    } else {
      const std::uint64_t bytes = std::max(row_bytes, std::min(kBlockBytes, last * 2));
      std::byte* data = memory_->allocate(bytes);
      if (data == nullptr) return nullptr;
      block = RowBlock(memory_, data, bytes);
    }
    filled_.push_back({std::move(block), 0, 0});
  }
  Filled& target = filled_.back();
  std::byte* row = target.block.data() + target.used_bytes;
  target.used_bytes += row_bytes;
  ++target.rows;
  ++rows_;
  return row;
}

void RowStore::take_back(std::uint64_t row_bytes) {
  filled_.back().used_bytes -= row_bytes;
  --filled_.back().rows;
  --rows_;
}

void RowStore::clear() {
  for (Filled& filled : filled_) {
    if (filled.block.bytes() <= kBlockBytes) spare_.push_back(std::move(filled.block));
  }
  filled_.clear();
  rows_ = 0;
}

}  // namespace fanfold
