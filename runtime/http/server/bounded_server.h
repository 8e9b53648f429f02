// bounded_server.h: cpp-httplib's server with bounds: on the bytes of a request and the time of a link
// (link_stream.h), and on the links that are open at once: beyond, a link is closed before anything is read.
#pragma once

#include <httplib.h>

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "runtime/http/server/link_stream.h"

namespace fanfold::http {

class BoundedServer : public httplib::Server {
 public:
  BoundedServer();

  // Links on which no request came in the bounds, and those that were too many. Any thread.
  [[nodiscard]] std::uint64_t links_without_request() const { return without_request_; }
  [[nodiscard]] std::uint64_t links_turned_away() const { return turned_away_; }

 private:
  class Links;
  bool process_and_close_socket(socket_t socket) override;

  static constexpr std::size_t kThreads = 8;
  static constexpr std::size_t kLinksWaitingMax = 64;
  static constexpr std::size_t kRequestsALink = 100;

  std::atomic<std::uint64_t> without_request_ = 0;
  std::atomic<std::uint64_t> turned_away_ = 0;
};

}  // namespace fanfold::http
