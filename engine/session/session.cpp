#include "engine/session/session.h"

#include <algorithm>
#include <utility>

#include "engine/assertion.h"

namespace fanfold {

namespace {

// The raw bytes that travelled in pieces; a single one is not copied.
RawBytes joined(std::vector<RawBytes> pieces) {
  if (pieces.empty()) return {};
  if (pieces.size() == 1) return std::move(pieces.front());
  Bytes bytes;
  for (const RawBytes& piece : pieces) bytes.insert(bytes.end(), piece.view.begin(), piece.view.end());
  return raw_bytes(std::move(bytes));
}

}  // namespace

Session::Session(Side side, Epoch epoch, IncarnationId incarnation, const SessionLimits& limits, Instant now)
    : side_(side),
      epoch_(epoch),
      incarnation_(incarnation),
      limits_(limits),
      resend_after_(limits.resend_after),
      last_step_(now),
      heartbeat_at_(now + limits.heartbeat) {
  FANFOLD_ASSERT(side == Side::kConnector || !epoch.empty(), "a listener knows its epoch");
  FANFOLD_ASSERT(!incarnation.empty(), "a session is of an incarnation");
}

void Session::send(Bytes message, RawBytes raw) {
  if (state_ == State::kLost) return;
  if (message.size() > limits_.piece_bytes_max || raw.view.size() > limits_.raw_piece_bytes_max) {
    send_in_pieces(message, raw);
  } else {
    keep({std::move(message), std::move(raw)});
  }
  if (kept_bytes_ > limits_.kept_bytes_max) lose("the peer takes nothing: too much waits for it");
}

void Session::keep(Kept kept) {
  kept_bytes_ += kept.message.size() + kept.raw.view.size();
  kept_.push_back(std::move(kept));
}

// First the message, piece by piece, then its raw bytes, which are cut without being copied.
void Session::send_in_pieces(const Bytes& message, const RawBytes& raw) {
  std::size_t at = 0;
  std::size_t raw_at = 0;
  do {
    Kept piece;
    const std::size_t size = std::min(message.size() - at, limits_.piece_bytes_max);
    const ByteView bytes = ByteView{message}.subspan(at, size);
    piece.message.assign(bytes.begin(), bytes.end());
    at += size;
    if (at == message.size() && raw.present()) {
      const std::size_t raw_size = std::min(raw.view.size() - raw_at, limits_.raw_piece_bytes_max);
      piece.raw = {raw.owner, raw.view.subspan(raw_at, raw_size)};
      raw_at += raw_size;
    }
    piece.more = at < message.size() || raw_at < raw.view.size();
    keep(std::move(piece));
  } while (kept_.back().more);
}

void Session::send_loose(Bytes message, RawBytes raw) {
  if (state_ != State::kLost) loose_.push_back({std::move(message), std::move(raw)});
}

void Session::stop_sending() {
  kept_.clear();
  loose_.clear();
  kept_bytes_ = 0;
  in_flight_bytes_ = 0;
  resend_at_.reset();
  // What it acknowledges yet is of what is gone.
  first_kept_seq_ = next_seq_ = sent_seq_max_ + 1;
}

void Session::lose(std::string because) {
  if (state_ == State::kLost) return;
  state_ = State::kLost;
  lost_because_ = std::move(because);
  kept_.clear();
  loose_.clear();
  kept_bytes_ = 0;
  in_flight_bytes_ = 0;
  unfinished_.reset();
  unfinished_bytes_ = 0;
  resend_at_.reset();
  ack_due_.reset();
}

std::vector<Delivery> Session::receive(const FrameHead& head, const RawBytes& raw, Instant now) {
  std::vector<Delivery> deliveries;
  if (state_ == State::kLost) return deliveries;
  if (head.incarnation != incarnation_) {
    counters_.frames_foreign += 1;
    return deliveries;
  }
  if (side_ == Side::kConnector && epoch_.empty() && !head.epoch.empty()) epoch_ = head.epoch;
  const bool peer_knows_no_epoch_yet = side_ == Side::kListener && head.epoch.empty();
  if (head.epoch != epoch_ && !peer_knows_no_epoch_yet) {
    counters_.frames_foreign += 1;
    // Where we were established, the other end has begun a new life and knows nothing of ours. While
    // opening it may be a word that an earlier life of the address had under way.
    if (side_ == Side::kConnector && state_ == State::kEstablished) lose("the peer has begun a new life");
    return deliveries;
  }
  // Acknowledging what was never sent: not our session, whatever its numbers say.
  if (head.ack > sent_seq_max_) {
    counters_.frames_foreign += 1;
    return deliveries;
  }
  counters_.frames_received += 1;
  state_ = State::kEstablished;
  unheard_ = {};
  beat_heard_ = std::max(beat_heard_, head.beat);
  if (head.echo > echo_heard_) {
    echo_heard_ = head.echo;
    unechoed_ = {};
  }
  accept_ack(head.ack, now);
  if (head.gap && next_seq_ > first_kept_seq_) resend_at_ = now;

  if (head.first_seq == 0) {
    for (const ByteView& message : head.messages) {
      deliveries.push_back({Bytes(message.begin(), message.end()), raw});
    }
    return deliveries;
  }
  uint64_t seq = head.first_seq;
  for (std::size_t i = 0; i < head.messages.size(); ++i, ++seq) {
    if (!ack_due_) ack_due_ = now + limits_.ack_after;
    if (seq <= received_seq_) {
      // The acknowledgement was lost, or this copy was late: say it again, and soon.
      counters_.messages_repeated += 1;
      ack_due_ = now;
    } else if (seq == received_seq_ + 1) {
      received_seq_ = seq;
      gap_ = false;
      gap_told_ = false;
      const bool last = i + 1 == head.messages.size();
      take_piece(head.messages[i], last ? raw : RawBytes{}, last && head.more, deliveries);
      if (state_ == State::kLost) return deliveries;
    } else {
      counters_.messages_early += 1;
      gap_ = true;
      if (!gap_told_) ack_due_ = now;
    }
  }
  return deliveries;
}

void Session::take_piece(ByteView piece, const RawBytes& raw, bool more, std::vector<Delivery>& deliveries) {
  if (!more && !unfinished_) {
    counters_.messages_delivered += 1;
    deliveries.push_back({Bytes(piece.begin(), piece.end()), raw});
    return;
  }
  if (!unfinished_) unfinished_.emplace();
  unfinished_->message.insert(unfinished_->message.end(), piece.begin(), piece.end());
  if (raw.present()) unfinished_->raws.push_back(raw);
  unfinished_bytes_ += piece.size() + raw.view.size();
  const std::size_t raw_bytes_so_far = unfinished_bytes_ - unfinished_->message.size();
  if (std::max(unfinished_->message.size(), raw_bytes_so_far) > limits_.message_bytes_max) {
    lose("the peer sends more in one message than there is in any");
    return;
  }
  if (more) return;
  counters_.messages_delivered += 1;
  deliveries.push_back({std::move(unfinished_->message), joined(std::move(unfinished_->raws))});
  unfinished_.reset();
  unfinished_bytes_ = 0;
}

void Session::accept_ack(uint64_t ack, Instant now) {
  if (ack < first_kept_seq_) return;
  while (first_kept_seq_ <= ack) {
    const Kept& kept = kept_.front();
    const std::size_t bytes = kept.message.size() + kept.raw.view.size();
    kept_bytes_ -= bytes;
    if (first_kept_seq_ < next_seq_) in_flight_bytes_ -= bytes;
    kept_.pop_front();
    first_kept_seq_ += 1;
  }
  // An acknowledgement may overtake a resend that had started again from the beginning.
  next_seq_ = std::max(next_seq_, first_kept_seq_);
  resend_after_ = limits_.resend_after;
  resend_at_.reset();
  if (next_seq_ > first_kept_seq_) resend_at_ = now + resend_after_;
}

void Session::pass_time(Instant now) {
  const Duration passed = std::min(now - last_step_, limits_.silence_step_max);
  last_step_ = now;
  unheard_ += passed;
  unechoed_ += passed;
}

bool Session::window_open() const {
  const std::size_t in_flight = static_cast<std::size_t>(next_seq_ - first_kept_seq_);
  if (in_flight >= kept_.size() || in_flight >= limits_.unacknowledged_messages_max) return false;
  // Until the peer has answered, one frame is all it gets: what came before the Hello would be a stranger's.
  if (state_ == State::kOpening && opening_sent_) return false;
  // One message may always go, however large.
  return in_flight == 0 || in_flight_bytes_ < limits_.unacknowledged_bytes_max;
}

Frame Session::make_frame(uint64_t first_seq, std::vector<ByteView> messages, RawBytes raw, bool more, Instant now) {
  FrameHead head;
  head.epoch = epoch_;
  head.incarnation = incarnation_;
  head.first_seq = first_seq;
  head.ack = received_seq_;
  head.beat = ++beat_;
  head.echo = beat_heard_;
  head.gap = gap_ && !gap_told_;
  if (head.gap) gap_told_ = true;
  head.more = more;
  head.messages = std::move(messages);
  ack_due_.reset();
  heartbeat_at_ = now + limits_.heartbeat;
  counters_.frames_sent += 1;
  return {encode_frame(head), std::move(raw)};
}

void Session::append_sequenced(std::vector<Frame>& frames, Instant now) {
  while (window_open()) {
    const uint64_t first_seq = next_seq_;
    std::vector<ByteView> messages;
    std::size_t bytes = 0;
    RawBytes raw;
    bool more = false;
    while (window_open() && messages.size() < kMessagesPerFrameMax) {
      const Kept& kept = kept_[static_cast<std::size_t>(next_seq_ - first_kept_seq_)];
      // A raw frame belongs to the last message before it, so that message ends its frame; as does a piece.
      if (!messages.empty() && bytes + kept.message.size() > kFrameBytesTarget) break;
      messages.emplace_back(kept.message);
      bytes += kept.message.size();
      in_flight_bytes_ += kept.message.size() + kept.raw.view.size();
      if (next_seq_ <= sent_seq_max_) counters_.messages_resent += 1;
      sent_seq_max_ = std::max(sent_seq_max_, next_seq_);
      next_seq_ += 1;
      raw = kept.raw;
      more = kept.more;
      if (raw.present() || more) break;
    }
    if (!resend_at_) resend_at_ = now + resend_after_;
    frames.push_back(make_frame(first_seq, std::move(messages), std::move(raw), more, now));
    if (state_ == State::kOpening) opening_sent_ = true;
  }
}

std::vector<Frame> Session::take_frames(Instant now) {
  std::vector<Frame> frames;
  if (state_ == State::kLost) return frames;
  pass_time(now);
  if (resend_at_ && *resend_at_ <= now) {
    // From the first unacknowledged message on; twice as patient each time, so that a slow peer is not
    // buried in copies.
    next_seq_ = first_kept_seq_;
    in_flight_bytes_ = 0;
    opening_sent_ = false;
    resend_after_ = std::min(resend_after_ * 2, limits_.resend_after_max);
    resend_at_ = now + resend_after_;
  }
  append_sequenced(frames, now);
  while (state_ == State::kEstablished && !loose_.empty()) {
    Kept& kept = loose_.front();
    frames.push_back(make_frame(0, {ByteView{kept.message}}, std::move(kept.raw), false, now));
    loose_.pop_front();
  }
  const bool heartbeat = heartbeat_at_ <= now && state_ == State::kEstablished;
  if ((ack_due_ && *ack_due_ <= now) || heartbeat) {
    frames.push_back(make_frame(0, {}, {}, false, now));
  }
  return frames;
}

std::optional<Instant> Session::next_deadline() const {
  if (state_ == State::kLost) return std::nullopt;
  if (window_open()) return last_step_;
  // The Hello's repetitions are an opening session's only timer.
  if (state_ == State::kOpening) return resend_at_;
  if (!loose_.empty()) return last_step_;
  return earlier(earlier(heartbeat_at_, ack_due_), resend_at_);
}

bool Session::silent() const {
  return state_ != State::kLost && std::max(unheard_, unechoed_) > limits_.silence_max;
}

}  // namespace fanfold
