#include "runtime/http/server/node_endpoints.h"

#include <gtest/gtest.h>
#include <httplib.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

namespace fanfold::http {
namespace {

std::vector<Metric> some_metrics() {
  std::vector<Metric> metrics;
  metrics.push_back(counter("fanfold_leases_granted_total", "Leases granted.", 3));
  metrics.push_back({"fanfold_runs", "Runs by state.", MetricKind::kGauge, {{{{"state", "run\"ning\\\n"}}, 2}}});
  return metrics;
}

NodeAnswers ready() {
  return {"root", [] { return std::string(); }, some_metrics};
}

std::unique_ptr<Endpoints> serve(NodeAnswers answers) {
  Result<std::unique_ptr<Endpoints>> served = NodeEndpoints::serve("127.0.0.1:0", std::move(answers));
  EXPECT_TRUE(served) << served.failure().sentence;
  return std::move(served).value();
}

httplib::Result get(const Endpoints& node, const std::string& path) {
  return httplib::Client("http://" + node.address()).Get(path);
}

int connected_to(const Endpoints& node) {
  const std::string& address = node.address();
  const int link = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  to.sin_port = htons(static_cast<std::uint16_t>(std::stoi(address.substr(address.rfind(':') + 1))));
  EXPECT_EQ(connect(link, reinterpret_cast<const sockaddr*>(&to), sizeof to), 0);
  return link;
}

TEST(NodeEndpoints, ServeHealthReadinessAndMetricsAndNothingElse) {
  const auto node = serve(ready());
  for (const char* path : {"/healthz", "/readyz"}) {
    const httplib::Result answer = get(*node, path);
    ASSERT_TRUE(answer) << path;
    EXPECT_EQ(answer->status, 200);
    EXPECT_EQ(answer->body, "ok\n");
  }
  const httplib::Result metrics = get(*node, "/metrics");
  ASSERT_TRUE(metrics);
  EXPECT_EQ(metrics->get_header_value("Content-Type"), "text/plain; version=0.0.4; charset=utf-8");
  EXPECT_NE(metrics->body.find("fanfold_leases_granted_total 3"), std::string::npos) << metrics->body;
  EXPECT_EQ(get(*node, "/")->status, 404);
  EXPECT_EQ(get(*node, "/etc/passwd")->status, 404);
  EXPECT_EQ(httplib::Client("http://" + node->address()).Post("/metrics", "x", "text/plain")->status, 404);
}

TEST(NodeEndpoints, SayWhyANodeIsNotReady) {
  std::atomic<bool> joined = false;
  const auto node =
      serve({"worker", [&] { return joined ? std::string() : std::string("no root has answered yet"); }, some_metrics});
  const httplib::Result answer = get(*node, "/readyz");
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->status, 503);
  EXPECT_EQ(answer->body, "no root has answered yet\n");
  EXPECT_EQ(get(*node, "/healthz")->status, 200);
  const Status asked = NodeEndpoints::ask_ready(node->address());
  ASSERT_FALSE(asked);
  EXPECT_EQ(asked.failure().code, ExitCode::kNoFleet);
  EXPECT_NE(asked.failure().sentence.find("is not ready: no root has answered yet"), std::string::npos);
  joined = true;
  EXPECT_TRUE(NodeEndpoints::ask_ready(node->address()));
}

TEST(NodeEndpoints, CallANodeWhoseLoopStandsStillUnhealthyUntilItTurns) {
  NodeAnswers answers = ready();
  answers.stuck_after = std::chrono::milliseconds(1);
  const auto node = serve(std::move(answers));
  std::this_thread::sleep_for(std::chrono::milliseconds(5));
  const httplib::Result answer = get(*node, "/healthz");
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->status, 503);
  EXPECT_NE(answer->body.find("has not turned"), std::string::npos);
  std::atomic<bool> turning = true;
  std::thread loop([&] {
    while (turning) node->beat();
  });
  int status = 503;
  for (int tries = 0; tries < 10'000 && status != 200; ++tries) status = get(*node, "/healthz")->status;
  EXPECT_EQ(status, 200);
  turning = false;
  loop.join();
}

TEST(NodeEndpoints, NameAnAddressThatIsTakenOrNone) {
  const auto node = serve(ready());
  const auto taken = NodeEndpoints::serve(node->address(), ready());
  ASSERT_FALSE(taken);
  EXPECT_EQ(taken.failure().code, ExitCode::kInputOutput);
  EXPECT_NE(taken.failure().sentence.find("Address already in use"), std::string::npos) << taken.failure().sentence;
  for (const char* wrong : {"", "7118", ":7118", "host:", "host:x", "host:70000", "host:-1"}) {
    const auto served = NodeEndpoints::serve(wrong, ready());
    ASSERT_FALSE(served) << wrong;
    EXPECT_EQ(served.failure().code, ExitCode::kUsage) << wrong;
  }
  const auto elsewhere = NodeEndpoints::serve("192.0.2.1:0", ready());  // an address that is nobody's
  ASSERT_FALSE(elsewhere);
  EXPECT_EQ(elsewhere.failure().code, ExitCode::kInputOutput);
  EXPECT_EQ(NodeEndpoints::ask_ready("127.0.0.1:1").failure().code, ExitCode::kNoFleet);
}

TEST(NodeEndpoints, OutliveLinksThatSayNothing) {
  const auto node = serve(ready());
  std::vector<int> silent;
  for (int at = 0; at < 16; ++at) silent.push_back(connected_to(*node));
  httplib::Client client("http://" + node->address());
  client.set_read_timeout(std::chrono::seconds(60));
  const httplib::Result answer = client.Get("/healthz");
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->status, 200);
  for (const int link : silent) close(link);
}

