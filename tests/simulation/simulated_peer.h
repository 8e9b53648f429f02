// simulated_peer.h: a process of a fleet that speaks to the root alone, in one session after the other: a node or a
// client.
#pragma once

#include <optional>

#include "engine/protocol/message.h"
#include "engine/session/session.h"
#include "tests/simulation/simulated_world.h"

namespace fanfold::simulation {

class SimulatedPeer : public SimulatedProcess {
 public:
  SimulatedPeer(SimulatedWorld& world, ProcessId root) : SimulatedProcess(world), root_(root) {}

  void start() override { open(); }
  void arrive(ProcessId from, const Frame& frame) override;
  std::optional<Instant> turn() override;

 protected:
  // A fresh incarnation says Hello.
  void open();
  void send(const Message& message, RawBytes raw = {});
  // What it has to say leaves now: it is about to end.
  void flush();
  [[nodiscard]] ProcessId root() const { return root_; }

  [[nodiscard]] virtual Hello hello() const = 0;
  virtual void heard(const Message& message, const RawBytes& raw) = 0;
  // The root is silent, or has given this incarnation up. open() comes next, unless the process has ended.
  virtual void lost() = 0;

 private:
  void lose();

  ProcessId root_;
  std::optional<Session> session_;
};

}  // namespace fanfold::simulation
