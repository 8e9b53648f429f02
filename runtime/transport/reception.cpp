#include "runtime/transport/reception.h"

#include "engine/quoted.h"

namespace fanfold::transport {

namespace {

// What `peer` did, as the middle of a sentence; null for what is no offence, or is told elsewhere.
const char* describe(LinkEvent event) {
  switch (event) {
    case LinkEvent::kHandshakeTimedOut:
      return "connected and did not say who it is in time";
    case LinkEvent::kHandshakeUnsound:
      return "connected and does not speak our protocol, or not with a key";
    case LinkEvent::kKeyNotAdmitted:
      return "connected with a key that is not admitted";
    case LinkEvent::kNoDescriptor:
      return "could not be let in: this process may open no more files (ulimit -n)";
    case LinkEvent::kFrameMalformed:
      return "sent what is no frame";
    case LinkEvent::kFrameOfRevokedKey:
      return "still speaks over a link whose key was revoked";
    case LinkEvent::kFrameOfOtherNode:
      return "spoke in another node's name";
    case LinkEvent::kSessionRefused:
      return "was turned away: there are as many sessions as there may be";
    case LinkEvent::kMessageMalformed:
      return "sent what is no message";
    case LinkEvent::kRoleRefused:
      return "has a key of another role";
    case LinkEvent::kAccepted:
    case LinkEvent::kEstablished:
    case LinkEvent::kHandshakeBrokenOff:
    case LinkEvent::kFrameOutOfSession:
    case LinkEvent::kFrameFenced:
      break;
  }
  return nullptr;
}

// As much as is known of it.
std::string peer_text(const Listener::Received& received) {
  const std::string at = received.address.empty() ? std::string() : " at " + received.address;
  if (received.from == nullptr) return "a peer" + at;
  return "the " + std::string(name_of(received.from->role)) + " " + quoted(received.from->name) + at;
}

}  // namespace

std::vector<PeerDelivery> Reception::hear(const Listener::Received& received, Instant now) {
  const HubCounters before = hub_.counters();
  if (!guard_.accepts(received)) {
    const bool is_frame = decode_frame(received.frame.payload).ok();
    record(is_frame ? LinkEvent::kFrameOfOtherNode : LinkEvent::kFrameMalformed, peer_text(received));
    return {};
  }
  std::vector<PeerDelivery> deliveries = hub_.receive(received.route, received.frame, now);
  const HubCounters& after = hub_.counters();
  const auto count = [&](LinkEvent event, std::uint64_t times) {
    if (times > 0) record(event, peer_text(received), times);
  };
  count(LinkEvent::kFrameMalformed, after.frames_malformed - before.frames_malformed);
  count(LinkEvent::kFrameOutOfSession, after.frames_unknown - before.frames_unknown);
  count(LinkEvent::kFrameFenced, after.frames_fenced - before.frames_fenced);
  count(LinkEvent::kSessionRefused,
        after.sessions_refused - before.sessions_refused + after.sessions_overfilled - before.sessions_overfilled);
  return deliveries;
}

std::optional<Message> Reception::understand(const PeerDelivery& said, const Listener::Received& received) {
  Result<Message> message = decode(said.delivery.message);
  if (!message) {
    record(LinkEvent::kMessageMalformed, peer_text(received));
    return std::nullopt;
  }
  if (const auto* hello = std::get_if<Hello>(&*message)) {
    if (std::string refusal = guard_.refusal(said.from, hello->role); !refusal.empty()) {
      record(LinkEvent::kRoleRefused, peer_text(received));
      hub_.send(said.from, encode(Refused{kProtocolVersion, hello->protocol_version, std::move(refusal)}));
      return std::nullopt;
    }
  }
  return std::move(message).value();
}

void Reception::hear_of_links() {
  const LinkCounts links = listener_.take_link_counts();
  for (std::size_t at = 0; at < kLinkEvents; ++at) {
    // ZeroMQ does not say who it was.
    if (links.of[at] > 0) record(static_cast<LinkEvent>(at), "a peer of " + listener_.endpoint(), links.of[at]);
  }
}

void Reception::record(LinkEvent event, const std::string& peer, std::uint64_t times) {
  counts_[event] += times;
  const char* what = describe(event);
  if (what == nullptr || told_.size() >= kComplaintsMax || !told_.emplace(event, peer).second) return;
  complaints_.push_back(peer + " " + what + "; more of this is counted and not told again");
  if (told_.size() == kComplaintsMax) {
    complaints_.push_back(std::to_string(kComplaintsMax) + " peers have been told of; more are counted alone");
  }
}

}  // namespace fanfold::transport
