// fleet_harness.h: a fleet scheduler among nodes, workers, gatherers and clients that are played: workers map the
// leases they are granted when a test says so, gatherers fold and finish, links are perfect. Every shard that is
// folded is counted. In simulated time.
#pragma once

#include <gtest/gtest.h>

#include <cstring>
#include <deque>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "engine/schedule/fleet_scheduler.h"

namespace fanfold::schedule {

class FleetHarness {
 public:
  explicit FleetHarness(FleetLimits limits = default_limits()) : limits_(limits), fleet_(limits, "test") {}

  // Partials travel inside Ended; bundles are the run's scheduler's own matter, tested there.
  static FleetLimits default_limits() {
    FleetLimits limits;
    limits.run.small_leases_max = ~uint64_t{0};
    limits.run.lease_sizing.lease_time_max = milliseconds(1);
    return limits;
  }
  static RunId run_id(uint64_t number) { return {number, number}; }

  // ---- what happens ----------------------------------------------------------------------------

  void step(FleetEvent event) {
    for (FleetAction& action : fleet_.step(std::move(event), now)) pending_.push_back(std::move(action));
    const auto wrong = fleet_.check_intervals();
    EXPECT_FALSE(wrong.has_value()) << *wrong;
    drain();
  }
  void advance(Duration span) {
    now = now + span;
    step(Tick{});
  }
  void said(IncarnationId peer, Message message) { step(PeerSaid{peer, std::move(message), {}}); }

  IncarnationId join_node(const std::string& name, uint32_t slots) {
    Hello hello;
    hello.role = Role::kNode;
    hello.name = name;
    hello.slots = slots;
    hello.memory_bytes = 4000;
    hello.accepts_plugins = accepts_plugins;
    const IncarnationId node = fresh();
    nodes_[node];
    said(node, hello);
    return node;
  }
  // Its processes die with it.
  void lose_node(IncarnationId node) {
    for (const auto& [run, worker] : nodes_[node]) workers_.erase(worker);
    nodes_.erase(node);
    Cause cause;
    cause.kind = CauseKind::kSilence;
    step(PeerLost{node, cause, {}});
  }
  IncarnationId join_client() {
    Hello hello;
    hello.role = Role::kClient;
    hello.name = "user@host";
    const IncarnationId client = fresh();
    said(client, hello);
    return client;
  }
  void lose_client(IncarnationId client) {
    Cause cause;
    cause.kind = CauseKind::kSilence;
    step(PeerLost{client, cause, {}});
  }
  static RunSpecification specification(uint64_t shards, bool attached = false) {
    RunSpecification specification;
    specification.job = "sums";
    Source range;
    range.kind = SourceKind::kRange;
    range.name = "range";
    range.end = static_cast<int64_t>(shards);
    range.unit = 1;
    specification.sources.push_back(range);
    specification.attached = attached;
    specification.no_workers_max = seconds(30);
    return specification;
  }
  void submit(IncarnationId client, uint64_t run, uint64_t shards, bool attached = false) {
    submit(client, run, shards, specification(shards, attached));
  }
  void submit(IncarnationId client, uint64_t run, uint64_t shards, RunSpecification what) {
    shards_[run_id(run)] = shards;
    said(client, Submit{run_id(run), std::move(what)});
  }
  void watch(IncarnationId client, uint64_t run, uint64_t from = 0, uint64_t allowed = 100) {
    said(client, Watch{run_id(run), from, allowed});
  }

  // ---- the workers -----------------------------------------------------------------------------

