#include "runtime/transport/reserved_port.h"

#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>
#include <utility>

namespace fanfold::transport {

namespace {

constexpr int kBacklog = 100;  // what ZeroMQ has where nothing is said

Failure cannot_listen(const TcpEndpoint& at, const std::string& why) {
  return {ExitCode::kInputOutput,
          "cannot listen at " + at.text() + ": " + why + "; choose another port or address, or stop what uses it"};
}

// What getaddrinfo takes: without the brackets of an IPv6 address.
std::string bare(const std::string& host) {
  return host.starts_with('[') && host.ends_with(']') ? host.substr(1, host.size() - 2) : host;
}

// -1 with errno where it cannot be had.
int listen_at(const addrinfo& address) {
  const int made = socket(address.ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (made < 0) return -1;
  const int yes = 1;
  const int no = 0;
  // As ZeroMQ's own: a port whose last links are still being forgotten by the kernel is free, and [::] is IPv4 too.
  setsockopt(made, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  if (address.ai_family == AF_INET6) setsockopt(made, IPPROTO_IPV6, IPV6_V6ONLY, &no, sizeof no);
  int kept = -1;
  if (bind(made, address.ai_addr, address.ai_addrlen) == 0 && listen(made, kBacklog) == 0) {
    kept = fcntl(made, F_DUPFD_CLOEXEC, ReservedPort::kDescriptorMin);
  }
  const int error = errno;
  close(made);
  errno = error;
  return kept;
}

std::uint16_t port_of(int descriptor) {
  sockaddr_storage bound{};
  socklen_t size = sizeof bound;
  if (getsockname(descriptor, reinterpret_cast<sockaddr*>(&bound), &size) != 0) return 0;
  return ntohs(bound.ss_family == AF_INET6 ? reinterpret_cast<const sockaddr_in6&>(bound).sin6_port
                                           : reinterpret_cast<const sockaddr_in&>(bound).sin_port);
}

}  // namespace

Result<ReservedPort> ReservedPort::take(const TcpEndpoint& at) {
  addrinfo hints{};
  hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* address = nullptr;
  if (const int error = getaddrinfo(bare(at.host).c_str(), std::to_string(at.port).c_str(), &hints, &address);
      error != 0) {
    return cannot_listen(at, gai_strerror(error));
  }
  const int descriptor = listen_at(*address);
  const int error = errno;
  freeaddrinfo(address);
  if (descriptor < 0) return cannot_listen(at, std::strerror(error));
  return ReservedPort(descriptor, port_of(descriptor));
}

ReservedPort::ReservedPort(ReservedPort&& other) noexcept
    : descriptor_(std::exchange(other.descriptor_, -1)), port_(other.port_) {}

ReservedPort::~ReservedPort() {
  if (descriptor_ >= 0) close(descriptor_);
}

}  // namespace fanfold::transport
