// simulated_worker.h: a worker process of one run: the program's WorkerCore and sessions; slots that take simulated
// time to map, fail leases and seal early as the job was drawn to, and first ask the root for a block of what was
// shipped.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "engine/session/session.h"
#include "engine/worker/worker_core.h"
#include "tests/simulation/simulated_job.h"
#include "tests/simulation/simulated_world.h"

namespace fanfold::simulation {

class SimulatedWorker final : public SimulatedProcess {
 public:
  struct Settings {
    ProcessId root = 0;
    std::string name;
    uint32_t slots = 1;
    bool of_fleet = false;      // says in its Hello which run it is of
    uint64_t memory_bytes = 0;  // 0: as OpenRun says
    std::optional<Obituary> obituary;
    // It has left to begin anew; or for good where it was refused.
    std::function<void(bool refused)> left;
  };
  SimulatedWorker(SimulatedWorld& world, const SimulatedJob& job, Settings settings);

  void start() override { step(worker::Started{}); }
  void arrive(ProcessId from, const Frame& frame) override;
  std::optional<Instant> turn() override;

  [[nodiscard]] IncarnationId incarnation() const { return incarnation_; }
  [[nodiscard]] const std::string& name() const { return settings_.name; }
  // It was killed: what its supervisor says of it.
  [[nodiscard]] Obituary obituary() const;
  // The partial of the lease is here, alone or in a bundle.
  [[nodiscard]] bool holds(LeaseId lease) const;
  [[nodiscard]] uint64_t chunks_sent() const { return chunks_sent_; }

 private:
  struct Slot {
    std::deque<LeaseGrant> inbox;
    bool busy = false;
    bool read = false;                  // of the lease in front: its shipped bytes are here
    std::optional<ReadShipped> wanted;  // or have been asked for
  };
  struct Bundle {
    Partial partial;
    std::set<LeaseId> leases;
    std::shared_ptr<const Bytes> packed;
  };
  void step(worker::Event event);
  void start_slot(uint32_t index);
  void read_shipped(Slot& slot);
  void take_shipped(const ShippedBlock& block, ByteView bytes);
  void perform(worker::SendToRoot& send);
  void perform(worker::SendToGatherer& send);
  void perform(worker::ConnectGatherer& connect);
  void perform(worker::SendChunk& send);
  void perform(worker::OpenJob& open);
  void perform(worker::StartLease& start);
  void perform(worker::CancelSlots& cancel);
  void perform(worker::MergePartial& merge);
  void perform(worker::FreePartial& free);
  void perform(worker::PackBundle& pack);
  void perform(worker::FreeBundle& free);
  void perform(worker::CloseJob& close);
  void perform(worker::Leave& leave);

  const SimulatedJob& job_;
  Settings settings_;
  IncarnationId incarnation_;
  worker::WorkerCore core_;
  Session root_;
  std::optional<Session> gatherer_;
  ProcessId gatherer_process_ = 0;
  std::vector<Slot> slots_;
  bool cancelled_ = false;
  uint64_t last_ticket_ = 0;
  std::map<LeaseId, Partial> partials_;
  std::map<BundleSeq, Bundle> bundles_;
  uint64_t chunks_sent_ = 0;
};

}  // namespace fanfold::simulation
