#include "runtime/transport/peer_guard.h"

#include "engine/session/session.h"

namespace fanfold::transport {

namespace {

KeyRole key_role_of(Role role) {
  switch (role) {
    case Role::kClient:
      return KeyRole::kClient;
    case Role::kGatherer:
      return KeyRole::kRoot;  // the root's own child
    case Role::kWorker:
    case Role::kNode:
      break;
  }
  return KeyRole::kWorker;
}

}  // namespace

bool PeerGuard::accepts(IncarnationId incarnation, const Peer& peer) {
  if (peer == nullptr) return true;
  const auto found = keys_.find(incarnation);
  if (found != keys_.end()) return found->second->text == peer->text;
  if (keys_.size() >= kKnownMax) keys_.erase(keys_.begin());
  keys_.emplace(incarnation, peer);
  return true;
}

bool PeerGuard::accepts(const Listener::Received& received) {
  if (received.from == nullptr) return true;
  const Result<FrameHead> head = decode_frame(received.frame.payload);
  return head && accepts(head->incarnation, received.from);
}

std::string PeerGuard::refusal(IncarnationId incarnation, Role role) const {
  const auto found = keys_.find(incarnation);
  if (found == keys_.end() || found->second->role == key_role_of(role)) return {};
  const auto* const what = role == Role::kClient     ? "ask for runs"
                           : role == Role::kGatherer ? "gather"
                                                     : "join as a worker";
  return "the key \"" + found->second->name + "\" is a " + std::string(name_of(found->second->role)) +
         "'s, which may not " + what + "; use a key of that role (`fanfold keygen`)";
}

std::vector<IncarnationId> PeerGuard::take_revoked(const Admission& admission) {
  std::vector<IncarnationId> revoked;
  for (auto at = keys_.begin(); at != keys_.end();) {
    if (admission.find(at->second->text) != nullptr) {
      ++at;
      continue;
    }
    revoked.push_back(at->first);
    at = keys_.erase(at);
  }
  return revoked;
}

}  // namespace fanfold::transport
