// simulated_node.h: a fleet's worker as its machine sees it: the agent, which starts a worker process for each run that
// the root names, and those processes with their supervisors. When it ends, all of them do.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "tests/simulation/simulated_job.h"
#include "tests/simulation/simulated_peer.h"
#include "tests/simulation/simulated_worker.h"

namespace fanfold::simulation {

// Of every run, by id; they stay where they are.
using SimulatedJobs = std::map<RunId, std::unique_ptr<SimulatedJob>>;

class SimulatedNode final : public SimulatedPeer {
 public:
  struct Settings {
    ProcessId root = 0;
    std::string name;
    uint32_t slots = 1;
    uint64_t memory_bytes = 0;
    bool accepts_plugins = false;
    bool hides_ends = false;  // a planted fault: does not say that a worker has ended
    std::function<void()> left;
  };
  SimulatedNode(SimulatedWorld& world, const SimulatedJobs& jobs, Settings settings)
      : SimulatedPeer(world, settings.root), jobs_(jobs), settings_(std::move(settings)) {}

  // Ends what it is doing, and leaves.
  void drain();
  // The machine is gone, and says nothing.
  void crash();
  // One of its workers is killed, or its supervisor too. False: it has none.
  bool crash_worker(bool supervisor_too);

  [[nodiscard]] const std::string& name() const { return settings_.name; }
  [[nodiscard]] bool leaving() const { return leaving_; }
  // The executors that live, of one run or of all.
  [[nodiscard]] std::vector<const SimulatedWorker*> workers(RunId run) const;
  [[nodiscard]] std::vector<ProcessId> processes() const;
  // No worker process, nor a supervisor that would start one.
  [[nodiscard]] bool idle() const { return workers_.empty() && fetches_.empty(); }

 private:
  struct Supervisor {
    uint64_t number = 0;  // of all that this node has started: tells one from the one before it
    std::string name;
    uint64_t memory_bytes = 0;
    SimulatedWorker* executor = nullptr;  // null between two
    bool stopped = false;
  };

  // A plugin on its way here, a block after the other.
  struct Fetch {
    StartWorker start;
    uint64_t came = 0;
    ReadShipped wanted;
  };

  [[nodiscard]] Hello hello() const override;
  void heard(const Message& message, const RawBytes& raw) override;
  void lost() override;

  void start_worker(const StartWorker& start);
  void run_worker(const StartWorker& start);
  void ask_for_plugin(RunId run);
  void take_plugin(const ShippedBlock& block, ByteView bytes);
  void stop_worker(RunId run);
  void fork_executor(RunId run, std::optional<Obituary> obituary);
  void fork_later(RunId run, Duration delay, std::optional<Obituary> obituary);
  void executor_left(RunId run, uint64_t number, bool refused);
  void supervisor_ended(RunId run);
  void end_workers();
  void leave();

  const SimulatedJobs& jobs_;
  Settings settings_;
  bool leaving_ = false;
  uint64_t starts_ = 0;
  std::map<RunId, Supervisor> workers_;
  std::map<RunId, Fetch> fetches_;
  uint64_t last_ticket_ = 0;
};

}  // namespace fanfold::simulation
