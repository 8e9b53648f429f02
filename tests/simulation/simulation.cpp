#include "tests/simulation/simulation.h"

#include <csignal>
#include <map>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "engine/lived_time.h"
#include "engine/protocol/codec.h"
#include "engine/schedule/root_scheduler.h"
#include "engine/session/session_hub.h"
#include "tests/simulation/drawn_run.h"
#include "tests/simulation/lease_checks.h"
#include "tests/simulation/simulated_gatherer.h"
#include "tests/simulation/simulated_root.h"
#include "tests/simulation/simulated_worker.h"

namespace fanfold::simulation {
namespace {

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

// ---- the root, and the world around it ---------------------------------------------------------

constexpr Duration kTurnMost = seconds(1);  // as the program's

// It owns everything: the processes that it has started, their troubles, and what must hold.
class SimulatedRun final : public SimulatedProcess {
 public:
  SimulatedRun(SimulatedWorld& world, PlantedFault fault);

  void start() override;
  void arrive(ProcessId from, const Frame& frame) override;
  std::optional<Instant> turn() override;

  [[nodiscard]] bool ended() const { return ended_.has_value(); }
  void conclude(Report& report);

 private:
  void step(schedule::Event event);
  void perform(schedule::SendMessage& send);
  void perform(schedule::FencePeer& fence) { hub_.fence(fence.incarnation); }
  void perform(schedule::StartGatherer& start);
  void perform(schedule::DeliverSchema&) {}
  void perform(schedule::DeliverResult& batch);
  void perform(schedule::RunEnded& ended) { ended_ = std::move(ended); }

  void check();
  void spawn_worker(const std::string& name, std::optional<Obituary> obituary);
  void crash_worker(SimulatedWorker& worker);
  void spawn_gatherer(uint32_t life);
  void kill_gatherer();
  void trouble();
  [[nodiscard]] std::vector<const SimulatedWorker*> workers() const;

  // Drawn from the seed.
  bool calm_;
  DrawnRun drawn_;
  uint64_t memory_bytes_;
  uint32_t workers_wanted_;
  uint32_t slots_;
  uint64_t troubles_left_;
  uint64_t gatherer_kills_left_;
  Duration trouble_every_;
  bool cancel_;
  bool cancelled_ = false;
  bool deaf_gatherer_;  // never hears ForgetWorker: what is stale must be rejected by the root's own check

