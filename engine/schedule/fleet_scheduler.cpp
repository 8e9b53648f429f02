#include "engine/schedule/fleet_scheduler.h"

#include <algorithm>
#include <utility>

#include "engine/assertion.h"
#include "engine/overloaded.h"
#include "engine/protocol/codec.h"
#include "engine/quoted.h"
#include "engine/schedule/ship_ledger.h"

namespace fanfold::schedule {
namespace {

constexpr uint32_t kSlotsMax = kSuspectsMax;     // of a node: what an obituary can name
constexpr std::size_t kWatchersMax = 64;         // of a run
constexpr uint64_t kBatchesAheadMax = 8;         // read for a watcher, and not yet sent
constexpr std::size_t kNameBytesMax = 128;       // of a node, client, job
constexpr std::size_t kSentenceBytesMax = 4096;  // in a list of runs
// A specification's packed bytes: what is made of it for workers is larger, and must fit a message.
constexpr std::size_t kSpecificationBytesMax = kMessageBytesMax / 2;

std::string in_seconds(Duration span) {
  const int64_t all = span.nanoseconds / 1'000'000'000;
  if (all >= 3600 && all % 3600 == 0) return std::to_string(all / 3600) + " h";
  if (all >= 60 && all % 60 == 0) return std::to_string(all / 60) + " min";
  return std::to_string(all) + " s";
}

// Two specifications are one if their bytes are, however long their clients stay or wait; only this is kept of them
// (FNV-1a over 64 bits, twice).
struct Digest {
  uint64_t first = 0xcbf29ce484222325u;
  uint64_t second = 0x84222325cbf29ce4u;
  std::size_t bytes = 0;
  bool operator==(const Digest&) const = default;
};
Digest digest_of(RunSpecification specification) {
  Digest digest;
  specification.attached = false;
  specification.no_workers_max = {};
  for (const std::byte byte : encode(Submit{{}, std::move(specification)})) {
    digest.first = (digest.first ^ static_cast<uint64_t>(byte)) * 0x100000001b3u;
    digest.second = (digest.second ^ (static_cast<uint64_t>(byte) + 1)) * 0x100000001b3u;
    digest.bytes += 1;
  }
  return digest;
}

Cause cancelled(int signal, std::string message) {
  Cause cause;
  cause.kind = CauseKind::kCancelled;
  cause.signal = signal;
  cause.message = std::move(message);
  return cause;
}

// Slots in equal shares, none larger than what is wanted; what is left over goes to one run after the other, from
// `offset` on.
std::vector<uint32_t> divide(uint32_t slots, const std::vector<uint64_t>& wanted, std::size_t offset) {
  std::vector<uint32_t> shares(wanted.size(), 0);
  std::vector<std::size_t> open(wanted.size());
  for (std::size_t at = 0; at < open.size(); ++at) open[at] = at;
  for (bool any = true; any && !open.empty();) {
    any = false;
    const uint32_t equal = slots / static_cast<uint32_t>(open.size());
    for (auto at = open.begin(); at != open.end();) {
      if (wanted[*at] > equal) {
        ++at;
        continue;
      }
      shares[*at] = static_cast<uint32_t>(wanted[*at]);
      slots -= shares[*at];
      at = open.erase(at);
      any = true;
    }
  }
  const auto count = static_cast<uint32_t>(open.size());
  for (uint32_t at = 0; at < count; ++at) {
    shares[open[(at + offset) % count]] = slots / count + (at < slots % count ? 1 : 0);
  }
  return shares;
}

}  // namespace

struct FleetScheduler::RunEntry {
  RunId id;
  Digest digest;
  std::string client;  // who submitted it
  std::string job;
  bool attached = false;
  Stage stage = Stage::kQueued;
  Instant submitted;
  Instant started;
  Instant ended;
  RunSpecification specification;  // until it has started
  Plan plan;                       // likewise
  uint64_t shards = 0;
  uint64_t bytes = 0;
  std::unique_ptr<RootScheduler> scheduler;  // while it runs
  uint32_t gatherer_life = 0;
  bool schema_known = false;
  DeliverSchema schema;
  uint64_t batches_stored = 0;                // of this gatherer
  bool has_result = false;                    // the store knows of it
  RunOver over;                               // once it has ended
  std::optional<ShipLedger> shipped;          // until it ends, where its client ships anything
  bool ship_begun = true;                     // the store knows what of it is kept already
  uint64_t ship_file_bytes = 0;               // of what is shipped, behind the plugin
  uint64_t plugin_bytes = 0;                  // likewise; 0: it is not shipped
  std::string plugin_hash;                    // of one that is shipped
  std::string plugin_path;                    // where the root has it
  IncarnationId shipper;                      // the client that submitted it last, while it is received
  std::optional<Instant> shipper_gone_since;  // likewise
  std::map<IncarnationId, Watcher> watchers;
  std::optional<Instant> unwatched_since;
  std::optional<Instant> progress_due;
  std::string ends_because;  // instead of what its scheduler will say
  ExitCode ends_with = ExitCode::kDone;
  bool store_failed = false;

