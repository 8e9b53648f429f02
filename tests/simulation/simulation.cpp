#include "tests/simulation/simulation.h"

#include <csignal>
#include <cstring>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <queue>
#include <random>
#include <set>
#include <utility>
#include <vector>

#include "engine/fold/bundle_stage.h"
#include "engine/protocol/codec.h"
#include "engine/schedule/root_scheduler.h"
#include "engine/session/session_hub.h"
#include "engine/worker/worker_core.h"

namespace fanfold::simulation {
namespace {

// ---- the job ----------------------------------------------------------------------------------

// Sums by key, and which shards are in them: the second part is what no real partial knows.
struct Partial {
  std::map<uint64_t, uint64_t> sums;
  std::vector<Interval> shards;

  void map(uint64_t shard, uint64_t keys) {
    const uint64_t mixed = (shard + 1) * 0x9e3779b97f4a7c15u;
    sums[(mixed >> 32) % keys] += mixed & 0xffff;
  }
  void merge(const Partial& other) {
    for (const auto& [key, sum] : other.sums) sums[key] += sum;
    shards.insert(shards.end(), other.shards.begin(), other.shards.end());
  }
  [[nodiscard]] Bytes pack() const {
    std::vector<uint64_t> words{sums.size(), shards.size()};
    for (const auto& [key, sum] : sums) words.insert(words.end(), {key, sum});
    for (const Interval& interval : shards) words.insert(words.end(), {interval.begin, interval.end});
    Bytes bytes((words.size() * 8 + 63) / 64 * 64);
    std::memcpy(bytes.data(), words.data(), words.size() * 8);
    return bytes;
  }
  static Partial unpack(ByteView bytes) {
    std::vector<uint64_t> words(bytes.size() / 8);
    std::memcpy(words.data(), bytes.data(), words.size() * 8);
    Partial partial;
    const uint64_t* word = words.data() + 2;
    for (uint64_t i = 0; i < words[0]; ++i, word += 2) partial.sums[word[0]] += word[1];
    for (uint64_t i = 0; i < words[1]; ++i, word += 2) partial.shards.push_back({word[0], word[1]});
    return partial;
  }
};

uint64_t checksum(ByteView bytes) {
  uint64_t sum = 1469598103934665603u;
  for (const std::byte byte : bytes) sum = (sum ^ static_cast<uint64_t>(byte)) * 1099511628211u;
  return sum;
}

// ---- the scheduler, with its mistakes ----------------------------------------------------------

class PlantedScheduler : public schedule::RootScheduler {
 public:
  PlantedScheduler(const schedule::Limits& limits, PlantedFault fault) : RootScheduler(limits), fault_(fault) {}
  mutable std::string broken;

 protected:
  schedule::Lease* lease_of(schedule::LeaseTable& leases, const Ended& ended, IncarnationId from) override {
    if (fault_ != PlantedFault::kAwardByInterval) return RootScheduler::lease_of(leases, ended, from);
    for (const auto& [id, lease] : leases.leases()) {
      if (lease.state == schedule::LeaseState::kLeased && lease.shards.begin == ended.done.begin &&
          lease.shards.end >= ended.done.end) {
        return leases.find(id);
      }
    }
    return nullptr;
  }
  void put_back(schedule::LeaseTable& leases, Interval shards, uint32_t losses) override {
    if (fault_ != PlantedFault::kForgottenRequeue) RootScheduler::put_back(leases, shards, losses);
  }
  bool manifest_counts(const schedule::LeaseTable& leases, const Staged& staged) const override {
    return fault_ == PlantedFault::kStaleBundle || RootScheduler::manifest_counts(leases, staged);
  }
  void invariant_broken(const std::string& what) const override { broken = what; }

 private:
  PlantedFault fault_;
};

// ---- the world --------------------------------------------------------------------------------

using NodeId = uint64_t;
constexpr NodeId kRoot = 1;

class World {
 public:
  World(uint64_t seed, PlantedFault fault);
  Report run();

 private:
  struct Node {
    bool paused = false;
    Instant paused_until = {};
    std::optional<Instant> wake_at = {};
  };
  struct Slot {
    std::deque<LeaseGrant> inbox;
    bool busy = false;
  };
  struct WorkerBundle {
    Partial partial;
    std::set<LeaseId> leases;
    std::shared_ptr<const Bytes> packed;
  };
  struct WorkerNode : Node {
    std::string name;
    IncarnationId incarnation;
    std::unique_ptr<worker::WorkerCore> core;
    std::unique_ptr<Session> root;
    std::unique_ptr<Session> gatherer;
    NodeId gatherer_node = 0;
    std::vector<Slot> slots;
    bool cancelled = false;
    std::map<LeaseId, Partial> partials;
    std::map<BundleSeq, WorkerBundle> bundles;
  };
  struct GathererNode : Node {
    uint32_t life = 0;
    IncarnationId incarnation;
    std::unique_ptr<staging::BundleStage> stage;
    std::unique_ptr<Session> root;
    std::unique_ptr<SessionHub> hub;
    std::map<BundleId, Bytes> staged;
    std::set<BundleId> rows;  // of those, whose content is finished
    Partial total;
    std::vector<bool> counted;  // by shard
  };
  struct Happening {
    Instant at;
    uint64_t order = 0;
    NodeId node = 0;  // 0: the world itself
    std::function<void()> what;
    bool operator<(const Happening& other) const { return other.at < at || (other.at == at && other.order < order); }
  };

