// simulated_gatherer.h: the gatherer of one run: the program's BundleStage and sessions; folding and finishing are
// played. Every shard that is folded is counted: none may be twice.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <vector>

#include "engine/fold/bundle_stage.h"
#include "engine/session/session_hub.h"
#include "tests/simulation/simulated_job.h"
#include "tests/simulation/simulated_world.h"

namespace fanfold::simulation {

class SimulatedGatherer final : public SimulatedProcess {
 public:
  struct Settings {
    ProcessId root = 0;
    uint32_t life = 1;
    bool of_fleet = false;  // says in its Hello which run it is of
    std::function<void()> left;
  };
  SimulatedGatherer(SimulatedWorld& world, const SimulatedJob& job, Settings settings);

  void start() override;
  void arrive(ProcessId from, const Frame& frame) override;
  std::optional<Instant> turn() override;

  [[nodiscard]] uint32_t life() const { return settings_.life; }
  // By shard: whether it is in the total.
  [[nodiscard]] const std::vector<bool>& counted() const { return counted_; }
  [[nodiscard]] uint64_t finished_bundles() const { return finished_bundles_; }

 private:
  void step(staging::Event event);
  void fold(const Partial& partial);
  void perform(staging::SendToRoot& send);
  void perform(staging::SendToWorker& send);
  void perform(staging::OpenJob& open);
  void perform(staging::ReceiveBundle& receive);
  void perform(staging::StoreChunk& store);
  void perform(staging::ValidateBundle& validate);
  void perform(staging::FoldStaged& fold);
  void perform(staging::FoldSmallPartials& small);
  void perform(staging::FreeBundle& free);
  void perform(staging::FinishRun& finish);
  void perform(staging::AllowBatches& allow);
  void perform(staging::CloseJob& close);
  void perform(staging::Leave& leave);
  void send_batches(uint64_t allowed);

  const SimulatedJob& job_;
  Settings settings_;
  IncarnationId incarnation_;
  std::optional<staging::BundleStage> stage_;
  Session root_;
  SessionHub hub_;
  std::map<BundleId, Bytes> staged_;
  std::set<BundleId> rows_;  // of those, whose content is finished
  Partial total_;
  std::vector<bool> counted_;
  uint64_t finished_bundles_ = 0;
  std::vector<Partial> batches_;  // of the answer
  uint64_t batches_sent_ = 0;
};

}  // namespace fanfold::simulation
