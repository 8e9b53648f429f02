// packed_columns.h: what travels of a Table: one part's entries as columns, each linear in memory, written
// by PackedWriter and read back by PackedColumns (whole) and PackedCursor (entry by entry). All numbers are
// little-endian. Bytes read may be hostile: PackedColumns::read() believes no count that does not fit them.
//
// A part is a header; then, each padded to 8 bytes: hashes (8 bytes an entry), key lengths (4), states
// (packed_bytes each, or a length column of 4 and then their bytes), key bytes; and 16 zero bytes behind
// them, so that short keys are read as two words.
#pragma once

#include <fanfold/fold.h>
#include <fanfold/hash.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>

namespace fanfold {

struct PackedHeader {
  std::uint64_t entries;
  std::uint64_t key_bytes;
  std::uint64_t state_bytes;
  std::uint64_t format;
};
inline constexpr std::uint64_t kPackedFormat = 0x31424154444c4f46ULL;  // "FOLDTAB1"

template <Fold F>
struct PackedColumns {
  PackedHeader header{};
  const std::uint64_t* hashes = nullptr;
  const std::uint32_t* key_lengths = nullptr;
  const std::uint32_t* state_lengths = nullptr;  // null when states have one size
  const std::byte* states = nullptr;
  const char* keys = nullptr;

  struct Layout {
    std::uint64_t hashes, key_lengths, state_lengths, states, keys, bytes;
  };
  static std::uint64_t padded(std::uint64_t bytes) { return (bytes + 7) & ~std::uint64_t{7}; }
  static Layout layout(const PackedHeader& header) {
    Layout at{};
    at.hashes = sizeof(PackedHeader);
    at.key_lengths = at.hashes + 8 * header.entries;
    at.state_lengths = at.key_lengths + padded(4 * header.entries);
    at.states = at.state_lengths + (F::packed_bytes == kVariableSize ? padded(4 * header.entries) : 0);
    at.keys = at.states + padded(header.state_bytes);
    at.bytes = at.keys + padded(header.key_bytes) + 16;
    return at;
  }
  // False unless the counts fit the bytes exactly.
  static bool read(std::span<const std::uint8_t> bytes, PackedColumns& columns) {
    if (bytes.size() < sizeof(PackedHeader) || reinterpret_cast<std::uintptr_t>(bytes.data()) % 8 != 0) return false;
    std::memcpy(&columns.header, bytes.data(), sizeof(PackedHeader));
    const PackedHeader& header = columns.header;
    // Each bound by the whole keeps the sums below from wrapping around.
    if (header.format != kPackedFormat || header.entries > bytes.size() / 8 || header.key_bytes > bytes.size() ||
        header.state_bytes > bytes.size()) {
      return false;
    }
    if (F::packed_bytes != kVariableSize && header.state_bytes != header.entries * F::packed_bytes) return false;
    const Layout at = layout(header);
    if (at.bytes != bytes.size()) return false;
    const std::uint8_t* data = bytes.data();
    columns.hashes = reinterpret_cast<const std::uint64_t*>(data + at.hashes);
    columns.key_lengths = reinterpret_cast<const std::uint32_t*>(data + at.key_lengths);
    if (F::packed_bytes == kVariableSize) {
      columns.state_lengths = reinterpret_cast<const std::uint32_t*>(data + at.state_lengths);
    }
    columns.states = reinterpret_cast<const std::byte*>(data + at.states);
    columns.keys = reinterpret_cast<const char*>(data + at.keys);
    return true;
  }
  [[nodiscard]] bool check_states() const {
    std::uint64_t at = 0;
    for (std::uint64_t entry = 0; entry < header.entries; ++entry) {
      const std::uint64_t size = state_lengths != nullptr ? state_lengths[entry] : F::packed_bytes;
      if (size > header.state_bytes - at) return false;
      F state;
      if (!state.unpack({states + at, size})) return false;
      at += size;
    }
    return at == header.state_bytes;
  }
};

// Reads packed columns entry by entry, front to back.
template <Fold F>
class PackedCursor {
 public:
  explicit PackedCursor(const PackedColumns<F>& columns) : columns_(columns) {}
  [[nodiscard]] bool at_end() const { return entry_ == columns_.header.entries; }
  [[nodiscard]] std::uint64_t hash() const { return columns_.hashes[entry_]; }
  // Of an entry further on, or the last.
  [[nodiscard]] std::uint64_t hash_ahead(std::uint64_t entries) const {
    return columns_.hashes[std::min(entry_ + entries, columns_.header.entries - 1)];
  }
  [[nodiscard]] std::string_view key() const { return {columns_.keys + key_at_, columns_.key_lengths[entry_]}; }
  [[nodiscard]] bool read_state(F& state) const { return state.unpack({columns_.states + state_at_, state_size()}); }
  // False when the columns are not what check() passed. A long key stays borrowed.
  [[nodiscard]] bool read(EncodedKey& key, F& state) const {
    const std::uint64_t length = columns_.key_lengths[entry_];
    if (length > columns_.header.key_bytes - key_at_ || state_size() > columns_.header.state_bytes - state_at_) {
      return false;
    }
    if (length > kInlineKeyBytesMax) {
      key = {hash() | kLongKey, reinterpret_cast<std::uintptr_t>(columns_.keys + key_at_), length};
    } else {
      const auto& mask = hashing::kWordMasks.pairs[length];
      key = {hash() | (length + 1), hashing::load64(columns_.keys + key_at_) & mask[0],
             hashing::load64(columns_.keys + key_at_ + 8) & mask[1]};
    }
    return read_state(state);
  }
  void next() {
    key_at_ += columns_.key_lengths[entry_];
    state_at_ += state_size();
    ++entry_;
  }

