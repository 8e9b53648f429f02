// peer_link.h: the link of a node, worker or client to the root, or of a worker to a gatherer: the socket and the
// session over it. For the thread that owns the socket.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "engine/protocol/codec.h"
#include "engine/session/session.h"
#include "runtime/transport/socket.h"

namespace fanfold::transport {

class PeerLink {
 public:
  // An empty epoch is learnt from the peer.
  static Result<PeerLink> connect(Context& context, const std::string& endpoint, Epoch epoch, IncarnationId incarnation,
                                  Instant now, const std::optional<ConnectorKeys>& keys = std::nullopt) {
    auto socket = Connector::connect(context, endpoint, kMessageBytesMax, keys);
    if (!socket) return socket.failure();
    return PeerLink(std::move(socket).value(),
                    Session(Session::Side::kConnector, epoch, incarnation, SessionLimits{}, now));
  }

  void send(const Message& message, RawBytes raw = {}) { session_.send(encode(message), std::move(raw)); }
  void send_loose(const Message& message, RawBytes raw) { session_.send_loose(encode(message), std::move(raw)); }

  struct Received {
    Message message;
    RawBytes raw;
  };
  // Every message that is there, in order, with the raw frame behind it. What is no frame or no message is counted and
  // dropped: the session repeats.
  [[nodiscard]] std::vector<Received> receive(Instant now) {
    std::vector<Received> messages;
    while (std::optional<Frame> frame = socket_.receive()) {
      const Result<FrameHead> head = decode_frame(frame->payload);
      if (!head) {
        counts_[LinkEvent::kFrameMalformed] += 1;
        continue;
      }
      for (Delivery& delivery : session_.receive(*head, frame->raw, now)) {
        Result<Message> message = decode(delivery.message);
        if (message) {
          messages.push_back({std::move(message).value(), std::move(delivery.raw)});
        } else {
          counts_[LinkEvent::kMessageMalformed] += 1;
        }
      }
    }
    return messages;
  }
  void send_frames(Instant now) {
    for (Frame& frame : session_.take_frames(now)) socket_.send(std::move(frame));
  }

  // What was sent has so long to leave.
  void close_after(int linger_ms) { socket_.close_after(linger_ms); }

  // Whether the peer has answered at all.
  [[nodiscard]] bool established() const { return session_.state() == Session::State::kEstablished; }
  // Whether the peer does not admit this node's key.
  [[nodiscard]] bool refused() { return socket_.refused(); }
  [[nodiscard]] bool gone() const { return session_.state() == Session::State::kLost || session_.silent(); }
  [[nodiscard]] std::optional<Instant> next_deadline() const { return session_.next_deadline(); }
  [[nodiscard]] const LinkCounts& counts() const { return counts_; }
  [[nodiscard]] void* handle() const { return socket_.handle(); }

 private:
  PeerLink(Connector socket, Session session) : socket_(std::move(socket)), session_(std::move(session)) {}
  Connector socket_;
  Session session_;
  LinkCounts counts_;
};

}  // namespace fanfold::transport
