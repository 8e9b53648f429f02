// stranger.cpp: a peer of another version of the protocol, for tests.
//   stranger node ENDPOINT     joins a root with a Hello of version 1, as that release wrote it; prints what it hears
//   stranger root              listens, prints its endpoint, and refuses whoever comes, as a newer root would
#include <cstdio>
#include <cstring>
#include <msgpack.hpp>
#include <string>

#include "engine/protocol/codec.h"
#include "engine/session/session_hub.h"
#include "runtime/process/clock.h"
#include "runtime/transport/poller.h"
#include "runtime/transport/socket.h"

namespace fanfold {
namespace {

constexpr Duration kPatience = seconds(20);

int node(const char* endpoint) {
  transport::Context context;
  auto socket = transport::Connector::connect(context, endpoint, kMessageBytesMax);
  if (!socket) return 1;
  Session session(Session::Side::kConnector, {}, process::random_id<IncarnationId>(), SessionLimits{}, process::now());
  // [1, version, role, name, host, build, kernels, address, pid, slots, obituary]
  msgpack::sbuffer hello;
  msgpack::pack(hello, std::make_tuple(1, 1, 0, "old", "host", "0.0.1", "portable", "", 17, 2, msgpack::type::nil_t()));
  Bytes bytes(hello.size());
  std::memcpy(bytes.data(), hello.data(), hello.size());
  session.send(std::move(bytes));
  transport::Poller poller;
  const Instant until = process::now() + kPatience;
  while (process::now() < until) {
    for (Frame& frame : session.take_frames(process::now())) socket->send(std::move(frame));
    poller.clear();
    poller.add_socket(socket->handle());
    poller.wait(50);
    while (std::optional<Frame> frame = socket->receive()) {
      const Result<FrameHead> head = decode_frame(frame->payload);
      if (!head) continue;
      for (const Delivery& delivery : session.receive(*head, frame->raw, process::now())) {
        const Result<Message> message = decode(delivery.message);
        if (!message) continue;
        const auto* refused = std::get_if<Refused>(&*message);
        std::printf("%s %u %u %s\n", name_of(*message), refused != nullptr ? refused->protocol_version : 0,
                    refused != nullptr ? refused->peer_protocol_version : 0,
                    refused != nullptr ? refused->sentence.c_str() : "");
        return 0;
      }
    }
  }
  std::puts("nothing was heard");
  return 1;
}

int root() {
  transport::Context context;
  auto listener = transport::Listener::bind(context, "tcp://127.0.0.1:*", kMessageBytesMax);
  if (!listener) return 1;
  std::printf("%s\n", listener->endpoint().c_str());
  std::fflush(stdout);
  SessionHub hub(process::random_id<Epoch>(), SessionLimits{});
  // [3, version, version of the peer, sentence, something new]
  msgpack::sbuffer refusal;
  msgpack::pack(refusal, std::make_tuple(3, 99, static_cast<int>(kProtocolVersion), "too old", 5));
  Bytes bytes(refusal.size());
  std::memcpy(bytes.data(), refusal.data(), refusal.size());
  transport::Poller poller;
  const Instant until = process::now() + kPatience;
  while (process::now() < until) {
    poller.clear();
    poller.add_socket(listener->handle());
    poller.wait(50);
    while (auto received = listener->receive()) {
      for (const PeerDelivery& said : hub.receive(received->route, received->frame, process::now())) {
        hub.send(said.from, bytes);
      }
    }
    for (RoutedFrame& routed : hub.take_frames(process::now())) listener->send(routed.route, std::move(routed.frame));
  }
  return 0;
}

}  // namespace
}  // namespace fanfold

int main(int argc, char** argv) {
  if (argc == 3 && std::strcmp(argv[1], "node") == 0) return fanfold::node(argv[2]);
  if (argc == 2 && std::strcmp(argv[1], "root") == 0) return fanfold::root();
  return 2;
}
