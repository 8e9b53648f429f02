// ledger.h: Ledger, the side counts of a run: records, bytes, records skipped, errors, and the first
// errors by place with their texts. A fold like any other, so that side counts, too, count each shard once.
#pragma once

#include <fanfold/bytes.h>
#include <fanfold/count.h>
#include <fanfold/fold.h>

#include <algorithm>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace fanfold {

// One error in the data: which source, the offset of the record in it, and what was wrong.
struct LedgerError {
  std::uint64_t source = 0;
  std::uint64_t offset = 0;
  std::string text;
  friend auto operator<=>(const LedgerError&, const LedgerError&) = default;
};

class Ledger {
 public:
  static constexpr std::size_t packed_bytes = kVariableSize;
  // So many errors are kept, the smallest by (source, offset, text); all are counted.
  static constexpr std::size_t kErrorsMax = 16;
  // What is longer is cut, before anything is compared.
  static constexpr std::size_t kErrorTextBytesMax = 512;

  void add_records(std::uint64_t records, std::uint64_t bytes) noexcept {
    records_.add(records);
    bytes_.add(bytes);
  }
  void add_skipped(std::uint64_t records = 1) noexcept { skipped_.add(records); }
  void add_error(std::uint64_t source, std::uint64_t offset, std::string_view text) {
    error_count_.add();
    if (errors_.size() == kErrorsMax &&
        std::pair(source, offset) > std::pair(errors_.back().source, errors_.back().offset)) {
      return;  // The common case of many errors: no text is copied.
    }
    keep({source, offset, std::string(text.substr(0, kErrorTextBytesMax))});
  }
  void merge(const Ledger& other) {
    records_.merge(other.records_);
    bytes_.merge(other.bytes_);
    skipped_.merge(other.skipped_);
    error_count_.merge(other.error_count_);
    std::vector<LedgerError> both;
    both.reserve(errors_.size() + other.errors_.size());
    std::merge(errors_.begin(), errors_.end(), other.errors_.begin(), other.errors_.end(), std::back_inserter(both));
    if (both.size() > kErrorsMax) both.resize(kErrorsMax);
    errors_ = std::move(both);
  }

  [[nodiscard]] std::uint64_t records() const { return records_.value(); }
  [[nodiscard]] std::uint64_t bytes() const { return bytes_.value(); }
  [[nodiscard]] std::uint64_t skipped() const { return skipped_.value(); }
  [[nodiscard]] std::uint64_t error_count() const { return error_count_.value(); }
  // In order, kErrorsMax at most.
  [[nodiscard]] const std::vector<LedgerError>& errors() const noexcept { return errors_; }

  [[nodiscard]] std::size_t heap_bytes() const noexcept {
    std::size_t bytes = errors_.capacity() * sizeof(LedgerError);
    for (const LedgerError& error : errors_) bytes += error.text.capacity();
    return bytes;
  }
  // Packed: the four counts, how many errors follow, and each as source, offset, size, text.
  [[nodiscard]] std::size_t pack_size() const noexcept {
    std::size_t size = kCountsBytes + 1;
    for (const LedgerError& error : errors_) {
      size += 16 + varint_size(error.text.size()) + error.text.size();
    }
    return size;
  }
  void pack(std::byte* out) const noexcept {
    records_.pack(out);
    bytes_.pack(out + 8);
    skipped_.pack(out + 16);
    error_count_.pack(out + 24);
    out += kCountsBytes;
    *out++ = static_cast<std::byte>(errors_.size());
    for (const LedgerError& error : errors_) {
      store_little(out, error.source);
      store_little(out + 8, error.offset);
      out = store_varint(out + 16, error.text.size());
      for (const char character : error.text) *out++ = static_cast<std::byte>(character);
    }
  }
  [[nodiscard]] bool unpack(std::span<const std::byte> in) {
    ByteReader reader(in);
    for (Count* count : {&records_, &bytes_, &skipped_, &error_count_}) {
      *count = Count(reader.integer<std::uint64_t>());
    }
    const std::size_t size = reader.integer<std::uint8_t>();
    if (!reader.ok() || size > kErrorsMax) return false;
    for (std::size_t i = 0; i < size; ++i) {
      LedgerError error;
      error.source = reader.integer<std::uint64_t>();
      error.offset = reader.integer<std::uint64_t>();
      const auto text = reader.take(reader.varint());
      if (!reader.ok() || text.size() > kErrorTextBytesMax) return false;
      error.text.assign(reinterpret_cast<const char*>(text.data()), text.size());
      errors_.push_back(std::move(error));
    }
    return reader.done() && std::is_sorted(errors_.begin(), errors_.end()) && kept_of(error_count_) == errors_.size();
  }

 private:
  static constexpr std::size_t kCountsBytes = 32;

  // How many errors are kept when so many were counted.
  [[nodiscard]] static std::size_t kept_of(const Count& count) {
    return count.overflowed() ? kErrorsMax
                              : static_cast<std::size_t>(std::min<std::uint64_t>(count.value(), kErrorsMax));
  }
  void keep(LedgerError error) {
    errors_.insert(std::upper_bound(errors_.begin(), errors_.end(), error), std::move(error));
    if (errors_.size() > kErrorsMax) errors_.pop_back();
  }

  Count records_;
  Count bytes_;
  Count skipped_;
  Count error_count_;
  std::vector<LedgerError> errors_;  // In order.
};

static_assert(Fold<Ledger>);

}  // namespace fanfold