// How much of `piece`, said again and again, is taken before the link is cut.
std::size_t taken_of(const Endpoints& node, const std::string& beginning, const std::string& piece, std::size_t most) {
  const int link = connected_to(node);
  std::size_t taken = 0;
  EXPECT_EQ(send(link, beginning.data(), beginning.size(), MSG_NOSIGNAL), static_cast<ssize_t>(beginning.size()));
  while (taken < most) {
    const ssize_t sent = send(link, piece.data(), piece.size(), MSG_NOSIGNAL);
    if (sent < 0) break;
    taken += static_cast<std::size_t>(sent);
  }
  close(link);
  return taken;
}

TEST(NodeEndpoints, CutLinksWhoseRequestDoesNotEnd) {
  const auto node = serve(ready());
  constexpr std::size_t kMost = std::size_t{256} << 20;  // far more than the kernel keeps for a link
  EXPECT_LT(taken_of(*node, "", std::string(65536, 'x'), kMost), kMost);
  EXPECT_LT(taken_of(*node, "GET /healthz HTTP/1.1\r\n", "X-A: b\r\n", kMost), kMost);
  EXPECT_LT(taken_of(*node, "POST /metrics HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n",
                     "10\r\n0123456789abcdef\r\n", kMost),
            kMost);
  EXPECT_EQ(get(*node, "/healthz")->status, 200);
  const std::string text = get(*node, "/metrics")->body;
  EXPECT_EQ(text.find("fanfold_http_links_dropped_total{reason=\"no_request\"} 0"), std::string::npos) << text;
}