  [[nodiscard]] bool has_ended() const { return stage == Stage::kDone || stage == Stage::kFailed; }
  [[nodiscard]] RunStage told_stage() const {
    switch (stage) {
      case Stage::kReceiving:
        return RunStage::kReceiving;
      case Stage::kQueued:
        return RunStage::kQueued;
      case Stage::kRunning:
      case Stage::kStoring:
        return RunStage::kRunning;
      case Stage::kDone:
        return RunStage::kDone;
      case Stage::kFailed:
        return RunStage::kFailed;
    }
    return RunStage::kFailed;
  }
};

FleetScheduler::FleetScheduler(const FleetLimits& limits, std::string build)
    : limits_(limits), build_(std::move(build)) {}
FleetScheduler::~FleetScheduler() = default;

std::vector<FleetAction> FleetScheduler::step(FleetEvent event, Instant now) {
  Actions actions;
  std::visit([&](auto& what) { on(std::move(what), now, actions); }, event);
  settle(now, actions);
  return actions;
}

std::optional<Instant> FleetScheduler::next_deadline() const {
  std::optional<Instant> deadline = next_turn_;
  for (const auto& [id, run] : runs_) {
    if (run->scheduler) deadline = earlier(deadline, run->scheduler->next_deadline());
    if (run->unwatched_since && !run->has_ended()) {
      deadline = earlier(deadline, *run->unwatched_since + limits_.client_grace);
    }
    if (run->shipper_gone_since && !run->has_ended()) {
      deadline = earlier(deadline, *run->shipper_gone_since + limits_.client_grace);
    }
    if (run->progress_due && !run->has_ended() && !run->watchers.empty()) {
      deadline = earlier(deadline, run->progress_due);
    }
    if (run->has_ended()) deadline = earlier(deadline, run->ended + limits_.result_ttl);
  }
  return deadline;
}

bool FleetScheduler::quiet() const {
  return std::all_of(runs_.begin(), runs_.end(), [](const auto& entry) { return entry.second->has_ended(); });
}

FleetCounts FleetScheduler::counts() const {
  FleetCounts counts = totals_;
  counts.nodes = static_cast<uint32_t>(nodes_.size());
  counts.slots = slots_of_nodes();
  for (const auto& [incarnation, peer] : peers_) counts.clients += peer.role == Role::kClient ? 1 : 0;
  for (const auto& [id, run] : runs_) {
    counts.shipped_bytes += run->shipped ? run->ship_file_bytes : 0;
    if (run->has_ended()) {
      counts.results_kept += run->stage == Stage::kDone ? 1 : 0;
    } else {
      (run->stage == Stage::kReceiving ? counts.runs_receiving
       : run->stage == Stage::kQueued  ? counts.runs_queued
                                       : counts.runs_running) += 1;
    }
  }
  return counts;
}

std::optional<std::string> FleetScheduler::check_intervals() const {
  for (const auto& [id, run] : runs_) {
    if (!run->scheduler) continue;
    if (auto wrong = run->scheduler->check_intervals()) return to_text(id) + ": " + *wrong;
  }
  return std::nullopt;
}

const RootScheduler* FleetScheduler::scheduler_of(RunId run) const {
  const auto found = runs_.find(run);
  return found == runs_.end() ? nullptr : found->second->scheduler.get();
}

FleetScheduler::RunEntry* FleetScheduler::find(RunId run) {
  const auto found = runs_.find(run);
  return found == runs_.end() ? nullptr : found->second.get();
}

uint32_t FleetScheduler::running() const {
  return static_cast<uint32_t>(
      std::count_if(runs_.begin(), runs_.end(), [](const auto& entry) { return entry.second->scheduler != nullptr; }));
}

uint32_t FleetScheduler::slots_of_nodes() const {
  uint32_t slots = 0;
  for (const auto& [label, node] : nodes_) {
    if (!node.leaving) slots += node.hello.slots;
  }
  return slots;
}

// ---- peers ------------------------------------------------------------------------------------

void FleetScheduler::on(PeerSaid said, Instant now, Actions& actions) {
  if (auto* hello = std::get_if<Hello>(&said.message)) {
    greet(said.from, std::move(*hello), now, actions);
    return;
  }
  const auto found = peers_.find(said.from);
  if (found == peers_.end()) {
    // Of a run that is over, or refused: it has been told, or will be by its node.
    return;
  }
  switch (const Peer peer = found->second; peer.role) {
    case Role::kWorker:
    case Role::kGatherer:
      if (const auto* wanted = std::get_if<ReadShipped>(&said.message)) {
        read_shipped(said.from, *wanted, now, actions);
        return;
      }
      if (RunEntry* run = find(peer.run); run != nullptr && run->scheduler) feed(*run, std::move(said), now, actions);
      return;
    case Role::kNode:
      if (const auto node = nodes_.find(peer.label); node != nodes_.end()) {
        node_said(node->second, said.message, now, actions);
      }
      return;
    case Role::kClient:
      client_said(said.from, std::move(said.message), std::move(said.raw), now, actions);
      return;
  }
}

void FleetScheduler::on(PeerLost lost, Instant now, Actions& actions) {
  const auto found = peers_.find(lost.incarnation);
  if (found == peers_.end()) {
    actions.push_back(ClosePeer{lost.incarnation});
    return;
  }
  switch (const Peer peer = found->second; peer.role) {
    case Role::kWorker:
    case Role::kGatherer:
      peers_.erase(found);
      if (RunEntry* run = find(peer.run); run != nullptr && run->scheduler) feed(*run, std::move(lost), now, actions);
      return;
    case Role::kNode:
      lose_node(peer.label, lost.cause, now, actions);
      return;
    case Role::kClient:
      lose_client(lost.incarnation, now);
      peers_.erase(lost.incarnation);
      actions.push_back(FencePeer{lost.incarnation});
      return;
  }
}

void FleetScheduler::refuse(IncarnationId from, const Hello& hello, std::string sentence, Actions& actions) {
  actions.push_back(SendMessage{from, Refused{kProtocolVersion, hello.protocol_version, std::move(sentence)}});
}

void FleetScheduler::greet(IncarnationId from, Hello hello, Instant now, Actions& actions) {
  if (const auto known = peers_.find(from); known != peers_.end()) {
    if (known->second.role == Role::kWorker || known->second.role == Role::kGatherer) {
      RunEntry* run = find(known->second.run);
      if (run != nullptr && run->scheduler) feed(*run, PeerSaid{from, std::move(hello), {}}, now, actions);
      return;
    }
    Cause cause;
    cause.kind = CauseKind::kInternal;
    cause.message = "said Hello twice";
    on(PeerLost{from, std::move(cause), {}}, now, actions);
    return;
  }
  if (hello.protocol_version != kProtocolVersion) {
    totals_.refused_version += 1;
    refuse(from, hello,
           quoted(hello.name) + " speaks protocol " + std::to_string(hello.protocol_version) + ", the root speaks " +
               std::to_string(kProtocolVersion) + ". Run the same release on all nodes.",
           actions);
    actions.push_back(Note{Severity::kWarning,
                           "refused " + quoted(hello.name) + ", which speaks protocol " +
                               std::to_string(hello.protocol_version) + "; this root speaks " +
                               std::to_string(kProtocolVersion),
                           {},
                           hello.name,
                           from});
    return;
  }
  switch (hello.role) {
    case Role::kWorker:
    case Role::kGatherer: {
      RunEntry* run = find(hello.run);
      const bool node_lives = hello.role == Role::kGatherer || nodes_.contains(hello.name);
      if (run == nullptr || !run->scheduler || !node_lives) {
        // A run that has ended meanwhile is no reason for a word.
        const bool known = run != nullptr || expired_.contains(hello.run);
        totals_.refused_invalid += known ? 0 : 1;
        refuse(from, hello, known ? "" : "there is no run " + to_text(hello.run) + " at this root", actions);
        return;
      }
      Peer peer{hello.role, hello.run};
      if (hello.role == Role::kWorker) peer.reads_max = uint64_t{hello.slots} * kShippedReadsPerSlotMax;
      peers_[from] = std::move(peer);
      feed(*run, PeerSaid{from, std::move(hello), {}}, now, actions);
      return;
    }
    case Role::kNode: {
      if (hello.slots == 0 || hello.slots > kSlotsMax || hello.name.empty() || hello.name.size() > kNameBytesMax) {
        totals_.refused_invalid += 1;
        refuse(from, hello,
               "a worker has a name and 1 to " + std::to_string(kSlotsMax) + " slots; " + quoted(hello.name) +
                   " says " + std::to_string(hello.slots),
               actions);
        return;
      }
      if (nodes_.size() >= limits_.nodes_max) {
        totals_.refused_capacity += 1;
        refuse(from, hello,
               "this root takes " + std::to_string(limits_.nodes_max) +
                   " workers and has them; start it with a larger --workers-max",
               actions);
        return;
      }
      std::string label = hello.name;
      for (uint32_t number = 2; nodes_.contains(label); ++number) label = hello.name + "." + std::to_string(number);
      Node& node = nodes_[label];
      node.incarnation = from;
      node.label = label;
      node.joined = now;
      node.hello = std::move(hello);
      for (std::string* text : {&node.hello.host, &node.hello.build, &node.hello.kernels}) {
        *text = text->substr(0, kNameBytesMax);
      }
      peers_[from] = Peer{Role::kNode, {}, label};
      actions.push_back(SendMessage{from, Welcome{kProtocolVersion, build_}});
      actions.push_back(Note{Severity::kInfo,
                             "worker " + quoted(label) + " has joined with " + std::to_string(node.hello.slots) +
                                 (node.hello.slots == 1 ? " slot" : " slots"),
                             {},
                             label,
                             from});
      for (const RunId id : order_) {
        if (RunEntry* run = find(id); run != nullptr && run->scheduler) start_worker(node, *run, actions);
      }
      return;
    }
    case Role::kClient: {
      const auto clients = std::count_if(peers_.begin(), peers_.end(),
                                         [](const auto& entry) { return entry.second.role == Role::kClient; });
      if (static_cast<uint32_t>(clients) >= limits_.clients_max) {
        totals_.refused_capacity += 1;
        refuse(from, hello,
               "this root talks to " + std::to_string(limits_.clients_max) + " clients already; try again later",
               actions);
        return;
      }
      peers_[from] = Peer{Role::kClient, {}, {}, hello.name.substr(0, kNameBytesMax)};
      actions.push_back(SendMessage{from, Welcome{kProtocolVersion, build_}});
      return;
    }
  }
}

// ---- nodes ------------------------------------------------------------------------------------

void FleetScheduler::node_said(Node& node, const Message& message, Instant now, Actions& actions) {
  if (const auto* ended = std::get_if<WorkerEnded>(&message)) {
    const auto worker = node.workers.find(ended->run);
    RunEntry* run = find(ended->run);
    if (worker == node.workers.end() || !worker->second.started || run == nullptr || !run->scheduler) return;
    worker->second.started = false;
    feed(*run, NodeLost{node.label, ended->cause}, now, actions);
    if (run->scheduler && !node.leaving && worker->second.starts < limits_.worker_starts_max) {
      start_worker(node, *run, actions);
    }
  } else if (const auto* wanted = std::get_if<ReadShipped>(&message)) {
    read_shipped(node, *wanted, now, actions);
  } else if (std::holds_alternative<NodeLeaving>(message)) {
    if (node.leaving) return;
    node.leaving = true;
    actions.push_back(
        Note{Severity::kInfo, "worker " + quoted(node.label) + " is leaving", {}, node.label, node.incarnation});
  } else if (std::holds_alternative<Goodbye>(message)) {
    const std::string label = node.label;
    const IncarnationId incarnation = node.incarnation;
    Cause cause;
    cause.kind = CauseKind::kLostLink;
    lose_node(label, cause, now, actions);
    actions.push_back(ClosePeer{incarnation});
  }
}

void FleetScheduler::lose_node(const std::string& label, const Cause& cause, Instant now, Actions& actions) {
  const auto found = nodes_.find(label);
  if (found == nodes_.end()) return;
  const Node node = std::move(found->second);
  nodes_.erase(found);
  totals_.nodes_lost += node.leaving ? 0 : 1;
  peers_.erase(node.incarnation);
  actions.push_back(FencePeer{node.incarnation});
  actions.push_back(
      Note{node.leaving ? Severity::kInfo : Severity::kWarning,
           "worker " + quoted(label) + (node.leaving ? std::string(" has left") : " is lost: it " + describe(cause)),
           {},
           label,
           node.incarnation});
  for (const auto& [id, worker] : node.workers) {
    RunEntry* run = find(id);
    if (worker.started && run != nullptr && run->scheduler) feed(*run, NodeLost{label, cause}, now, actions);
  }
}

void FleetScheduler::start_worker(Node& node, RunEntry& run, Actions& actions) {
  if (node.leaving || (run.plugin_bytes > 0 && !node.hello.accepts_plugins)) return;
  WorkerAtNode& worker = node.workers[run.id];
  worker.starts += 1;
  worker.started = true;
  actions.push_back(SendMessage{
      node.incarnation,
      StartWorker{run.id, node.label, node.hello.memory_bytes / limits_.runs_max, run.plugin_hash, run.plugin_bytes}});
}

void FleetScheduler::stop_worker(Node& node, RunId run, Actions& actions) {
  const auto worker = node.workers.find(run);
  if (worker == node.workers.end()) return;
  if (worker->second.started) actions.push_back(SendMessage{node.incarnation, StopWorker{run}});
  node.workers.erase(worker);
}

void FleetScheduler::release_nodes(Instant now, Actions& actions) {
  std::vector<std::string> leaving;
  for (const auto& [label, node] : nodes_) {
    if (node.leaving && !node.released) leaving.push_back(label);
  }
  for (const std::string& label : leaving) {
    std::vector<RunId> held;
    for (const auto& [id, worker] : nodes_.at(label).workers) held.push_back(id);
    for (const RunId id : held) {
      RunEntry* run = find(id);
      if (run != nullptr && run->scheduler) {
        if (!run->scheduler->holds_nothing(label)) continue;
        feed(*run, WorkersReleased{label}, now, actions);
      }
      stop_worker(nodes_.at(label), id, actions);
    }
    Node& node = nodes_.at(label);
    if (!node.workers.empty()) continue;
    node.released = true;
    actions.push_back(SendMessage{node.incarnation, NodeReleased{}});
  }
}

// What a run without pending shards does not need goes to the others; what is left over when slots are divided goes
// to another run at every turn and node.
void FleetScheduler::divide_slots(Instant now, Actions& actions) {
  std::vector<RunEntry*> active;
  for (const RunId id : order_) {
    if (RunEntry* run = find(id); run != nullptr && run->scheduler) active.push_back(run);
  }
  const bool turning = active.size() > 1 && std::any_of(nodes_.begin(), nodes_.end(), [&](const auto& entry) {
                         return entry.second.hello.slots % active.size() != 0;
                       });
  if (!turning) {
    next_turn_.reset();
  } else if (!next_turn_) {
    next_turn_ = now + limits_.share_turn;
  } else if (*next_turn_ <= now) {
    turn_ += 1;
    next_turn_ = now + limits_.share_turn;
  }
  std::size_t ordinal = 0;
  for (auto& [label, node] : nodes_) {
    const std::size_t offset = ordinal++ + turn_;
    std::vector<uint64_t> wanted;
    for (const RunEntry* run : active) {
      if (!node.workers.contains(run->id)) {
        wanted.push_back(0);  // it has no part in it
        continue;
      }
      // Alone, it keeps all, for what may be lost yet. What it has been granted counts whether or not shards are
      // pending beside it: otherwise a lease given back, and granted again, would change the shares each time.
      const bool all = active.size() == 1 || run->scheduler->has_pending();
      wanted.push_back(all ? node.hello.slots : run->scheduler->leases_at(label));
    }
    const std::vector<uint32_t> shares = divide(node.leaving ? 0 : node.hello.slots, wanted, offset);
    for (std::size_t at = 0; at < active.size(); ++at) {
      const auto worker = node.workers.find(active[at]->id);
      if (worker == node.workers.end()) continue;
      if (std::exchange(worker->second.share, shares[at]) == shares[at] && worker->second.told) continue;
      worker->second.told = true;
      feed(*active[at], ShareSet{label, shares[at]}, now, actions);
    }
  }
}

// ---- runs -------------------------------------------------------------------------------------

void FleetScheduler::submit(IncarnationId from, Submit submit, Instant now, Actions& actions) {
  const auto refuse_run = [&](ExitCode code, std::string sentence) {
    actions.push_back(SendMessage{from, RunRefused{submit.run, static_cast<uint32_t>(code), std::move(sentence)}});
  };
  if (submit.run.empty()) return refuse_run(ExitCode::kUsage, "a run has an id that is not zero");
  if (expired_.contains(submit.run)) {
    return refuse_run(ExitCode::kUsage, "run " + to_text(submit.run) +
                                            " has ended and its result has expired; submit it under another id");
  }
  if (submit.specification.job.empty() || submit.specification.job.size() > kNameBytesMax) {
    return refuse_run(ExitCode::kUsage, "a job has a name of 1 to " + std::to_string(kNameBytesMax) + " bytes");
  }
  const Digest digest = digest_of(submit.specification);
  if (digest.bytes > kSpecificationBytesMax) {
    return refuse_run(ExitCode::kUsage, "the list of inputs takes " + std::to_string(digest.bytes >> 20) +
                                            " MiB, a root takes " + std::to_string(kSpecificationBytesMax >> 20) +
                                            " MiB; name folders with fewer files, or run it in parts");
  }
  if (RunEntry* known = find(submit.run)) {
    if (known->digest == digest) {
      actions.push_back(SendMessage{from, RunAccepted{submit.run, known->told_stage()}});
      if (known->stage == Stage::kReceiving) {
        known->shipper = from;
        known->shipper_gone_since.reset();
        known->shipped->begin();
      }
    } else {
      refuse_run(ExitCode::kUsage, "run " + to_text(submit.run) +
                                       " is known with another job, other parameters or other inputs; submit this "
                                       "one under another id");
    }
    return;
  }
  if (stopping_) return refuse_run(ExitCode::kNoFleet, "the root is being stopped; try again when it is back");
  const auto queued = std::count_if(runs_.begin(), runs_.end(),
                                    [](const auto& entry) { return entry.second->stage == Stage::kQueued; });
  if (static_cast<std::size_t>(queued) >= limits_.queue_max) {
    return refuse_run(ExitCode::kNoFleet, std::to_string(queued) +
                                              " runs are waiting at the root, which is as many "
                                              "as it keeps; try again later");
  }
  for (Source& source : submit.specification.sources) source.shipped_at.reset();  // the root decides
  PlanOptions options{submit.specification.shard_bytes, submit.specification.shard_items,
                      std::max(slots_of_nodes(), 1U)};
  const uint64_t plugin_bytes = submit.specification.plugin_bytes;
  if (const auto failure = plugin_bytes > 0 ? no_plugin_of(submit.specification) : std::nullopt) {
    return refuse_run(failure->code, failure->sentence);
  }
  if (submit.specification.ship) options.shipped_from = plugin_bytes;
  Result<Plan> plan = Plan::make(std::move(submit.specification.sources), options);
  if (!plan) return refuse_run(plan.failure().code, plan.failure().sentence);
  const uint64_t file_bytes = submit.specification.ship ? plan->byte_count() : 0;
  if (const auto failure = file_bytes > 0 ? no_room_for(file_bytes) : std::nullopt) {
    return refuse_run(failure->code, failure->sentence);
  }
  auto run = std::make_unique<RunEntry>();
  run->id = submit.run;
  run->digest = digest;
  run->client = peers_.at(from).name;
  run->job = submit.specification.job;
  run->attached = submit.specification.attached;
  run->submitted = now;
  if (run->attached) run->unwatched_since = now;
  run->shards = plan->shard_count();
  run->bytes = plan->byte_count();
  run->plan = std::move(plan).value();
  run->specification = std::move(submit.specification);
  run->specification.sources.clear();
  if (plugin_bytes + file_bytes > 0) {
    run->stage = Stage::kReceiving;
    run->shipped.emplace(plugin_bytes + file_bytes, limits_.ship_window_bytes);
    run->ship_file_bytes = file_bytes;
    run->shipper = from;
  }
  actions.push_back(SendMessage{from, RunAccepted{run->id, run->told_stage()}});
  if (plugin_bytes > 0) {
    run->ship_begun = false;
    run->plugin_bytes = plugin_bytes;
    run->plugin_hash = run->specification.plugin_hash;
    actions.push_back(BeginShipped{run->id, run->plugin_hash, plugin_bytes});
  }
  actions.push_back(Note{
      Severity::kInfo,
      "run " + to_text(run->id) + " of job " + quoted(run->job) + " was submitted by " + quoted(run->client), run->id});
  order_.push_back(run->id);
  runs_[run->id] = std::move(run);
}

// ---- what clients ship ------------------------------------------------------------------------

std::optional<Failure> FleetScheduler::no_room_for(uint64_t bytes) const {
  if (limits_.ship_bytes_max == 0) {
    return Failure{ExitCode::kUsage,
                   "this root takes no shipped files (--ship-bytes-max 0); let its workers read them, without --ship"};
  }
  uint64_t taken = 0;
  std::size_t runs = 0;
  for (const auto& [id, run] : runs_) {
    if (!run->shipped) continue;
    taken += run->ship_file_bytes;
    runs += 1;
  }
  if (bytes > limits_.ship_bytes_max) {
    return Failure{ExitCode::kInputOutput, "the files have " + std::to_string(bytes) + " bytes, this root takes " +
                                               std::to_string(limits_.ship_bytes_max) +
                                               " of what clients ship; start it with a larger --ship-bytes-max, or "
                                               "run the job in parts"};
  }
  if (bytes > limits_.ship_bytes_max - taken || runs >= limits_.shipped_max) {
    return Failure{ExitCode::kInputOutput, "the files have " + std::to_string(bytes) + " bytes, but " +
                                               std::to_string(taken) + " of the " +
                                               std::to_string(limits_.ship_bytes_max) +
                                               " that this root takes of what clients ship are taken by " +
                                               std::to_string(runs) + " runs; try again when they have ended"};
  }
  return std::nullopt;
}

std::optional<Failure> FleetScheduler::no_plugin_of(const RunSpecification& specification) const {
  if (!limits_.accept_plugins) {
    return Failure{ExitCode::kUsage,
                   "this root loads no plugins of clients; start it and its workers with --accept-plugins and keys, or "
                   "install the job's plugin there and leave --ship-plugin out"};
  }
  RunId hash;
  if (!from_text(specification.plugin_hash, hash)) {
    return Failure{ExitCode::kUsage, quoted(specification.plugin_hash) + " is no hash of a plugin"};
  }
  if (specification.plugin_bytes > kPluginBytesMax) {
    return Failure{ExitCode::kUsage, "the plugin has " + std::to_string(specification.plugin_bytes) +
                                         " bytes, one that is shipped may have " + std::to_string(kPluginBytesMax) +
                                         "; strip it, or install it at root and workers"};
  }
  return std::nullopt;
}

std::string FleetScheduler::who_takes_no_plugins() const {
  constexpr std::size_t kNamed = 3;
  std::string names;
  std::size_t count = 0;
  for (const auto& [label, node] : nodes_) {
    if (node.hello.accepts_plugins || ++count > kNamed) continue;
    names += (names.empty() ? "" : ", ") + quoted(label);
  }
  if (count == 0) return {};
  if (count > kNamed) names += " and " + std::to_string(count - kNamed) + " more";
  return " The run ships its plugin, which " + names + (count == 1 ? " does" : " do") +
         " not take: start workers with --accept-plugins, or install the plugin there.";
}

void FleetScheduler::take_shipped(IncarnationId from, const ShipBytes& told, RawBytes bytes, Instant now,
                                  Actions& actions) {
  RunEntry* run = find(told.run);
  // Of a run that has ended meanwhile, or by a client in whose place another sends.
  if (run == nullptr || run->stage != Stage::kReceiving || run->shipper != from) return;
  const uint64_t size = bytes.view.size();
  ShipLedger::Arrival arrival = run->shipped->arrive(told.offset, size);
  if (size > kShippedBlockBytesMax) arrival = ShipLedger::Arrival::kBeyond;
  switch (arrival) {
    case ShipLedger::Arrival::kLate:
      return;
    case ShipLedger::Arrival::kBeyond: {
      Cause cause;
      cause.kind = CauseKind::kInternal;
      cause.message = "shipped more than it was allowed to";
      on(PeerLost{from, std::move(cause), {}}, now, actions);
      return;
    }
    case ShipLedger::Arrival::kNext:
      actions.push_back(StoreShipped{told.run, told.offset, std::move(bytes)});
      return;
  }
}

void FleetScheduler::on(const ShippedStored& stored, Instant, Actions& actions) {
  RunEntry* run = find(stored.run);
  if (run == nullptr || run->stage != Stage::kReceiving) return;
  run->shipped->keep(stored.bytes);
  if (run->shipped->whole()) receive_whole(*run, actions);
}

void FleetScheduler::on(PluginStored stored, Instant, Actions&) {
  if (RunEntry* run = find(stored.run)) run->plugin_path = std::move(stored.path);
}

void FleetScheduler::on(const ShippedBegun& begun, Instant, Actions& actions) {
  RunEntry* run = find(begun.run);
  if (run == nullptr || run->stage != Stage::kReceiving) return;
  run->ship_begun = true;
  run->shipped->skip(begun.bytes);
  if (run->shipped->whole()) receive_whole(*run, actions);
}

void FleetScheduler::receive_whole(RunEntry& run, Actions& actions) {
  const uint64_t bytes = run.shipped->bytes();
  actions.push_back(SendMessage{run.shipper, ShipCredit{run.id, bytes, bytes}});
  actions.push_back(
      Note{Severity::kInfo,
           "run " + to_text(run.id) + " has all that its client ships: " + std::to_string(bytes) + " bytes", run.id});
  run.stage = Stage::kQueued;
  run.shipper = {};
  run.shipper_gone_since.reset();
}

// A few at a time: what they may have on its way is memory of the root.
void FleetScheduler::give_ship_credit(Actions& actions) {
  uint32_t sending = 0;
  for (const RunId id : order_) {
    RunEntry& run = *runs_.at(id);
    if (run.stage != Stage::kReceiving || run.shipper_gone_since || !run.ship_begun) continue;
    if (sending++ == limits_.shippers_max) return;
    if (const std::optional<ShipLedger::Credit> credit = run.shipped->raise()) {
      actions.push_back(SendMessage{run.shipper, ShipCredit{run.id, credit->received, credit->allowed}});
    }
  }
}

void FleetScheduler::read_shipped(IncarnationId from, const ReadShipped& wanted, Instant now, Actions& actions) {
  Peer& peer = peers_.at(from);
  const RunEntry* run = find(peer.run);
  if (run == nullptr || !run->scheduler) return;  // it is being stopped
  const bool there = wanted.run == peer.run && run->shipped && wanted.bytes > 0 &&
                     wanted.bytes <= kShippedBlockBytesMax && wanted.offset <= run->shipped->bytes() &&
                     wanted.bytes <= run->shipped->bytes() - wanted.offset;
  if (!there || peer.reads >= peer.reads_max) {
    Cause cause;
    cause.kind = CauseKind::kInternal;
    cause.message = there ? "asked for too many shipped blocks at once" : "asked for bytes that were not shipped";
    on(PeerLost{from, std::move(cause), {}}, now, actions);
    return;
  }
  peer.reads += 1;
  actions.push_back(ReadShippedBlock{wanted.run, from, wanted.ticket, wanted.offset, wanted.bytes});
}

// A node fetches the plugin, and nothing else, before it starts a worker.
void FleetScheduler::read_shipped(Node& node, const ReadShipped& wanted, Instant now, Actions& actions) {
  const RunEntry* run = find(wanted.run);
  const auto worker = node.workers.find(wanted.run);
  if (run == nullptr || !run->scheduler || worker == node.workers.end()) return;  // it is being stopped
  const bool there = wanted.bytes > 0 && wanted.bytes <= kShippedBlockBytesMax && wanted.offset <= run->plugin_bytes &&
                     wanted.bytes <= run->plugin_bytes - wanted.offset;
  if (!there || worker->second.reads >= kShippedReadsPerSlotMax) {
    Cause cause;
    cause.kind = CauseKind::kInternal;
    cause.message = there ? "asked for too many shipped blocks at once" : "asked for bytes that are no plugin's";
    on(PeerLost{node.incarnation, std::move(cause), {}}, now, actions);
    return;
  }
  worker->second.reads += 1;
  actions.push_back(ReadShippedBlock{wanted.run, node.incarnation, wanted.ticket, wanted.offset, wanted.bytes});
}

void FleetScheduler::on(ShippedRead read, Instant, Actions& actions) {
  const auto reader = peers_.find(read.reader);
  if (reader == peers_.end()) return;  // lost meanwhile
  if (reader->second.role == Role::kNode) {
    std::map<RunId, WorkerAtNode>& workers = nodes_.at(reader->second.label).workers;
    const auto worker = workers.find(read.run);
    if (worker == workers.end()) return;  // stopped meanwhile
    worker->second.reads -= std::min<uint64_t>(worker->second.reads, 1);
  } else {
    reader->second.reads -= 1;
  }
  actions.push_back(SendShipped{read.reader, ShippedBlock{read.run, read.ticket}, std::move(read.bytes)});
}

void FleetScheduler::drop_shipped(RunEntry& run, Actions& actions) {
  if (!run.shipped) return;
  run.shipped.reset();
  run.shipper = {};
  run.shipper_gone_since.reset();
  actions.push_back(DropShipped{run.id});
}

// ---- runs that run ----------------------------------------------------------------------------

void FleetScheduler::start_run(RunEntry& run, Instant now, Actions& actions) {
  run.stage = Stage::kRunning;
  run.started = now;
  Limits limits = limits_.run;
  limits.no_workers_max = run.specification.no_workers_max;
  limits.slots_expected = slots_of_nodes() / (running() + 1);
  limits.gatherer_bytes_in_flight_max = std::max<uint64_t>(limits_.gatherer_memory_bytes / 2, 1);
  limits.flush_by_time = true;
  run.scheduler = std::make_unique<RootScheduler>(limits, build_);

  RunSubmitted submitted;
  OpenRun& open = submitted.for_gatherer;
  open.run = run.id;
  open.job = run.job;
  open.plugin_hash = run.specification.plugin_hash;
  open.parameters = std::move(run.specification.parameters);
  open.record_bytes_max =
      run.specification.record_bytes_max != 0 ? run.specification.record_bytes_max : limits_.record_bytes_max;
  open.small_partial_bytes_max = kSmallPartialBytesMax;
  open.result_limit = run.specification.limit;
  open.allow_growth = run.specification.allow_growth;
  open.memory_bytes = limits_.gatherer_memory_bytes;
  submitted.for_workers = open;
  submitted.for_workers.sources = run.plan.sources();
  open.plugin_path = run.plugin_path;  // at the root; a node tells its worker where it has it
  submitted.plan = std::exchange(run.plan, Plan{});
  run.specification = RunSpecification{};
  for (auto& [label, node] : nodes_) start_worker(node, run, actions);
  feed(run, std::move(submitted), now, actions);
}

// Lets the run's own scheduler decide, and does what it wants done under the run's name.
void FleetScheduler::feed(RunEntry& run, Event event, Instant now, Actions& actions) {
  for (Action& action : run.scheduler->step(std::move(event), now)) {
    std::visit(Overloaded{
                   [&](SendMessage& send) { actions.push_back(std::move(send)); },
                   [&](FencePeer& fence) {
                     peers_.erase(fence.incarnation);
                     actions.push_back(fence);
                   },
                   [&](StartGatherer& start) {
                     run.gatherer_life = start.life;
                     run.batches_stored = 0;
                     actions.push_back(StartRunGatherer{run.id, start.life});
                   },
                   [&](DeliverSchema& schema) {
                     run.schema = std::move(schema);
                     run.schema_known = true;
                   },
                   [&](DeliverResult& result) {
                     run.has_result = true;
                     actions.push_back(
                         StoreBatch{run.id, run.gatherer_life, result.index, result.rows, std::move(result.bytes)});
                   },
                   [&](RunEnded& ended) { end_run(run, std::move(ended), now); },
               },
               action);
  }
}

void FleetScheduler::end_run(RunEntry& run, RunEnded ended, Instant now) {
  RunOver& over = run.over;
  over.run = run.id;
  over.job = run.job;
  over.exit_code = static_cast<uint32_t>(ended.code);
  over.sentence = std::move(ended.sentence);
  if (ended.code == ExitCode::kNoFleet && run.plugin_bytes > 0) over.sentence += who_takes_no_plugins();
  over.rows = ended.rows;
  over.batches = ended.batches;
  over.ledger = std::move(ended.ledger);
  over.wall = now - run.started;
  over.slots = slots_of_nodes();
  over.shards_folded = ended.shards_folded;
  RunStatistics& statistics = ended.statistics;
  over.shards = statistics.shards;
  over.leases = statistics.leases;
  over.bundles = statistics.bundles;
  over.retries = statistics.retries;
  over.drops = statistics.drops;
  over.records = statistics.records;
  over.bytes = statistics.bytes;
  over.merge = statistics.merge;
  over.finish = statistics.finish;
  for (ProcessStatistics& process : statistics.processes) {
    if (over.processes.size() == kProcessAccountsMax) break;
    over.processes.push_back({process.role, std::move(process.name), process.pid, process.slots, process.peak_rss_bytes,
                              process.slot_times, process.lost});
  }
  totals_.leases += statistics.leases;
  totals_.retries += statistics.retries;
  totals_.bundles += statistics.bundles;
  totals_.records += statistics.records;
  totals_.bytes += statistics.bytes;
  const bool done = ended.code == ExitCode::kDone && !run.store_failed;
  if (!done && !run.ends_because.empty()) {
    over.exit_code = static_cast<uint32_t>(run.ends_with);
    over.sentence = run.ends_because;
  }
  run.stage = done ? Stage::kStoring : Stage::kFailed;
  totals_.runs_failed += done ? 0 : 1;
}

// Its scheduler has ended it: processes go, and it is settled what is kept.
void FleetScheduler::close_run(RunEntry& run, Instant now, Actions& actions) {
  run.scheduler.reset();
  for (auto& [label, node] : nodes_) stop_worker(node, run.id, actions);
  actions.push_back(StopRunGatherer{run.id});
  for (auto peer = peers_.begin(); peer != peers_.end();) {
    const bool of_run = peer->second.run == run.id && !peer->second.run.empty();
    if (of_run) actions.push_back(FencePeer{peer->first});
    peer = of_run ? peers_.erase(peer) : std::next(peer);
  }
  run.ended = now;
  drop_shipped(run, actions);
  if (run.stage == Stage::kFailed) {
    if (std::exchange(run.has_result, false)) actions.push_back(DropResult{run.id});
    actions.push_back(Note{Severity::kError, "run " + to_text(run.id) + " has failed: " + run.over.sentence, run.id});
  }
}

// Ends a run that is not being scheduled: received, queued, or its rows being stored.
void FleetScheduler::fail_run(RunEntry& run, ExitCode code, std::string sentence, Instant now, Actions& actions) {
  run.stage = Stage::kFailed;
  totals_.runs_failed += 1;
  run.over.run = run.id;
  run.over.job = run.job;
  run.over.shards = run.shards;
  run.over.exit_code = static_cast<uint32_t>(code);
  run.over.sentence = std::move(sentence);
  run.ended = now;
  run.plan = Plan{};
  run.specification = RunSpecification{};
  drop_shipped(run, actions);
  if (std::exchange(run.has_result, false)) actions.push_back(DropResult{run.id});
  actions.push_back(Note{Severity::kError, "run " + to_text(run.id) + " has failed: " + run.over.sentence, run.id});
}

void FleetScheduler::cancel(RunEntry& run, Cause cause, Instant now, Actions& actions) {
  const ExitCode code = run.ends_because.empty() ? exit_code_of(cause) : run.ends_with;
  if (run.scheduler) {
    if (run.ends_because.empty()) {
      run.ends_because = cause.message;
      run.ends_with = code;
    }
    feed(run, CancelRequested{std::move(cause)}, now, actions);
  } else if (!run.has_ended()) {
    fail_run(run, code, cause.message, now, actions);
  }
}

void FleetScheduler::on(RunGathererEnded ended, Instant now, Actions& actions) {
  RunEntry* run = find(ended.run);
  if (run != nullptr && run->scheduler) feed(*run, GathererDied{ended.life, std::move(ended.cause)}, now, actions);
}

void FleetScheduler::on(const BatchStored& stored, Instant now, Actions& actions) {
  RunEntry* run = find(stored.run);
  if (run == nullptr || stored.life != run->gatherer_life || run->has_ended()) return;
  run->batches_stored = stored.index + 1;
  if (run->scheduler) feed(*run, ResultConsumed{run->batches_stored}, now, actions);
}

void FleetScheduler::on(StoreFailed failed, Instant now, Actions& actions) {
  RunEntry* run = find(failed.run);
  if (run == nullptr || run->stage == Stage::kFailed) return;
  if (run->scheduler && run->stage == Stage::kRunning) {
    if (!std::exchange(run->store_failed, true)) {
      run->ends_because = std::move(failed.sentence);
      run->ends_with = failed.code;
    }
    feed(*run, CancelRequested{cancelled(0, {})}, now, actions);
  } else {
    fail_run(*run, failed.code, std::move(failed.sentence), now, actions);
  }
}

void FleetScheduler::on(RootStopping, Instant now, Actions& actions) {
  stopping_ = true;
  for (const RunId id : order_) {
    RunEntry* run = find(id);
    if (run == nullptr || run->has_ended() || run->stage == Stage::kStoring) continue;
    run->ends_because = "the root was stopped; submit the run again when it is back";
    run->ends_with = ExitCode::kNoFleet;
    cancel(*run, cancelled(15, run->ends_because), now, actions);
  }
}

void FleetScheduler::expire(RunId run, Actions& actions) {
  const auto found = runs_.find(run);
  if (found == runs_.end()) return;
  if (found->second->has_result) actions.push_back(DropResult{run});
  runs_.erase(found);
  std::erase(order_, run);
  expired_.insert(run);
  expired_order_.push_back(run);
  if (expired_order_.size() > limits_.expired_max) {
    expired_.erase(expired_order_.front());
    expired_order_.pop_front();
  }
}

// ---- clients ----------------------------------------------------------------------------------

void FleetScheduler::client_said(IncarnationId from, Message message, RawBytes raw, Instant now, Actions& actions) {
  const auto unknown = [&](RunId id) {
    const bool expired = expired_.contains(id);
    actions.push_back(SendMessage{
        from,
        RunRefused{id, static_cast<uint32_t>(ExitCode::kUsage),
                   expired ? "run " + to_text(id) + " has expired: results are kept for " +
                                 in_seconds(limits_.result_ttl) + " after a run has ended"
                           : "there is no run " + to_text(id) + " at this root; `fanfold ps` lists those there are"}});
  };
  if (auto* submitted = std::get_if<Submit>(&message)) {
    submit(from, std::move(*submitted), now, actions);
  } else if (const auto* shipped = std::get_if<ShipBytes>(&message)) {
    take_shipped(from, *shipped, std::move(raw), now, actions);
  } else if (const auto* watched = std::get_if<Watch>(&message)) {
    find(watched->run) != nullptr ? watch(from, *watched, now, actions) : unknown(watched->run);
  } else if (const auto* credit = std::get_if<ResultCredit>(&message)) {
    RunEntry* run = find(credit->run);
    if (run == nullptr) return;
    const auto watcher = run->watchers.find(from);
    if (watcher == run->watchers.end()) return;
    watcher->second.allowed = std::max(watcher->second.allowed, credit->result_batches_allowed);
  } else if (const auto* cancel_wanted = std::get_if<CancelWanted>(&message)) {
    RunEntry* run = find(cancel_wanted->run);
    if (run == nullptr) {
      unknown(cancel_wanted->run);
      return;
    }
    if (run->stage != Stage::kStoring) {
      cancel(*run, cancelled(cancel_wanted->signal, "the run was cancelled by " + quoted(peers_.at(from).name)), now,
             actions);
    }
  } else if (std::holds_alternative<ListRuns>(message)) {
    actions.push_back(SendMessage{from, list_runs(now)});
  } else if (std::holds_alternative<ListNodes>(message)) {
    actions.push_back(SendMessage{from, list_nodes(now)});
  } else if (std::holds_alternative<Goodbye>(message)) {
    lose_client(from, now);
    peers_.erase(from);
    actions.push_back(ClosePeer{from});
  } else {
    Cause cause;
    cause.kind = CauseKind::kInternal;
    on(PeerLost{from, std::move(cause), {}}, now, actions);
  }
}

void FleetScheduler::watch(IncarnationId from, const Watch& watch, Instant now, Actions& actions) {
  RunEntry& run = *find(watch.run);
  if (!run.watchers.contains(from) && run.watchers.size() >= kWatchersMax) {
    actions.push_back(SendMessage{
        from, RunRefused{watch.run, static_cast<uint32_t>(ExitCode::kNoFleet),
                         std::to_string(kWatchersMax) + " clients watch this run already; try again later"}});
    return;
  }
  Watcher& watcher = run.watchers[from];
  watcher = Watcher{};
  watcher.next = watcher.sent = watch.from_batch;
  watcher.allowed = watch.result_batches_allowed;
  run.unwatched_since.reset();
  run.progress_due = now;
  actions.push_back(SendMessage{from, RunAccepted{watch.run, run.told_stage()}});
}

void FleetScheduler::lose_client(IncarnationId client, Instant now) {
  for (auto& [id, run] : runs_) {
    if (run->watchers.erase(client) > 0 && run->attached && run->watchers.empty() && !run->has_ended()) {
      run->unwatched_since = now;
    }
    if (run->stage == Stage::kReceiving && run->shipper == client) run->shipper_gone_since = now;
  }
}

void FleetScheduler::on(BatchRead read, Instant, Actions& actions) {
  RunEntry* run = find(read.run);
  if (run == nullptr) return;
  const auto watcher = run->watchers.find(read.client);
  // One that has begun to watch anew, from another batch, does not want what was read before.
  if (watcher == run->watchers.end() || watcher->second.sent != read.index) return;
  watcher->second.sent += 1;
  actions.push_back(SendBatch{read.client, ResultBatch{read.run, read.index, read.rows}, std::move(read.bytes)});
}

void FleetScheduler::serve(RunEntry& run, IncarnationId client, Watcher& watcher, Actions& actions) {
  if (run.schema_known && !watcher.schema_told) {
    watcher.schema_told = true;
    actions.push_back(SendMessage{client, RunSchema{run.id, run.schema.job_flags, run.schema.schema}});
  }
  if (!run.has_ended() || watcher.over_told) return;
  if (run.stage == Stage::kDone) {
    // Few at a time, whatever the client allows: they are held in memory until they have left.
    const uint64_t end = std::min({run.over.batches, watcher.allowed, watcher.sent + kBatchesAheadMax});
    for (; watcher.next < end; ++watcher.next) {
      actions.push_back(ReadBatch{run.id, client, watcher.next});
    }
    if (watcher.sent < run.over.batches) return;
  }
  watcher.over_told = true;
  actions.push_back(SendMessage{client, run.over});
}

void FleetScheduler::serve(RunEntry& run, Instant now, Actions& actions) {
  const bool tell_progress = run.progress_due && *run.progress_due <= now && !run.has_ended() && !run.watchers.empty();
  if (tell_progress) run.progress_due = now + limits_.progress_every;
  for (auto& [client, watcher] : run.watchers) {
    if (tell_progress) actions.push_back(SendMessage{client, progress_of(run)});
    serve(run, client, watcher, actions);
  }
}

RunProgress FleetScheduler::progress_of(const RunEntry& run) const {
  RunProgress told;
  told.run = run.id;
  told.stage = run.told_stage();
  told.shards = run.shards;
  told.bytes = run.bytes;
  told.finishing = run.stage == Stage::kStoring;
  if (run.scheduler) {
    const Progress progress = run.scheduler->progress();
    told.finishing = progress.finishing;
    told.shards_awarded = progress.shards_awarded;
    told.shards_folded = progress.shards_folded;
    told.bytes_awarded = progress.bytes_awarded;
    told.records = progress.records;
    told.workers = progress.workers;
    told.slots = progress.slots;
  }
  for (const RunId id : order_) {
    if (id == run.id) break;
    const RunEntry& other = *runs_.at(id);
    // One that is received takes its turn when it is whole.
    told.runs_ahead += other.has_ended() || other.stage == Stage::kReceiving ? 0 : 1;
  }
  return told;
}

Runs FleetScheduler::list_runs(Instant now) const {
  Runs runs;
  // The newest, where there are more than a message takes.
  const std::size_t skipped = order_.size() - std::min(order_.size(), kRunRecordsMax);
  for (std::size_t at = skipped; at < order_.size(); ++at) {
    const RunEntry& run = *runs_.at(order_[at]);
    RunRecord record;
    record.run = run.id;
    record.job = run.job;
    record.client = run.client;
    record.stage = run.told_stage();
    record.attached = run.attached;
    record.exit_code = run.over.exit_code;
    record.sentence = run.over.sentence.substr(0, kSentenceBytesMax);
    record.shards = run.shards;
    record.shards_folded = run.scheduler ? run.scheduler->progress().shards_folded : run.over.shards_folded;
    record.rows = run.over.rows;
    record.slots = run.scheduler ? run.scheduler->progress().slots : 0;
    record.age = now - run.submitted;
    if (run.has_ended()) record.expires_in = run.ended + limits_.result_ttl - now;
    runs.runs.push_back(std::move(record));
  }
  return runs;
}

Nodes FleetScheduler::list_nodes(Instant now) const {
  Nodes nodes;
  for (const auto& [label, node] : nodes_) {
    if (nodes.nodes.size() == kNodeRecordsMax) break;
    NodeRecord record;
    record.name = label;
    record.host = node.hello.host;
    record.build = node.hello.build;
    record.kernels = node.hello.kernels;
    record.pid = node.hello.pid;
    record.slots = node.hello.slots;
    uint64_t leases = 0;
    for (const auto& [id, run] : runs_) {
      if (run->scheduler) leases += run->scheduler->leases_at(label);
    }
    record.slots_used = static_cast<uint32_t>(std::min<uint64_t>(leases, node.hello.slots));
    record.memory_bytes = node.hello.memory_bytes;
    record.leaving = node.leaving;
    record.accepts_plugins = node.hello.accepts_plugins;
    record.age = now - node.joined;
    nodes.nodes.push_back(std::move(record));
  }
  return nodes;
}

// ---- after every event ------------------------------------------------------------------------

void FleetScheduler::settle(Instant now, Actions& actions) {
  for (const RunId id : order_) {
    RunEntry& run = *runs_.at(id);
    if (run.scheduler) {
      const std::optional<Instant> due = run.scheduler->next_deadline();
      if (due && *due <= now) feed(run, Tick{}, now, actions);
    }
    if (run.unwatched_since && !run.has_ended() && run.stage != Stage::kStoring &&
        now >= *run.unwatched_since + limits_.client_grace) {
      run.unwatched_since.reset();
      cancel(run, cancelled(0, "the run was cancelled: its client is gone"), now, actions);
    }
    if (run.shipper_gone_since && !run.has_ended() && now >= *run.shipper_gone_since + limits_.client_grace) {
      const std::string came = std::to_string(run.shipped->kept()) + " of " + std::to_string(run.shipped->bytes());
      cancel(run,
             cancelled(0, "the run was cancelled: its client is gone and has sent " + came + " bytes of its files"),
             now, actions);
    }
  }
  release_nodes(now, actions);
  for (const RunId id : order_) {
    RunEntry& run = *runs_.at(id);
    if (run.scheduler && run.scheduler->ended()) close_run(run, now, actions);
    if (run.stage == Stage::kStoring && !run.scheduler && run.batches_stored >= run.over.batches) {
      run.stage = Stage::kDone;
      totals_.runs_done += 1;
      run.ended = now;
      actions.push_back(Note{Severity::kInfo, "run " + to_text(run.id) + " is done", run.id});
    }
  }
  for (const RunId id : order_) {
    RunEntry& run = *runs_.at(id);
    if (run.stage == Stage::kQueued && !stopping_ && running() < limits_.runs_max) start_run(run, now, actions);
  }
  give_ship_credit(actions);
  divide_slots(now, actions);
  std::vector<RunId> ended;  // first come
  std::vector<RunId> expiring;
  for (const RunId id : order_) {
    RunEntry& run = *runs_.at(id);
    serve(run, now, actions);
    if (!run.has_ended()) continue;
    now >= run.ended + limits_.result_ttl ? expiring.push_back(id) : ended.push_back(id);
  }
  for (std::size_t at = 0; at + limits_.ended_max < ended.size(); ++at) expiring.push_back(ended[at]);
  for (const RunId id : expiring) expire(id, actions);
}

}  // namespace fanfold::schedule