  // Randomness.
  uint64_t below(uint64_t bound) { return random_() % bound; }
  bool chance(double probability) { return static_cast<double>(random_() >> 11) * 0x1p-53 < probability; }
  Duration between(Duration low, Duration high) {
    return {low.nanoseconds +
            static_cast<int64_t>(below(static_cast<uint64_t>(high.nanoseconds - low.nanoseconds) + 1))};
  }
  IncarnationId fresh_incarnation() { return {random_() | 1, random_()}; }
  void inject(Injected kind) { report_.injected[static_cast<std::size_t>(kind)] += 1; }
  void problem(const std::string& what) {
    if (report_.problem.empty()) report_.problem = what;
  }

  // Time and the network.
  void after(NodeId node, Duration delay, std::function<void()> what) {
    happenings_.push({now_ + delay, next_order_++, node, std::move(what)});
  }
  Node* find(NodeId id);
  void transmit(NodeId from, NodeId to, Frame frame);
  void arrive(NodeId from, NodeId to, const Frame& frame);
  void turn(NodeId id);
  void wake_by(NodeId id, std::optional<Instant> deadline);

  // Root.
  void root_step(schedule::Event event);
  void check_root();
  // Workers.
  void spawn_worker(const std::string& name, std::optional<Obituary> obituary);
  void crash_worker(NodeId id);
  void worker_step(NodeId id, worker::Event event);
  void perform(NodeId id, WorkerNode& node, worker::Action& action);
  void start_slot(NodeId id, uint32_t index);
  // Gatherer.
  void spawn_gatherer(uint32_t life);
  void gatherer_step(NodeId id, staging::Event event);
  void perform(NodeId id, GathererNode& node, staging::Action& action);
  void fold(GathererNode& node, const Partial& partial);
  void trouble();

