// endpoints.h: what every long-lived node serves over HTTP, on threads of its own:
//
//   /healthz   200 while the node's loop turns, 503 when it has not for stuck_after: then a restart is due
//   /readyz    200 when it can do its work, 503 and a sentence while it cannot
//   /metrics   what it counts, as Prometheus reads it
//
// Anything else is 404. Nothing can be changed through it. The server is a module of its own (server/), loaded by
// those who serve or ask: it brings libraries whose loading takes longer than many a run.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "engine/failure.h"
#include "runtime/http/metric.h"

namespace fanfold::http {

struct NodeAnswers {
  std::string role;                              // "root", "worker"
  std::function<std::string()> not_ready;        // why; empty when ready. Several threads at once, as the next one
  std::function<std::vector<Metric>()> metrics;  // those of the process and the build are added
  std::chrono::milliseconds stuck_after = std::chrono::seconds(30);
};

class Endpoints {
 public:
  virtual ~Endpoints() = default;  // ends the server
  // The node's loop has turned. Any thread.
  virtual void beat() = 0;
  [[nodiscard]] virtual const std::string& address() const = 0;  // HOST:PORT as bound
};

// HOST:PORT, port 0 for any. Exit 2 when it is none or the module is not installed, exit 3 when the address is in use
// or cannot be had.
Result<std::unique_ptr<Endpoints>> serve_endpoints(const std::string& address, NodeAnswers answers);

// Asks /readyz at HOST:PORT: success when it is ready. Exit 5 and why otherwise.
Status ask_ready(const std::string& address);

// What the module gives under the name fanfold_endpoints.
struct EndpointsModule {
  Result<std::unique_ptr<Endpoints>> (*serve)(const std::string& address, NodeAnswers answers);
  Status (*ask_ready)(const std::string& address);
};

}  // namespace fanfold::http
