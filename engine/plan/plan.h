// plan.h: a run's input as a short list of sources, and its shards by arithmetic: shard i is computed
// from the sources' cumulative shard counts, never stored, so a billion shards cost what their sources
// cost. Pure: the client expands names and fills in size and mtime (runtime/client), the worker reads
// (runtime/worker/reading).
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "engine/failure.h"

namespace fanfold {

enum class SourceKind : uint8_t {
  kBytes = 0,   // plain file, readable at any offset: cut into shards of `unit` bytes
  kStream = 1,  // compressed, or plain but not to be cut: one shard, or none where size is 0
  kRange = 2,   // the integers [begin, end): cut into shards of `unit` items
};

enum class Compression : uint8_t { kNone = 0, kGzip = 1, kZstd = 2 };

// One input, in the order named. A worker refuses a file whose size or mtime is not the planned one.
struct Source {
  SourceKind kind = SourceKind::kBytes;
  Compression compression = Compression::kNone;
  std::string name = {};  // as the user named it, raw bytes, for messages and shard.name; "-" is standard input
  std::string path = {};  // absolute; empty for ranges
  uint64_t size = 0;      // bytes as stored (compressed ones for a compressed file); 0 for ranges
  int64_t mtime_ns = 0;   // since 1970; compared exactly (NFS keeps whole seconds on both sides of the comparison)
  int64_t begin = 0;      // ranges only
  int64_t end = 0;
  uint64_t unit = 0;  // bytes or items of a shard; 0: Plan::make chooses
  // Where its bytes begin among those that the client has sent to the root; nothing: a worker opens `path`.
  std::optional<uint64_t> shipped_at = {};
  bool operator==(const Source&) const = default;
};

// One shard: of source number `source`, the bytes [begin, end) as stored, or the integers [begin, end) in
// two's complement, as fanfold_shard has them. A text shard owns the records whose first byte lies in it.
struct ShardSlice {
  uint32_t source = 0;
  uint64_t begin = 0;
  uint64_t end = 0;
  bool operator==(const ShardSlice&) const = default;
};

// Shards are small enough that a lease of 4 to 8 MB, the best size measured for text, holds several.
inline constexpr uint64_t kShardBytesLargest = uint64_t{1} << 20;
// Below this the cost of a shard (a read, a call) shows.
inline constexpr uint64_t kShardBytesSmallest = uint64_t{64} << 10;
// A small input is cut finer, into about so many shards a slot, so that slots finish together.
inline constexpr uint64_t kShardsPerSlot = 16;
// An integer's work may be a nanosecond or an hour: fine shards let leases adapt, but not finer than this in all.
inline constexpr uint64_t kRangeShardsMost = 65'536;
// Shard numbers and interval sums stay far from overflow.
inline constexpr uint64_t kShardsMost = uint64_t{1} << 63;
inline constexpr size_t kSourcesMost = std::numeric_limits<uint32_t>::max();

struct PlanOptions {
  uint64_t shard_bytes = 0;  // 0: the planner chooses
  uint64_t shard_items = 0;  // 0: the planner chooses
  uint32_t slots = 1;        // of all workers
  // The client sends the files themselves, one after the other, the first at this place: no worker opens them.
  std::optional<uint64_t> shipped_from = {};
};

class Plan {
 public:
  Plan() = default;

  // Chooses `unit` where it is 0 and counts. Sources may come from the wire: what no client writes (a
  // range that ends before it begins, a compressed file that is to be cut, too many shards) is a failure.
  static Result<Plan> make(std::vector<Source> sources, const PlanOptions& options);

  [[nodiscard]] const std::vector<Source>& sources() const { return sources_; }
  [[nodiscard]] uint64_t shard_count() const { return ends_.empty() ? 0 : ends_.back(); }
  // Bytes as stored of all files.
  [[nodiscard]] uint64_t byte_count() const { return byte_ends_.empty() ? 0 : byte_ends_.back(); }

  // `index` < shard_count(). Logarithmic in the number of sources.
  [[nodiscard]] ShardSlice shard(uint64_t index) const;

  // The bytes as stored of the shards [0, index), for progress. `index` <= shard_count().
  [[nodiscard]] uint64_t bytes_before(uint64_t index) const;

 private:
  std::vector<Source> sources_;
  std::vector<uint64_t> ends_;       // shards of the sources up to and including this one
  std::vector<uint64_t> byte_ends_;  // bytes likewise
};

// How many shards a source has. `unit` is not 0 unless the source is empty or a stream.
[[nodiscard]] uint64_t shard_count_of(const Source& source);

// "range:BEGIN..END" as a source: half open, signed 64-bit. Failures are usage (exit 2).
Result<Source> parse_range(const std::string& input);
// Whether an INPUT is meant as a range. A file of such a name is given as ./range:...
[[nodiscard]] bool names_range(const std::string& input);

}  // namespace fanfold
