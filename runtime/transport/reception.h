// reception.h: what a node that others connect to hears: from the listener's frames, through the guard and the
// sessions, to messages. Whatever does not come so far is counted, told to the operator once for each peer and kind,
// and dropped.
//
// For the thread that owns the listener.
#pragma once

#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "engine/protocol/codec.h"
#include "engine/session/session_hub.h"
#include "runtime/transport/link_counts.h"
#include "runtime/transport/peer_guard.h"
#include "runtime/transport/socket.h"

namespace fanfold::transport {

class Reception {
 public:
  // All three are borrowed, and outlive it.
  Reception(Listener& listener, PeerGuard& guard, SessionHub& hub) : listener_(listener), guard_(guard), hub_(hub) {}

  // take(IncarnationId from, Message, RawBytes) for each message that is there, in order. No more frames than
  // kFramesATurn: who floods the node does not keep it from its other work, and what is left is there at the next turn.
  template <class Take>
  void receive(Instant now, Take&& take) {
    for (std::size_t frames = 0; frames < kFramesATurn; ++frames) {
      const std::optional<Listener::Received> received = listener_.receive();
      if (!received) break;
      for (PeerDelivery& said : hear(*received, now)) {
        if (std::optional<Message> message = understand(said, *received)) {
          take(said.from, std::move(*message), std::move(said.delivery.raw));
        }
      }
    }
    hear_of_links();
  }

  [[nodiscard]] const LinkCounts& counts() const { return counts_; }
  // Sentences for the operator that have come up since the last call.
  [[nodiscard]] std::vector<std::string> take_complaints() { return std::exchange(complaints_, {}); }

 private:
  static constexpr std::size_t kFramesATurn = 1024;
  static constexpr std::size_t kComplaintsMax = 1024;  // peers and kinds that are remembered; more are counted alone

  [[nodiscard]] std::vector<PeerDelivery> hear(const Listener::Received& received, Instant now);
  [[nodiscard]] std::optional<Message> understand(const PeerDelivery& said, const Listener::Received& received);
  void hear_of_links();
  void record(LinkEvent event, const std::string& peer, std::uint64_t times = 1);

  Listener& listener_;
  PeerGuard& guard_;
  SessionHub& hub_;
  LinkCounts counts_;
  std::set<std::pair<LinkEvent, std::string>> told_;
  std::vector<std::string> complaints_;
};

}  // namespace fanfold::transport