  struct PlayedWorker {
    RunId run;
    std::string name;
    std::optional<uint32_t> allowed;
    std::deque<LeaseGrant> leases;
  };
  // The incarnation of a run's worker at a node, or an empty one.
  IncarnationId worker(IncarnationId node, uint64_t run) {
    const auto found = nodes_[node].find(run_id(run));
    return found == nodes_[node].end() ? IncarnationId{} : found->second;
  }
  uint32_t share(IncarnationId node, uint64_t run) {
    const auto found = workers_.find(worker(node, run));
    return found == workers_.end() ? 0 : found->second.allowed.value_or(99);
  }
  // Maps the next lease of a worker. False: it has none.
  bool map_one(IncarnationId incarnation) {
    const auto found = workers_.find(incarnation);
    if (found == workers_.end() || found->second.leases.empty()) return false;
    const LeaseGrant lease = found->second.leases.front();
    found->second.leases.pop_front();
    Ended ended;
    ended.run = found->second.run;
    ended.lease = lease.lease;
    ended.done = lease.shards;
    ended.map = milliseconds(1);
    SmallPartial small;
    small.packed.resize(2 * sizeof(uint64_t));
    std::memcpy(small.packed.data(), &lease.shards.begin, sizeof(uint64_t));
    std::memcpy(small.packed.data() + sizeof(uint64_t), &lease.shards.end, sizeof(uint64_t));
    ended.small = std::move(small);
    said(incarnation, ended);
    return true;
  }
  // Until nothing is left to be mapped anywhere.
  void map_all() {
    for (bool any = true; any;) {
      any = false;
      std::vector<IncarnationId> all;
      for (const auto& [incarnation, worker] : workers_) all.push_back(incarnation);
      for (const IncarnationId incarnation : all) any = map_one(incarnation) || any;
    }
  }
  // A gatherer ends in a way that is the job's fault, or the machine's.
  void kill_gatherer(uint64_t run, int signal) {
    const auto found = gatherers_.find(run_id(run));
    ASSERT_NE(found, gatherers_.end());
    const uint32_t life = found->second.life;
    gatherer_of_.erase(found->second.incarnation);
    gatherers_.erase(found);
    Cause cause;
    cause.kind = CauseKind::kSignal;
    cause.signal = signal;
    step(RunGathererEnded{run_id(run), life, cause});
  }

  // ---- what was said ---------------------------------------------------------------------------

  template <class T>
  std::vector<T> take(IncarnationId peer) {
    std::vector<T> taken;
    std::vector<Message> rest;
    for (Message& message : sent_[peer]) {
      if (auto* wanted = std::get_if<T>(&message)) {
        taken.push_back(std::move(*wanted));
      } else {
        rest.push_back(std::move(message));
      }
    }
    sent_[peer] = std::move(rest);
    return taken;
  }
  // How often each shard of a run is in its total.
  [[nodiscard]] std::vector<uint32_t> folded(uint64_t run) const {
    const auto found = totals_.find(run_id(run));
    return found == totals_.end() ? std::vector<uint32_t>{} : found->second;
  }
  [[nodiscard]] bool every_shard_once(uint64_t run) const {
    const std::vector<uint32_t> counts = folded(run);
    return counts == std::vector<uint32_t>(shards_.at(run_id(run)), 1);
  }
  [[nodiscard]] RunRecord record(uint64_t run) {
    const IncarnationId client = join_client();
    said(client, ListRuns{});
    const auto runs = take<Runs>(client);
    said(client, Goodbye{});
    for (const RunRecord& one : runs.at(0).runs) {
      if (one.run == run_id(run)) return one;
    }
    return {};
  }
  [[nodiscard]] std::vector<IncarnationId> workers() const {
    std::vector<IncarnationId> all;
    for (const auto& [incarnation, worker] : workers_) all.push_back(incarnation);
    return all;
  }
  FleetScheduler& fleet() { return fleet_; }

  Instant now{1};
  std::set<RunId> kept;              // results in the store
  bool store_fails = false;          // from now on
  bool stores_at_once = true;        // shipped bytes
  std::map<RunId, uint64_t> stored;  // shipped bytes
  bool accepts_plugins = false;      // the nodes that join from now on
  std::map<RunId, OpenRun> opened_gatherers;
  std::vector<BeginShipped> begun;      // not answered
  std::vector<ReadShippedBlock> reads;  // not answered
  std::vector<std::string> notes;       // for the operator
  std::set<IncarnationId> closed;       // sessions

