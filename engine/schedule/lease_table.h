// lease_table.h: where every shard of a run stands: pending, in a live lease (leased, awarded, folding) or
// folded. A lease id is never used twice; a folded lease leaves the table, so its memory is that of live
// leases. The states' sums are kept along the way and together are always 0..N. Not thread-safe.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "engine/protocol/identity.h"
#include "engine/schedule/interval_set.h"

namespace fanfold::schedule {

enum class LeaseState : uint8_t {
  kLeased = 0,   // at a worker, being mapped or waiting for it
  kAwarded = 1,  // its partial counts and is at the worker, or on its way to the gatherer
  kFolding = 2,  // the gatherer holds it whole and was told to fold it
};

struct Lease {
  LeaseId id;
  Interval shards;
  IncarnationId worker;
  LeaseState state = LeaseState::kLeased;
  uint32_t losses = 0;  // of these shards, before this lease
  bool small = false;   // awarded and folded from inside its Ended
  uint64_t partial_bytes = 0;
  uint64_t records = 0;
  uint64_t bytes = 0;
};

class LeaseTable {
 public:
  explicit LeaseTable(uint64_t shard_count);

  [[nodiscard]] uint64_t shard_count() const { return shard_count_; }
  [[nodiscard]] const PendingShards& pending() const { return pending_; }
  [[nodiscard]] const IntervalSet& folded() const { return folded_; }
  [[nodiscard]] const std::map<LeaseId, Lease>& leases() const { return leases_; }
  [[nodiscard]] uint64_t shards_in(LeaseState state) const { return sums_[static_cast<std::size_t>(state)]; }

  // Leases the lowest pending shards, up to `end`, which lies in the first pending piece.
  Lease& grant(uint64_t end, IncarnationId worker);
  [[nodiscard]] Lease* find(LeaseId id);
  [[nodiscard]] const Lease* find(LeaseId id) const;
  // The compare-and-set of an award: true when the whole of `done` is this lease's, from its begin, and
  // un-awarded. The tail goes back to pending; an empty `done` is no award and ends the lease.
  [[nodiscard]] bool award(Lease& lease, Interval done);
  void move(Lease& lease, LeaseState state);
  // The lease's shards are in the total; the lease is gone.
  void fold(LeaseId id);
  // The lease is gone; whoever asks puts its shards somewhere.
  Lease release(LeaseId id);
  void put_back(Interval shards, uint32_t losses);
  // The total is gone: everything folded is pending again, as if never done.
  uint64_t unfold_all();

  // Empty, or why the states do not add up to 0..N: by sums, cheap.
  [[nodiscard]] std::optional<std::string> check_sums() const;
  // The same by comparing every interval with every other.
  [[nodiscard]] std::optional<std::string> check_intervals() const;

 private:
  uint64_t shard_count_;
  uint64_t next_lease_ = 1;
  PendingShards pending_;
  IntervalSet folded_;
  std::map<LeaseId, Lease> leases_;
  std::array<uint64_t, 3> sums_{};
};

}  // namespace fanfold::schedule
