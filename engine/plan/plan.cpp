// plan.cpp: choosing shard sizes, counting, and finding a shard by binary search over the counts.
#include "engine/plan/plan.h"

#include <algorithm>
#include <charconv>
#include <string_view>

#include "engine/assertion.h"
#include "engine/quoted.h"

namespace fanfold {
namespace {

constexpr std::string_view kRangePrefix = "range:";
constexpr std::string_view kRangeDots = "..";
constexpr uint64_t kShardBytesGranule = 4096;  // shard borders on pages read a little faster

uint64_t divide_up(uint64_t amount, uint64_t unit) {
  return amount / unit + (amount % unit != 0 ? 1 : 0);
}

// What a source holds, in units of its `unit`'s unit.
uint64_t extent_of(const Source& source) {
  if (source.kind != SourceKind::kRange) return source.size;
  // Modular arithmetic: the whole int64 range has 2^64 - 1 items.
  return static_cast<uint64_t>(source.end) - static_cast<uint64_t>(source.begin);
}

Failure bad_source(const Source& source, const char* why) {
  return {ExitCode::kInternal, "cannot plan the input " + quoted(source.name) + ": " + why +
                                   ". The client that sent it is broken or of another version."};
}

Status check(const Source& source) {
  switch (source.kind) {
    case SourceKind::kBytes:
      if (source.compression != Compression::kNone) return bad_source(source, "a compressed file cannot be cut");
      [[fallthrough]];
    case SourceKind::kStream:
      if (source.size > static_cast<uint64_t>(std::numeric_limits<int64_t>::max()))
        return bad_source(source, "no file is that large");
      if (source.compression > Compression::kZstd) return bad_source(source, "its compression is unknown");
      if (!source.shipped_at && (source.path.empty() || source.path.front() != '/'))
        return bad_source(source, "its path is not absolute");
      return success();
    case SourceKind::kRange:
      if (source.begin > source.end) return bad_source(source, "the range ends before it begins");
      return success();
  }
  return bad_source(source, "its kind is unknown");
}

Failure bad_range(const std::string& input, const std::string& why) {
  return {ExitCode::kUsage, "cannot read the range " + quoted(input) + ": " + why +
                                ". Write range:BEGIN..END, END not included, say range:0..1000 or range:-5..5."};
}

// A whole number and nothing else; false with the reason otherwise.
bool parse_integer(std::string_view text, int64_t& value, std::string& why) {
  const auto [rest, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error == std::errc::result_out_of_range) {
    why = quoted(text) + " does not fit a signed 64-bit integer";
    return false;
  }
  if (error != std::errc{} || rest != text.data() + text.size()) {
    why = quoted(text) + " is no integer";
    return false;
  }
  return true;
}

}  // namespace

uint64_t shard_count_of(const Source& source) {
  const uint64_t extent = extent_of(source);
  if (extent == 0) return 0;
  if (source.kind == SourceKind::kStream) return 1;
  FANFOLD_ASSERT(source.unit != 0, source.name);
  return divide_up(extent, source.unit);
}

Result<Plan> Plan::make(std::vector<Source> sources, const PlanOptions& options) {
  if (sources.size() > kSourcesMost)
    return Failure{ExitCode::kInputOutput, "cannot plan " + std::to_string(sources.size()) + " inputs: at most " +
                                               std::to_string(kSourcesMost) + " fit one run. Split the list."};
  uint64_t bytes = 0;
  uint64_t items = 0;
  for (Source& source : sources) {
    if (options.shipped_from && source.kind != SourceKind::kRange) {
      source.shipped_at = *options.shipped_from + bytes;
      source.path.clear();
    }
    if (Status status = check(source); !status) return status.failure();
    uint64_t& sum = source.kind == SourceKind::kRange ? items : bytes;
    if (__builtin_add_overflow(sum, extent_of(source), &sum)) sum = std::numeric_limits<uint64_t>::max();
  }

  const uint64_t shards_wanted = kShardsPerSlot * std::max<uint64_t>(options.slots, 1);
  uint64_t shard_bytes = std::clamp(divide_up(bytes, shards_wanted), kShardBytesSmallest, kShardBytesLargest);
  shard_bytes = (shard_bytes + kShardBytesGranule - 1) / kShardBytesGranule * kShardBytesGranule;
  if (options.shard_bytes != 0) shard_bytes = options.shard_bytes;
  uint64_t shard_items = std::max<uint64_t>(divide_up(items, kRangeShardsMost), 1);
  if (options.shard_items != 0) shard_items = options.shard_items;

  Plan plan;
  plan.ends_.reserve(sources.size());
  plan.byte_ends_.reserve(sources.size());
  uint64_t shards = 0;
  uint64_t bytes_so_far = 0;
  for (Source& source : sources) {
    if (source.unit == 0) source.unit = source.kind == SourceKind::kRange ? shard_items : shard_bytes;
    if (__builtin_add_overflow(shards, shard_count_of(source), &shards) || shards > kShardsMost)
      return Failure{ExitCode::kUsage, "cannot plan the input: it has more than 2^63 shards, at " +
                                           quoted(source.name) +
                                           ". Ask for larger shards with --shard-items or "
                                           "--shard-bytes."};
    if (source.kind != SourceKind::kRange && __builtin_add_overflow(bytes_so_far, source.size, &bytes_so_far))
      return bad_source(source, "the files together have more bytes than 64 bits count");
    plan.ends_.push_back(shards);
    plan.byte_ends_.push_back(bytes_so_far);
  }
  plan.sources_ = std::move(sources);
  return plan;
}

ShardSlice Plan::shard(uint64_t index) const {
  FANFOLD_ASSERT(index < shard_count(), std::to_string(index));
  // The first source whose shards end beyond index: empty sources, which end where they begin, are passed over.
  const auto found = std::upper_bound(ends_.begin(), ends_.end(), index);
  const auto number = static_cast<size_t>(found - ends_.begin());
  const Source& source = sources_[number];
  const uint64_t first = number == 0 ? 0 : ends_[number - 1];
  const uint64_t extent = extent_of(source);
  ShardSlice slice{.source = static_cast<uint32_t>(number), .begin = 0, .end = extent};
  if (source.kind != SourceKind::kStream) {
    slice.begin = (index - first) * source.unit;
    slice.end = extent - slice.begin > source.unit ? slice.begin + source.unit : extent;
  }
  if (source.kind == SourceKind::kRange) {
    slice.begin += static_cast<uint64_t>(source.begin);
    slice.end += static_cast<uint64_t>(source.begin);
  }
  return slice;
}

uint64_t Plan::bytes_before(uint64_t index) const {
  FANFOLD_ASSERT(index <= shard_count(), std::to_string(index));
  if (index == shard_count()) return byte_count();
  const ShardSlice slice = shard(index);
  const uint64_t before = slice.source == 0 ? 0 : byte_ends_[slice.source - 1];
  return sources_[slice.source].kind == SourceKind::kRange ? before : before + slice.begin;
}

bool names_range(const std::string& input) {
  return input.starts_with(kRangePrefix);
}

Result<Source> parse_range(const std::string& input) {
  FANFOLD_ASSERT(names_range(input), input);
  const std::string_view numbers = std::string_view(input).substr(kRangePrefix.size());
  const size_t dots = numbers.find(kRangeDots);
  if (dots == std::string_view::npos) return bad_range(input, "there is no \"..\" in it");
  Source source{.kind = SourceKind::kRange, .name = input};
  std::string why;
  if (!parse_integer(numbers.substr(0, dots), source.begin, why)) return bad_range(input, why);
  if (!parse_integer(numbers.substr(dots + kRangeDots.size()), source.end, why)) return bad_range(input, why);
  if (source.begin > source.end) return bad_range(input, "it ends before it begins");
  return source;
}

}  // namespace fanfold
