// shard_reader.h: a shard's bytes as blocks of whole records, as fanfold_shard.next_block of
// <fanfold/abi.h> promises them, over plain files (pread) and compressed streams alike.
// One reader a slot and run; it keeps its buffer, its open file and what it read beyond a shard's end
// for the next shard of the lease. Not thread-safe.
//
// Who owns a record: the shard in whose bytes [begin, end) the record's first byte lies. A shard that
// begins at b > 0 therefore starts behind the first delimiter at or after b - 1, and reads beyond its
// end to finish its last record. Between two delimiters there may be an empty record; the rule is the same.
#pragma once

#include <fanfold/abi.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/failure.h"
#include "engine/plan/plan.h"
#include "runtime/worker/reading/decompressor.h"
#include "runtime/worker/reading/delimiters.h"
#include "runtime/worker/reading/input_file.h"

namespace fanfold {

// Small enough to stay in L2 between the kernel's copy and the job's scan.
inline constexpr uint64_t kBlockBytes = uint64_t{256} << 10;
inline constexpr uint64_t kRecordBytesMax = uint64_t{64} << 20;
// Readable bytes on either side of a block, as fanfold_block promises.
inline constexpr size_t kBlockMargin = 64;

struct ReadOptions {
  std::array<uint8_t, 32> delimiters = {};      // as in fanfold_schema; all zero: '\n'
  uint64_t record_bytes_max = kRecordBytesMax;  // without its delimiter; a longer record is exit 3
  uint64_t block_bytes = kBlockBytes;
  bool allow_growth = false;  // growing logs: the planned size is read, mtime does not matter
  bool wants_head = false;
  std::vector<PathMapping> path_map = {};
  std::string reader = {};           // "user U on host H", where there are many machines; for sentences
  ShippedReader* shipped = nullptr;  // of this slot: whence shipped sources are read
  const uint32_t* stop = nullptr;    // fanfold_stop; FANFOLD_CANCEL ends reading between two reads
};

enum class ReadOutcome { kBlock, kEnd, kStopped };

class ShardReader {
 public:
  explicit ShardReader(ReadOptions options);
  ShardReader(const ShardReader&) = delete;
  ShardReader& operator=(const ShardReader&) = delete;

  // A lease begins: files are opened and checked against the plan anew.
  void begin_lease();
  // Sets the reader to a shard (not of a range). `source` is kept until another is opened or the lease ends.
  // Shards may come in any order; consecutive ones of a source read no byte twice. `reach`: where the last of them that
  // will be opened ends; 0: this one is the last.
  Status open(const Source& source, const ShardSlice& slice, uint64_t reach = 0);
  // The next whole records. kEnd: the block has bytes == 0 and last == 1. `size` of the block is the caller's.
  Result<ReadOutcome> next(fanfold_block& block);
  // A lease ends: whether the file read last is still as planned. What changed while it was read shows here.
  Status end_lease();

  // The source's first record without its delimiter; empty unless wants_head. Valid until the next open().
  [[nodiscard]] std::string_view head() const { return head_; }

  // Counts since construction. Record bytes: delivered in blocks (decompressed), each byte of the input once.
  // Stored bytes: the same as they lie in files.
  [[nodiscard]] uint64_t record_bytes() const { return record_bytes_; }
  [[nodiscard]] uint64_t stored_bytes() const { return stored_bytes_; }

  // For fanfold_shard: `context` is the reader. FANFOLD_BAD_INPUT leaves the reason in failure().
  static int32_t next_block(void* context, fanfold_block* block);
  [[nodiscard]] const std::optional<Failure>& failure() const { return failure_; }

 private:
  struct Free {
    void operator()(char* block) const { std::free(block); }
  };

  Status switch_to(const Source& source, uint32_t number);
  Status leave_source();
  Status read_head();
  Result<ReadOutcome> skip_to_first_record();
  Result<ReadOutcome> refill();
  [[nodiscard]] Result<ReadOutcome> stopped_or(Failure failure) const;
  Status make_room();
  Status allocate(size_t capacity);
  void drop_buffer(uint64_t offset);
  void seek(uint64_t offset);
  void deliver(size_t bytes, bool last, fanfold_block& block);
  [[nodiscard]] bool cancelled() const;
  [[nodiscard]] bool at_end_of_source() const;
  [[nodiscard]] uint64_t filled_to() const { return offset_ + (end_ - begin_); }
  [[nodiscard]] char* data() const { return buffer_.get() + kBlockMargin; }
  [[nodiscard]] Failure record_too_long(uint64_t offset) const;

  const ReadOptions options_;
  const DelimiterSet delimiters_;
  const size_t capacity_first_;
  const size_t capacity_max_;  // record_bytes_max and one delimiter: what does not fit is too long

  // The source being read.
  const Source* source_ = nullptr;
  uint32_t source_number_ = 0;
  std::optional<InputFile> file_;
  std::unique_ptr<Decompressor> decompressor_;
  std::string head_;
  bool head_known_ = false;

  // The buffer: bytes [begin_, end_) of data() are not yet delivered and lie at offset_ in the source;
  // [begin_, scanned_) holds no delimiter.
  std::unique_ptr<char[], Free> buffer_;
  size_t capacity_ = 0;
  size_t begin_ = 0;
  size_t end_ = 0;
  size_t scanned_ = 0;
  uint64_t offset_ = 0;

  // The shard being read.
  uint64_t shard_begin_ = 0;
  uint64_t shard_end_ = 0;
  bool skipping_ = false;  // the first record owned is not found yet
  bool finished_ = true;
  bool at_border_ = false;  // offset_ is where the first record at or after shard_end_ begins

  uint64_t record_bytes_ = 0;
  uint64_t stored_bytes_ = 0;
  std::optional<Failure> failure_;
};

}  // namespace fanfold
