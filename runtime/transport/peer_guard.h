// peer_guard.h: whose key each incarnation came with. A listener with keys knows whose link a frame came over; the
// incarnation that the frame names is only what its sender says. The first frame of an incarnation decides whose it
// is: from then on it is heard over links of that key alone, so that no node can speak for another.
//
// For the thread that owns the listener.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "engine/protocol/identity.h"
#include "engine/protocol/message.h"
#include "runtime/transport/admission.h"
#include "runtime/transport/socket.h"

namespace fanfold::transport {

class PeerGuard {
 public:
  // Whether a frame of this incarnation may come from `peer`; null, of a listener without keys: always.
  [[nodiscard]] bool accepts(IncarnationId incarnation, const Peer& peer);
  // The same of what a listener received; what is no frame may not come with a key.
  [[nodiscard]] bool accepts(const Listener::Received& received);
  // Why an incarnation's Hello in this role is refused; empty when its key is of that role, or there are no keys.
  [[nodiscard]] std::string refusal(IncarnationId incarnation, Role role) const;
  // The incarnations whose key is not admitted any more, once each.
  [[nodiscard]] std::vector<IncarnationId> take_revoked(const Admission& admission);
  // Its session is over.
  void forget(IncarnationId incarnation) { keys_.erase(incarnation); }

 private:
  // Incarnations that are named and never become a session are not kept for ever: beyond this one gives way.
  static constexpr std::size_t kKnownMax = 100'000;
  std::map<IncarnationId, Peer> keys_;
};

}  // namespace fanfold::transport