// Waits until the node has closed so many of these links, for a minute at most.
bool wait_until_closed(const std::vector<int>& links, std::size_t wanted) {
  for (int tries = 0; tries < 600; ++tries) {
    const auto closed = std::count_if(links.begin(), links.end(), [](int link) {
      char byte = 0;
      const ssize_t got = recv(link, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
      return got == 0 || (got < 0 && errno == ECONNRESET);
    });
    if (static_cast<std::size_t>(closed) >= wanted) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
  }
  return false;
}

TEST(NodeEndpoints, TurnAwayLinksThatAreTooManyAndServeTheOthers) {
  const auto node = serve(ready());
  std::vector<int> silent;
  for (int at = 0; at < 300; ++at) {
    silent.push_back(connected_to(*node));
    // The kernel keeps few links that nobody has taken yet, and lets others try again a second later: then they would
    // come no faster than they are served.
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  // Before they close themselves. Few of them can be closed within a minute for saying nothing.
  EXPECT_TRUE(wait_until_closed(silent, 100));
  for (const int link : silent) close(link);
  httplib::Client client("http://" + node->address());
  client.set_read_timeout(std::chrono::seconds(60));
  std::string text;
  for (int tries = 0; tries < 10'000 && text.empty(); ++tries) {
    if (const httplib::Result answer = client.Get("/metrics")) text = answer->body;
  }
  EXPECT_NE(text.find("fanfold_http_links_dropped_total{reason=\"too_many\"} "), std::string::npos);
  EXPECT_EQ(text.find("fanfold_http_links_dropped_total{reason=\"too_many\"} 0\n"), std::string::npos) << text;
  EXPECT_NE(text.find("fanfold_http_requests_total"), std::string::npos);
}

bool is_name(const std::string& text) {
  return !text.empty() && (text[0] < '0' || text[0] > '9') && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
  });
}

// {name="value",...}, in which a backslash escapes; where it ends, or npos when it is none.
std::size_t end_of_labels(const std::string& line, std::size_t at) {
  while (++at < line.size()) {
    const std::size_t equals = line.find("=\"", at);
    if (equals == std::string::npos || !is_name(line.substr(at, equals - at))) return std::string::npos;
    for (at = equals + 2; at < line.size() && line[at] != '"'; ++at) at += line[at] == '\\' ? 1 : 0;
    if (++at < line.size() && line[at] == '}') return at + 1;
    if (at >= line.size() || line[at] != ',') break;
  }
  return std::string::npos;
}

// What Prometheus demands of the text, and its conventions of names.
TEST(Metrics, FollowTheConventionsOfPrometheus) {
  const std::string text = get(*serve(ready()), "/metrics")->body;
  std::map<std::string, std::string> types;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("# HELP ")) {
      EXPECT_GT(line.size(), line.find(' ', 7) + 1) << line;
    } else if (line.starts_with("# TYPE ")) {
      const std::size_t blank = line.find(' ', 7);
      EXPECT_TRUE(types.emplace(line.substr(7, blank - 7), line.substr(blank + 1)).second) << line;
    } else {
      const std::size_t end = line.find_first_of("{ ");
      const std::string name = line.substr(0, end);
      ASSERT_TRUE(is_name(name)) << line;
      const std::size_t blank = line[end] == '{' ? end_of_labels(line, end) : end;
      ASSERT_TRUE(blank < line.size() && line[blank] == ' ' && blank + 1 < line.size()) << line;
      EXPECT_EQ(line.find(' ', blank + 1), std::string::npos) << line;
      ASSERT_TRUE(types.contains(name)) << line;
      EXPECT_EQ(name.ends_with("_total"), types[name] == "counter") << line;
      EXPECT_TRUE(name.starts_with("fanfold_") || name.starts_with("process_")) << line;
    }
  }
  EXPECT_GE(types.size(), 9U);
}

TEST(Metrics, PassPromtool) {
  if (std::system("command -v promtool >/dev/null") != 0) GTEST_SKIP() << "promtool is not installed";
  FILE* promtool = popen("promtool check metrics", "w");
  ASSERT_NE(promtool, nullptr);
  const std::string text = get(*serve(ready()), "/metrics")->body;
  EXPECT_EQ(fwrite(text.data(), 1, text.size(), promtool), text.size());
  EXPECT_EQ(pclose(promtool), 0);
}

}  // namespace
}  // namespace fanfold::http
