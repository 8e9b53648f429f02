#include "runtime/worker/agent.h"

#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <atomic>
#include <map>
#include <memory>
#include <optional>
#include <utility>

#include "engine/overloaded.h"
#include "engine/quoted.h"
#include "runtime/build_info.h"
#include "runtime/client/memory_shares.h"
#include "runtime/http/endpoints.h"
#include "runtime/plugin/plugin_cache.h"
#include "runtime/process/child_process.h"
#include "runtime/process/clock.h"
#include "runtime/process/role_arguments.h"
#include "runtime/process/whereabouts.h"
#include "runtime/transport/peer_link.h"
#include "runtime/transport/poller.h"

namespace fanfold::worker {
namespace {

// A worker process that is told to end has so long before it is killed.
constexpr Duration kStopWait = milliseconds(1500);
constexpr int kLingerMs = 500;
// The loop turns at least so often: its beat is looked at.
constexpr Duration kTurnMost = seconds(1);

class Agent {
 public:
  Agent(const AgentConfig& config, std::optional<plugin::PluginCache> plugins, int signals, const log::Log& log)
      : config_(config), log_(log), plugins_(std::move(plugins)), signals_(signals) {}

  Status run() {
    if (!config_.http.empty()) {
      if (Status served = serve(); !served) return served;
    }
    if (Status connected = connect(); !connected) return connected;
    while (!ended_) {
      publish();
      if (link_) link_->send_frames(process::now());
      wait();
      const Instant now = process::now();
      receive(now);
      take_signals(now);
      collect(now);
      if (link_ && link_->refused() && !ended_) {
        ended_ = Failure{ExitCode::kNoFleet, "the root at " + config_.root +
                                                 " does not admit this worker's key; put its NAME.pub into the root's "
                                                 "folder of keys, and start it again"};
      }
      if (link_ && link_->gone() && !ended_) begin_anew("the root is not heard any more");
      if (!welcome_ && !ended_ && now >= unanswered_since_ + config_.root_timeout) {
        ended_ = leaving_ ? success()
                          : Status(Failure{ExitCode::kNoFleet,
                                           "the root at " + config_.root + " does not answer (tried for " +
                                               std::to_string(config_.root_timeout.nanoseconds / 1'000'000'000) +
                                               " s). Is it started, and can this machine reach it?"});
      }
      if (drain_due_ && now >= *drain_due_) ended_ = success();
    }
    stop_all();
    if (link_) {
      link_->send(Goodbye{});
      link_->send_frames(process::now());
      link_->close_after(kLingerMs);
    }
    return *ended_;
  }

 private:
  struct Worker {
    std::string name;
    process::ChildProcess child;
    std::optional<plugin::PluginCache::Held> plugin;  // of the run, where it ships one
    std::optional<Instant> stopped;                   // since it was told to end
  };
  // A plugin that a run ships, on its way here; then its worker is started.
  struct Fetch {
    StartWorker start;
    plugin::PluginCache::Arrival arriving;
    std::uint64_t asked = 0;
    std::uint64_t came = 0;
    std::map<std::uint64_t, std::uint64_t> offsets = {};  // by ticket, of what has been asked for
  };

  Status serve() {
    http::NodeAnswers answers;
    answers.role = "worker";
    answers.not_ready = [this]() -> std::string {
      if (leaving_told_) return "the worker is leaving";
      return joined_told_ ? "" : "no root has taken this worker yet";
    };
    answers.metrics = [this]() -> std::vector<http::Metric> {
      return {
          http::gauge("fanfold_worker_joined", "1 while a root has taken this worker.", joined_told_ ? 1 : 0),
          http::gauge("fanfold_worker_slots", "Slots of this worker.", config_.slots),
          http::gauge("fanfold_worker_runs", "Runs that this worker maps for.", runs_told_),
          http::counter("fanfold_worker_processes_ended_total",
                        "Worker processes of runs that ended without being told to.", static_cast<double>(ended_told_)),
          {"fanfold_frames_rejected_total",
           "Frames and messages of the root that were dropped, by reason.",
           http::MetricKind::kCounter,
           {{{{"reason", "malformed"}}, static_cast<double>(malformed_frames_told_)},
            {{{"reason", "malformed_message"}}, static_cast<double>(malformed_messages_told_)}}}};
    };
    Result<std::unique_ptr<http::Endpoints>> endpoints = http::serve_endpoints(config_.http, std::move(answers));
    if (!endpoints) return endpoints.failure();
    endpoints_ = std::move(endpoints).value();
    log_.info("/healthz, /readyz and /metrics are at http://" + endpoints_->address(),
              {{"address", endpoints_->address()}});
    return success();
  }

  void publish() {
    if (endpoints_ == nullptr) return;
    endpoints_->beat();
    joined_told_ = welcome_;
    leaving_told_ = leaving_;
    runs_told_ = static_cast<std::uint32_t>(workers_.size());
  }

  Status connect() {
    welcome_ = false;
    incarnation_ = process::random_id<IncarnationId>();
    const auto keys = transport::connector_keys(config_.keys, transport::KeyRole::kWorker);
    if (!keys) return keys.failure();
    auto link = transport::PeerLink::connect(context_, config_.root, {}, incarnation_, process::now(), *keys);
    if (!link) return link.failure();
    link_.emplace(std::move(link).value());
    Hello hello;
    hello.role = Role::kNode;
    hello.name = config_.name;
    hello.host = process::host_name();
    hello.build = std::string(build_info().version);
    hello.kernels = config_.kernels;
    hello.pid = static_cast<std::uint64_t>(getpid());
    hello.slots = config_.slots;
    hello.memory_bytes = config_.memory_bytes;
    hello.accepts_plugins = plugins_.has_value();
    link_->send(hello);
    unanswered_since_ = process::now();
    return success();
  }

  // What was done for the root's earlier life, or for an incarnation that it has given up, counts for nothing.
  void begin_anew(const char* why) {
    if (leaving_) {
      ended_ = success();
      return;
    }
    if (welcome_) log_.warning(std::string(why) + "; connecting again", {{"incarnation", to_text(incarnation_)}});
    stop_all();
    link_.reset();
    if (Status connected = connect(); !connected) ended_ = connected;
  }

  void wait() {
    poller_.clear();
    if (link_) poller_.add_socket(link_->handle());
    poller_.add_descriptor(signals_);
    for (const auto& [run, worker] : workers_) poller_.add_descriptor(worker.child.descriptor());
    std::optional<Instant> deadline = earlier(drain_due_, process::now() + kTurnMost);
    if (link_) deadline = earlier(deadline, link_->next_deadline());
    if (!welcome_) deadline = earlier(deadline, unanswered_since_ + config_.root_timeout);
    for (const auto& [run, worker] : workers_) {
      if (worker.stopped) deadline = earlier(deadline, *worker.stopped + kStopWait);
    }
    poller_.wait(process::poll_ms(deadline, process::now()));
  }

  void receive(Instant now) {
    if (!link_) return;
    const transport::LinkCounts before = link_->counts();
    std::vector<transport::PeerLink::Received> heard = link_->receive(now);
    count_rejected(before, link_->counts());
    for (auto& received : heard) {
      if (ended_) return;
      bool anew = false;
      std::visit(Overloaded{
                     [&](const Welcome&) {
                       if (!std::exchange(welcome_, true)) {
                         log_.info("worker " + config_.name + " has joined " + config_.root + " with " +
                                       std::to_string(config_.slots) + " slots",
                                   {{"root", config_.root},
                                    {"slots", std::uint64_t{config_.slots}},
                                    {"incarnation", to_text(incarnation_)}});
                       }
                     },
                     [&](const Refused& refused) {
                       ended_ = Failure{ExitCode::kNoFleet, "the root at " + config_.root +
                                                                " does not take this worker: " + refused.sentence};
                     },
                     [&](const StartAnew&) { anew = true; },
                     [&](const StartWorker& start) { start_worker(start); },
                     [&](const StopWorker& stop) { stop_worker(stop.run, now); },
                     [&](const ShippedBlock& block) { take_block(block, received.raw.view); },
                     [&](const NodeReleased&) {
                       if (leaving_) ended_ = success();
                     },
                     [](const auto&) {},
                 },
                 received.message);
      if (anew) {
        begin_anew("the root has given this worker up");
        return;
      }
    }
  }

  void count_rejected(const transport::LinkCounts& before, const transport::LinkCounts& after) {
    using transport::LinkEvent;
    malformed_frames_told_ += after[LinkEvent::kFrameMalformed] - before[LinkEvent::kFrameMalformed];
    malformed_messages_told_ += after[LinkEvent::kMessageMalformed] - before[LinkEvent::kMessageMalformed];
  }

  void take_signals(Instant now) {
    signalfd_siginfo signal{};
    while (read(signals_, &signal, sizeof signal) == static_cast<ssize_t>(sizeof signal)) {
      if (std::exchange(leaving_, true)) {
        ended_ = success();
        return;
      }
      if (!welcome_) {
        ended_ = success();
        return;
      }
      log_.info("worker " + config_.name + " is leaving: it ends what it is mapping");
      drain_due_ = now + config_.drain_max;
      link_->send(NodeLeaving{});
    }
  }

  void start_worker(const StartWorker& start) {
    workers_.erase(start.run);  // one before it that hangs is killed
    fetches_.erase(start.run);
    if (start.shipped_plugin.empty()) return run_worker(start, std::nullopt);
    if (!plugins_) return cannot_start(start.run, {ExitCode::kUsage, "this worker loads no plugins of clients"});
    if (auto held = plugins_->find(start.shipped_plugin)) return run_worker(start, std::move(held));
    Result<plugin::PluginCache::Arrival> arriving = plugins_->begin(start.shipped_plugin);
    if (!arriving) return cannot_start(start.run, arriving.failure());
    const auto fetch = fetches_.emplace(start.run, Fetch{start, std::move(arriving).value()}).first;
    ask_for_blocks(fetch->second);
  }

  void ask_for_blocks(Fetch& fetch) {
    while (fetch.offsets.size() < kShippedReadsPerSlotMax && fetch.asked < fetch.start.plugin_bytes) {
      const std::uint64_t bytes =
          std::min<std::uint64_t>(fetch.start.plugin_bytes - fetch.asked, kShippedBlockBytesMax);
      fetch.offsets[++last_ticket_] = fetch.asked;
      link_->send(ReadShipped{fetch.start.run, last_ticket_, fetch.asked, bytes});
      fetch.asked += bytes;
    }
  }

  void take_block(const ShippedBlock& block, ByteView bytes) {
    const auto found = fetches_.find(block.run);
    if (found == fetches_.end()) return;  // stopped meanwhile
    Fetch& fetch = found->second;
    const auto offset = fetch.offsets.find(block.ticket);
    if (offset == fetch.offsets.end()) return;  // of a start before this one
    Status written = fetch.arriving.write(offset->second, bytes);
    fetch.offsets.erase(offset);
    fetch.came += bytes.size();
    if (written && fetch.came < fetch.start.plugin_bytes) return ask_for_blocks(fetch);
    // Nothing of it is loaded before it is known to be what was announced.
    Result<plugin::PluginCache::Held> held = written ? fetch.arriving.finish() : written.failure();
    const StartWorker start = std::move(fetch.start);
    fetches_.erase(found);
    held ? run_worker(start, std::move(held).value()) : cannot_start(start.run, held.failure());
  }

  void cannot_start(RunId run, const Failure& failure) {
    log_.error(failure.sentence, {{"run", to_text(run)}});
    Cause cause;
    cause.kind = CauseKind::kInternal;
    cause.message = failure.sentence;
    link_->send(WorkerEnded{run, std::move(cause)});
  }

  void run_worker(const StartWorker& start, std::optional<plugin::PluginCache::Held> held) {
    std::vector<std::string> paths;
    for (const PathMapping& mapping : config_.path_map) {
      paths.push_back(mapping.from);
      paths.push_back(mapping.to);
    }
    auto child = process::ChildProcess::start(
        {"internal-worker", "root=" + config_.root, "name=" + start.name, "slots=" + std::to_string(config_.slots),
         "kernels=" + config_.kernels, "folder=", "parent=" + std::to_string(getpid()), "run=" + to_text(start.run),
         "memory=" + std::to_string(worker_account(start.memory_bytes, config_.slots)),
         "plugins=" + process::joined(config_.plugin_folders), "plugin=" + (held ? held->path() : std::string()),
         "path-map=" + process::joined(paths), "keys=" + config_.keys.folder, "key-name=" + config_.keys.name,
         "log=" + log::to_word(log_.options())});
    if (!child) return cannot_start(start.run, child.failure());
    log_.info("this worker takes part in run " + to_text(start.run), {{"run", to_text(start.run)}});
    workers_.emplace(start.run, Worker{start.name, std::move(child).value(), std::move(held), {}});
  }

  void stop_worker(RunId run, Instant now) {
    fetches_.erase(run);
    const auto found = workers_.find(run);
    if (found == workers_.end() || found->second.stopped) return;
    found->second.child.signal(SIGTERM);
    found->second.stopped = now;
    log_.info("this worker's part in run " + to_text(run) + " is over", {{"run", to_text(run)}});
  }

  void collect(Instant now) {
    for (auto at = workers_.begin(); at != workers_.end();) {
      Worker& worker = at->second;
      const std::optional<Cause> cause = worker.child.ended();
      if (cause && !worker.stopped) {
        ended_told_ += 1;
        log_.warning("the worker process of run " + to_text(at->first) + " " + describe(*cause),
                     {{"run", to_text(at->first)}});
      }
      if (cause && !worker.stopped && link_) link_->send(WorkerEnded{at->first, *cause});
      const bool gone = cause || (worker.stopped && now >= *worker.stopped + kStopWait);
      const bool held_plugin = gone && worker.plugin;
      at = gone ? workers_.erase(at) : std::next(at);  // which kills what still runs
      if (held_plugin) plugins_->trim();
    }
  }

  void stop_all() {
    fetches_.clear();
    for (auto& [run, worker] : workers_) worker.child.signal(SIGTERM);
    const Instant deadline = process::now() + kStopWait;
    for (;;) {
      for (auto at = workers_.begin(); at != workers_.end();) {
        at = at->second.child.ended() ? workers_.erase(at) : std::next(at);
      }
      const Instant now = process::now();
      if (workers_.empty() || now >= deadline) break;
      poller_.clear();
      for (const auto& [run, worker] : workers_) poller_.add_descriptor(worker.child.descriptor());
      poller_.wait(process::poll_ms(deadline, now));
    }
    workers_.clear();
  }

  const AgentConfig& config_;
  const log::Log& log_;
  std::optional<plugin::PluginCache> plugins_;  // of clients; none: they are not accepted
  int signals_;
  transport::Context context_;
  transport::Poller poller_;
  IncarnationId incarnation_;
  std::optional<transport::PeerLink> link_;
  std::map<RunId, Worker> workers_;
  std::map<RunId, Fetch> fetches_;
  std::uint64_t last_ticket_ = 0;
  bool welcome_ = false;
  Instant unanswered_since_;
  bool leaving_ = false;
  std::optional<Instant> drain_due_;
  std::optional<Status> ended_;
  // Read by the endpoints' threads.
  std::atomic<bool> joined_told_ = false;
  std::atomic<bool> leaving_told_ = false;
  std::atomic<std::uint32_t> runs_told_ = 0;
  std::atomic<std::uint64_t> ended_told_ = 0;
  std::atomic<std::uint64_t> malformed_frames_told_ = 0;
  std::atomic<std::uint64_t> malformed_messages_told_ = 0;
  std::unique_ptr<http::Endpoints> endpoints_;  // last: its threads use what is above
};

}  // namespace

Status run_agent(const AgentConfig& config, const log::Log& log) {
  std::optional<plugin::PluginCache> plugins;
  if (config.accept_plugins) {
    if (config.keys.folder.empty()) {
      return Failure{ExitCode::kUsage,
                     "--accept-plugins lets clients run code of their own here, so the root must be known, and they to "
                     "it; give the worker its key with --keys FOLDER (`fanfold keygen` makes them)"};
    }
    Result<plugin::PluginCache> cache = plugin::PluginCache::open(config.plugin_cache);
    if (!cache) return cache.failure();
    plugins.emplace(std::move(cache).value());
  }
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  const int descriptor = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
  Status status = Agent(config, std::move(plugins), descriptor, log).run();
  close(descriptor);
  return status;
}

}  // namespace fanfold::worker
