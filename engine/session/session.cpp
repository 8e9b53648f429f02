#include "engine/session/session.h"

#include <algorithm>
#include <utility>

#include "engine/assertion.h"

namespace fanfold {

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
  kept_bytes_ += message.size() + raw.view.size();
  kept_.push_back({std::move(message), std::move(raw)});
  if (kept_bytes_ > limits_.kept_bytes_max) lose("the peer takes nothing: too much waits for it");
}

void Session::send_loose(Bytes message, RawBytes raw) {
  if (state_ != State::kLost) loose_.push_back({std::move(message), std::move(raw)});
}

void Session::lose(std::string because) {
  if (state_ == State::kLost) return;
  state_ = State::kLost;
  lost_because_ = std::move(because);
  kept_.clear();
  loose_.clear();
  kept_bytes_ = 0;
  in_flight_bytes_ = 0;
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
      counters_.messages_delivered += 1;
      const ByteView& message = head.messages[i];
      deliveries.push_back({Bytes(message.begin(), message.end()), i + 1 == head.messages.size() ? raw : RawBytes{}});
    } else {
      counters_.messages_early += 1;
      gap_ = true;
      if (!gap_told_) ack_due_ = now;
    }
  }
  return deliveries;
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

Frame Session::make_frame(uint64_t first_seq, std::vector<ByteView> messages, RawBytes raw, Instant now) {
  FrameHead head;
  head.epoch = epoch_;
  head.incarnation = incarnation_;
  head.first_seq = first_seq;
  head.ack = received_seq_;
  head.beat = ++beat_;
  head.echo = beat_heard_;
  head.gap = gap_ && !gap_told_;
  if (head.gap) gap_told_ = true;
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
    while (window_open() && messages.size() < kMessagesPerFrameMax) {
      const Kept& kept = kept_[static_cast<std::size_t>(next_seq_ - first_kept_seq_)];
      // A raw frame belongs to the last message before it, so that message ends its frame.
      if (!messages.empty() && bytes + kept.message.size() > kFrameBytesTarget) break;
      messages.emplace_back(kept.message);
      bytes += kept.message.size();
      in_flight_bytes_ += kept.message.size() + kept.raw.view.size();
      if (next_seq_ <= sent_seq_max_) counters_.messages_resent += 1;
      sent_seq_max_ = std::max(sent_seq_max_, next_seq_);
      next_seq_ += 1;
      if (kept.raw.present()) {
        raw = kept.raw;
        break;
      }
    }
    if (!resend_at_) resend_at_ = now + resend_after_;
    frames.push_back(make_frame(first_seq, std::move(messages), std::move(raw), now));
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
    frames.push_back(make_frame(0, {ByteView{kept.message}}, std::move(kept.raw), now));
    loose_.pop_front();
  }
  const bool heartbeat = heartbeat_at_ <= now && state_ == State::kEstablished;
  if ((ack_due_ && *ack_due_ <= now) || heartbeat) {
    frames.push_back(make_frame(0, {}, {}, now));
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
