// stranger.cpp: a peer that a fleet does not want, for tests.
//   stranger node ENDPOINT     joins a root with a Hello of version 1, as that release wrote it; prints what it hears
//   stranger forger ENDPOINT KEYS PLUGIN
//                              submits a run as a client with a key does, and ships the plugin under another hash than
//                              its own; prints the exit code of the run and its sentence
//   stranger root              listens, prints its endpoint, and refuses whoever comes, as a newer root would
//   stranger usurper PLUGIN
//                              listens, prints its endpoint, and plays the root of one worker: has it begin a run whose
//                              plugin it names by its path; prints what the worker says of it
//   stranger chatter ENDPOINT FOLDER ROLE NAME
//                              comes with that key, and sends frames and messages that are none until it is killed, or
//                              for a minute; ends with 3 when the key is not admitted
#include <algorithm>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <iterator>
#include <msgpack.hpp>
#include <string>
#include <vector>

#include "engine/protocol/codec.h"
#include "engine/session/session_hub.h"
#include "runtime/process/clock.h"
#include "runtime/transport/peer_link.h"
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

int forger(const char* endpoint, const char* folder, const char* plugin) {
  std::ifstream file(plugin, std::ios::binary);
  const std::string content{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  transport::Context context;
  const auto keys = transport::connector_keys({folder}, transport::KeyRole::kClient);
  if (!keys || content.empty()) return 1;
  auto link =
      transport::PeerLink::connect(context, endpoint, {}, process::random_id<IncarnationId>(), process::now(), *keys);
  if (!link) return 1;
  Hello hello;
  hello.role = Role::kClient;
  hello.name = "forger";
  link->send(hello);
  Submit submit;
  submit.run = {1, 2};
  submit.specification.job = "numbers";
  submit.specification.plugin_hash = std::string(32, 'a');
  submit.specification.plugin_bytes = content.size();
  submit.specification.no_workers_max = seconds(30);
  link->send(submit);
  link->send(Watch{submit.run, 0, 1});
  uint64_t sent = 0;
  transport::Poller poller;
  const Instant until = process::now() + kPatience;
  while (process::now() < until) {
    link->send_frames(process::now());
    poller.clear();
    poller.add_socket(link->handle());
    poller.wait(50);
    for (auto& received : link->receive(process::now())) {
      if (const auto* credit = std::get_if<ShipCredit>(&received.message)) {
        while (sent < credit->allowed) {
          const uint64_t bytes = std::min<uint64_t>(credit->allowed - sent, kShippedBlockBytesMax);
          Bytes block(bytes);
          std::memcpy(block.data(), content.data() + sent, bytes);
          link->send(ShipBytes{submit.run, sent}, raw_bytes(std::move(block)));
          sent += bytes;
        }
      } else if (const auto* over = std::get_if<RunOver>(&received.message)) {
        std::printf("%u %s\n", over->exit_code, over->sentence.c_str());
        return 0;
      } else if (const auto* refused = std::get_if<RunRefused>(&received.message)) {
        std::printf("%u %s\n", refused->exit_code, refused->sentence.c_str());
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

std::vector<Message> usurper_answers(const Message& said, const char* plugin) {
  const RunId run{1, 2};
  if (const auto* hello = std::get_if<Hello>(&said)) {
    if (hello->role == Role::kNode) return {Welcome{}, StartWorker{run, hello->name, uint64_t{256} << 20}};
    OpenRun open;
    open.run = run;
    open.job = "numbers";
    open.plugin_path = plugin;
    open.memory_bytes = uint64_t{256} << 20;
    return {Welcome{}, open};
  }
  return {};
}

int usurper(const char* plugin) {
  transport::Context context;
  auto listener = transport::Listener::bind(context, "tcp://127.0.0.1:*", kMessageBytesMax);
  if (!listener) return 1;
  std::printf("%s\n", listener->endpoint().c_str());
  std::fflush(stdout);
  SessionHub hub(process::random_id<Epoch>(), SessionLimits{});
  transport::Poller poller;
  const Instant until = process::now() + kPatience;
  while (process::now() < until) {
    for (RoutedFrame& routed : hub.take_frames(process::now())) listener->send(routed.route, std::move(routed.frame));
    poller.clear();
    poller.add_socket(listener->handle());
    poller.wait(50);
    while (auto received = listener->receive()) {
      for (const PeerDelivery& told : hub.receive(received->route, received->frame, process::now())) {
        const Result<Message> said = decode(told.delivery.message);
        if (!said) continue;
        if (const auto* failed = std::get_if<Failed>(&*said)) {
          std::printf("%s\n", failed->cause.message.c_str());
          return 0;
        }
        for (const Message& answer : usurper_answers(*said, plugin)) hub.send(told.from, encode(answer));
      }
    }
  }
  std::puts("nothing was heard");
  return 1;
}

Frame nonsense(std::uint32_t number, IncarnationId incarnation) {
  Bytes bytes(number % 100, std::byte{0xc1});
  if (number % 2 == 0) return {std::move(bytes), {}};
  FrameHead head;
  head.incarnation = incarnation;
  head.first_seq = 1;
  head.messages = {ByteView{bytes}};
  return {encode_frame(head), {}};
}

int chatter(const char* endpoint, const char* folder, const char* role_name, const char* name) {
  const Result<transport::KeyRole> role = transport::key_role_named(role_name);
  if (!role) return 2;
  const auto keys = transport::connector_keys({folder, name}, *role);
  if (!keys) {
    std::puts(keys.failure().sentence.c_str());
    return 2;
  }
  transport::Context context;
  auto socket = transport::Connector::connect(context, endpoint, kMessageBytesMax, *keys);
  if (!socket) return 1;
  transport::Poller poller;
  const Instant until = process::now() + seconds(60);
  for (std::uint32_t number = 0; process::now() < until; ++number) {
    if (socket->refused()) return 3;
    socket->send(nonsense(number, process::random_id<IncarnationId>()));
    while (socket->receive()) {
    }
    poller.clear();
    poller.wait(10);
  }
  return 0;
}

}  // namespace
}  // namespace fanfold

int main(int argc, char** argv) {
  if (argc == 3 && std::strcmp(argv[1], "node") == 0) return fanfold::node(argv[2]);
  if (argc == 6 && std::strcmp(argv[1], "chatter") == 0) return fanfold::chatter(argv[2], argv[3], argv[4], argv[5]);
  if (argc == 5 && std::strcmp(argv[1], "forger") == 0) return fanfold::forger(argv[2], argv[3], argv[4]);
  if (argc == 3 && std::strcmp(argv[1], "usurper") == 0) return fanfold::usurper(argv[2]);
  if (argc == 2 && std::strcmp(argv[1], "root") == 0) return fanfold::root();
  return 2;
}
