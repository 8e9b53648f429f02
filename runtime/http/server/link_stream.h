// link_stream.h: the server's end of one link, bounded: so many bytes a request, so long the link. cpp-httplib itself
// keeps a line that does not end, and waits anew for each byte of it.
//
// For the thread that serves the link.
#pragma once

#include <httplib.h>

#include <array>
#include <chrono>
#include <cstddef>
#include <string>

namespace fanfold::http {

struct LinkBounds {
  std::chrono::milliseconds silence{1000};  // without a byte
  std::chrono::milliseconds life{10'000};   // of the link
  std::size_t request_bytes = 16 << 10;
};

class LinkStream final : public httplib::Stream {
 public:
  // Borrows the socket.
  LinkStream(socket_t socket, const LinkBounds& bounds);

  // False: none came in time.
  [[nodiscard]] bool await_request();

  [[nodiscard]] bool is_readable() const override;
  [[nodiscard]] bool is_writable() const override;
  ssize_t read(char* to, std::size_t size) override;
  ssize_t write(const char* from, std::size_t size) override;
  void get_remote_ip_and_port(std::string& ip, int& port) const override;
  void get_local_ip_and_port(std::string& ip, int& port) const override;
  [[nodiscard]] socket_t socket() const override { return socket_; }

 private:
  [[nodiscard]] bool await(short what) const;

  const socket_t socket_;
  const LinkBounds bounds_;
  const std::chrono::steady_clock::time_point ends_;
  std::size_t request_bytes_left_ = 0;
  std::array<char, 4096> buffer_{};
  std::size_t begin_ = 0;  // of what was received and not read yet
  std::size_t end_ = 0;
};

}  // namespace fanfold::http