  PlantedScheduler scheduler_;
  LivedTime lived_{kTurnMost * 2};
  SessionHub hub_;
  std::map<ProcessId, SimulatedWorker*> workers_;
  SimulatedGatherer* gatherer_ = nullptr;
  std::optional<schedule::RunEnded> ended_;
  std::map<uint64_t, Partial> results_;
  uint64_t steps_ = 0;
  uint64_t chunks_ = 0;
  uint64_t finished_bundles_ = 0;
};

SimulatedRun::SimulatedRun(SimulatedWorld& world, PlantedFault fault)
    : SimulatedProcess(world),
      calm_(draw_links(world)),
      drawn_(draw_run(world, calm_, RunId{7, 7}, 3000)),
      memory_bytes_(world.chance(0.5) ? 4096 + world.below(60'000) : uint64_t{1} << 30),
      workers_wanted_(1 + static_cast<uint32_t>(world.below(4))),
      slots_(1 + static_cast<uint32_t>(world.below(3))),
      troubles_left_(calm_ ? 0 : world.below(12)),
      gatherer_kills_left_(calm_ ? 0 : world.below(3)),
      trouble_every_(world.between(milliseconds(50), milliseconds(3000))),
      cancel_(world.chance(0.03)),
      deaf_gatherer_(world.chance(0.4)),
      scheduler_(draw_limits(world), fault),
      hub_(world.fresh_epoch(), world.session_limits) {}

void SimulatedRun::start() {
  schedule::RunSubmitted submitted;
  submitted.plan = std::move(Plan::make(drawn_.sources, PlanOptions{})).value();
  submitted.for_workers.run = submitted.for_gatherer.run = drawn_.job.run;
  submitted.for_workers.job = "sums";
  submitted.for_workers.memory_bytes = memory_bytes_;
  submitted.for_workers.sources = submitted.plan.sources();
  step(std::move(submitted));
  for (uint32_t i = 0; i < workers_wanted_; ++i) {
    world().after(0, world().between({}, milliseconds(50)), [this, i] { spawn_worker("w" + std::to_string(i), {}); });
  }
  world().after(0, trouble_every_, [this] { trouble(); });
}

void SimulatedRun::arrive(ProcessId from, const Frame& frame) {
  hear(world(), hub_, from, frame, [this](schedule::PeerSaid said) { step(std::move(said)); });
}

std::optional<Instant> SimulatedRun::turn() {
  const Instant now = world().now();
  if (const auto deadline = scheduler_.next_deadline(); deadline && *deadline <= lived_.at(now)) step(schedule::Tick{});
  judge_and_send(world(), id(), hub_, [this](schedule::PeerLost lost) { step(std::move(lost)); });
  return earlier(earlier(hub_.next_deadline(), lived_.on_clock(scheduler_.next_deadline())), now + kTurnMost);
}

void SimulatedRun::step(schedule::Event event) {
  for (schedule::Action& action : scheduler_.step(std::move(event), lived_.at(world().now()))) {
    std::visit([this](auto& what) { perform(what); }, action);
  }
  if (!scheduler_.broken.empty()) world().problem("the scheduler's own check: " + scheduler_.broken);
  steps_ += 1;
  const schedule::LeaseTable* leases = scheduler_.leases();
  if (leases != nullptr && (leases->leases().size() < 40 || steps_ % 16 == 0)) check();
}

void SimulatedRun::perform(schedule::SendMessage& send) {
  if (deaf_gatherer_ && std::holds_alternative<ForgetWorker>(send.message)) return;
  hub_.send(send.to, encode(send.message));
}

void SimulatedRun::perform(schedule::StartGatherer& start) {
  results_.clear();
  kill_gatherer();  // the one before
  world().after(0, world().between(milliseconds(1), milliseconds(20)),
                [this, life = start.life] { spawn_gatherer(life); });
}

void SimulatedRun::perform(schedule::DeliverResult& batch) {
  if (batch.index != results_.size()) return world().problem("batches are out of order");
  results_[batch.index] = Partial::unpack(batch.bytes.view);
  after(world().between({}, milliseconds(5)),
        [this, taken = batch.index + 1] { step(schedule::ResultConsumed{taken}); });
}

// Every shard in one state; what is awarded exists where it should; what is folded is in the total.
void SimulatedRun::check() {
  if (const auto wrong = scheduler_.check_intervals()) world().problem("the intervals: " + *wrong);
  const schedule::LeaseTable* leases = scheduler_.leases();
  if (leases == nullptr || ended_ || cancelled_) return;
  if (const auto wrong = check_leases(*leases, workers(), gatherer_)) world().problem(*wrong);
}

std::vector<const SimulatedWorker*> SimulatedRun::workers() const {
  std::vector<const SimulatedWorker*> all;
  for (const auto& [process, worker] : workers_) all.push_back(worker);
  return all;
}

void SimulatedRun::spawn_worker(const std::string& name, std::optional<Obituary> obituary) {
  SimulatedWorker::Settings settings;
  settings.root = id();
  settings.name = name;
  settings.slots = slots_;
  settings.obituary = std::move(obituary);
  const auto process = std::make_shared<ProcessId>();
  settings.left = [this, name, process](bool) {
    chunks_ += workers_.at(*process)->chunks_sent();
    workers_.erase(*process);
    world().after(0, world().between(milliseconds(1), milliseconds(20)), [this, name] { spawn_worker(name, {}); });
  };
  SimulatedWorker& worker = world().start<SimulatedWorker>(drawn_.job, std::move(settings));
  *process = worker.id();
  workers_[worker.id()] = &worker;
}

void SimulatedRun::crash_worker(SimulatedWorker& worker) {
  world().inject(Injected::kWorkerCrashes);
  const Obituary obituary = worker.obituary();
  // Where the supervisor went too, nobody tells: silence does.
  const bool told = world().chance(0.8);
  chunks_ += worker.chunks_sent();
  workers_.erase(worker.id());
  world().end(worker.id());
  world().after(0, world().between(milliseconds(1), milliseconds(50)), [this, name = worker.name(), told, obituary] {
    spawn_worker(name, told ? std::optional(obituary) : std::nullopt);
  });
}

void SimulatedRun::spawn_gatherer(uint32_t life) {
  SimulatedGatherer::Settings settings;
  settings.root = id();
  settings.life = life;
  settings.left = [this, life] {
    finished_bundles_ += gatherer_->finished_bundles();
    gatherer_ = nullptr;
    Cause cause;
    cause.kind = CauseKind::kLostLink;
    after(milliseconds(1), [this, life, cause] { step(schedule::GathererDied{life, cause}); });
  };
  gatherer_ = &world().start<SimulatedGatherer>(drawn_.job, std::move(settings));
}

void SimulatedRun::kill_gatherer() {
  if (gatherer_ == nullptr) return;
  finished_bundles_ += gatherer_->finished_bundles();
  world().end(std::exchange(gatherer_, nullptr)->id());
}

void SimulatedRun::trouble() {
  SimulatedWorld& world = this->world();
  if (cancel_ && !cancelled_) {
    cancelled_ = true;
    world.inject(Injected::kCancels);
    Cause cause;
    cause.kind = CauseKind::kCancelled;
    after({}, [this, cause] { step(schedule::CancelRequested{cause}); });
  }
  if (troubles_left_ == 0) return;
  troubles_left_ -= 1;
  const auto pause = [&world](ProcessId process, Injected kind) {
    world.inject(kind);
    world.pause(process, world.between(milliseconds(50), milliseconds(world.chance(0.5) ? 30'000 : 500)));
  };
  const uint64_t what = world.below(10);
  if (what < 6 && !workers_.empty()) {
    auto victim = workers_.begin();
    std::advance(victim, static_cast<int64_t>(world.below(workers_.size())));
    if (what < 3) {
      crash_worker(*victim->second);
    } else {
      pause(victim->first, Injected::kWorkerPauses);
    }
  } else if (what < 8 && gatherer_ != nullptr) {
    if (what == 6) {
      pause(gatherer_->id(), Injected::kGathererPauses);
    } else if (gatherer_kills_left_ > 0) {
      gatherer_kills_left_ -= 1;
      world.inject(Injected::kGathererKills);
      const uint32_t life = gatherer_->life();
      kill_gatherer();
      Cause cause;
      cause.kind = CauseKind::kSignal;
      cause.signal = SIGKILL;
      after(world.between(milliseconds(1), milliseconds(20)), [this, life, cause] {
        step(schedule::GathererDied{life, cause});
      });
    }
  } else if (what == 8) {
    pause(id(), Injected::kRootPauses);
  }
  world.after(0, world.between({}, trouble_every_ * 2), [this] { trouble(); });
}

void SimulatedRun::conclude(Report& report) {
  report.shards = drawn_.job.shards;
  if (!ended_ || !world().problem().empty()) return;
  check();
  Partial answer;
  for (const auto& [index, partial] : results_) answer.merge(partial);
  if (cancelled_) {
    if (ended_->code != ExitCode::kInterrupted && ended_->code != ExitCode::kDone) {
      world().problem("cancelled, but ended otherwise");
    }
  } else if (ended_->code != ExitCode::kDone) {
    world().problem("the run failed: " + ended_->sentence);
  } else if (ended_->shards_folded != drawn_.job.shards) {
    world().problem("the run ended with " + std::to_string(ended_->shards_folded) + " shards of " +
                    std::to_string(drawn_.job.shards));
  } else if (answer.sums != twin_of(drawn_.job)) {
    world().problem("the answer differs from the twin's");
  } else if (results_.size() != ended_->batches) {
    world().problem("batches are missing");
  }
  const schedule::RunStatistics& statistics = ended_->statistics;
  report.leases = statistics.leases;
  report.bundles = statistics.bundles;
  report.small_partials = statistics.small_partials;
  report.late_words = statistics.late_words;
  report.bundles_rejected = statistics.bundles_rejected;
  report.chunks = chunks_;
  for (const SimulatedWorker* worker : workers()) report.chunks += worker->chunks_sent();
  report.finished_bundles = finished_bundles_ + (gatherer_ != nullptr ? gatherer_->finished_bundles() : 0);
  if (statistics.protocol_errors > 0) world().problem("honest peers were taken for liars");
}

}  // namespace

Report simulate(uint64_t seed, PlantedFault fault) {
  Report report;
  SimulatedWorld world(seed);
  SimulatedRun& run = world.start<SimulatedRun>(fault);
  world.run([&run] { return run.ended(); });
  run.conclude(report);
  report.problem = world.problem();
  report.injected = world.injected();
  report.events = world.events();
  return report;
}

}  // namespace fanfold::simulation
