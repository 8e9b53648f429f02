// reserved_port.h: a TCP port that is listened at before the process that will serve it starts: whoever chooses the
// port hears at once when another program has it, and the port stays taken however often that process is started
// anew. A Listener takes it over by its descriptor (socket.h).
#pragma once

#include <cstdint>

#include "engine/failure.h"
#include "runtime/transport/endpoint.h"

namespace fanfold::transport {

class ReservedPort {
 public:
  // A numeric host; port 0 takes any that is free. Exit 3 when the address is in use or cannot be had.
  static Result<ReservedPort> take(const TcpEndpoint& at);
  ReservedPort(ReservedPort&& other) noexcept;
  ReservedPort& operator=(ReservedPort&&) = delete;
  ~ReservedPort();

  // Closed on exec; kDescriptorMin at least, so that the low numbers which a child is given are others.
  [[nodiscard]] int descriptor() const { return descriptor_; }
  [[nodiscard]] std::uint16_t port() const { return port_; }

  static constexpr int kDescriptorMin = 10;

 private:
  ReservedPort(int descriptor, std::uint16_t port) : descriptor_(descriptor), port_(port) {}
  int descriptor_;
  std::uint16_t port_;
};

}  // namespace fanfold::transport
