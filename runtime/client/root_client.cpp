#include "runtime/client/root_client.h"

#include <unistd.h>

#include <algorithm>

#include "runtime/build_info.h"
#include "runtime/process/clock.h"
#include "runtime/process/whereabouts.h"

namespace fanfold {
namespace {

constexpr int kLingerMs = 500;

}  // namespace

Result<std::unique_ptr<RootClient>> RootClient::connect(const std::string& endpoint, Duration timeout,
                                                        const transport::KeyPlace& keys) {
  auto own = transport::connector_keys(keys, transport::KeyRole::kClient);
  if (!own) return own.failure();
  std::unique_ptr<RootClient> client(new RootClient(endpoint, timeout, std::move(own).value()));
  if (Status opened = client->open(); !opened) return opened.failure();
  return client;
}

RootClient::~RootClient() {
  if (!link_) return;
  if (welcome_) {
    link_->send(Goodbye{});
    link_->send_frames(process::now());
  }
  link_->close_after(welcome_ ? kLingerMs : 0);
}

Status RootClient::open() {
  welcome_ = false;
  unanswered_since_ = process::now();
  link_.reset();
  auto link =
      transport::PeerLink::connect(context_, endpoint_, {}, process::random_id<IncarnationId>(), process::now(), keys_);
  if (!link) return link.failure();
  link_.emplace(std::move(link).value());
  Hello hello;
  hello.role = Role::kClient;
  hello.host = process::host_name();
  hello.name = process::user_name() + "@" + hello.host;
  hello.build = std::string(build_info().version);
  hello.pid = static_cast<std::uint64_t>(getpid());
  link_->send(hello);
  return success();
}

void RootClient::send(const Message& message, RawBytes raw) {
  link_->send(message, std::move(raw));
}

Result<std::optional<RootClient::Received>> RootClient::wait(Duration wait) {
  const Instant until = process::now() + wait;
  for (;;) {
    if (!received_.empty()) {
      std::optional<Received> next(std::move(received_.front()));
      received_.pop_front();
      return next;
    }
    Instant now = process::now();
    link_->send_frames(now);
    const std::optional<Instant> answered_by = welcome_ ? std::nullopt : std::optional(unanswered_since_ + timeout_);
    poller_.clear();
    poller_.add_socket(link_->handle());
    const std::optional<Instant> deadline = earlier(earlier(link_->next_deadline(), answered_by), until);
    poller_.wait(process::poll_ms(deadline, now));
    now = process::now();
    if (link_->refused()) {
      return Failure{ExitCode::kNoFleet, "the root at " + endpoint_ + " does not admit the key \"" +
                                             keys_->own.open.name +
                                             "\"; its NAME.pub must be in the root's folder of keys"};
    }
    bool lost = false;
    for (transport::PeerLink::Received& received : link_->receive(now)) {
      if (const auto* refused = std::get_if<Refused>(&received.message)) {
        return Failure{ExitCode::kNoFleet,
                       refused->protocol_version != kProtocolVersion
                           ? "the root at " + endpoint_ + " speaks protocol " +
                                 std::to_string(refused->protocol_version) + ", this program " +
                                 std::to_string(kProtocolVersion) + ". Run the same release on all nodes."
                           : "the root at " + endpoint_ + " refuses this client: " + refused->sentence};
      }
      if (std::holds_alternative<StartAnew>(received.message)) {
        lost = true;
      } else if (std::holds_alternative<Welcome>(received.message)) {
        welcome_ = true;
      } else {
        received_.push_back(std::move(received));
      }
    }
    if (lost || link_->gone()) {
      received_.clear();
      const bool was_welcome = welcome_;
      const Instant since = unanswered_since_;
      if (Status opened = open(); !opened) return opened.failure();
      if (!was_welcome) unanswered_since_ = since;  // it never was there
      return std::optional<Received>(Lost{});
    }
    if (!welcome_ && now >= unanswered_since_ + timeout_) {
      return Failure{ExitCode::kNoFleet, "the root at " + endpoint_ + " does not answer (tried for " +
                                             std::to_string(timeout_.nanoseconds / 1'000'000'000) +
                                             " s). Is it started, and can this machine reach it?"};
    }
    if (now >= until && received_.empty()) return std::optional<Received>();
  }
}

}  // namespace fanfold
