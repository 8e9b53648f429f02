#include "engine/schedule/interval_set.h"

#include <iterator>

namespace fanfold::schedule {

void IntervalSet::add(Interval shards) {
  if (shards.empty()) return;
  FANFOLD_ASSERT(!overlaps(shards), "a shard is already in this state");
  size_ += shards.size();
  auto next = intervals_.lower_bound(shards.begin);
  if (next != intervals_.end() && next->first == shards.end) {
    shards.end = next->second;
    next = intervals_.erase(next);
  }
  if (next != intervals_.begin()) {
    const auto before = std::prev(next);
    if (before->second == shards.begin) {
      before->second = shards.end;
      return;
    }
  }
  intervals_.emplace_hint(next, shards.begin, shards.end);
}

bool IntervalSet::overlaps(Interval shards) const {
  if (shards.empty()) return false;
  const auto next = intervals_.lower_bound(shards.begin);
  if (next != intervals_.end() && next->first < shards.end) return true;
  return next != intervals_.begin() && std::prev(next)->second > shards.begin;
}

void IntervalSet::clear() {
  intervals_.clear();
  size_ = 0;
}

void PendingShards::add(Interval shards, uint32_t losses) {
  if (shards.empty()) return;
  auto next = pieces_.lower_bound(shards.begin);
  FANFOLD_ASSERT(next == pieces_.end() || next->first >= shards.end, "a shard is pending twice");
  FANFOLD_ASSERT(next == pieces_.begin() || std::prev(next)->second.end <= shards.begin, "a shard is pending twice");
  size_ += shards.size();
  if (next != pieces_.end() && next->first == shards.end && next->second.losses == losses) {
    shards.end = next->second.end;
    next = pieces_.erase(next);
  }
  if (next != pieces_.begin()) {
    const auto before = std::prev(next);
    if (before->second.end == shards.begin && before->second.losses == losses) {
      before->second.end = shards.end;
      return;
    }
  }
  pieces_.emplace_hint(next, shards.begin, End{shards.end, losses});
}

std::optional<PendingShards::Piece> PendingShards::first() const {
  if (pieces_.empty()) return std::nullopt;
  const auto& [begin, piece] = *pieces_.begin();
  return Piece{{begin, piece.end}, piece.losses};
}

void PendingShards::take_first(uint64_t end) {
  FANFOLD_ASSERT(!pieces_.empty(), "nothing is pending");
  const auto first = pieces_.begin();
  const auto [begin, piece] = *first;
  FANFOLD_ASSERT(begin < end && end <= piece.end, "more than the first piece");
  pieces_.erase(first);
  size_ -= end - begin;
  if (end < piece.end) pieces_.emplace_hint(pieces_.begin(), end, piece);
}

}  // namespace fanfold::schedule