 private:
  struct PlayedGatherer {
    uint32_t life = 0;
    IncarnationId incarnation;
  };

  IncarnationId fresh() { return {++next_, next_}; }

  void drain() {
    if (draining_) return;
    draining_ = true;
    while (!pending_.empty()) {
      FleetAction action = std::move(pending_.front());
      pending_.pop_front();
      std::visit([this](auto& what) { perform(what); }, action);
    }
    draining_ = false;
  }

  void perform(FencePeer& fence) { workers_.erase(fence.incarnation); }
  void perform(ClosePeer& close) { closed.insert(close.incarnation); }
  void perform(Note& note) { notes.push_back(std::move(note.sentence)); }
  void perform(SendBatch& batch) { sent_[batch.to].push_back(batch.batch); }
  void perform(StartRunGatherer& start) {
    const IncarnationId incarnation = fresh();
    if (const auto old = gatherers_.find(start.run); old != gatherers_.end())
      gatherer_of_.erase(old->second.incarnation);
    gatherers_[start.run] = {start.life, incarnation};
    gatherer_of_[incarnation] = start.run;
    totals_[start.run].assign(shards_[start.run], 0);
    Hello hello;
    hello.role = Role::kGatherer;
    hello.name = "gatherer";
    hello.run = start.run;
    said(incarnation, hello);
  }
  void perform(StopRunGatherer& stop) {
    if (const auto found = gatherers_.find(stop.run); found != gatherers_.end()) {
      gatherer_of_.erase(found->second.incarnation);
      gatherers_.erase(found);
    }
  }
  void perform(StoreBatch& store) {
    if (store_fails) {
      step(StoreFailed{store.run, "the disk is full"});
      return;
    }
    kept.insert(store.run);
    step(BatchStored{store.run, store.life, store.index});
  }
  void perform(ReadBatch& read) {
    EXPECT_TRUE(kept.contains(read.run));
    step(BatchRead{read.run, read.client, read.index, 1, {}});
  }
  void perform(DropResult& drop) { kept.erase(drop.run); }
  void perform(BeginShipped& begin) { begun.push_back(begin); }
  void perform(StoreShipped& store) {
    EXPECT_EQ(store.offset, stored[store.run]) << "shipped bytes are stored in order";
    stored[store.run] += store.bytes.view.size();
    if (store_fails) {
      step(StoreFailed{store.run, "the disk is full"});
    } else if (stores_at_once) {
      step(ShippedStored{store.run, stored[store.run]});
    }
  }
  void perform(ReadShippedBlock& read) {
    EXPECT_TRUE(stored.contains(read.run));
    reads.push_back(read);
  }
  void perform(SendShipped& send) { sent_[send.to].push_back(send.block); }
  void perform(DropShipped& drop) { stored.erase(drop.run); }
  void perform(SendMessage& send) {
    if (const auto node = nodes_.find(send.to); node != nodes_.end()) {
      node_heard(send.to, send.message);
    } else if (workers_.contains(send.to)) {
      worker_heard(send.to, send.message);
    } else if (const auto gatherer = gatherer_of_.find(send.to); gatherer != gatherer_of_.end()) {
      gatherer_heard(send.to, gatherer->second, send.message);
    }
    sent_[send.to].push_back(std::move(send.message));
  }

