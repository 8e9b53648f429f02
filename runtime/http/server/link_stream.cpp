#include "runtime/http/server/link_stream.h"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace fanfold::http {

LinkStream::LinkStream(socket_t socket, const LinkBounds& bounds)
    : socket_(socket), bounds_(bounds), ends_(std::chrono::steady_clock::now() + bounds.life) {}

bool LinkStream::await_request() {
  request_bytes_left_ = bounds_.request_bytes;
  return begin_ < end_ || await(POLLIN);
}

bool LinkStream::await(short what) const {
  using std::chrono::duration_cast;
  using std::chrono::milliseconds;
  const auto until = std::min(std::chrono::steady_clock::now() + bounds_.silence, ends_);
  while (true) {
    const auto left = duration_cast<milliseconds>(until - std::chrono::steady_clock::now());
    pollfd watched{socket_, what, 0};
    const int ready = poll(&watched, 1, static_cast<int>(std::max<milliseconds::rep>(left.count(), 0)));
    if (ready > 0) return (watched.revents & (what | POLLHUP | POLLERR)) != 0;
    if (ready == 0 || errno != EINTR) return false;
  }
}

bool LinkStream::is_readable() const {
  return begin_ < end_ || await(POLLIN);
}

bool LinkStream::is_writable() const {
  return await(POLLOUT);
}

ssize_t LinkStream::read(char* to, std::size_t size) {
  if (begin_ == end_) {
    if (request_bytes_left_ == 0 || !await(POLLIN)) return -1;
    const ssize_t got = recv(socket_, buffer_.data(), std::min(buffer_.size(), request_bytes_left_), 0);
    if (got <= 0) return got;
    begin_ = 0;
    end_ = static_cast<std::size_t>(got);
    request_bytes_left_ -= end_;
  }
  const std::size_t taken = std::min(size, end_ - begin_);
  std::memcpy(to, buffer_.data() + begin_, taken);
  begin_ += taken;
  return static_cast<ssize_t>(taken);
}

ssize_t LinkStream::write(const char* from, std::size_t size) {
  if (!await(POLLOUT)) return -1;
  return send(socket_, from, size, MSG_NOSIGNAL | MSG_DONTWAIT);
}

void LinkStream::get_remote_ip_and_port(std::string& ip, int& port) const {
  ip.clear();  // nothing here asks
  port = 0;
}

void LinkStream::get_local_ip_and_port(std::string& ip, int& port) const {
  ip.clear();
  port = 0;
}

}  // namespace fanfold::http