  std::mt19937_64 random_;
  Report report_;
  Instant now_{1'000'000'000};
  uint64_t next_order_ = 0;
  NodeId next_node_ = 2;
  std::priority_queue<Happening> happenings_;
  std::map<std::pair<NodeId, NodeId>, Instant> last_arrival_;

  // Drawn from the seed.
  double loss_ = 0, repeat_ = 0, straggle_ = 0, garbage_ = 0, fail_lease_ = 0, seal_early_ = 0;
  uint64_t shards_ = 0, keys_ = 1, filler_bytes_ = 0, memory_bytes_ = 0;
  uint32_t workers_wanted_ = 1, slots_ = 1, troubles_left_ = 0, gatherer_kills_left_ = 0;
  Duration shard_time_ = {}, trouble_every_ = {};
  bool cancel_ = false, cancelled_ = false;
  bool deaf_gatherer_ = false;  // never hears ForgetWorker: what is stale must be rejected by the root's own check

  Node root_node_;
  std::unique_ptr<PlantedScheduler> scheduler_;
  std::unique_ptr<SessionHub> root_hub_;
  std::map<NodeId, WorkerNode> workers_;
  std::map<NodeId, GathererNode> gatherers_;
  RunId run_{7, 7};
  std::optional<schedule::RunEnded> ended_;
  std::map<uint64_t, Partial> results_;
  uint64_t root_steps_ = 0;
};

World::World(uint64_t seed, PlantedFault fault) : random_(seed) {
  const bool calm = chance(0.15);
  loss_ = calm ? 0 : 0.0001 * static_cast<double>(below(1500));
  repeat_ = calm ? 0 : 0.0001 * static_cast<double>(below(1500));
  straggle_ = calm ? 0 : 0.0001 * static_cast<double>(below(3000));
  garbage_ = calm ? 0 : 0.002;
  fail_lease_ = calm ? 0 : 0.01;
  seal_early_ = chance(0.3) ? 0.2 : 0;
  shards_ = chance(0.05) ? below(3) : 1 + below(chance(0.3) ? 3000 : 200);
  keys_ = 1 + below(64);
  filler_bytes_ = chance(0.03) ? below(uint64_t{7} << 20) / 64 * 64 : 0;
  memory_bytes_ = chance(0.5) ? 4096 + below(60'000) : uint64_t{1} << 30;
  workers_wanted_ = 1 + static_cast<uint32_t>(below(4));
  slots_ = 1 + static_cast<uint32_t>(below(3));
  shard_time_ = between(microseconds(50), milliseconds(chance(0.2) ? 300 : 5));
  troubles_left_ = calm ? 0 : static_cast<uint32_t>(below(12));
  gatherer_kills_left_ = calm ? 0 : static_cast<uint32_t>(below(3));
  trouble_every_ = between(milliseconds(50), milliseconds(3000));
  cancel_ = chance(0.03);
  deaf_gatherer_ = chance(0.4);

  schedule::Limits limits;
  limits.losses_per_lease_max = 1000;  // the machines here are worse than any that ends a run
  limits.gatherer_losses_max = 1000;
  limits.no_workers_max = seconds(100'000);
  limits.gatherer_start_max = seconds(1000);
  limits.flush_by_time = chance(0.3);
  limits.flush_time_min = milliseconds(200);
  limits.gatherer_bytes_in_flight_max = chance(0.5) ? 2000 : uint64_t{1} << 30;
  limits.small_leases_max = chance(0.3) ? 1000 : (chance(0.5) ? 16 : 0);
  limits.flush_base_max = seconds(120);
  limits.result_batches_ahead = 1 + below(3);
  scheduler_ = std::make_unique<PlantedScheduler>(limits, fault);
  root_hub_ = std::make_unique<SessionHub>(Epoch{random_() | 1, random_()}, SessionLimits{});
}

World::Node* World::find(NodeId id) {
  if (id == kRoot) return &root_node_;
  if (const auto worker = workers_.find(id); worker != workers_.end()) return &worker->second;
  if (const auto gatherer = gatherers_.find(id); gatherer != gatherers_.end()) return &gatherer->second;
  return nullptr;
}

Report World::run() {
  schedule::RunSubmitted submitted;
  Source range;
  range.kind = SourceKind::kRange;
  range.name = "range";
  range.end = static_cast<int64_t>(shards_);
  range.unit = 1;
  if (chance(0.4)) {
    range = Source{};
    range.name = range.path = "/file";
    range.unit = 4096;
    range.size = shards_ * range.unit;
  }
  submitted.plan = std::move(Plan::make({range}, PlanOptions{})).value();
  shards_ = submitted.plan.shard_count();
  submitted.for_workers.run = submitted.for_gatherer.run = run_;
  submitted.for_workers.job = "sums";
  submitted.for_workers.memory_bytes = memory_bytes_;
  submitted.for_workers.sources = submitted.plan.sources();
  report_.shards = shards_;
  after(kRoot, {}, [this, submitted] { root_step(submitted); });
  for (uint32_t i = 0; i < workers_wanted_; ++i) {
    after(0, between({}, milliseconds(50)), [this, i] { spawn_worker("w" + std::to_string(i), {}); });
  }
  after(0, trouble_every_, [this] { trouble(); });

  const Instant give_up = now_ + seconds(20'000);
  while (!ended_ && report_.problem.empty() && !happenings_.empty()) {
    Happening next = happenings_.top();
    happenings_.pop();
    if (next.at > give_up || report_.events > 3'000'000) {
      problem("the run does not end");
      break;
    }
    now_ = std::max(now_, next.at);
    report_.events += 1;
    if (next.node != 0) {
      Node* node = find(next.node);
      if (node == nullptr) continue;  // dead
      if (node->paused && now_ < node->paused_until) {
        next.at = node->paused_until;  // stays in order with what else waits
        happenings_.push(std::move(next));
        continue;
      }
      node->paused = false;
    }
    next.what();
    if (next.node != 0) turn(next.node);
  }
  if (!ended_ && report_.problem.empty()) problem("nothing happens any more");
  if (ended_ && report_.problem.empty()) {
    check_root();
    Partial twin;
    for (uint64_t shard = 0; shard < shards_; ++shard) twin.map(shard, keys_);
    Partial answer;
    for (const auto& [index, partial] : results_) answer.merge(partial);
    if (cancelled_) {
      if (ended_->code != ExitCode::kInterrupted && ended_->code != ExitCode::kDone)
        problem("cancelled, but ended otherwise");
    } else if (ended_->code != ExitCode::kDone) {
      problem("the run failed: " + ended_->sentence);
    } else if (ended_->shards_folded != shards_) {
      problem("the run ended with " + std::to_string(ended_->shards_folded) + " shards of " + std::to_string(shards_));
    } else if (answer.sums != twin.sums) {
      problem("the answer differs from the twin's");
    } else if (results_.size() != ended_->batches) {
      problem("batches are missing");
    }
    const schedule::RunStatistics& statistics = ended_->statistics;
    report_.leases = statistics.leases;
    report_.bundles = statistics.bundles;
    report_.small_partials = statistics.small_partials;
    report_.late_words = statistics.late_words;
    report_.bundles_rejected = statistics.bundles_rejected;
    if (statistics.protocol_errors > 0) problem("honest peers were taken for liars");
  }
  return report_;
}

// ---- the network ------------------------------------------------------------------------------

void World::transmit(NodeId from, NodeId to, Frame frame) {
  const auto shared = std::make_shared<const Frame>(std::move(frame));
  if (chance(loss_)) {
    inject(Injected::kFramesLost);
    return;
  }
  const int copies = chance(repeat_) ? 2 : 1;
  if (copies == 2) inject(Injected::kFramesRepeated);
  for (int i = 0; i < copies; ++i) {
    Duration delay = between(microseconds(20), microseconds(200));
    if (chance(straggle_)) delay = between(milliseconds(1), milliseconds(chance(0.05) ? 15'000 : 400));
    Instant& last = last_arrival_[{from, to}];
    if (now_ + delay < last) inject(Injected::kFramesReordered);
    last = std::max(last, now_ + delay);
    after(to, delay, [this, from, to, shared] { arrive(from, to, *shared); });
  }
  if (chance(garbage_)) {
    inject(Injected::kGarbageFrames);
    Frame garbage{shared->payload, {}};
    if (chance(0.5) && !garbage.payload.empty()) garbage.payload.resize(below(garbage.payload.size()));
    for (int i = 0; i < 4 && !garbage.payload.empty(); ++i) {
      // Not within the identities: those are the keys' business (CURVE), not the codec's.
      const std::size_t at = below(garbage.payload.size());
      if (at == 0 || at > 38) garbage.payload[at] = static_cast<std::byte>(random_());
    }
    // Whole frames whose header is intact could carry a changed message that is well-formed: only cut ones go.
    if (!decode_frame(garbage.payload).ok()) after(to, {}, [this, from, to, garbage] { arrive(from, to, garbage); });
  }
}

void World::arrive(NodeId from, NodeId to, const Frame& frame) {
  if (to == kRoot) {
    for (PeerDelivery& delivery : root_hub_->receive(std::to_string(from), frame, now_)) {
      Result<Message> message = decode(delivery.delivery.message);
      if (!message) return problem("a message from a peer cannot be read: " + message.failure().sentence);
      root_step(schedule::PeerSaid{delivery.from, std::move(*message), delivery.delivery.raw});
    }
    return;
  }
  const Result<FrameHead> head = decode_frame(frame.payload);
  if (const auto found = workers_.find(to); found != workers_.end()) {
    if (!head) return;
    WorkerNode& node = found->second;
    const bool from_root = from == kRoot;
    if (!from_root && (!node.gatherer || from != node.gatherer_node)) return;
    const IncarnationId gatherer =
        from_root ? IncarnationId{} : IncarnationId{node.gatherer->epoch().high, node.gatherer->epoch().low};
    for (Delivery& delivery : (from_root ? *node.root : *node.gatherer).receive(*head, frame.raw, now_)) {
      Result<Message> message = decode(delivery.message);
      if (!message) return problem("a message to a worker cannot be read: " + message.failure().sentence);
      if (from_root) {
        worker_step(to, worker::RootSaid{std::move(*message)});
      } else {
        worker_step(to, worker::GathererSaid{gatherer, std::move(*message)});
      }
      if (!workers_.contains(to)) return;
    }
  } else if (const auto gatherer = gatherers_.find(to); gatherer != gatherers_.end()) {
    GathererNode& node = gatherer->second;
    if (from == kRoot) {
      if (!head) return;
      for (Delivery& delivery : node.root->receive(*head, frame.raw, now_)) {
        Result<Message> message = decode(delivery.message);
        if (!message) return problem("a message to the gatherer cannot be read");
        gatherer_step(to, staging::RootSaid{std::move(*message)});
        if (!gatherers_.contains(to)) return;
      }
      return;
    }
    for (PeerDelivery& delivery : node.hub->receive(std::to_string(from), frame, now_)) {
      Result<Message> message = decode(delivery.delivery.message);
      if (!message) return problem("a message to the gatherer cannot be read");
      gatherer_step(to, staging::WorkerSaid{delivery.from, std::move(*message), delivery.delivery.raw});
      if (!gatherers_.contains(to)) return;
    }
  }
}

void World::wake_by(NodeId id, std::optional<Instant> deadline) {
  Node* node = find(id);
  if (node == nullptr || !deadline || (node->wake_at && *node->wake_at <= *deadline && *node->wake_at > now_)) return;
  node->wake_at = std::max(*deadline, now_ + nanoseconds(1));
  after(id, *node->wake_at - now_, [] {});
}

// What a loop does after each event: judge silence, let time pass, give frames to the sockets.
void World::turn(NodeId id) {
  if (id == kRoot) {
    if (const auto deadline = scheduler_->next_deadline(); deadline && *deadline <= now_) root_step(schedule::Tick{});
    for (const IncarnationId silent : root_hub_->take_silent()) {
      Cause cause;
      cause.kind = CauseKind::kSilence;
      root_step(schedule::PeerLost{silent, cause, {}});
    }
    for (RoutedFrame& routed : root_hub_->take_frames(now_)) {
      transmit(kRoot, std::stoull(routed.route), std::move(routed.frame));
    }
    wake_by(id, earlier(root_hub_->next_deadline(), scheduler_->next_deadline()));
  } else if (const auto found = workers_.find(id); found != workers_.end()) {
    WorkerNode& node = found->second;
    if (node.root->silent() || node.root->state() == Session::State::kLost) {
      worker_step(id, worker::RootLost{"the root is silent"});
      return;
    }
    if (const auto due = node.core->next_deadline(); due && *due <= now_) worker_step(id, worker::Tick{});
    for (Frame& frame : node.root->take_frames(now_)) transmit(id, kRoot, std::move(frame));
    std::optional<Instant> deadline = earlier(node.root->next_deadline(), node.core->next_deadline());
    if (node.gatherer) {
      for (Frame& frame : node.gatherer->take_frames(now_)) transmit(id, node.gatherer_node, std::move(frame));
      deadline = earlier(deadline, node.gatherer->next_deadline());
    }
    wake_by(id, deadline);
  } else if (const auto gatherer = gatherers_.find(id); gatherer != gatherers_.end()) {
    GathererNode& node = gatherer->second;
    if (node.root->silent() || node.root->state() == Session::State::kLost) {
      gatherer_step(id, staging::RootLost{"the root is silent"});
      return;
    }
    if (const auto deadline = node.stage->next_deadline(); deadline && *deadline <= now_)
      gatherer_step(id, staging::Tick{});
    for (Frame& frame : node.root->take_frames(now_)) transmit(id, kRoot, std::move(frame));
    for (RoutedFrame& routed : node.hub->take_frames(now_)) {
      transmit(id, std::stoull(routed.route), std::move(routed.frame));
    }
    (void)node.hub->take_silent();  // a worker's silence is the root's to judge
    wake_by(id, earlier(earlier(node.root->next_deadline(), node.hub->next_deadline()), node.stage->next_deadline()));
  }
}

// ---- the root ---------------------------------------------------------------------------------

void World::root_step(schedule::Event event) {
  for (schedule::Action& action : scheduler_->step(std::move(event), now_)) {
    if (auto* send = std::get_if<schedule::SendMessage>(&action)) {
      if (deaf_gatherer_ && std::holds_alternative<ForgetWorker>(send->message)) continue;
      if (is_loose(send->message)) {
        root_hub_->send_loose(send->to, encode(send->message));
      } else {
        root_hub_->send(send->to, encode(send->message));
      }
    } else if (auto* fenced = std::get_if<schedule::FencePeer>(&action)) {
      root_hub_->fence(fenced->incarnation);
    } else if (auto* start = std::get_if<schedule::StartGatherer>(&action)) {
      results_.clear();
      gatherers_.clear();  // the one before is killed
      after(0, between(milliseconds(1), milliseconds(20)), [this, life = start->life] { spawn_gatherer(life); });
    } else if (auto* batch = std::get_if<schedule::DeliverResult>(&action)) {
      if (batch->index != results_.size()) return problem("batches are out of order");
      results_[batch->index] = Partial::unpack(batch->bytes.view);
      after(kRoot, between({}, milliseconds(5)),
            [this, taken = batch->index + 1] { root_step(schedule::ResultConsumed{taken}); });
    } else if (auto* end = std::get_if<schedule::RunEnded>(&action)) {
      ended_ = std::move(*end);
    }
  }
  if (!scheduler_->broken.empty()) problem("the scheduler's own check: " + scheduler_->broken);
  root_steps_ += 1;
  const schedule::LeaseTable* leases = scheduler_->leases();
  if (leases != nullptr && (leases->leases().size() < 40 || root_steps_ % 16 == 0)) check_root();
}

// Every shard in one state; what is awarded exists where it should; what is folded is in the total.
void World::check_root() {
  if (const auto wrong = scheduler_->check_intervals()) problem("the intervals: " + *wrong);
  const schedule::LeaseTable* leases = scheduler_->leases();
  if (leases == nullptr || ended_ || cancelled_) return;
  std::map<IncarnationId, const WorkerNode*> alive;
  for (const auto& [id, node] : workers_) alive[node.incarnation] = &node;
  for (const auto& [id, lease] : leases->leases()) {
    const auto owner = alive.find(lease.worker);
    if (lease.state != schedule::LeaseState::kAwarded || owner == alive.end()) continue;
    bool held = owner->second->partials.contains(id);
    for (const auto& [seq, bundle] : owner->second->bundles) held = held || bundle.leases.contains(id);
    if (!held) problem("the partial of awarded lease " + std::to_string(id.value) + " is nowhere");
  }
  if (gatherers_.size() != 1) return;
  const GathererNode& gatherer = gatherers_.begin()->second;
  for (const auto& [begin, end] : leases->folded().intervals()) {
    for (uint64_t shard = begin; shard < end; ++shard) {
      if (!gatherer.counted[shard]) return problem("folded shard " + std::to_string(shard) + " is not in the total");
    }
  }
}

// ---- workers ----------------------------------------------------------------------------------

void World::spawn_worker(const std::string& name, std::optional<Obituary> obituary) {
  const NodeId id = next_node_++;
  WorkerNode& node = workers_[id];
  node.name = name;
  node.incarnation = fresh_incarnation();
  Hello hello;
  hello.name = name;
  hello.pid = id;
  hello.slots = slots_;
  hello.obituary = std::move(obituary);
  worker::Limits limits;
  limits.job_open_max = seconds(1000);  // as the gatherer has: processes are paused here for as long as they like
  node.core = std::make_unique<worker::WorkerCore>(hello, limits);
  node.root = std::make_unique<Session>(Session::Side::kConnector, Epoch{}, node.incarnation, SessionLimits{}, now_);
  node.slots.resize(slots_);
  after(id, {}, [this, id] { worker_step(id, worker::Started{}); });
}

void World::crash_worker(NodeId id) {
  inject(Injected::kWorkerCrashes);
  const WorkerNode& node = workers_.at(id);
  Obituary obituary;
  obituary.incarnation = node.incarnation;
  obituary.cause.kind = CauseKind::kSignal;
  obituary.cause.signal = SIGKILL;
  // Where the supervisor went too, nobody tells: silence does.
  const bool told = chance(0.8);
  const std::string name = node.name;
  workers_.erase(id);
  after(0, between(milliseconds(1), milliseconds(50)),
        [this, name, told, obituary] { spawn_worker(name, told ? std::optional(obituary) : std::nullopt); });
}

void World::worker_step(NodeId id, worker::Event event) {
  std::vector<worker::Action> actions = workers_.at(id).core->step(std::move(event), now_);
  for (worker::Action& action : actions) {
    if (std::holds_alternative<worker::Leave>(action)) {
      const std::string name = workers_.at(id).name;
      workers_.erase(id);
      after(0, between(milliseconds(1), milliseconds(20)), [this, name] { spawn_worker(name, {}); });
      return;
    }
    perform(id, workers_.at(id), action);
  }
}

void World::start_slot(NodeId id, uint32_t index) {
  WorkerNode& node = workers_.at(id);
  if (node.slots[index].inbox.empty() || node.slots[index].busy) return;
  node.slots[index].busy = true;
  const LeaseGrant grant = node.slots[index].inbox.front();
  worker::LeaseMapped mapped;
  mapped.slot = index;
  mapped.lease = grant.lease;
  mapped.actual_end = grant.shards.end;
  if (node.cancelled) {
    mapped.actual_end = grant.shards.begin;
    mapped.outcome = Outcome::kNeverStarted;
  } else if (chance(fail_lease_)) {
    inject(Injected::kLeasesFailed);
    mapped.actual_end = grant.shards.begin;
    mapped.outcome = Outcome::kFailed;
    mapped.cause = Cause{};
    mapped.cause->kind = CauseKind::kTimeout;
  } else if (chance(seal_early_)) {
    mapped.actual_end = grant.shards.begin + 1 + below(grant.shards.size());
    mapped.outcome = Outcome::kSealedEarlyMemory;
  }
  Partial partial;
  for (uint64_t shard = grant.shards.begin; shard < mapped.actual_end; ++shard) partial.map(shard, keys_);
  const Interval done{grant.shards.begin, mapped.actual_end};
  if (!done.empty()) partial.shards.push_back(done);
  mapped.records = done.size();
  mapped.map = shard_time_ * static_cast<int64_t>(std::max<uint64_t>(done.size(), 1));
  mapped.seal = microseconds(10);
  mapped.entries = partial.sums.size();
  const Bytes packed = partial.pack();
  mapped.partial_bytes = packed.size();
  if (grant.send_small && !done.empty() && chance(0.9)) mapped.small = SmallPartial{packed, checksum(packed)};
  after(id, mapped.map, [this, id, index, mapped, partial, done] {
    WorkerNode& worker_node = workers_.at(id);
    worker_node.slots[index].inbox.pop_front();
    worker_node.slots[index].busy = false;
    if (!done.empty()) worker_node.partials[mapped.lease] = partial;
    worker_step(id, mapped);
    if (workers_.contains(id)) start_slot(id, index);
  });
}

void World::perform(NodeId id, WorkerNode& node, worker::Action& action) {
  if (auto* send = std::get_if<worker::SendToRoot>(&action)) {
    node.root->send(encode(send->message));
  } else if (auto* to_gatherer = std::get_if<worker::SendToGatherer>(&action)) {
    node.gatherer->send(encode(to_gatherer->message));
  } else if (auto* connect = std::get_if<worker::ConnectGatherer>(&action)) {
    node.gatherer_node = std::stoull(connect->gatherer.address);
    node.gatherer = std::make_unique<Session>(Session::Side::kConnector, epoch_of(connect->gatherer.incarnation),
                                              node.incarnation, SessionLimits{}, now_);
  } else if (auto* chunk = std::get_if<worker::SendChunk>(&action)) {
    const auto& packed = node.bundles.at(chunk->chunk.seq).packed;
    report_.chunks += 1;
    node.gatherer->send_loose(encode(chunk->chunk),
                              RawBytes{packed, ByteView{*packed}.subspan(chunk->offset, chunk->size)});
  } else if (std::holds_alternative<worker::OpenJob>(action)) {
    after(id, between(microseconds(100), milliseconds(5)), [this, id] { worker_step(id, worker::JobOpened{run_}); });
  } else if (auto* start = std::get_if<worker::StartLease>(&action)) {
    node.slots[start->slot].inbox.push_back(start->grant);
    start_slot(id, start->slot);
  } else if (std::holds_alternative<worker::CancelSlots>(action)) {
    node.cancelled = true;
  } else if (auto* merge = std::get_if<worker::MergePartial>(&action)) {
    const LeaseId lease = merge->lease;
    const BundleSeq seq = merge->bundle;
    after(id, between(microseconds(10), milliseconds(2)), [this, id, lease, seq] {
      WorkerNode& worker_node = workers_.at(id);
      WorkerBundle& bundle = worker_node.bundles[seq];
      bundle.partial.merge(worker_node.partials.at(lease));
      bundle.leases.insert(lease);
      worker_node.partials.erase(lease);
      worker_step(id, worker::PartialMerged{lease, seq, microseconds(20), bundle.partial.pack().size()});
    });
  } else if (auto* free_partial = std::get_if<worker::FreePartial>(&action)) {
    if (node.partials.erase(free_partial->lease) == 0) problem("a partial was freed that is not there");
  } else if (auto* pack = std::get_if<worker::PackBundle>(&action)) {
    const BundleSeq seq = pack->bundle;
    const auto content = pack->finish ? BundleContent::kRows : BundleContent::kColumns;
    after(id, between(microseconds(10), milliseconds(2)), [this, id, seq, content] {
      WorkerBundle& bundle = workers_.at(id).bundles.at(seq);
      Bytes packed = bundle.partial.pack();
      packed.resize(packed.size() + filler_bytes_);
      worker::BundlePacked done;
      done.bundle = seq;
      done.content = content;
      done.parts = {PartExtent{bundle.partial.sums.size(), 0, packed.size()}};
      done.bytes = packed.size();
      done.checksum = filler_bytes_ > 0 ? 0 : checksum(packed);
      bundle.packed = std::make_shared<const Bytes>(std::move(packed));
      worker_step(id, std::move(done));
    });
  } else if (auto* free_bundle = std::get_if<worker::FreeBundle>(&action)) {
    if (node.bundles.erase(free_bundle->bundle) == 0) problem("a bundle was freed that is not there");
  } else if (std::holds_alternative<worker::CloseJob>(action)) {
    node.partials.clear();
    node.bundles.clear();
    after(id, between(microseconds(10), milliseconds(1)), [this, id] {
      worker::JobClosed closed;
      closed.goodbye.run = run_;
      worker_step(id, closed);
    });
  }
}

// ---- the gatherer -----------------------------------------------------------------------------

void World::spawn_gatherer(uint32_t life) {
  const NodeId id = next_node_++;
  GathererNode& node = gatherers_[id];
  node.life = life;
  node.incarnation = fresh_incarnation();
  node.counted.assign(shards_, false);
  Hello hello;
  hello.role = Role::kGatherer;
  hello.name = "gatherer";
  hello.pid = id;
  hello.address = std::to_string(id);
  node.stage = std::make_unique<staging::BundleStage>(hello, staging::Limits{});
  node.root = std::make_unique<Session>(Session::Side::kConnector, Epoch{}, node.incarnation, SessionLimits{}, now_);
  node.hub = std::make_unique<SessionHub>(epoch_of(node.incarnation), SessionLimits{});
  after(id, {}, [this, id] { gatherer_step(id, staging::Started{}); });
}

void World::gatherer_step(NodeId id, staging::Event event) {
  for (staging::Action& action : gatherers_.at(id).stage->step(std::move(event), now_)) {
    if (std::holds_alternative<staging::Leave>(action)) {
      const uint32_t life = gatherers_.at(id).life;
      gatherers_.erase(id);
      Cause cause;
      cause.kind = CauseKind::kLostLink;
      after(kRoot, milliseconds(1), [this, life, cause] { root_step(schedule::GathererDied{life, cause}); });
      return;
    }
    perform(id, gatherers_.at(id), action);
  }
}

void World::fold(GathererNode& node, const Partial& partial) {
  for (const Interval& interval : partial.shards) {
    for (uint64_t shard = interval.begin; shard < interval.end; ++shard) {
      if (node.counted[shard]) problem("shard " + std::to_string(shard) + " counts twice");
      node.counted[shard] = true;
    }
  }
  node.total.merge(partial);
}

void World::perform(NodeId id, GathererNode& node, staging::Action& action) {
  if (auto* send = std::get_if<staging::SendToRoot>(&action)) {
    node.root->send(encode(send->message));
  } else if (auto* to_worker = std::get_if<staging::SendToWorker>(&action)) {
    node.hub->send(to_worker->to, encode(to_worker->message));
  } else if (std::holds_alternative<staging::OpenJob>(action)) {
    after(id, between(microseconds(100), milliseconds(5)), [this, id] {
      gatherer_step(id, staging::JobOpened{run_, 0, {}});
    });
  } else if (auto* receive = std::get_if<staging::ReceiveBundle>(&action)) {
    node.staged[receive->bundle].resize(receive->offer.bytes);
    if (receive->offer.content == BundleContent::kRows) node.rows.insert(receive->bundle);
  } else if (auto* store = std::get_if<staging::StoreChunk>(&action)) {
    std::memcpy(node.staged.at(store->bundle).data() + store->offset, store->bytes.view.data(),
                store->bytes.view.size());
  } else if (auto* validate = std::get_if<staging::ValidateBundle>(&action)) {
    after(id, between(microseconds(10), milliseconds(3)), [this, id, bundle = validate->bundle] {
      gatherer_step(id, staging::BundleValidated{bundle, {}});
    });
  } else if (auto* fold_staged = std::get_if<staging::FoldStaged>(&action)) {
    after(id, between(microseconds(10), milliseconds(3)), [this, id, bundle = fold_staged->bundle] {
      GathererNode& gatherer = gatherers_.at(id);
      if (gatherer.rows.contains(bundle)) {
        if (!gatherer.total.sums.empty()) problem("finished rows came beside other bundles");
        report_.finished_bundles += 1;
      }
      fold(gatherer, Partial::unpack(gatherer.staged.at(bundle)));
      if (gatherer.rows.contains(bundle) && std::count(gatherer.counted.begin(), gatherer.counted.end(), false) > 0) {
        problem("finished rows are not the whole run");
      }
      gatherer.staged.erase(bundle);
      gatherer_step(id, staging::BundleFolded{bundle});
    });
  } else if (auto* small = std::get_if<staging::FoldSmallPartials>(&action)) {
    after(id, between(microseconds(10), milliseconds(3)), [this, id, partials = small->partials] {
      staging::SmallPartialsFolded folded;
      for (const SmallFold& partial : partials) {
        if (checksum(partial.partial.packed) != partial.partial.checksum) problem("a small partial was changed");
        fold(gatherers_.at(id), Partial::unpack(partial.partial.packed));
        folded.folded.push_back(partial.lease);
      }
      gatherer_step(id, std::move(folded));
    });
  } else if (auto* free_bundle = std::get_if<staging::FreeBundle>(&action)) {
    if (node.staged.erase(free_bundle->bundle) == 0) problem("a staged bundle was freed that is not there");
  } else if (auto* finish = std::get_if<staging::FinishRun>(&action)) {
    // As many batches as the credit allows at once; the simulated job answers in one to three.
    const uint64_t batches = std::min<uint64_t>(1 + below(3), finish->result_batches_allowed);
    after(id, between(microseconds(10), milliseconds(3)), [this, id, batches] {
      GathererNode& gatherer = gatherers_.at(id);
      std::vector<Partial> parts(batches);
      for (const auto& [key, sum] : gatherer.total.sums) parts[key % batches].sums[key] = sum;
      for (uint64_t i = 0; i < batches; ++i) {
        gatherer.root->send(encode(ResultBatch{run_, i, parts[i].sums.size()}), raw_bytes(parts[i].pack()));
      }
      Finished finished;
      finished.run = run_;
      finished.batches = batches;
      finished.rows = gatherer.total.sums.size();
      gatherer_step(id, staging::RunFinished{finished});
    });
  } else if (std::holds_alternative<staging::CloseJob>(action)) {
    after(id, milliseconds(1), [this, id] {
      staging::JobClosed closed;
      closed.goodbye.run = run_;
      gatherer_step(id, closed);
    });
  }
}

// ---- crashes and pauses -----------------------------------------------------------------------

void World::trouble() {
  if (cancel_ && !cancelled_) {
    cancelled_ = true;
    inject(Injected::kCancels);
    Cause cause;
    cause.kind = CauseKind::kCancelled;
    after(kRoot, {}, [this, cause] { root_step(schedule::CancelRequested{cause}); });
  }
  if (troubles_left_ == 0) return;
  troubles_left_ -= 1;
  const auto pause = [this](Node& node, Injected kind) {
    inject(kind);
    node.paused = true;
    node.paused_until = now_ + between(milliseconds(50), milliseconds(chance(0.5) ? 30'000 : 500));
  };
  const uint64_t what = below(10);
  if (what < 6 && !workers_.empty()) {
    auto victim = workers_.begin();
    std::advance(victim, static_cast<int64_t>(below(workers_.size())));
    if (what < 3) {
      crash_worker(victim->first);
    } else {
      pause(victim->second, Injected::kWorkerPauses);
    }
  } else if (what < 8 && !gatherers_.empty()) {
    if (what == 6) {
      pause(gatherers_.begin()->second, Injected::kGathererPauses);
    } else if (gatherer_kills_left_ > 0) {
      gatherer_kills_left_ -= 1;
      inject(Injected::kGathererKills);
      const uint32_t life = gatherers_.begin()->second.life;
      gatherers_.clear();
      Cause cause;
      cause.kind = CauseKind::kSignal;
      cause.signal = SIGKILL;
      after(kRoot, between(milliseconds(1), milliseconds(20)), [this, life, cause] {
        root_step(schedule::GathererDied{life, cause});
      });
    }
  } else if (what == 8) {
    pause(root_node_, Injected::kRootPauses);
  }
  after(0, between({}, trouble_every_ * 2), [this] { trouble(); });
}

}  // namespace

Report simulate(uint64_t seed, PlantedFault fault) {
  return World(seed, fault).run();
}

}  // namespace fanfold::simulation
