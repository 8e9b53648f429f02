// tcp_relay.h: a relay between TCP peers on loopback that hears everything: what an eavesdropper would have.
#pragma once

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstdint>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "runtime/transport/poller.h"

namespace fanfold::transport {

inline sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  return address;
}

// The port of "tcp://127.0.0.1:PORT".
inline std::uint16_t port_of(const std::string& endpoint) {
  return static_cast<std::uint16_t>(std::stoi(endpoint.substr(endpoint.rfind(':') + 1)));
}

// A connected socket of one's own; -1 where nobody listens.
inline int connect_to(std::uint16_t port) {
  const int peer = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const sockaddr_in address = loopback(port);
  if (connect(peer, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) return peer;
  close(peer);
  return -1;
}

class TcpRelay {
 public:
  explicit TcpRelay(std::uint16_t to) : to_(to), listener_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address = loopback(0);
    socklen_t size = sizeof address;
    EXPECT_EQ(bind(listener_, reinterpret_cast<sockaddr*>(&address), size), 0);
    EXPECT_EQ(listen(listener_, 8), 0);
    getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] { run(); });
  }
  ~TcpRelay() {
    waker_.wake();
    thread_.join();
    close(listener_);
  }
  TcpRelay(const TcpRelay&) = delete;
  TcpRelay& operator=(const TcpRelay&) = delete;

  [[nodiscard]] std::string endpoint() const { return "tcp://127.0.0.1:" + std::to_string(port_); }
  // All that went to the relayed side, and all that came from it.
  [[nodiscard]] std::string sent() { return copy(sent_); }
  [[nodiscard]] std::string answered() { return copy(answered_); }

 private:
  std::string copy(const std::string& heard) {
    const std::lock_guard lock(mutex_);
    return heard;
  }

  void run() {
    std::vector<std::pair<int, int>> links;  // from whom, to whom
    while (true) {
      std::vector<pollfd> watched = {{waker_.descriptor(), POLLIN, 0}, {listener_, POLLIN, 0}};
      for (const auto& [from, to] : links) watched.push_back({from, POLLIN, 0});
      poll(watched.data(), watched.size(), -1);
      if (watched[0].revents != 0) break;
      for (std::size_t at = 0; at + 2 < watched.size(); ++at) {
        if (watched[at + 2].revents != 0) pass(links[at], at % 2 == 0);
      }
      if (watched[1].revents != 0) {
        const int peer = accept(listener_, nullptr, nullptr);
        const int far = connect_to(to_);
        links.emplace_back(peer, far);
        links.emplace_back(far, peer);
      }
    }
    for (const auto& [from, to] : links) close(from);
  }

  void pass(const std::pair<int, int>& link, bool forward) {
    std::array<char, 65536> bytes{};
    const ssize_t size = recv(link.first, bytes.data(), bytes.size(), 0);
    if (size <= 0) {
      shutdown(link.first, SHUT_RDWR);
      shutdown(link.second, SHUT_RDWR);
      return;
    }
    {
      const std::lock_guard lock(mutex_);
      (forward ? sent_ : answered_).append(bytes.data(), static_cast<std::size_t>(size));
    }
    (void)send(link.second, bytes.data(), static_cast<std::size_t>(size), MSG_NOSIGNAL);
  }

  std::uint16_t to_;
  int listener_;
  std::uint16_t port_ = 0;
  Waker waker_;
  std::mutex mutex_;
  std::string sent_;
  std::string answered_;
  std::thread thread_;
};

}  // namespace fanfold::transport
