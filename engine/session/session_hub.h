// session_hub.h: all sessions of a node that others connect to (the root, a gatherer): finds a frame's
// session by its incarnation, opens one for a newcomer, and answers incarnations that are fenced or
// unknown with StartAnew. Pure. Not thread-safe.
//
//   frame                                            effect
//   of a session                                     delivered through it
//   of a fenced session                              delivered too (late words are counted above), answered StartAnew
//   unknown incarnation, no or our epoch, seq 1      a session is opened
//   unknown incarnation, otherwise                   answered StartAnew, counted
//   not a frame                                      counted, dropped
#pragma once

#include <map>
#include <string>
#include <vector>

#include "engine/session/session.h"

namespace fanfold {

// What a node's sessions tell it.
struct PeerDelivery {
  IncarnationId from;
  Delivery delivery;
};

// Where a peer's frames go: the socket's routing id, as it last came.
using Route = std::string;

struct RoutedFrame {
  Route route;
  Frame frame;
};

struct HubCounters {
  uint64_t frames_malformed = 0;
  uint64_t frames_unknown = 0;  // of no session, not opening one
  uint64_t frames_fenced = 0;
  uint64_t sessions_refused = 0;     // more than sessions_max
  uint64_t sessions_overfilled = 0;  // lost: more than unfinished_bytes_max waits for its end
};

struct HubLimits {
  std::size_t sessions_max = 4096;
  std::size_t fenced_sessions_max = 64;                     // kept to hear late words; the oldest goes first
  std::size_t unfinished_bytes_max = std::size_t{1} << 30;  // messages whose end has not come, of all sessions
};

class SessionHub {
 public:
  SessionHub(Epoch epoch, const SessionLimits& session_limits, const HubLimits& limits = {});

  // A frame from the socket. Deliveries in order.
  [[nodiscard]] std::vector<PeerDelivery> receive(const Route& route, const Frame& frame, Instant now);
  // Unknown incarnations are ignored: the peer is gone.
  void send(IncarnationId to, Bytes message, RawBytes raw = {});
  void send_loose(IncarnationId to, Bytes message, RawBytes raw = {});
  // Its frames are answered StartAnew from now on; what was under way to it is let go.
  void fence(IncarnationId incarnation);
  // Forgets a session, after a Goodbye.
  void close(IncarnationId incarnation);

  [[nodiscard]] std::vector<RoutedFrame> take_frames(Instant now);
  // Sessions that have fallen silent or were lost since the last call; each is told once per silence.
  [[nodiscard]] std::vector<IncarnationId> take_silent();
  [[nodiscard]] std::optional<Instant> next_deadline() const;

  [[nodiscard]] Epoch epoch() const { return epoch_; }
  [[nodiscard]] const Session* find(IncarnationId incarnation) const;
  [[nodiscard]] const HubCounters& counters() const { return counters_; }

 private:
  struct Entry {
    Session session;
    Route route;
    bool fenced = false;
    bool silence_told = false;
  };
  void bound_unfinished(Session& session);
  void answer_start_anew(const Route& route, IncarnationId incarnation);

  Epoch epoch_;
  SessionLimits session_limits_;
  HubLimits limits_;
  std::map<IncarnationId, Entry> sessions_;
  std::vector<IncarnationId> fenced_order_;
  std::vector<RoutedFrame> answers_;
  HubCounters counters_;
};

}  // namespace fanfold
