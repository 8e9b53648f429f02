// link_counts.h: what the links of a listener came to: those that were made, those that were not, and what came over
// them that was not taken.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace fanfold::transport {

enum class LinkEvent : std::uint8_t {
  // A link.
  kAccepted = 0,            // a peer has connected; nothing is known of it
  kEstablished = 1,         // its handshake is done; without keys that says little
  kHandshakeTimedOut = 2,   // the peer did not finish its handshake in time
  kHandshakeBrokenOff = 3,  // the peer went away in it
  kHandshakeUnsound = 4,    // the peer said what no handshake has, or has no key where one is wanted
  kKeyNotAdmitted = 5,      // the handshake was sound, the key is not on the list
  kNoDescriptor = 6,        // this process may not open another file
  // A frame.
  kFrameMalformed = 7,      // not laid out as a frame
  kFrameOfRevokedKey = 8,   // over a link that was made with a key that is not on the list any more
  kFrameOfOtherNode = 9,    // in the name of an incarnation that came with another key
  kFrameOutOfSession = 10,  // of no session here, and beginning none: late, or another root's
  kFrameFenced = 11,        // of an incarnation that was given up
  kSessionRefused = 12,     // there are as many sessions, or as much of unfinished messages, as there may be
  kMessageMalformed = 13,   // a frame whose message is none
  // A Hello.
  kRoleRefused = 14,  // the key is of another role
};
inline constexpr std::size_t kLinkEvents = 15;

struct LinkCounts {
  std::array<std::uint64_t, kLinkEvents> of = {};

  std::uint64_t& operator[](LinkEvent event) { return of[static_cast<std::size_t>(event)]; }
  std::uint64_t operator[](LinkEvent event) const { return of[static_cast<std::size_t>(event)]; }
  LinkCounts& operator+=(const LinkCounts& others) {
    for (std::size_t at = 0; at < kLinkEvents; ++at) of[at] += others.of[at];
    return *this;
  }
};

}  // namespace fanfold::transport
