#include "runtime/transport/socket.h"

#include <zmq.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <vector>

#include "engine/assertion.h"
#include "runtime/transport/endpoint.h"

namespace fanfold::transport {

namespace {

// Sessions bound what is in flight by bytes; ZeroMQ's own bound would count messages and drop.
constexpr int kNoHighWaterMark = 0;
// What keeps a socket from being made is in nobody's hands but the user's.
constexpr const char* kLimitsAdvice = "; close other programs, or raise the limits of this user (ulimit -a)";
constexpr int kHandshakeMs = 10'000;
// Frames of one peer that wait in a listener; beyond, the peer's side waits. Sessions keep far fewer under way.
constexpr int kFramesWaitingMax = 1000;
constexpr int kReconnectMs = 20;
constexpr int kReconnectMsMax = 2'000;
constexpr const char* kTcp = "tcp://";

// A message that is closed wherever its scope ends.
class ScopedMessage {
 public:
  ScopedMessage() { zmq_msg_init(&message_); }
  ~ScopedMessage() { zmq_msg_close(&message_); }
  ScopedMessage(const ScopedMessage&) = delete;
  ScopedMessage& operator=(const ScopedMessage&) = delete;
  zmq_msg_t* get() { return &message_; }
  [[nodiscard]] ByteView view() {
    return {static_cast<const std::byte*>(zmq_msg_data(&message_)), zmq_msg_size(&message_)};
  }
  bool more() { return zmq_msg_more(&message_) != 0; }

