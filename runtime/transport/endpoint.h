// endpoint.h: tcp://HOST:PORT in its parts, and whether a host is this machine alone, or every address of it.
#pragma once

#include <cstdint>
#include <string>

#include "engine/failure.h"

namespace fanfold::transport {

struct TcpEndpoint {
  std::string host;  // [::1] with its brackets
  std::uint16_t port = 0;
  [[nodiscard]] std::string text() const { return "tcp://" + host + ":" + std::to_string(port); }
};

// Exit 2 for anything else. `what` names the flag in the sentence. Port * is 0: any that is free.
[[nodiscard]] Result<TcpEndpoint> parse_tcp(const std::string& text, const std::string& what);
// A numeric host as people write it: ZeroMQ names 127.0.0.1, once bound, [::ffff:127.0.0.1].
[[nodiscard]] std::string plain_host(const std::string& host);
[[nodiscard]] bool is_loopback(const std::string& host);
[[nodiscard]] bool is_every_address(const std::string& host);

}  // namespace fanfold::transport
