// root_client.h: a client's link to the root of a fleet: connects, says Hello, and connects again when the link is
// lost, each time for no longer than it was told to try. One thread.
#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>

#include "engine/failure.h"
#include "engine/instant.h"
#include "engine/protocol/message.h"
#include "runtime/client/spool.h"
#include "runtime/transport/peer_link.h"
#include "runtime/transport/poller.h"

namespace fanfold {

class RootClient {
 public:
  // Nothing is heard of a wrong address before `timeout` has passed in wait().
  static Result<std::unique_ptr<RootClient>> connect(const std::string& endpoint, Duration timeout,
                                                     const transport::KeyPlace& keys);
  // Says Goodbye.
  ~RootClient();
  RootClient(const RootClient&) = delete;
  RootClient& operator=(const RootClient&) = delete;

  struct Lost {};  // the link was lost and is being made anew: what was asked is to be asked again
  using Received = std::variant<Lost, transport::PeerLink::Received>;

  void send(const Message& message, RawBytes raw = {});
  // What the root says next, or nothing after `wait`. Exit 5 when the root does not answer for so long, or refuses.
  Result<std::optional<Received>> wait(Duration wait);
  // The next answer of type T; others are passed over. Exit 5 likewise; the exit code of a RunRefused; 130 when
  // stopped.
  template <class T>
  Result<T> answer(const Stopped& stopped) {
    while (!stopped || !stopped()) {
      Result<std::optional<Received>> received = wait(milliseconds(kStopPollMilliseconds));
      if (!received) return received.failure();
      if (!*received) continue;
      if (std::holds_alternative<Lost>(**received)) {
        return Failure{ExitCode::kNoFleet, "the link to the root at " + endpoint_ + " was lost; try again"};
      }
      Message& message = std::get<transport::PeerLink::Received>(**received).message;
      if (const auto* refused = std::get_if<RunRefused>(&message)) {
        return Failure{static_cast<ExitCode>(refused->exit_code), refused->sentence};
      }
      if (auto* wanted = std::get_if<T>(&message)) return std::move(*wanted);
    }
    return stopped_failure();
  }

  [[nodiscard]] const std::string& endpoint() const { return endpoint_; }

 private:
  RootClient(std::string endpoint, Duration timeout, std::optional<transport::ConnectorKeys> keys)
      : endpoint_(std::move(endpoint)), timeout_(timeout), keys_(std::move(keys)) {}
  Status open();

  std::string endpoint_;
  Duration timeout_;
  const std::optional<transport::ConnectorKeys> keys_;
  transport::Context context_;
  transport::Poller poller_;
  std::optional<transport::PeerLink> link_;
  bool welcome_ = false;
  Instant unanswered_since_;
  std::deque<transport::PeerLink::Received> received_;
};

}  // namespace fanfold