 private:
  [[nodiscard]] std::uint64_t state_size() const {
    if constexpr (F::packed_bytes == kVariableSize) return columns_.state_lengths[entry_];
    return F::packed_bytes;
  }
  const PackedColumns<F>& columns_;
  std::uint64_t entry_ = 0;
  std::uint64_t key_at_ = 0;
  std::uint64_t state_at_ = 0;
};

// Writes columns whose header is known, entry by entry, into layout(header).bytes bytes.
template <Fold F>
class PackedWriter {
  using Columns = PackedColumns<F>;

 public:
  PackedWriter(std::uint8_t* out, const PackedHeader& header) : header_(header) {
    const typename Columns::Layout at = Columns::layout(header);
    std::memcpy(out, &header, sizeof header);
    hashes_ = reinterpret_cast<std::uint64_t*>(out + at.hashes);
    key_lengths_ = reinterpret_cast<std::uint32_t*>(out + at.key_lengths);
    state_lengths_ = reinterpret_cast<std::uint32_t*>(out + at.state_lengths);
    states_ = reinterpret_cast<std::byte*>(out + at.states);
    keys_ = reinterpret_cast<char*>(out + at.keys);
  }
  // Of a short key 16 bytes are read.
  void add(std::uint64_t hash, std::string_view key, const F& state) {
    hashes_[added_] = hash;
    key_lengths_[added_] = static_cast<std::uint32_t>(key.size());
    // What follows a short key is overwritten by the next or cleared.
    std::memcpy(keys_, key.data(), key.size() <= kInlineKeyBytesMax ? kInlineKeyBytesMax : key.size());
    keys_ += key.size();
    const std::uint64_t size = F::packed_bytes == kVariableSize ? state.pack_size() : F::packed_bytes;
    state.pack(states_);
    states_ += size;
    if constexpr (F::packed_bytes == kVariableSize) state_lengths_[added_] = static_cast<std::uint32_t>(size);
    ++added_;
  }
  // Clears the padding: equal contents give equal bytes.
  void close() {
    if (added_ % 2 == 1) {
      key_lengths_[added_] = 0;
      if constexpr (F::packed_bytes == kVariableSize) state_lengths_[added_] = 0;
    }
    std::memset(static_cast<void*>(states_), 0, Columns::padded(header_.state_bytes) - header_.state_bytes);
    std::memset(keys_, 0, Columns::padded(header_.key_bytes) - header_.key_bytes + 16);
  }

 private:
  PackedHeader header_;
  std::uint64_t* hashes_;
  std::uint32_t* key_lengths_;
  std::uint32_t* state_lengths_;
  std::byte* states_;
  char* keys_;
  std::uint64_t added_ = 0;
};

}  // namespace fanfold
