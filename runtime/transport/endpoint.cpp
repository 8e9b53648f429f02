#include "runtime/transport/endpoint.h"

#include <charconv>

#include "engine/quoted.h"

namespace fanfold::transport {

Result<TcpEndpoint> parse_tcp(const std::string& text, const std::string& what) {
  constexpr std::string_view kScheme = "tcp://";
  const Failure wrong{ExitCode::kUsage, what + " takes tcp://HOST:PORT, not " + quoted(text)};
  if (!text.starts_with(kScheme)) return wrong;
  const std::size_t colon = text.rfind(':');
  if (colon < kScheme.size() + 1) return wrong;
  TcpEndpoint endpoint;
  endpoint.host = text.substr(kScheme.size(), colon - kScheme.size());
  const std::string port = text.substr(colon + 1);
  if (port != "*") {
    const auto parsed = std::from_chars(port.data(), port.data() + port.size(), endpoint.port);
    if (port.empty() || parsed.ec != std::errc() || parsed.ptr != port.data() + port.size()) return wrong;
  }
  return endpoint;
}

std::string plain_host(const std::string& host) {
  constexpr std::string_view kMapped = "[::ffff:";
  if (!host.starts_with(kMapped) || host.find('.') == std::string::npos) return host;
  return host.substr(kMapped.size(), host.size() - kMapped.size() - 1);
}

bool is_loopback(const std::string& host) {
  return host == "localhost" || host == "[::1]" || host.starts_with("127.");
}

bool is_every_address(const std::string& host) {
  return host == "*" || host == "0.0.0.0" || host == "[::]";
}

}  // namespace fanfold::transport
