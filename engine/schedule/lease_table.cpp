#include "engine/schedule/lease_table.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "engine/assertion.h"

namespace fanfold::schedule {

LeaseTable::LeaseTable(uint64_t shard_count) : shard_count_(shard_count) {
  pending_.add({0, shard_count}, 0);
}

Lease& LeaseTable::grant(uint64_t end, IncarnationId worker) {
  const auto first = pending_.first();
  FANFOLD_ASSERT(first.has_value(), "nothing is pending");
  pending_.take_first(end);
  const LeaseId id{next_lease_++};
  Lease& lease = leases_[id];
  lease.id = id;
  lease.shards = {first->shards.begin, end};
  lease.worker = worker;
  lease.losses = first->losses;
  sums_[static_cast<std::size_t>(lease.state)] += lease.shards.size();
  return lease;
}

Lease* LeaseTable::find(LeaseId id) {
  const auto found = leases_.find(id);
  return found == leases_.end() ? nullptr : &found->second;
}

const Lease* LeaseTable::find(LeaseId id) const {
  const auto found = leases_.find(id);
  return found == leases_.end() ? nullptr : &found->second;
}

bool LeaseTable::award(Lease& lease, Interval done) {
  if (lease.state != LeaseState::kLeased || done.begin != lease.shards.begin || done.end < done.begin ||
      done.end > lease.shards.end) {
    return false;
  }
  const Interval tail{done.end, lease.shards.end};
  const uint32_t losses = lease.losses;
  sums_[static_cast<std::size_t>(LeaseState::kLeased)] -= lease.shards.size();
  if (done.empty()) {
    leases_.erase(lease.id);
  } else {
    lease.shards = done;
    lease.state = LeaseState::kAwarded;
    sums_[static_cast<std::size_t>(LeaseState::kAwarded)] += done.size();
  }
  pending_.add(tail, losses);
  return !done.empty();
}

void LeaseTable::move(Lease& lease, LeaseState state) {
  sums_[static_cast<std::size_t>(lease.state)] -= lease.shards.size();
  sums_[static_cast<std::size_t>(state)] += lease.shards.size();
  lease.state = state;
}

void LeaseTable::fold(LeaseId id) {
  const Lease lease = release(id);
  FANFOLD_ASSERT(lease.state == LeaseState::kFolding, "only what is being folded is folded");
  folded_.add(lease.shards);
}

Lease LeaseTable::release(LeaseId id) {
  const auto found = leases_.find(id);
  FANFOLD_ASSERT(found != leases_.end(), "no such lease");
  const Lease lease = found->second;
  leases_.erase(found);
  sums_[static_cast<std::size_t>(lease.state)] -= lease.shards.size();
  return lease;
}

void LeaseTable::put_back(Interval shards, uint32_t losses) {
  pending_.add(shards, losses);
}

uint64_t LeaseTable::unfold_all() {
  const uint64_t shards = folded_.size();
  for (const auto& [begin, end] : folded_.intervals()) pending_.add({begin, end}, 0);
  folded_.clear();
  return shards;
}

std::optional<std::string> LeaseTable::check_sums() const {
  const uint64_t sum = pending_.size() + sums_[0] + sums_[1] + sums_[2] + folded_.size();
  if (sum == shard_count_) return std::nullopt;
  return "pending " + std::to_string(pending_.size()) + " + leased " + std::to_string(sums_[0]) + " + awarded " +
         std::to_string(sums_[1]) + " + folding " + std::to_string(sums_[2]) + " + folded " +
         std::to_string(folded_.size()) + " is not " + std::to_string(shard_count_);
}

std::optional<std::string> LeaseTable::check_intervals() const {
  if (auto wrong = check_sums()) return wrong;
  std::vector<Interval> all;
  std::array<uint64_t, 3> sums{};
  for (const auto& [begin, piece] : pending_.pieces()) all.push_back({begin, piece.end});
  for (const auto& [begin, end] : folded_.intervals()) all.push_back({begin, end});
  for (const auto& [id, lease] : leases_) {
    if (lease.id != id || lease.shards.empty()) return "lease " + std::to_string(id.value) + " is malformed";
    sums[static_cast<std::size_t>(lease.state)] += lease.shards.size();
    all.push_back(lease.shards);
  }
  if (sums != sums_) return std::string("the sums of leases by state are wrong");
  std::sort(all.begin(), all.end());
  uint64_t next = 0;
  for (const Interval& interval : all) {
    if (interval.begin != next) {
      return "shard " + std::to_string(std::min(next, interval.begin)) +
             (interval.begin > next ? " is in no state" : " is in two states");
    }
    next = interval.end;
  }
  if (next != shard_count_) return "shard " + std::to_string(next) + " is in no state";
  return std::nullopt;
}

}  // namespace fanfold::schedule
