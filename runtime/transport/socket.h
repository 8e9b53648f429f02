// socket.h: the ZeroMQ sockets of a node: a Listener (ROUTER) that others connect to, a Connector (DEALER)
// to one peer. They move frames: a payload frame and perhaps a raw frame behind it, which is sent and
// received without a copy. What gets lost or refused is the session's to repeat.
//
// With keys a link is encrypted and both ends are known to each other (CURVE, RFC 26): a connector speaks to the root
// whose public key it holds and to nobody else, a listener hears whom its admission lists (gatekeeper.h).
//
// Sockets and their context belong to one thread. All options are set here, before bind and connect.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "engine/failure.h"
#include "engine/protocol/bytes.h"
#include "runtime/transport/link_counts.h"
#include "runtime/transport/link_keys.h"

namespace fanfold::transport {

class Context {
 public:
  Context();
  ~Context();  // after all its sockets
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;
  [[nodiscard]] void* handle() const { return handle_; }

 private:
  void* handle_;
};

// "ZeroMQ 4.3.4 with libsodium", for --version.
[[nodiscard]] std::string describe_zeromq();

class Listener {
 public:
  struct Received {
    std::string route;  // whom an answer goes to
    Frame frame;
    Peer from = nullptr;       // null where the listener has no keys
    std::string address = {};  // of the host it came from; empty within this machine
  };

  // An endpoint as ZeroMQ names it (ipc://PATH, tcp://HOST:PORT; port 0 chooses one). `frame_bytes_max`
  // bounds what a peer can make this process receive. `listening`: a descriptor that listens there already
  // (reserved_port.h) and is the listener's from now on. Exit 3 when the address is in use or cannot be made.
  static Result<Listener> bind(Context& context, const std::string& endpoint, std::uint64_t frame_bytes_max,
                               const std::optional<ListenerKeys>& keys = std::nullopt,
                               std::optional<int> listening = std::nullopt);
  Listener(Listener&& other) noexcept;
  Listener& operator=(Listener&&) = delete;
  ~Listener();

  [[nodiscard]] const std::string& endpoint() const { return endpoint_; }  // as bound
  [[nodiscard]] void* handle() const { return handle_; }

  // The next frame that is there. Never waits. What comes over the link of a key that is not admitted any more is
  // counted and dropped; after many of those in a row nothing is there, although there may be.
  std::optional<Received> receive();
  // What has come of links since the last call, of a TCP listener.
  [[nodiscard]] LinkCounts take_link_counts();
  // False when the peer is gone. Never waits.
  bool send(const std::string& route, Frame frame);

 private:
  Listener(void* handle, void* monitor, std::string endpoint, std::shared_ptr<Admission> admission)
      : handle_(handle), monitor_(monitor), endpoint_(std::move(endpoint)), admission_(std::move(admission)) {}
  std::optional<Received> receive_one(bool& dropped);
  void* handle_;
  void* monitor_;  // tells of links; null where they are this machine's own
  std::string endpoint_;
  std::shared_ptr<Admission> admission_;  // null: everybody is heard
  LinkCounts counts_;
};

class Connector {
 public:
  // Connects in the background, and again whenever the link breaks.
  static Result<Connector> connect(Context& context, const std::string& endpoint, std::uint64_t frame_bytes_max,
                                   const std::optional<ConnectorKeys>& keys = std::nullopt);
  Connector(Connector&& other) noexcept;
  Connector& operator=(Connector&& other) noexcept;
  ~Connector();

  [[nodiscard]] void* handle() const { return handle_; }
  // Whether the listener said that it does not admit this key. Then nothing is tried again: that takes another
  // connector.
  [[nodiscard]] bool refused();
  std::optional<Frame> receive();
  void send(Frame frame);
  // Waits until what was sent has left, at most so long, and closes.
  void close_after(int linger_ms);

 private:
  Connector(void* handle, void* monitor) : handle_(handle), monitor_(monitor) {}
  void* handle_;
  void* monitor_;  // tells of failed handshakes; null without keys
  bool refused_ = false;
};

}  // namespace fanfold::transport