  void node_heard(IncarnationId node, const Message& message) {
    if (const auto* start = std::get_if<StartWorker>(&message)) {
      const IncarnationId worker = fresh();
      nodes_[node][start->run] = worker;
      workers_[worker] = PlayedWorker{start->run, start->name, {}, {}};
      Hello hello;
      hello.name = start->name;
      hello.run = start->run;
      hello.slots = 4;
      hello.memory_bytes = start->memory_bytes;
      for (const auto& [label, slots] : slots_of) {
        if (label == start->name) hello.slots = slots;
      }
      said(worker, hello);
    } else if (const auto* stop = std::get_if<StopWorker>(&message)) {
      workers_.erase(nodes_[node][stop->run]);
      nodes_[node].erase(stop->run);
    }
  }
  void worker_heard(IncarnationId worker, const Message& message) {
    PlayedWorker& played = workers_.at(worker);
    if (const auto* allowed = std::get_if<SlotsAllowed>(&message)) {
      const bool fewer = allowed->slots < played.allowed.value_or(99);
      played.allowed = allowed->slots;
      if (!fewer) return;
      const std::deque<LeaseGrant> waiting = std::exchange(played.leases, {});
      for (std::size_t at = 0; at < waiting.size(); ++at) {
        if (at < played.allowed.value_or(99)) {
          workers_.at(worker).leases.push_back(waiting[at]);  // it is being mapped
          continue;
        }
        Ended ended;
        ended.run = workers_.at(worker).run;
        ended.lease = waiting[at].lease;
        ended.done = {waiting[at].shards.begin, waiting[at].shards.begin};
        ended.outcome = Outcome::kNeverStarted;
        step(PeerSaid{worker, ended, {}});
      }
    } else if (const auto* grant = std::get_if<Grant>(&message)) {
      played.leases.insert(played.leases.end(), grant->leases.begin(), grant->leases.end());
    } else if (std::holds_alternative<CancelRun>(message) || std::holds_alternative<CloseRun>(message)) {
      played.leases.clear();
      said(worker, Goodbye{played.run, 1, 1, {}});
    }
  }
  void gatherer_heard(IncarnationId gatherer, RunId run, const Message& message) {
    if (const auto* open = std::get_if<OpenRun>(&message)) {
      opened_gatherers[run] = *open;
      said(gatherer, RunOpened{run, 0, Bytes(3)});
    } else if (const auto* small = std::get_if<FoldSmall>(&message)) {
      SmallFolded folded_message{run, {}, {}};
      for (const SmallFold& one : small->partials) {
        Interval shards;
        std::memcpy(&shards.begin, one.partial.packed.data(), sizeof(uint64_t));
        std::memcpy(&shards.end, one.partial.packed.data() + sizeof(uint64_t), sizeof(uint64_t));
        for (uint64_t shard = shards.begin; shard < shards.end; ++shard) totals_[run][shard] += 1;
        folded_message.folded.push_back(one.lease);
      }
      said(gatherer, folded_message);
    } else if (std::holds_alternative<Finish>(message)) {
      said(gatherer, ResultBatch{run, 0, 1});
      said(gatherer, ResultBatch{run, 1, 1});
      Finished finished;
      finished.run = run;
      finished.batches = 2;
      finished.rows = 2;
      said(gatherer, finished);
    } else if (std::holds_alternative<CancelRun>(message) || std::holds_alternative<CloseRun>(message)) {
      said(gatherer, Goodbye{run, 1, 1, {}});
    }
  }

 public:
  std::map<std::string, uint32_t> slots_of;  // of nodes by name, where not 4

 private:
  FleetLimits limits_;
  FleetScheduler fleet_;
  uint64_t next_ = 1000;
  bool draining_ = false;
  std::deque<FleetAction> pending_;
  std::map<IncarnationId, std::map<RunId, IncarnationId>> nodes_;
  std::map<IncarnationId, PlayedWorker> workers_;
  std::map<RunId, PlayedGatherer> gatherers_;
  std::map<IncarnationId, RunId> gatherer_of_;
  std::map<RunId, std::vector<uint32_t>> totals_;
  std::map<RunId, uint64_t> shards_;
  std::map<IncarnationId, std::vector<Message>> sent_;
};

}  // namespace fanfold::schedule
