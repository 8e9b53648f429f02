// session.h: the exactly-once, in-order link between two lives of two processes, over frames that may be
// lost, repeated or reordered. One object a peer, on both ends alike; its owner moves frames between it
// and a socket and passes the time. Pure. Not thread-safe.
//
//   state        event                                    next         effect
//   opening      frame of the peer (ours or no epoch)     established  the connecting side learns the epoch
//   opening      frame for another life of ours           opening      counted, dropped
//   established  next message in sequence                 established  delivered
//   established  message seen before                      established  dropped, acknowledged again
//   established  message after a gap                      established  dropped, resend asked for
//   established  piece of a message, in sequence          established  kept; with the last one the message is delivered
//   established  nothing acknowledged for a while         established  everything unacknowledged sent again
//   any          loose message                            same         delivered as it comes; sent once established
//   any          frame with another epoch (connector)     lost         the peer has begun a new life
//   any          more kept than kept_bytes_max            lost         the peer takes nothing
//   any          pieces of more than message_bytes_max    lost         no message is so large
//   lost         anything                                 lost         dropped
// Silence is observed, not judged: a silent session revives with the next frame; who owns it decides.
//
// Frame: array [epoch bin16, incarnation bin16, first seq, ack, beat, echo, flags, [message bin...]].
// seq numbers messages from 1; first seq 0 marks loose messages. ack is the last message received in
// order. beat counts a sender's frames; echo is the highest beat heard: when echo stands still, the peer
// does not hear us, though we may hear it. Flag 1: resend what follows ack; flag 2: the last message here is a piece,
// and goes on in the next one in sequence, as does its raw frame. So no frame is larger than what a listener takes
// from somebody it does not know yet (kInboundFrameBytesMax).
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "engine/failure.h"
#include "engine/instant.h"
#include "engine/protocol/bytes.h"
#include "engine/protocol/identity.h"
#include "engine/protocol/limits.h"

namespace fanfold {

struct SessionLimits {
  Duration heartbeat = milliseconds(500);          // a frame at least this often
  Duration silence_max = seconds(10);              // longer is silent()
  Duration silence_step_max = milliseconds(1000);  // silence grows by no more at once: a paused process evicts nobody
  Duration ack_after = milliseconds(50);           // an acknowledgement waits so long for company
  Duration resend_after = milliseconds(250);       // doubling up to resend_after_max while nothing is acknowledged
  Duration resend_after_max = seconds(4);
  std::size_t unacknowledged_messages_max = 1024;  // in flight; more wait
  std::size_t unacknowledged_bytes_max = std::size_t{16} << 20;
  std::size_t kept_bytes_max = std::size_t{1} << 30;       // waiting and in flight; beyond, the session is lost
  std::size_t piece_bytes_max = kPieceBytesMax;            // a larger message travels in pieces
  std::size_t raw_piece_bytes_max = kResultBatchBytesMax;  // by default a batch is whole: joining pieces copies them
  std::size_t message_bytes_max = kMessageBytesMax;        // received in pieces, and as much of raw bytes
};

// The head of a frame, readable before its session is known. Messages are views into the frame.
struct FrameHead {
  Epoch epoch;
  IncarnationId incarnation;
  uint64_t first_seq = 0;
  uint64_t ack = 0;
  uint64_t beat = 0;
  uint64_t echo = 0;
  bool gap = false;   // resend what follows ack
  bool more = false;  // the last message goes on in the next one
  std::vector<ByteView> messages;
};
[[nodiscard]] Bytes encode_frame(const FrameHead& head);
[[nodiscard]] Result<FrameHead> decode_frame(ByteView payload);

struct Delivery {
  Bytes message;
  RawBytes raw;
};

struct SessionCounters {
  uint64_t frames_sent = 0;
  uint64_t frames_received = 0;
  uint64_t frames_foreign = 0;  // for another life
  uint64_t messages_delivered = 0;
  uint64_t messages_repeated = 0;  // received again and dropped
  uint64_t messages_early = 0;     // received after a gap and dropped
  uint64_t messages_resent = 0;
};

class Session {
 public:
  enum class Side : uint8_t { kListener, kConnector };
  enum class State : uint8_t { kOpening, kEstablished, kLost };

