#include "engine/schedule/place_text.h"

#include "engine/quoted.h"

namespace fanfold::schedule {
namespace {

// The phases of a lease behind mapping work on all that it mapped.
const char* lease_phase_text(Phase phase) {
  switch (phase) {
    case Phase::kSeal:
      return " while sealing the partial of ";
    case Phase::kMerge:
      return " while merging the partial of ";
    case Phase::kPack:
      return " while packing the partial of ";
    default:
      return nullptr;
  }
}

}  // namespace

std::string input_text(const Plan& plan, Interval shards) {
  if (shards.empty() || shards.end > plan.shard_count()) return "shard " + std::to_string(shards.begin);
  const ShardSlice first = plan.shard(shards.begin);
  const ShardSlice last = plan.shard(shards.end - 1);
  const Source& source = plan.sources()[first.source];
  const bool range = source.kind == SourceKind::kRange;
  const auto number = [range](std::uint64_t value) {
    return range ? std::to_string(static_cast<std::int64_t>(value)) : std::to_string(value);
  };
  std::string text = range ? "integers " : "bytes ";
  if (first.source == last.source) {
    return text + number(first.begin) + " to " + number(last.end) + " of " + fanfold::quoted(source.name);
  }
  return text + number(first.begin) + " and on of " + fanfold::quoted(source.name) + " up to " +
         input_text(plan, {shards.end - 1, shards.end});
}

std::string place_text(const Cause& cause, const std::vector<Suspect>& suspects, std::optional<Interval> lease,
                       const Plan& plan) {
  if (cause.shard) {
    if (const char* words = lease_phase_text(cause.phase)) {
      return words + input_text(plan, lease.value_or(Interval{*cause.shard, *cause.shard + 1}));
    }
    return " while mapping " + input_text(plan, {*cause.shard, *cause.shard + 1});
  }
  if (cause.phase == Phase::kNone) {
    // Nobody knows which of the slots it was.
    std::string where;
    for (const Suspect& suspect : suspects) {
      if (suspect.lease.empty()) continue;
      where += (where.empty() ? " while mapping " : ", or ") + input_text(plan, {suspect.shard, suspect.shard + 1});
    }
    return where;
  }
  return {};  // the phase says it
}

}  // namespace fanfold::schedule