 private:
  zmq_msg_t message_;
};

void set(void* socket, int option, int value) {
  const int result = zmq_setsockopt(socket, option, &value, sizeof value);
  FANFOLD_ASSERT(result == 0, zmq_strerror(zmq_errno()));
}

void set_common(void* socket, std::uint64_t frame_bytes_max) {
  set(socket, ZMQ_LINGER, 0);
  set(socket, ZMQ_SNDHWM, kNoHighWaterMark);
  set(socket, ZMQ_RCVHWM, kNoHighWaterMark);
  set(socket, ZMQ_HANDSHAKE_IVL, kHandshakeMs);
  set(socket, ZMQ_IPV6, 1);
  const auto bytes = static_cast<std::int64_t>(frame_bytes_max);
  zmq_setsockopt(socket, ZMQ_MAXMSGSIZE, &bytes, sizeof bytes);
}

void set(void* socket, int option, const std::string& text) {
  const int result = zmq_setsockopt(socket, option, text.c_str(), text.size() + 1);
  FANFOLD_ASSERT(result == 0, zmq_strerror(zmq_errno()));
}

// Named so that the gatekeeper is asked. Where none answers, ZeroMQ lets everybody in, but for nobody's word: receive()
// drops that.
constexpr const char* kSecurityDomain = "fanfold";

// One part, without waiting; retried when a signal comes between. False: nothing is there.
bool receive_part(void* socket, ScopedMessage& message) {
  int result = 0;
  do {
    result = zmq_msg_recv(message.get(), socket, ZMQ_DONTWAIT);
  } while (result < 0 && zmq_errno() == EINTR);
  return result >= 0;
}

// What follows the payload is one raw frame; anything more is not ours and dropped.
Frame receive_frame(void* socket, ScopedMessage& payload) {
  Frame frame;
  const ByteView bytes = payload.view();
  frame.payload.assign(bytes.begin(), bytes.end());
  bool more = payload.more();
  while (more) {
    auto part = std::make_shared<ScopedMessage>();
    if (!receive_part(socket, *part)) break;
    more = part->more();
    if (!frame.raw.present()) {
      const ByteView view = part->view();
      frame.raw = {std::move(part), view};
    }
  }
  return frame;
}

bool send_part(void* socket, zmq_msg_t* message, int flags) {
  int result = 0;
  do {
    result = zmq_msg_send(message, socket, flags | ZMQ_DONTWAIT);
  } while (result < 0 && zmq_errno() == EINTR);
  if (result < 0) zmq_msg_close(message);
  return result >= 0;
}

// Bytes that live until ZeroMQ has sent them, without a copy.
template <class Owner>
void borrow(zmq_msg_t* message, ByteView view, Owner owner) {
  auto* held = new Owner(std::move(owner));
  const int result = zmq_msg_init_data(
      message, const_cast<std::byte*>(view.data()), view.size(),
      [](void*, void* hint) { delete static_cast<Owner*>(hint); }, held);
  FANFOLD_ASSERT(result == 0, zmq_strerror(zmq_errno()));
}

bool send_frame(void* socket, Frame frame) {
  zmq_msg_t message;
  constexpr std::size_t kCopied = 4096;  // below this a copy is cheaper than an allocation and a callback
  if (frame.payload.size() <= kCopied) {
    zmq_msg_init_size(&message, frame.payload.size());
    if (!frame.payload.empty()) std::memcpy(zmq_msg_data(&message), frame.payload.data(), frame.payload.size());
  } else {
    auto payload = std::make_shared<Bytes>(std::move(frame.payload));
    const ByteView view(*payload);
    borrow(&message, view, std::move(payload));
  }
  if (!send_part(socket, &message, frame.raw.present() ? ZMQ_SNDMORE : 0)) return false;
  if (!frame.raw.present()) return true;
  zmq_msg_t raw;
  const ByteView view = frame.raw.view;
  borrow(&raw, view, std::move(frame.raw.owner));
  return send_part(socket, &raw, 0);
}

// A socket that hears of these events of `socket`; null where there is no memory for it.
void* monitor_events(void* context, void* socket, int events) {
  static std::atomic<unsigned> count = 0;
  const std::string endpoint = "inproc://events-" + std::to_string(count.fetch_add(1));
  if (zmq_socket_monitor(socket, endpoint.c_str(), events) != 0) return nullptr;
  void* monitor = zmq_socket(context, ZMQ_PAIR);
  if (monitor == nullptr) return nullptr;
  set(monitor, ZMQ_LINGER, 0);
  // With a bound ZeroMQ's own thread would wait for us when it is reached.
  set(monitor, ZMQ_RCVHWM, kNoHighWaterMark);
  if (zmq_connect(monitor, endpoint.c_str()) == 0) return monitor;
  zmq_close(monitor);
  return nullptr;
}

struct SocketEvent {
  std::uint16_t number = 0;
  std::uint32_t value = 0;
};

// The next event that is there: two parts, its number and value, and the address.
std::optional<SocketEvent> receive_event(void* monitor) {
  ScopedMessage parts;
  if (!receive_part(monitor, parts)) return std::nullopt;
  SocketEvent event;
  const ByteView bytes = parts.view();
  if (bytes.size() >= sizeof event.number + sizeof event.value) {
    std::memcpy(&event.number, bytes.data(), sizeof event.number);
    std::memcpy(&event.value, bytes.data() + sizeof event.number, sizeof event.value);
  }
  ScopedMessage address;
  if (parts.more()) receive_part(monitor, address);
  return event;
}

// A host's address as people write it: one of IPv4 comes as ::ffff:10.0.0.1 where IPv6 is listened at too.
std::string plain_address(std::string_view address) {
  constexpr std::string_view kMapped = "::ffff:";
  if (address.starts_with(kMapped)) address.remove_prefix(kMapped.size());
  return std::string(address);
}

std::string plain_endpoint(const std::string& endpoint) {
  Result<TcpEndpoint> tcp = parse_tcp(endpoint, "");
  if (!tcp) return endpoint;
  tcp->host = plain_host(tcp->host);
  return tcp->text();
}

constexpr int kListenerEvents = ZMQ_EVENT_ACCEPTED | ZMQ_EVENT_ACCEPT_FAILED | ZMQ_EVENT_HANDSHAKE_SUCCEEDED |
                                ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL | ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL |
                                ZMQ_EVENT_HANDSHAKE_FAILED_AUTH;

LinkEvent link_event(const SocketEvent& event) {
  switch (event.number) {
    case ZMQ_EVENT_ACCEPTED:
      return LinkEvent::kAccepted;
    case ZMQ_EVENT_ACCEPT_FAILED:
      return LinkEvent::kNoDescriptor;
    case ZMQ_EVENT_HANDSHAKE_SUCCEEDED:
      return LinkEvent::kEstablished;
    case ZMQ_EVENT_HANDSHAKE_FAILED_AUTH:
      return LinkEvent::kKeyNotAdmitted;
    case ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL:
      return event.value == EAGAIN ? LinkEvent::kHandshakeTimedOut : LinkEvent::kHandshakeBrokenOff;
    default:
      return LinkEvent::kHandshakeUnsound;
  }
}

}  // namespace

Context::Context() : handle_(zmq_ctx_new()) {
  FANFOLD_ASSERT(handle_ != nullptr, zmq_strerror(zmq_errno()));
  zmq_ctx_set(handle_, ZMQ_IO_THREADS, 1);
  zmq_ctx_set(handle_, ZMQ_BLOCKY, 0);
  zmq_ctx_set(handle_, ZMQ_MAX_SOCKETS, 4096);
}

Context::~Context() {
  zmq_ctx_term(handle_);
}

std::string describe_zeromq() {
  int major = 0;
  int minor = 0;
  int patch = 0;
  zmq_version(&major, &minor, &patch);
  // The library says whether it has CURVE; in Debian's and all builds we support that means libsodium.
  return "ZeroMQ " + std::to_string(major) + "." + std::to_string(minor) + "." + std::to_string(patch) +
         (zmq_has("curve") != 0 ? " with libsodium" : " without libsodium");
}

Result<Listener> Listener::bind(Context& context, const std::string& endpoint, std::uint64_t frame_bytes_max,
                                const std::optional<ListenerKeys>& keys, std::optional<int> listening) {
  void* socket = zmq_socket(context.handle(), ZMQ_ROUTER);
  if (socket == nullptr)
    return Failure{ExitCode::kInputOutput,
                   std::string("cannot make a socket: ") + zmq_strerror(zmq_errno()) + kLimitsAdvice};
  set_common(socket, frame_bytes_max);
  set(socket, ZMQ_ROUTER_MANDATORY, 1);
  set(socket, ZMQ_RCVHWM, kFramesWaitingMax);
  if (keys) {
    set(socket, ZMQ_CURVE_SERVER, 1);
    set(socket, ZMQ_CURVE_SECRETKEY, keys->secret);
    set(socket, ZMQ_ZAP_DOMAIN, kSecurityDomain);
  }
  if (listening) set(socket, ZMQ_USE_FD, *listening);
  void* monitor = endpoint.starts_with(kTcp) ? monitor_events(context.handle(), socket, kListenerEvents) : nullptr;
  if (zmq_bind(socket, endpoint.c_str()) != 0) {
    const int error = zmq_errno();
    zmq_close(socket);
    if (monitor != nullptr) zmq_close(monitor);
    if (error == ENAMETOOLONG) {
      return Failure{ExitCode::kInputOutput,
                     "cannot listen at " + endpoint +
                         ": the path is too long for a socket's name; set TMPDIR to a shorter folder"};
    }
    if (endpoint.starts_with(kTcp)) {
      return Failure{ExitCode::kInputOutput, "cannot listen at " + endpoint + ": " + zmq_strerror(error) +
                                                 "; choose another port or address, or stop what uses it"};
    }
    return Failure{ExitCode::kInputOutput, "cannot listen at " + endpoint + ": " + zmq_strerror(error) +
                                               "; set TMPDIR to a folder in which sockets can be made"};
  }
  char bound[1024];
  std::size_t size = sizeof bound;
  const bool known = zmq_getsockopt(socket, ZMQ_LAST_ENDPOINT, bound, &size) == 0;
  return Listener(socket, monitor, plain_endpoint(known ? bound : endpoint), keys ? keys->admission : nullptr);
}

Listener::Listener(Listener&& other) noexcept
    : handle_(std::exchange(other.handle_, nullptr)),
      monitor_(std::exchange(other.monitor_, nullptr)),
      endpoint_(std::move(other.endpoint_)),
      admission_(std::move(other.admission_)),
      counts_(other.counts_) {}

Listener::~Listener() {
  if (handle_ != nullptr) zmq_close(handle_);
  if (monitor_ != nullptr) zmq_close(monitor_);
}

std::optional<Listener::Received> Listener::receive() {
  for (int drops = 0; drops < kFramesWaitingMax; ++drops) {
    bool dropped = false;
    std::optional<Received> received = receive_one(dropped);
    if (!dropped) return received;
    counts_[LinkEvent::kFrameOfRevokedKey] += 1;
  }
  return std::nullopt;
}

LinkCounts Listener::take_link_counts() {
  if (monitor_ != nullptr) {
    while (const std::optional<SocketEvent> event = receive_event(monitor_)) counts_[link_event(*event)] += 1;
  }
  return std::exchange(counts_, {});
}

std::optional<Listener::Received> Listener::receive_one(bool& dropped) {
  ScopedMessage route;
  if (!receive_part(handle_, route)) return std::nullopt;
  const ByteView view = route.view();
  Received received;
  received.route.assign(reinterpret_cast<const char*>(view.data()), view.size());
  if (!route.more()) return received;
  ScopedMessage payload;
  if (!receive_part(handle_, payload)) return received;
  received.frame = receive_frame(handle_, payload);
  if (admission_ != nullptr) {
    // The gatekeeper's word for whose link it is.
    const char* key = zmq_msg_gets(payload.get(), "User-Id");
    received.from = key == nullptr ? nullptr : admission_->find(key);
    dropped = received.from == nullptr;
  }
  if (monitor_ != nullptr) {
    if (const char* address = zmq_msg_gets(payload.get(), "Peer-Address"); address != nullptr) {
      received.address = plain_address(address);
    }
  }
  return received;
}

bool Listener::send(const std::string& route, Frame frame) {
  zmq_msg_t id;
  zmq_msg_init_size(&id, route.size());
  std::memcpy(zmq_msg_data(&id), route.data(), route.size());
  if (!send_part(handle_, &id, ZMQ_SNDMORE)) return false;
  return send_frame(handle_, std::move(frame));
}

Result<Connector> Connector::connect(Context& context, const std::string& endpoint, std::uint64_t frame_bytes_max,
                                     const std::optional<ConnectorKeys>& keys) {
  void* socket = zmq_socket(context.handle(), ZMQ_DEALER);
  if (socket == nullptr)
    return Failure{ExitCode::kInputOutput,
                   std::string("cannot make a socket: ") + zmq_strerror(zmq_errno()) + kLimitsAdvice};
  set_common(socket, frame_bytes_max);
  set(socket, ZMQ_RECONNECT_IVL, kReconnectMs);
  set(socket, ZMQ_RECONNECT_IVL_MAX, kReconnectMsMax);
  if (keys) {
    set(socket, ZMQ_CURVE_SERVERKEY, keys->listener);
    set(socket, ZMQ_CURVE_PUBLICKEY, keys->own.open.text);
    set(socket, ZMQ_CURVE_SECRETKEY, keys->own.secret);
  }
  void* monitor = keys ? monitor_events(context.handle(), socket, ZMQ_EVENT_HANDSHAKE_FAILED_AUTH) : nullptr;
  if (zmq_connect(socket, endpoint.c_str()) != 0) {
    const int error = zmq_errno();
    zmq_close(socket);
    if (monitor != nullptr) zmq_close(monitor);
    return Failure{ExitCode::kNoFleet, "cannot connect to " + endpoint + ": " + zmq_strerror(error)};
  }
  return Connector(socket, monitor);
}

Connector::Connector(Connector&& other) noexcept
    : handle_(std::exchange(other.handle_, nullptr)),
      monitor_(std::exchange(other.monitor_, nullptr)),
      refused_(other.refused_) {}

Connector& Connector::operator=(Connector&& other) noexcept {
  std::swap(handle_, other.handle_);
  std::swap(monitor_, other.monitor_);
  std::swap(refused_, other.refused_);
  return *this;
}

Connector::~Connector() {
  close_after(0);
}

bool Connector::refused() {
  // Only one kind was asked for.
  while (monitor_ != nullptr && receive_event(monitor_)) refused_ = true;
  return refused_;
}

std::optional<Frame> Connector::receive() {
  ScopedMessage payload;
  if (!receive_part(handle_, payload)) return std::nullopt;
  return receive_frame(handle_, payload);
}

void Connector::send(Frame frame) {
  send_frame(handle_, std::move(frame));
}

void Connector::close_after(int linger_ms) {
  if (handle_ != nullptr) {
    set(handle_, ZMQ_LINGER, linger_ms);
    zmq_close(std::exchange(handle_, nullptr));
  }
  if (monitor_ != nullptr) zmq_close(std::exchange(monitor_, nullptr));
}

}  // namespace fanfold::transport
