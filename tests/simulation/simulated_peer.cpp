#include "tests/simulation/simulated_peer.h"

#include <utility>

#include "engine/protocol/codec.h"

namespace fanfold::simulation {

void SimulatedPeer::open() {
  session_.emplace(Session::Side::kConnector, Epoch{}, world().fresh_incarnation(), world().session_limits,
                   world().now());
  send(hello());
}

void SimulatedPeer::send(const Message& message, RawBytes raw) {
  session_->send(encode(message), std::move(raw));
}

void SimulatedPeer::flush() {
  for (Frame& frame : session_->take_frames(world().now())) world().transmit(id(), root_, std::move(frame));
}

void SimulatedPeer::lose() {
  lost();
  if (alive()) open();
}

void SimulatedPeer::arrive(ProcessId, const Frame& frame) {
  const Result<FrameHead> head = decode_frame(frame.payload);
  if (!head) return;
  for (Delivery& delivery : session_->receive(*head, frame.raw, world().now())) {
    const Result<Message> message = decode(delivery.message);
    if (!message) return world().problem("a message of the root cannot be read: " + message.failure().sentence);
    if (std::holds_alternative<StartAnew>(*message)) return lose();
    heard(*message, delivery.raw);
    if (!alive()) return;
  }
}

std::optional<Instant> SimulatedPeer::turn() {
  if (session_->silent() || session_->state() == Session::State::kLost) {
    lose();
    if (!alive()) return std::nullopt;
  }
  flush();
  return session_->next_deadline();
}

}  // namespace fanfold::simulation