  // A listener knows its own epoch; a connector may leave it empty and learns it.
  Session(Side side, Epoch epoch, IncarnationId incarnation, const SessionLimits& limits, Instant now);

  // Queues a message; take_frames() makes frames of what is queued. A message with a raw frame travels in
  // a frame of its own.
  void send(Bytes message, RawBytes raw = {});
  // Outside the sequence: sent once, perhaps lost or repeated.
  void send_loose(Bytes message, RawBytes raw = {});

  // Nothing more is owed to the peer: what was queued or is in flight is let go. It may go on speaking.
  void stop_sending();

  // What the frame delivers, in order. `head` came from decode_frame; its views are copied.
  [[nodiscard]] std::vector<Delivery> receive(const FrameHead& head, const RawBytes& raw, Instant now);

  // What to give to the socket now: messages, acknowledgements, repetitions, heartbeats. Call after every
  // turn of the loop and whenever next_deadline() has come; lets silence grow.
  [[nodiscard]] std::vector<Frame> take_frames(Instant now);

  [[nodiscard]] std::optional<Instant> next_deadline() const;

  // For its owner: nothing of it counts any more.
  void lose(std::string because);

  [[nodiscard]] State state() const { return state_; }
  [[nodiscard]] const std::string& lost_because() const { return lost_because_; }
  // Neither heard, nor heard by, the peer for longer than silence_max.
  [[nodiscard]] bool silent() const;
  [[nodiscard]] Epoch epoch() const { return epoch_; }
  [[nodiscard]] IncarnationId incarnation() const { return incarnation_; }
  // Messages sent that the peer has not acknowledged, and those that wait to be sent.
  [[nodiscard]] std::size_t kept_messages() const { return kept_.size(); }
  [[nodiscard]] std::size_t kept_bytes() const { return kept_bytes_; }
  // Received of a message whose end has not come.
  [[nodiscard]] std::size_t unfinished_bytes() const { return unfinished_bytes_; }
  [[nodiscard]] const SessionCounters& counters() const { return counters_; }

 private:
  struct Kept {
    Bytes message;
    RawBytes raw;
    bool more = false;  // the message goes on in the next one
  };
  struct Unfinished {
    Bytes message;
    std::vector<RawBytes> raws;
  };

  void keep(Kept kept);
  void send_in_pieces(const Bytes& message, const RawBytes& raw);
  void take_piece(ByteView piece, const RawBytes& raw, bool more, std::vector<Delivery>& deliveries);
  void accept_ack(uint64_t ack, Instant now);
  void pass_time(Instant now);
  [[nodiscard]] Frame make_frame(uint64_t first_seq, std::vector<ByteView> messages, RawBytes raw, bool more,
                                 Instant now);
  void append_sequenced(std::vector<Frame>& frames, Instant now);
  [[nodiscard]] bool window_open() const;

  Side side_;
  State state_ = State::kOpening;
  Epoch epoch_;
  IncarnationId incarnation_;
  SessionLimits limits_;
  std::string lost_because_;

  // Sending: kept_[i] has seq first_kept_seq_ + i; those below next_seq_ are in flight.
  std::deque<Kept> kept_;
  std::deque<Kept> loose_;
  uint64_t first_kept_seq_ = 1;
  uint64_t next_seq_ = 1;
  uint64_t sent_seq_max_ = 0;  // highest ever put into a frame
  bool opening_sent_ = false;  // while opening: the one frame is out
  std::size_t kept_bytes_ = 0;
  std::size_t in_flight_bytes_ = 0;
  std::optional<Instant> resend_at_;
  Duration resend_after_;

  // Receiving.
  uint64_t received_seq_ = 0;
  std::optional<Unfinished> unfinished_;
  std::size_t unfinished_bytes_ = 0;
  std::optional<Instant> ack_due_;
  bool gap_ = false;
  bool gap_told_ = false;  // once per gap: repeating it for every early frame would multiply resends

  // Life.
  uint64_t beat_ = 0;
  uint64_t beat_heard_ = 0;
  uint64_t echo_heard_ = 0;
  Duration unheard_ = {};   // since a frame came
  Duration unechoed_ = {};  // since the peer last showed that it hears us
  Instant last_step_;
  Instant heartbeat_at_;
  SessionCounters counters_;
};

}  // namespace fanfold
