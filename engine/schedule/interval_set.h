// interval_set.h: a set of shards as disjoint intervals, neighbours joined: a billion shards cost what
// their gaps cost. Adding what is there already, or removing what is not, is an assertion: no shard may
// be in a state twice. PendingShards is the same with the number of losses each shard has behind it.
#pragma once

#include <cstdint>
#include <map>
#include <optional>

#include "engine/assertion.h"
#include "engine/protocol/identity.h"

namespace fanfold::schedule {

class IntervalSet {
 public:
  void add(Interval shards);
  [[nodiscard]] bool overlaps(Interval shards) const;
  [[nodiscard]] uint64_t size() const { return size_; }
  [[nodiscard]] bool empty() const { return size_ == 0; }
  // begin -> end, ascending.
  [[nodiscard]] const std::map<uint64_t, uint64_t>& intervals() const { return intervals_; }
  void clear();

 private:
  std::map<uint64_t, uint64_t> intervals_;
  uint64_t size_ = 0;
};

class PendingShards {
 public:
  struct Piece {
    Interval shards;
    uint32_t losses = 0;
  };

  // Joins a neighbour with as many losses.
  void add(Interval shards, uint32_t losses);
  // The lowest interval of equal losses.
  [[nodiscard]] std::optional<Piece> first() const;
  // Removes [begin of the first piece, end).
  void take_first(uint64_t end);
  [[nodiscard]] uint64_t size() const { return size_; }
  [[nodiscard]] bool empty() const { return size_ == 0; }
  struct End {
    uint64_t end = 0;
    uint32_t losses = 0;
  };
  [[nodiscard]] const std::map<uint64_t, End>& pieces() const { return pieces_; }

 private:
  std::map<uint64_t, End> pieces_;
  uint64_t size_ = 0;
};

}  // namespace fanfold::schedule
