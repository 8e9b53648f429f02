#include "engine/session/session_hub.h"

#include <algorithm>
#include <utility>

#include "engine/protocol/codec.h"

namespace fanfold {

SessionHub::SessionHub(Epoch epoch, const SessionLimits& session_limits, const HubLimits& limits)
    : epoch_(epoch), session_limits_(session_limits), limits_(limits) {}

std::vector<PeerDelivery> SessionHub::receive(const Route& route, const Frame& frame, Instant now) {
  std::vector<PeerDelivery> deliveries;
  const Result<FrameHead> head = decode_frame(frame.payload);
  if (!head) {
    counters_.frames_malformed += 1;
    return deliveries;
  }
  auto found = sessions_.find(head->incarnation);
  if (found == sessions_.end()) {
    const bool opening = (head->epoch.empty() || head->epoch == epoch_) && head->first_seq == 1 && head->ack == 0;
    if (!opening) {
      counters_.frames_unknown += 1;
      answer_start_anew(route, head->incarnation);
      return deliveries;
    }
    if (sessions_.size() >= limits_.sessions_max) {
      counters_.sessions_refused += 1;
      return deliveries;
    }
    found =
        sessions_
            .emplace(head->incarnation,
                     Entry{Session(Session::Side::kListener, epoch_, head->incarnation, session_limits_, now), route})
            .first;
  }
  Entry& entry = found->second;
  if (!head->epoch.empty() && head->epoch != epoch_) {
    // It speaks to an earlier life of this node, whose promises nobody keeps.
    counters_.frames_unknown += 1;
    answer_start_anew(route, head->incarnation);
    return deliveries;
  }
  entry.route = route;
  for (Delivery& delivery : entry.session.receive(*head, frame.raw, now)) {
    deliveries.push_back({head->incarnation, std::move(delivery)});
  }
  bound_unfinished(entry.session);
  if (!entry.session.silent()) entry.silence_told = false;
  if (entry.fenced) {
    counters_.frames_fenced += 1;
    answer_start_anew(route, head->incarnation);
  }
  return deliveries;
}

// Whoever brought it over the bound gives way; a peer that is sound begins anew.
void SessionHub::bound_unfinished(Session& session) {
  if (session.unfinished_bytes() == 0) return;
  std::size_t bytes = 0;
  for (const auto& [incarnation, entry] : sessions_) bytes += entry.session.unfinished_bytes();
  if (bytes <= limits_.unfinished_bytes_max) return;
  counters_.sessions_overfilled += 1;
  session.lose("too many large messages come at once");
}

void SessionHub::answer_start_anew(const Route& route, IncarnationId incarnation) {
  static const Bytes kStartAnewMessage = encode(StartAnew{});
  FrameHead head;
  head.epoch = epoch_;
  head.incarnation = incarnation;
  head.messages.emplace_back(kStartAnewMessage);
  answers_.push_back({route, {encode_frame(head), {}}});
}

void SessionHub::send(IncarnationId to, Bytes message, RawBytes raw) {
  const auto found = sessions_.find(to);
  if (found != sessions_.end() && !found->second.fenced) {
    found->second.session.send(std::move(message), std::move(raw));
  }
}

void SessionHub::send_loose(IncarnationId to, Bytes message, RawBytes raw) {
  const auto found = sessions_.find(to);
  if (found != sessions_.end()) found->second.session.send_loose(std::move(message), std::move(raw));
}

void SessionHub::fence(IncarnationId incarnation) {
  const auto found = sessions_.find(incarnation);
  if (found == sessions_.end() || found->second.fenced) return;
  found->second.fenced = true;
  found->second.session.stop_sending();  // its bytes may be many
  fenced_order_.push_back(incarnation);
  if (fenced_order_.size() > limits_.fenced_sessions_max) close(fenced_order_.front());
}

void SessionHub::close(IncarnationId incarnation) {
  sessions_.erase(incarnation);
  std::erase(fenced_order_, incarnation);
}

std::vector<RoutedFrame> SessionHub::take_frames(Instant now) {
  std::vector<RoutedFrame> frames = std::exchange(answers_, {});
  for (auto& [incarnation, entry] : sessions_) {
    // Nothing is owed to a fenced one but the answers to its words.
    if (entry.fenced) continue;
    for (Frame& frame : entry.session.take_frames(now)) frames.push_back({entry.route, std::move(frame)});
  }
  return frames;
}

std::vector<IncarnationId> SessionHub::take_silent() {
  std::vector<IncarnationId> silent;
  for (auto& [incarnation, entry] : sessions_) {
    if (entry.fenced || entry.silence_told) continue;
    if (!entry.session.silent() && entry.session.state() != Session::State::kLost) continue;
    entry.silence_told = true;
    silent.push_back(incarnation);
  }
  return silent;
}

std::optional<Instant> SessionHub::next_deadline() const {
  std::optional<Instant> deadline;
  if (!answers_.empty()) return Instant{};
  for (const auto& [incarnation, entry] : sessions_) {
    if (!entry.fenced) deadline = earlier(deadline, entry.session.next_deadline());
  }
  return deadline;
}

const Session* SessionHub::find(IncarnationId incarnation) const {
  const auto found = sessions_.find(incarnation);
  return found == sessions_.end() ? nullptr : &found->second.session;
}

}  // namespace fanfold
