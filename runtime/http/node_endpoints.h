// node_endpoints.h: what every long-lived node serves over HTTP, on threads of its own:
//
//   /healthz   200 while the node's loop turns, 503 when it has not for stuck_after: then a restart is due
//   /readyz    200 when it can do its work, 503 and a sentence while it cannot
//   /metrics   metrics.h
//
// Anything else is 404. Nothing can be changed through it. The callbacks come from several threads at once.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "engine/failure.h"
#include "runtime/http/metrics.h"

namespace fanfold::http {

struct NodeAnswers {
  std::function<std::string()> not_ready;  // why; empty when ready
  std::function<std::vector<Metric>()> metrics;
  std::chrono::milliseconds stuck_after = std::chrono::seconds(30);
};

class NodeEndpoints {
 public:
  // HOST:PORT, port 0 for any. Exit 2 when it is none, exit 3 when the address is in use or cannot be had.
  static Result<std::unique_ptr<NodeEndpoints>> serve(const std::string& address, NodeAnswers answers);
  ~NodeEndpoints();
  NodeEndpoints(const NodeEndpoints&) = delete;
  NodeEndpoints& operator=(const NodeEndpoints&) = delete;

  // The node's loop has turned. Any thread.
  void beat();
  [[nodiscard]] const std::string& address() const;  // HOST:PORT as bound

 private:
  class Server;
  explicit NodeEndpoints(std::unique_ptr<Server> server);
  std::unique_ptr<Server> server_;
};

// Asks /readyz at HOST:PORT: success when it is ready. Exit 5 and why otherwise.
Status ask_ready(const std::string& address);

}  // namespace fanfold::http
