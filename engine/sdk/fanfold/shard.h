// shard.h: the slice of the input that one map() call reads: blocks of whole records, the records
// themselves, or a range of integers. Valid during that call, on its thread.
#pragma once

#include <fanfold/abi.h>

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace fanfold {

// Leaves map() with a status that the host already knows the reason of. Do not catch it.
struct MapStopped {
  std::int32_t status;
};

// Thrown by map(): the input is not what the job reads (a column is missing): exit 3 with this sentence.
struct InputError {
  std::string sentence;
};

// Whole records in a row, each with its delimiter. 64 bytes before and behind may be read.
struct Block {
  std::string_view bytes;
  std::uint64_t offset;  // of the first byte in the source
};

class Shard {
 public:
  explicit Shard(const fanfold_shard* shard, const std::uint8_t* delimiters) : shard_(shard), delimiters_(delimiters) {}

  [[nodiscard]] std::uint64_t index() const { return shard_->index; }
  [[nodiscard]] std::uint32_t source() const { return shard_->source; }
  [[nodiscard]] std::uint64_t seed() const { return shard_->seed; }
  [[nodiscard]] std::string_view name() const { return {shard_->name.data, shard_->name.size}; }
  [[nodiscard]] std::string_view head() const { return {shard_->head.data, shard_->head.size}; }
  [[nodiscard]] bool is_range() const { return shard_->kind == FANFOLD_SHARD_RANGE; }
  // Of an integer range: [begin, end).
  [[nodiscard]] std::int64_t begin() const { return static_cast<std::int64_t>(shard_->begin); }
  [[nodiscard]] std::int64_t end() const { return static_cast<std::int64_t>(shard_->end); }
  // The kernels that the machine has, to choose code by; every level must give the same bits.

  // Calls visit(Block) for each block. The block is gone when visit returns.
  template <class Visitor>
  void for_each_block(Visitor&& visit) const {
    if (is_range()) return;
    fanfold_block block{};
    block.size = sizeof block;
    do {
      if (cancelled()) throw MapStopped{FANFOLD_STOPPED};
      const std::int32_t status = shard_->next_block(shard_->context, &block);
      if (status != FANFOLD_OK) throw MapStopped{status};
      if (block.bytes != 0) visit(Block{{block.data, block.bytes}, block.offset});
    } while (block.last == 0);
  }

  // Calls visit(std::string_view record, std::uint64_t offset) for each record, without its delimiter; a
  // line's carriage return goes with it. Counts the records and moves the black box.
  template <class Visitor>
  void for_each_record(Visitor&& visit) const {
    const bool lines = ends_at_lines();
    for_each_block([&](const Block& block) {
      std::uint64_t records = 0;
      const char* at = block.bytes.data();
      const char* const end = at + block.bytes.size();
      while (at < end) {
        const char* stop = find_delimiter(at, end, lines);
        const std::uint64_t offset = block.offset + static_cast<std::uint64_t>(at - block.bytes.data());
        mark(offset);
        std::string_view record(at, static_cast<std::size_t>(stop - at));
        if (lines && !record.empty() && record.back() == '\r') record.remove_suffix(1);
        visit(record, offset);
        ++records;
        at = stop + 1;
      }
      count_records(records);
    });
  }

  // Where the job is in its input: a crash names it. One plain store.
  void mark(std::uint64_t offset) const {
    if (shard_->position != nullptr) __atomic_store_n(shard_->position, offset, __ATOMIC_RELAXED);
  }
  void count_records(std::uint64_t records) const { shard_->count_records(shard_->context, records); }
  // Of the records counted, those that the job passed over because the user allowed it.
  void count_skipped(std::uint64_t records) const {
    if (records != 0 && FANFOLD_HAS(shard_, fanfold_shard, count_skipped)) {
      shard_->count_skipped(shard_->context, records);
    }
  }
  // A record that cannot be mapped: kept by the ledger, or the end of the run, as the user asked.
  void bad_record(std::uint64_t offset, std::string_view why) const {
    const std::int32_t status = shard_->bad_record(shard_->context, offset, why.data(), why.size());
    if (status != FANFOLD_OK) throw MapStopped{status};
  }
  [[nodiscard]] bool cancelled() const { return __atomic_load_n(shard_->stop, __ATOMIC_RELAXED) == FANFOLD_CANCEL; }

 private:
  [[nodiscard]] bool ends_at_lines() const {
    for (int index = 0; index < 32; ++index) {
      if (delimiters_[index] != (index == '\n' / 8 ? 1U << ('\n' % 8) : 0U) && delimiters_[index] != 0) return false;
    }
    return true;
  }
  const char* find_delimiter(const char* at, const char* end, bool lines) const {
    if (lines) {
      const void* found = std::memchr(at, '\n', static_cast<std::size_t>(end - at));
      return found != nullptr ? static_cast<const char*>(found) : end;
    }
    for (; at < end; ++at) {
      const auto byte = static_cast<unsigned char>(*at);
      if (((delimiters_[byte / 8] >> (byte % 8)) & 1U) != 0) break;
    }
    return at;
  }

  const fanfold_shard* shard_;
  const std::uint8_t* delimiters_;
};

}  // namespace fanfold
