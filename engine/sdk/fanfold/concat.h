// concat.h: Concat, pieces of text keyed by where they came from (source, offset), put out in that
// order whatever the order of adding and merging. Pieces with the same key stand in bytewise order.
#pragma once

#include <fanfold/bytes.h>
#include <fanfold/fold.h>

#include <algorithm>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace fanfold {

class Concat {
 public:
  static constexpr std::size_t packed_bytes = kVariableSize;

  struct Piece {
    std::uint64_t source = 0;
    std::uint64_t offset = 0;
    std::string_view text;
    // Memberwise: texts of one place compare as unsigned bytes.
    friend auto operator<=>(const Piece&, const Piece&) = default;
  };

  // Copies the text.
  void add(std::uint64_t source, std::uint64_t offset, std::string_view text) {
    entries_.push_back({source, offset, bytes_.size(), text.size()});
    bytes_.insert(bytes_.end(), text.begin(), text.end());
  }
  void merge(const Concat& other) {
    const std::size_t shift = bytes_.size();
    const std::size_t count = other.entries_.size();  // `other` may be this very fold.
    for (std::size_t i = 0; i < count; ++i) {
      Entry entry = other.entries_[i];
      entry.begin += shift;
      entries_.push_back(entry);
    }
    const std::size_t added = other.bytes_.size();
    bytes_.resize(shift + added);
    if (added != 0) std::memcpy(bytes_.data() + shift, other.bytes_.data(), added);
  }
  void merge(Concat&& other) {
    if (entries_.empty()) {
      *this = std::move(other);
    } else {
      merge(std::as_const(other));
    }
  }

  [[nodiscard]] std::size_t size() const noexcept { return entries_.size(); }
  [[nodiscard]] std::size_t text_bytes() const noexcept { return bytes_.size(); }
  // The pieces in order; their texts are borrowed from the fold.
  [[nodiscard]] std::vector<Piece> pieces() const {
    std::vector<Piece> result;
    result.reserve(entries_.size());
    for (const Entry& entry : entries_) {
      result.push_back({entry.source, entry.offset, {bytes_.data() + entry.begin, entry.size}});
    }
    if (!std::is_sorted(result.begin(), result.end())) std::sort(result.begin(), result.end());
    return result;
  }
  // The texts in order, one behind the other.
  [[nodiscard]] std::string value() const {
    std::string text;
    text.reserve(bytes_.size());
    for (const Piece& piece : pieces()) text += piece.text;
    return text;
  }

  [[nodiscard]] std::size_t heap_bytes() const noexcept {
    return entries_.capacity() * sizeof(Entry) + bytes_.capacity();
  }
  // Packed: how many pieces; for each in order source, offset and size; then the texts.
  [[nodiscard]] std::size_t pack_size() const noexcept {
    std::size_t size = varint_size(entries_.size()) + bytes_.size();
    for (const Entry& entry : entries_) {
      size += varint_size(entry.source) + varint_size(entry.offset) + varint_size(entry.size);
    }
    return size;
  }
  void pack(std::byte* out) const {
    const std::vector<Piece> ordered = pieces();
    out = store_varint(out, ordered.size());
    for (const Piece& piece : ordered) {
      out = store_varint(out, piece.source);
      out = store_varint(out, piece.offset);
      out = store_varint(out, piece.text.size());
    }
    for (const Piece& piece : ordered) {
      if (!piece.text.empty()) std::memcpy(out, piece.text.data(), piece.text.size());
      out += piece.text.size();
    }
  }
  [[nodiscard]] bool unpack(std::span<const std::byte> in) {
    ByteReader reader(in);
    const std::uint64_t count = reader.varint();
    if (!reader.ok() || count > reader.rest_bytes() / kEntryBytesMin) return false;
    entries_.reserve(static_cast<std::size_t>(count));
    std::size_t begin = 0;
    for (std::uint64_t i = 0; i < count; ++i) {
      Entry entry;
      entry.source = reader.varint();
      entry.offset = reader.varint();
      const std::uint64_t size = reader.varint();
      if (!reader.ok() || size > in.size() - begin) return false;
      entry.begin = begin;
      entry.size = static_cast<std::size_t>(size);
      begin += entry.size;
      entries_.push_back(entry);
    }
    const auto texts = reader.take(begin);
    if (!reader.done()) return false;
    bytes_.resize(begin);
    if (begin != 0) std::memcpy(bytes_.data(), texts.data(), begin);
    const auto piece_at = [&](const Entry& entry) {
      return Piece{entry.source, entry.offset, {bytes_.data() + entry.begin, entry.size}};
    };
    return std::is_sorted(entries_.begin(), entries_.end(),
                          [&](const Entry& left, const Entry& right) { return piece_at(left) < piece_at(right); });
  }

 private:
  struct Entry {
    std::uint64_t source = 0;
    std::uint64_t offset = 0;
    std::size_t begin = 0;  // In bytes_.
    std::size_t size = 0;
  };
  static constexpr std::size_t kEntryBytesMin = 3;

  std::vector<Entry> entries_;  // In the order of adding and merging.
  std::vector<char> bytes_;
};

static_assert(Fold<Concat>);

}  // namespace fanfold
