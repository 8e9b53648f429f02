// simulated_fleet_root.h: a fleet's root: the program's FleetScheduler and SessionHub; its stores and its
// gatherer processes are played.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "engine/lived_time.h"
#include "engine/schedule/fleet_scheduler.h"
#include "engine/session/session_hub.h"
#include "tests/simulation/simulated_gatherer.h"
#include "tests/simulation/simulated_node.h"
#include "tests/simulation/simulated_world.h"

namespace fanfold::simulation {

class SimulatedFleetRoot final : public SimulatedProcess {
 public:
  // `stepped` is called after each step of the scheduler.
  SimulatedFleetRoot(SimulatedWorld& world, const SimulatedJobs& jobs, const schedule::FleetLimits& limits,
                     std::function<void()> stepped);

  void start() override {}
  void arrive(ProcessId from, const Frame& frame) override;
  std::optional<Instant> turn() override;

  // Kills, or pauses, one of the gatherers; false where there is none.
  bool kill_gatherer();
  [[nodiscard]] std::optional<ProcessId> any_gatherer() const;

  [[nodiscard]] const schedule::FleetScheduler& fleet() const { return fleet_; }
  // Of a run, if it lives.
  [[nodiscard]] const SimulatedGatherer* gatherer(RunId run) const;
  [[nodiscard]] bool has_gatherers() const { return !gatherers_.empty(); }
  [[nodiscard]] std::size_t results_kept() const { return kept_.size(); }
  [[nodiscard]] bool keeps_shipped() const { return !shipped_.empty(); }

 private:
  struct Batch {
    uint64_t rows = 0;
    RawBytes bytes;
  };
  struct GathererEntry {
    uint32_t life = 0;
    SimulatedGatherer* process = nullptr;  // null before it has started, and after it has ended
    bool stopped = false;
  };

  void step(schedule::FleetEvent event);
  void perform(schedule::SendMessage& send);
  void perform(schedule::FencePeer& fence) { hub_.fence(fence.incarnation); }
  void perform(schedule::ClosePeer& close) { closing_.push_back(close.incarnation); }
  void perform(schedule::SendBatch& send);
  void perform(schedule::StartRunGatherer& start);
  void perform(schedule::StopRunGatherer& stop);
  void perform(schedule::StoreBatch& store);
  void perform(schedule::ReadBatch& read);
  void perform(schedule::DropResult& drop);
  void perform(schedule::BeginShipped& begin);
  void perform(schedule::StoreShipped& store);
  void perform(schedule::ReadShippedBlock& read);
  void perform(schedule::SendShipped& send);
  void perform(schedule::DropShipped& drop);
  void perform(schedule::Note&) {}

  // The store does one thing after the other, each in its time.
  void store_does(std::function<void()> task);
  void spawn_gatherer(RunId run, uint32_t life);
  void end_gatherer(RunId run);

  const SimulatedJobs& jobs_;
  std::function<void()> stepped_;
  schedule::FleetScheduler fleet_;
  LivedTime lived_;
  SessionHub hub_;
  std::vector<IncarnationId> closing_;
  std::map<RunId, GathererEntry> gatherers_;
  std::map<RunId, std::vector<Batch>> kept_;
  std::map<RunId, Bytes> shipped_;
  Instant store_free_;
};

}  // namespace fanfold::simulation
