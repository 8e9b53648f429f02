// simulated_client.h: who submits a run and watches it to its end: alone from beginning to end, or a second one that
// fetches what the first has submitted. It ships the run's files where it says so. A link that is lost is a new
// session, the same words, and the next batch.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <utility>

#include "tests/simulation/simulated_job.h"
#include "tests/simulation/simulated_peer.h"

namespace fanfold::simulation {

class SimulatedClient final : public SimulatedPeer {
 public:
  struct Settings {
    ProcessId root = 0;
    Submit submit;
    bool watches = true;         // else it leaves when the run is accepted, and what it ships is received
    uint64_t shipped_bytes = 0;  // in all
    uint64_t block_bytes = 1;    // of them at once
    std::function<void(const RunOver* over, const Partial& rows)> left;  // null: it did not watch
  };
  SimulatedClient(SimulatedWorld& world, Settings settings)
      : SimulatedPeer(world, settings.root), settings_(std::move(settings)) {}

  // False: the run is not known to be accepted yet.
  bool cancel();
  [[nodiscard]] const Submit& submitted() const { return settings_.submit; }

 private:
  [[nodiscard]] Hello hello() const override;
  void heard(const Message& message, const RawBytes& raw) override;
  void lost() override { welcome_ = shipping_ = watches_shipment_ = false; }
  void watch();
  void ship(const ShipCredit& credit);
  void received();
  void leave(const RunOver* over);

  Settings settings_;
  bool welcome_ = false;
  bool accepted_ = false;
  bool received_ = false;  // the root has all that is shipped
  bool shipping_ = false;  // it is known from where, in this session
  bool watches_shipment_ = false;
  uint64_t shipped_ = 0;
  uint64_t batches_ = 0;
  Partial rows_;
};

}  // namespace fanfold::simulation
