#include "runtime/transport/gatekeeper.h"

#include <signal.h>
#include <zmq.h>

#include <array>
#include <chrono>
#include <cstring>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/assertion.h"

namespace fanfold::transport {

namespace {

constexpr const char* kEndpoint = "inproc://zeromq.zap.01";
constexpr std::string_view kVersion = "1.0";
constexpr std::size_t kKeyBytes = 32;
constexpr std::chrono::seconds kReadEvery{1};

// The parts of a request: version, request id, domain, address, routing id, mechanism, credentials.
constexpr std::size_t kRequestId = 1;
constexpr std::size_t kMechanism = 5;
constexpr std::size_t kCredentials = 6;

void send(void* socket, std::string_view part, bool more = true) {
  // The other end is ZeroMQ's own, which waits for it.
  (void)zmq_send(socket, part.data(), part.size(), ZMQ_DONTWAIT | (more ? ZMQ_SNDMORE : 0));
}

// The parts of the request that is there; empty when there is none.
std::vector<std::string> receive(void* socket) {
  std::vector<std::string> parts;
  int more = 1;
  while (more != 0) {
    zmq_msg_t message;
    zmq_msg_init(&message);
    if (zmq_msg_recv(&message, socket, ZMQ_DONTWAIT) < 0) {
      zmq_msg_close(&message);
      return {};
    }
    parts.emplace_back(static_cast<const char*>(zmq_msg_data(&message)), zmq_msg_size(&message));
    more = zmq_msg_more(&message);
    zmq_msg_close(&message);
  }
  return parts;
}

}  // namespace

Gatekeeper::Gatekeeper(Context& context, std::shared_ptr<Admission> admission)
    : admission_(std::move(admission)), socket_(zmq_socket(context.handle(), ZMQ_REP)) {
  FANFOLD_ASSERT(socket_ != nullptr, zmq_strerror(zmq_errno()));
  const int linger = 0;
  zmq_setsockopt(socket_, ZMQ_LINGER, &linger, sizeof linger);
  const int bound = zmq_bind(socket_, kEndpoint);
  FANFOLD_ASSERT(bound == 0, "a context has one gatekeeper");
  thread_ = std::thread([this] { run(); });
}

Gatekeeper::~Gatekeeper() {
  waker_.wake();
  thread_.join();
  zmq_close(socket_);
}

void Gatekeeper::run() {
  sigset_t all;
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, nullptr);
  auto read_at = std::chrono::steady_clock::now();
  Poller poller;
  while (true) {
    poller.clear();
    poller.add_socket(socket_);
    const std::size_t woken = poller.add_descriptor(waker_.descriptor());
    poller.wait(std::chrono::milliseconds(kReadEvery).count());
    if (poller.ready(woken)) return;
    if (const auto now = std::chrono::steady_clock::now(); now - read_at >= kReadEvery) {
      read_at = now;
      admission_->refresh();
    }
    answer();
  }
}

void Gatekeeper::answer() {
  while (true) {
    const std::vector<std::string> request = receive(socket_);
    if (request.empty()) return;
    std::array<char, 41> key{};
    const bool readable =
        request.size() == kCredentials + 1 && request.front() == kVersion && request[kMechanism] == "CURVE" &&
        request[kCredentials].size() == kKeyBytes &&
        zmq_z85_encode(key.data(), reinterpret_cast<const std::uint8_t*>(request[kCredentials].data()), kKeyBytes) !=
            nullptr;
    const bool admitted = readable && admission_->admits(key.data());
    send(socket_, kVersion);
    send(socket_, request.size() > kRequestId ? request[kRequestId] : std::string());
    send(socket_, admitted ? "200" : "400");
    send(socket_, admitted ? "OK" : "this key is not admitted");
    send(socket_, admitted ? key.data() : "");
    send(socket_, {}, false);  // no metadata
  }
}

}  // namespace fanfold::transport
