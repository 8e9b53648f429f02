// root_harness.h: a root scheduler among workers and a gatherer that tests play by hand, in simulated time.
// Workers are named by small numbers; what the root said to each is kept until it is asked for.
#pragma once

#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

#include "engine/schedule/root_scheduler.h"

namespace fanfold::schedule {

struct RunShape {
  uint64_t shards = 4;
  uint64_t shard_bytes = 0;  // 0: a range of integers
};

class RootHarness {
 public:
  static constexpr RunId kRun{1, 1};
  static constexpr uint64_t kGatherer = 1000;

  explicit RootHarness(RunShape shape, Limits limits = default_limits()) : scheduler_(limits, "test") {
    Source source;
    if (shape.shard_bytes == 0) {
      source.kind = SourceKind::kRange;
      source.name = "range";
      source.end = static_cast<int64_t>(shape.shards);
      source.unit = 1;
    } else {
      source.name = "data.txt";
      source.path = "/data.txt";
      source.size = shape.shards * shape.shard_bytes;
      source.unit = shape.shard_bytes;
    }
    RunSubmitted submitted;
    submitted.for_workers.run = kRun;
    submitted.for_workers.job = "sums";
    submitted.for_gatherer.run = kRun;
    submitted.plan = std::move(Plan::make({source}, PlanOptions{})).value();
    step(std::move(submitted));
  }

  // Partials go through bundles unless a test says otherwise.
  static Limits default_limits() {
    Limits limits;
    limits.small_leases_max = 0;
    return limits;
  }

  static IncarnationId id(uint64_t peer) { return {peer, peer}; }

  void step(Event event) {
    for (Action& action : scheduler_.step(std::move(event), now)) {
      if (auto* send = std::get_if<SendMessage>(&action)) {
        sent_[send->to].push_back(std::move(send->message));
      } else if (auto* fenced = std::get_if<FencePeer>(&action)) {
        fenced_.push_back(fenced->incarnation);
      } else if (auto* start = std::get_if<StartGatherer>(&action)) {
        gatherer_life = start->life;
      } else if (auto* end = std::get_if<RunEnded>(&action)) {
        ended.push_back(std::move(*end));
      } else if (auto* batch = std::get_if<DeliverResult>(&action)) {
        delivered.push_back(batch->index);
      }
    }
    const auto wrong = scheduler_.check_intervals();
    EXPECT_FALSE(wrong.has_value()) << *wrong;
  }
  void advance(Duration span) {
    now = now + span;
    step(Tick{});
  }

  void join(uint64_t worker, uint32_t slots = 1, std::optional<Obituary> obituary = {}) {
    Hello hello;
    hello.name = "w" + std::to_string(worker);
    hello.pid = worker;
    hello.slots = slots;
    hello.obituary = std::move(obituary);
    said(worker, hello);
  }
  void join_gatherer(uint64_t peer = kGatherer) {
    Hello hello;
    hello.role = Role::kGatherer;
    hello.name = "gatherer";
    hello.pid = peer;
    hello.address = "ipc://g" + std::to_string(peer);
    said(peer, hello);
    said(peer, RunOpened{kRun, 0, {}});
  }
  void said(uint64_t peer, Message message) { step(PeerSaid{id(peer), std::move(message), {}}); }
  void lost(uint64_t peer, Cause cause) { step(PeerLost{id(peer), std::move(cause), {}}); }
  void silent(uint64_t peer) {
    Cause cause;
    cause.kind = CauseKind::kSilence;
    lost(peer, cause);
  }
  static Cause killed(int signal = 9) {
    Cause cause;
    cause.kind = CauseKind::kSignal;
    cause.signal = signal;
    return cause;
  }

  void end_lease(uint64_t worker, const LeaseGrant& lease, std::optional<uint64_t> actual_end = {}) {
    Ended ended_message;
    ended_message.run = kRun;
    ended_message.lease = lease.lease;
    ended_message.done = {lease.shards.begin, actual_end.value_or(lease.shards.end)};
    ended_message.outcome = actual_end ? Outcome::kSealedEarlyMemory : Outcome::kDone;
    ended_message.map = milliseconds(10);
    ended_message.partial_bytes = 1000;
    said(worker, ended_message);
  }
  // The worker closes a bundle of these leases and sends it; the gatherer has it whole.
  void stage(uint64_t worker, uint64_t seq, const std::vector<LeaseGrant>& leases) {
    said(worker, FlushWanted{kRun, BundleSeq{seq}, 1000, leases.size(), id(kGatherer)});
    said(kGatherer, staged(worker, seq, leases));
  }
  static Staged staged(uint64_t worker, uint64_t seq, const std::vector<LeaseGrant>& leases) {
    Staged message{kRun, {id(worker), BundleSeq{seq}}, {}, BundleContent::kColumns, 1000, 10};
    for (const LeaseGrant& lease : leases) message.manifest.push_back({lease.lease, lease.shards});
    return message;
  }
  void fold(uint64_t worker, uint64_t seq) { said(kGatherer, Folded{kRun, {id(worker), BundleSeq{seq}}}); }

  // Everything of one kind that was said to a peer; the rest is kept.
  template <class T>
  std::vector<T> take(uint64_t peer) {
    std::vector<T> taken;
    std::vector<Message> rest;
    for (Message& message : sent_[id(peer)]) {
      if (auto* wanted = std::get_if<T>(&message)) {
        taken.push_back(std::move(*wanted));
      } else {
        rest.push_back(std::move(message));
      }
    }
    sent_[id(peer)] = std::move(rest);
    return taken;
  }
  std::vector<LeaseGrant> grants(uint64_t worker) {
    std::vector<LeaseGrant> leases;
    for (const Grant& grant : take<Grant>(worker))
      leases.insert(leases.end(), grant.leases.begin(), grant.leases.end());
    return leases;
  }
  std::vector<Message>& sent(uint64_t peer) { return sent_[id(peer)]; }
  // All leases of a worker that maps alone, ended as they come.
  std::vector<LeaseGrant> map_all(uint64_t worker) {
    std::vector<LeaseGrant> all;
    for (std::vector<LeaseGrant> leases = grants(worker); !leases.empty(); leases = grants(worker)) {
      for (const LeaseGrant& lease : leases) {
        end_lease(worker, lease);
        all.push_back(lease);
      }
    }
    return all;
  }
  [[nodiscard]] bool fenced(uint64_t peer) const {
    return std::find(fenced_.begin(), fenced_.end(), id(peer)) != fenced_.end();
  }
  RootScheduler& scheduler() { return scheduler_; }

  Instant now{1};
  uint32_t gatherer_life = 0;
  std::vector<RunEnded> ended;
  std::vector<uint64_t> delivered;

 private:
  RootScheduler scheduler_;
  std::map<IncarnationId, std::vector<Message>> sent_;
  std::vector<IncarnationId> fenced_;
};

inline std::vector<Interval> shards_of(const std::vector<LeaseGrant>& leases) {
  std::vector<Interval> shards;
  for (const LeaseGrant& lease : leases) shards.push_back(lease.shards);
  return shards;
}

}  // namespace fanfold::schedule
