// membership.h: the peers of a root: which incarnations live, which were given up (fenced), and what the
// scheduler has at each worker. One way in (Hello), one way out (fence or depart); a fenced incarnation
// never comes back. Bounded: live peers by the sessions, fenced ones remembered up to a limit.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "engine/instant.h"
#include "engine/protocol/message.h"

namespace fanfold::schedule {

// A closed bundle that its worker keeps.
struct BundleRecord {
  enum class State : uint8_t {
    kWanted = 0,   // waits for room at the gatherer
    kGranted = 1,  // on its way
    kFolding = 2,  // staged whole and accepted
    kFolded = 3,   // before the worker's own announcement of it has come
  };
  State state = State::kWanted;
  uint64_t bytes = 0;
  bool told = false;  // FlushWanted has come; Staged, over another link, may come first
  Instant due = {};   // when granted: staged by then, or the worker is given up
};

struct Member {
  IncarnationId incarnation;
  Hello hello;
  uint32_t slots_allowed = 0;  // of hello.slots: the run's share
  std::set<LeaseId> leased;
  std::map<BundleSeq, BundleRecord> bundles;
  uint64_t unflushed_leases = 0;  // awarded, and not known to be in a closed bundle
  uint64_t unflushed_bytes = 0;   // upper bound of the bundle they make
  bool flush_asked = false;       // since its last award
  Instant first_unflushed = {};   // when the oldest of them was awarded
  Duration unflushed_merge = {};  // what merging them cost
  uint64_t bytes_reserved = 0;    // at the gatherer, by a Flush whose bundle has not been told yet
  bool has_run = false;           // OpenRun was sent
};

class Membership {
 public:
  static constexpr std::size_t kFencedMax = 65'536;

  Member& join(IncarnationId incarnation, Hello hello);
  [[nodiscard]] Member* find(IncarnationId incarnation);
  // Live workers, by incarnation: the same order in every replay.
  [[nodiscard]] std::map<IncarnationId, Member>& members() { return members_; }
  [[nodiscard]] const std::map<IncarnationId, Member>& members() const { return members_; }
  [[nodiscard]] bool fenced(IncarnationId incarnation) const { return fenced_.contains(incarnation); }
  // Out, for good.
  void fence(IncarnationId incarnation);

 private:
  std::map<IncarnationId, Member> members_;
  std::set<IncarnationId> fenced_;
  std::deque<IncarnationId> fenced_order_;
};

}  // namespace fanfold::schedule
