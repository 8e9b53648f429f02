// simulated_root.h: what the loop of a simulated root does whether it schedules one run or a fleet: it hears its peers
// and judges their silence. `step` gives the scheduler an event.
#pragma once

#include <string>
#include <utility>

#include "engine/protocol/codec.h"
#include "engine/schedule/root_scheduler.h"
#include "engine/session/session_hub.h"
#include "tests/simulation/simulated_world.h"

namespace fanfold::simulation {

template <class Step>
void hear(SimulatedWorld& world, SessionHub& hub, ProcessId from, const Frame& frame, const Step& step) {
  for (PeerDelivery& delivery : hub.receive(std::to_string(from), frame, world.now())) {
    Result<Message> message = decode(delivery.delivery.message);
    if (!message) return world.problem("a message from a peer cannot be read: " + message.failure().sentence);
    step(schedule::PeerSaid{delivery.from, std::move(*message), delivery.delivery.raw});
  }
}

// Peers that have fallen silent are lost; what is to be said leaves `root`.
template <class Step>
void judge_and_send(SimulatedWorld& world, ProcessId root, SessionHub& hub, const Step& step) {
  for (const IncarnationId silent : hub.take_silent()) {
    Cause cause;
    cause.kind = CauseKind::kSilence;
    step(schedule::PeerLost{silent, cause, {}});
  }
  for (RoutedFrame& routed : hub.take_frames(world.now())) {
    world.transmit(root, std::stoull(routed.route), std::move(routed.frame));
  }
}

}  // namespace fanfold::simulation
