#include "runtime/http/server/node_endpoints.h"

#include <httplib.h>
#include <signal.h>
#include <sys/socket.h>

#include <atomic>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <map>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

#include "engine/quoted.h"
#include "runtime/http/server/bounded_server.h"
#include "runtime/http/server/metrics.h"

namespace fanfold::http {

namespace {

constexpr const char* kText = "text/plain; charset=utf-8";
constexpr const char* kMetricsText = "text/plain; version=0.0.4; charset=utf-8";
// Of who asks a node.
constexpr std::chrono::seconds kPatience{1};
constexpr std::size_t kRequestBytesMax = 4096;

struct HostPort {
  std::string host;
  int port = 0;
};

std::optional<HostPort> parse(const std::string& address) {
  const std::size_t colon = address.rfind(':');
  if (colon == std::string::npos) return std::nullopt;
  HostPort parsed;
  parsed.host = address.substr(0, colon);
  if (parsed.host.starts_with('[') && parsed.host.ends_with(']')) {
    parsed.host = parsed.host.substr(1, parsed.host.size() - 2);
  }
  const char* end = address.data() + address.size();
  const auto number = std::from_chars(address.data() + colon + 1, end, parsed.port);
  const bool sound = number.ec == std::errc() && number.ptr == end && parsed.port >= 0 && parsed.port <= 65535;
  return sound && !parsed.host.empty() ? std::optional(std::move(parsed)) : std::nullopt;
}

Failure no_address(const std::string& address) {
  return {ExitCode::kUsage, fanfold::quoted(address) + " is no address; give HOST:PORT, say 127.0.0.1:7118"};
}

std::int64_t now_ms() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

}  // namespace

class NodeEndpoints::Server {
 public:
  explicit Server(NodeAnswers answers) : answers_(std::move(answers)) {
    // The library's own choice lets two processes share a port, each being asked now and then.
    server_.set_socket_options([](socket_t socket) {
      const int yes = 1;
      setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    });
    server_.set_payload_max_length(kRequestBytesMax);
    server_.set_logger([this](const httplib::Request&, const httplib::Response& response) { count(response.status); });
    server_.Get("/healthz", [this](const httplib::Request&, httplib::Response& response) {
      const auto silent = std::chrono::milliseconds(now_ms() - beat_ms_.load(std::memory_order_relaxed));
      answer(response, silent < answers_.stuck_after
                           ? std::string()
                           : "the node's loop has not turned for " + std::to_string(silent.count() / 1000) + " s");
    });
    server_.Get("/readyz", [this](const httplib::Request&, httplib::Response& response) {
      answer(response, answers_.not_ready());
    });
    server_.Get("/metrics", [this](const httplib::Request&, httplib::Response& response) {
      std::vector<Metric> metrics = answers_.metrics();
      metrics.push_back(requests_metric());
      metrics.push_back({"fanfold_http_links_dropped_total",
                         "Links over HTTP that were closed without an answer, by reason.",
                         MetricKind::kCounter,
                         {{{{"reason", "no_request"}}, static_cast<double>(server_.links_without_request())},
                          {{{"reason", "too_many"}}, static_cast<double>(server_.links_turned_away())}}});
      metrics.push_back(build_metric(answers_.role));
      for (Metric& metric : process_metrics()) metrics.push_back(std::move(metric));
      response.set_content(metrics_text(metrics), kMetricsText);
    });
    beat();
  }
  ~Server() {
    server_.stop();
    if (thread_.joinable()) thread_.join();
  }
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  Status start(const HostPort& at) {
    errno = 0;
    const int port =
        at.port == 0 ? server_.bind_to_any_port(at.host) : (server_.bind_to_port(at.host, at.port) ? at.port : -1);
    if (port < 0) {
      const int error = errno;
      const std::string asked = at.host + ":" + std::to_string(at.port);
      return Failure{ExitCode::kInputOutput, "cannot serve HTTP at " + asked + ": " +
                                                 (error == 0 ? std::string("there is no such address here")
                                                             : std::string(std::strerror(error))) +
                                                 "; choose another with --http"};
    }
    address_ = at.host + ":" + std::to_string(port);
    thread_ = std::thread([this] {
      sigset_t all;
      sigfillset(&all);
      pthread_sigmask(SIG_BLOCK, &all, nullptr);
      server_.listen_after_bind();
    });
    // stop() before the thread listens would be forgotten.
    while (!server_.is_running()) std::this_thread::yield();
    return success();
  }

  void beat() { beat_ms_.store(now_ms(), std::memory_order_relaxed); }
  [[nodiscard]] const std::string& address() const { return address_; }

 private:
  void count(int status) {
    const std::lock_guard lock(mutex_);
    answers_by_status_[status] += 1;
  }

  Metric requests_metric() {
    Metric metric{
        "fanfold_http_requests_total", "Requests over HTTP, by the status of their answer.", MetricKind::kCounter, {}};
    const std::lock_guard lock(mutex_);
    for (const auto& [status, count] : answers_by_status_) {
      metric.samples.push_back({{{"code", std::to_string(status)}}, static_cast<double>(count)});
    }
    return metric;
  }

  static void answer(httplib::Response& response, const std::string& trouble) {
    response.status = trouble.empty() ? 200 : 503;
    response.set_content((trouble.empty() ? "ok" : trouble) + "\n", kText);
  }

  NodeAnswers answers_;
  BoundedServer server_;
  std::mutex mutex_;  // guards what follows
  std::map<int, std::uint64_t> answers_by_status_;
  std::atomic<std::int64_t> beat_ms_ = 0;
  std::string address_;
  std::thread thread_;
};

NodeEndpoints::NodeEndpoints(std::unique_ptr<Server> server) : server_(std::move(server)) {}
NodeEndpoints::~NodeEndpoints() = default;

Result<std::unique_ptr<Endpoints>> NodeEndpoints::serve(const std::string& address, NodeAnswers answers) {
  const std::optional<HostPort> at = parse(address);
  if (!at) return no_address(address);
  auto server = std::make_unique<Server>(std::move(answers));
  if (Status started = server->start(*at); !started) return started.failure();
  return std::unique_ptr<Endpoints>(new NodeEndpoints(std::move(server)));
}

void NodeEndpoints::beat() {
  server_->beat();
}

const std::string& NodeEndpoints::address() const {
  return server_->address();
}

Status NodeEndpoints::ask_ready(const std::string& address) {
  const std::optional<HostPort> at = parse(address);
  if (!at || at->port == 0) return no_address(address);
  httplib::Client client(at->host, at->port);
  client.set_connection_timeout(kPatience);
  client.set_read_timeout(kPatience);
  const httplib::Result answer = client.Get("/readyz");
  if (!answer) {
    return Failure{ExitCode::kNoFleet, "no node answers at " + address + " (" + httplib::to_string(answer.error()) +
                                           "); look whether it runs, and serves HTTP there (--http)"};
  }
  if (answer->status == 200) return success();
  std::string why = answer->body.substr(0, answer->body.find('\n'));
  return Failure{ExitCode::kNoFleet, "the node at " + address + " is not ready: " +
                                         (why.empty() ? "HTTP " + std::to_string(answer->status) : why)};
}

}  // namespace fanfold::http
