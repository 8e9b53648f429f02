#include "runtime/root/fleet_root.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <utility>

#include "engine/lived_time.h"
#include "engine/overloaded.h"
#include "engine/protocol/codec.h"
#include "engine/schedule/fleet_scheduler.h"
#include "engine/session/session_hub.h"
#include "runtime/build_info.h"
#include "runtime/client/memory_shares.h"
#include "runtime/http/endpoints.h"
#include "runtime/process/clock.h"
#include "runtime/root/gatherer_process.h"
#include "runtime/root/link_metrics.h"
#include "runtime/root/result_store.h"
#include "runtime/root/shipped_store.h"
#include "runtime/transport/endpoint.h"
#include "runtime/transport/gatekeeper.h"
#include "runtime/transport/peer_guard.h"
#include "runtime/transport/poller.h"
#include "runtime/transport/reception.h"
#include "runtime/transport/reserved_port.h"
#include "runtime/transport/socket.h"

namespace fanfold::root {
namespace {

// A gatherer that is done with has so long to end by itself.
constexpr Duration kGathererEndWait = milliseconds(1500);
// From a signal to the end, whatever runs.
constexpr Duration kStopWait = seconds(2);
// The loop turns at least so often: its beat is looked at, and so are keys that were taken away.
constexpr Duration kTurnMost = seconds(1);
constexpr std::uint32_t kClientsMax = 256;
constexpr std::uint32_t kResultsMax = 256;
constexpr std::uint32_t kShippedMax = 64;

// What the endpoints' threads read of the loop's state.
struct Published {
  std::mutex mutex;
  schedule::FleetCounts counts;
  transport::LinkCounts links;
  transport::LinkCounts gatherer_links;
  bool stopping = false;
};

std::vector<http::Metric> metrics_of(const schedule::FleetCounts& counts) {
  using http::counter;
  using http::gauge;
  const auto number = [](auto value) { return static_cast<double>(value); };
  return {
      gauge("fanfold_workers", "Workers that are joined.", number(counts.nodes)),
      gauge("fanfold_slots", "Slots of the workers that are joined.", number(counts.slots)),
      gauge("fanfold_clients", "Clients that are connected.", number(counts.clients)),
      {"fanfold_runs",
       "Runs that have not ended, by stage.",
       http::MetricKind::kGauge,
       {{{{"stage", "receiving"}}, number(counts.runs_receiving)},
        {{{"stage", "queued"}}, number(counts.runs_queued)},
        {{{"stage", "running"}}, number(counts.runs_running)}}},
      gauge("fanfold_results_kept", "Results that can be fetched.", number(counts.results_kept)),
      gauge("fanfold_shipped_bytes", "Bytes set aside for the files that clients ship.", number(counts.shipped_bytes)),
      {"fanfold_runs_ended_total",
       "Runs that have ended, by how.",
       http::MetricKind::kCounter,
       {{{{"outcome", "done"}}, number(counts.runs_done)}, {{{"outcome", "failed"}}, number(counts.runs_failed)}}},
      counter("fanfold_leases_granted_total", "Leases granted, of runs that have ended.", number(counts.leases)),
      counter("fanfold_leases_lost_total", "Leases lost and done again, of runs that have ended.",
              number(counts.retries)),
      counter("fanfold_bundles_folded_total", "Bundles folded, of runs that have ended.", number(counts.bundles)),
      counter("fanfold_records_read_total", "Records mapped, of runs that have ended.", number(counts.records)),
      counter("fanfold_read_bytes_total", "Bytes of input mapped, of runs that have ended.", number(counts.bytes)),
      counter("fanfold_workers_lost_total", "Workers that were lost, not those that left.", number(counts.nodes_lost)),
      {"fanfold_peers_refused_total",
       "Peers whose Hello was refused, by reason.",
       http::MetricKind::kCounter,
       {{{{"reason", "version"}}, number(counts.refused_version)},
        {{{"reason", "capacity"}}, number(counts.refused_capacity)},
        {{{"reason", "invalid"}}, number(counts.refused_invalid)}}},
  };
}

class FleetRoot {
 public:
  FleetRoot(const FleetRootOptions& options, const schedule::FleetLimits& limits, const HubLimits& hub_limits,
            transport::Listener listener, std::shared_ptr<transport::Admission> admission, transport::TcpEndpoint bound,
            std::string numeric_host, std::string results_folder, std::optional<plugin::PluginCache> plugins,
            int signals, const log::Log& log)
      : options_(options),
        log_(log),
        limits_(limits),
        listener_(std::move(listener)),
        admission_(std::move(admission)),
        bound_(std::move(bound)),
        numeric_host_(std::move(numeric_host)),
        hub_(process::random_id<Epoch>(), SessionLimits{}, hub_limits),
        reception_(listener_, guard_, hub_),
        fleet_(limits, std::string(build_info().version)),
        store_(results_folder),
        shipped_(std::move(results_folder), std::move(plugins)),
        signals_(signals) {
    if (options_.gather_ports) {
      for (std::uint32_t port = options_.gather_ports->first; port <= options_.gather_ports->second; ++port) {
        free_ports_.insert(static_cast<std::uint16_t>(port));
      }
    }
  }

  // Before run().
  Status serve(const std::string& address) {
    http::NodeAnswers answers;
    answers.role = "root";
    answers.not_ready = [this]() -> std::string {
      const std::lock_guard lock(published_.mutex);
      return published_.stopping ? "the root is ending" : "";
    };
    answers.metrics = [this] {
      const std::lock_guard lock(published_.mutex);
      std::vector<http::Metric> metrics = metrics_of(published_.counts);
      for (http::Metric& metric : link_metrics({{"root", published_.links}, {"gatherer", published_.gatherer_links}})) {
        metrics.push_back(std::move(metric));
      }
      return metrics;
    };
    Result<std::unique_ptr<http::Endpoints>> endpoints = http::serve_endpoints(address, std::move(answers));
    if (!endpoints) return endpoints.failure();
    endpoints_ = std::move(endpoints).value();
    log_.info("/healthz, /readyz and /metrics are at http://" + endpoints_->address(),
              {{"address", endpoints_->address()}});
    return success();
  }

  void run() {
    while (true) {
      send_frames();
      publish();
      const Instant now = process::now();
      if (stop_due_ && (now >= *stop_due_ || fleet_.quiet())) break;
      wait();
      receive();
      for (schedule::FleetEvent& event : store_.take_answers()) step(std::move(event));
      for (schedule::FleetEvent& event : shipped_.take_answers()) step(std::move(event));
      collect_gatherers();
      for (const IncarnationId silent : hub_.take_silent()) {
        Cause cause;
        cause.kind = CauseKind::kSilence;
        step(schedule::PeerLost{silent, std::move(cause), {}});
      }
      fence_revoked();
      take_signals();
      const std::optional<Instant> due = fleet_.next_deadline();
      if (due && *due <= lived_.at(process::now())) step(schedule::Tick{});
    }
    drain_frames();
  }

 private:
  struct Gatherer {
    GathererProcess process;
    transport::ReservedPort port;
    std::optional<Instant> stopped;  // since nobody waits for it any more
  };

  void step(schedule::FleetEvent event) {
    for (schedule::FleetAction& action : fleet_.step(std::move(event), lived_.at(process::now())))
      perform(std::move(action));
  }

  void perform(schedule::FleetAction action) {
    std::visit(Overloaded{
                   [&](schedule::SendMessage& send) { hub_.send(send.to, encode(send.message)); },
                   [&](schedule::FencePeer& fence) {
                     hub_.fence(fence.incarnation);
                     guard_.forget(fence.incarnation);
                     shipped_.forget_reader(fence.incarnation);
                   },
                   [&](schedule::ClosePeer& peer) { closing_.push_back(peer.incarnation); },
                   [&](schedule::SendBatch& send) { hub_.send(send.to, encode(send.batch), std::move(send.bytes)); },
                   [&](schedule::StartRunGatherer& start) { start_gatherer(start.run, start.life); },
                   [&](schedule::StopRunGatherer& stop) {
                     const auto found = gatherers_.find(stop.run);
                     if (found != gatherers_.end()) found->second.stopped = process::now();
                   },
                   [&](schedule::StoreBatch& batch) { store_.store(std::move(batch)); },
                   [&](schedule::ReadBatch& batch) { store_.read(batch); },
                   [&](schedule::DropResult& drop) { store_.drop(drop.run); },
                   [&](schedule::BeginShipped& begin) { shipped_.begin(std::move(begin)); },
                   [&](schedule::StoreShipped& bytes) { shipped_.store(std::move(bytes)); },
                   [&](schedule::ReadShippedBlock& block) { shipped_.read(block); },
                   [&](schedule::SendShipped& send) { hub_.send(send.to, encode(send.block), std::move(send.bytes)); },
                   [&](schedule::DropShipped& drop) { shipped_.drop(drop.run); },
                   [&](schedule::Note& note) { tell(note); },
               },
               action);
  }

  void tell(const schedule::Note& note) const {
    log::Fields fields;
    if (!note.run.empty()) fields.push_back({"run", to_text(note.run)});
    if (!note.node.empty()) fields.push_back({"node", note.node});
    if (!note.peer.empty()) fields.push_back({"incarnation", to_text(note.peer)});
    log_.write(note.severity, note.sentence, fields);
  }

  void start_gatherer(RunId run, std::uint32_t life) {
    auto found = gatherers_.find(run);
    if (found == gatherers_.end()) {
      GathererOptions options;
      options.root = "tcp://" + (transport::is_every_address(bound_.host) ? "127.0.0.1" : bound_.host) + ":" +
                     std::to_string(bound_.port);
      Result<transport::ReservedPort> port = reserve_port();
      if (!port) {
        Cause cause;
        cause.kind = CauseKind::kOutput;
        cause.message = port.failure().sentence;
        ended_.push_back({run, life, std::move(cause)});
        return;
      }
      options.listen = transport::TcpEndpoint{numeric_host_, port->port()}.text();
      options.listening = port->descriptor();
      options.announce = options_.advertise.empty() ? bound_.host : options_.advertise;
      options.run = run;
      options.threads = options_.gatherer_threads;
      options.memory_bytes = limits_.gatherer_memory_bytes;
      options.kernels = options_.kernels;
      options.plugin_folders = options_.plugin_folders;
      options.keys_folder = options_.keys_folder;
      options.log = log_.options();
      Result<GathererProcess> made = GathererProcess::make(std::move(options));
      if (!made) {
        Cause cause;
        cause.kind = CauseKind::kInternal;
        cause.message = made.failure().sentence;
        give_back(port->port());
        ended_.push_back({run, life, std::move(cause)});
        return;
      }
      found = gatherers_.emplace(run, Gatherer{std::move(made).value(), std::move(port).value(), {}}).first;
    }
    if (std::optional<Cause> cause = found->second.process.start(life))
      ended_.push_back({run, life, std::move(*cause)});
  }

  // For a run's gatherer: of the ports that were given, the first that no other program has.
  Result<transport::ReservedPort> reserve_port() {
    if (!options_.gather_ports) return transport::ReservedPort::take({numeric_host_, 0});
    // A run that has just ended may still hold one for a moment.
    if (free_ports_.empty()) end_stopped_gatherers(true);
    std::string taken;
    for (const std::uint16_t port : free_ports_) {
      Result<transport::ReservedPort> reserved = transport::ReservedPort::take({numeric_host_, port});
      if (reserved) {
        free_ports_.erase(port);
        return reserved;
      }
      taken += (taken.empty() ? "" : "; ") + reserved.failure().sentence;
      if (ports_complained_.insert(port).second) {
        log_.warning("a port of --gather-ports is left out: " + reserved.failure().sentence,
                     {{"port", std::uint64_t{port}}});
      }
    }
    return Failure{ExitCode::kInputOutput, "no port of --gather-ports " + std::to_string(options_.gather_ports->first) +
                                               "-" + std::to_string(options_.gather_ports->second) +
                                               " is free for this run" + (taken.empty() ? "" : ": " + taken)};
  }

  void give_back(std::uint16_t port) {
    if (options_.gather_ports) free_ports_.insert(port);
  }

  void end_stopped_gatherers(bool at_once) {
    const Instant now = process::now();
    for (auto at = gatherers_.begin(); at != gatherers_.end();) {
      Gatherer& gatherer = at->second;
      const bool over = gatherer.stopped &&
                        (at_once || !gatherer.process.descriptor() || now >= *gatherer.stopped + kGathererEndWait);
      if (over) {
        gatherer.process.kill();
        ended_gatherer_links_ += gatherer.process.link_counts();
        give_back(gatherer.port.port());
      }
      at = over ? gatherers_.erase(at) : std::next(at);
    }
  }

  void publish() {
    if (endpoints_ == nullptr) return;
    endpoints_->beat();
    const schedule::FleetCounts counts = fleet_.counts();
    transport::LinkCounts gatherer_links = ended_gatherer_links_;
    for (const auto& [run, gatherer] : gatherers_) gatherer_links += gatherer.process.link_counts();
    const std::lock_guard lock(published_.mutex);
    published_.counts = counts;
    published_.links = reception_.counts();
    published_.gatherer_links = gatherer_links;
    published_.stopping = stop_due_.has_value();
  }

  void collect_gatherers() {
    for (auto& [run, gatherer] : gatherers_) {
      const std::uint32_t life = gatherer.process.life();
      std::optional<Cause> cause = gatherer.process.collect();
      if (cause && !gatherer.stopped) {
        const bool through = cause->kind == CauseKind::kExit && cause->exit_status == 0;  // it has given its account
        if (!through) {
          log_.warning("the gatherer of run " + to_text(run) + " " + describe(*cause),
                       {{"run", to_text(run)}, {"life", std::uint64_t{life}}});
        }
        ended_.push_back({run, life, std::move(*cause)});
      }
    }
    end_stopped_gatherers(false);
    while (!ended_.empty()) {
      for (schedule::RunGathererEnded& ended : std::exchange(ended_, {})) step(std::move(ended));
    }
  }

  void wait() {
    poller_.clear();
    poller_.add_socket(listener_.handle());
    poller_.add_descriptor(signals_);
    poller_.add_descriptor(store_.descriptor());
    poller_.add_descriptor(shipped_.descriptor());
    poller_.add_descriptor(shipped_.blocks_descriptor());
    std::optional<Instant> deadline = earlier(hub_.next_deadline(), lived_.on_clock(fleet_.next_deadline()));
    deadline = earlier(earlier(deadline, stop_due_), process::now() + kTurnMost);
    for (const auto& [run, gatherer] : gatherers_) {
      if (const std::optional<int> descriptor = gatherer.process.descriptor()) poller_.add_descriptor(*descriptor);
      if (gatherer.stopped) deadline = earlier(deadline, *gatherer.stopped + kGathererEndWait);
    }
    poller_.wait(process::poll_ms(deadline, process::now()));
  }

  void receive() {
    reception_.receive(process::now(), [this](IncarnationId from, Message message, RawBytes raw) {
      step(schedule::PeerSaid{from, std::move(message), std::move(raw)});
    });
    for (const std::string& complaint : reception_.take_complaints()) log_.warning(complaint);
  }

  // A key that was taken away: whoever came with it is lost, and not heard any more (socket.h).
  void fence_revoked() {
    if (admission_ == nullptr) return;
    for (const std::string& complaint : admission_->take_complaints()) log_.warning(complaint);
    for (const IncarnationId incarnation : guard_.take_revoked(*admission_)) {
      Cause cause;
      cause.kind = CauseKind::kLostLink;
      cause.message = "its key was revoked";
      hub_.fence(incarnation);
      step(schedule::PeerLost{incarnation, std::move(cause), {}});
    }
  }

  void send_frames() {
    for (RoutedFrame& routed : hub_.take_frames(process::now())) listener_.send(routed.route, std::move(routed.frame));
    // After what was said last.
    for (const IncarnationId peer : std::exchange(closing_, {})) {
      hub_.close(peer);
      guard_.forget(peer);
      shipped_.forget_reader(peer);
    }
  }

  // Who watches is told how it ended; what does not leave within a moment is for nobody.
  void drain_frames() {
    const Instant until = process::now() + milliseconds(200);
    for (Instant now = process::now(); now < until; now = process::now()) {
      send_frames();
      poller_.clear();
      poller_.add_socket(listener_.handle());
      poller_.wait(process::poll_ms(until, now));
      receive();
    }
  }

  void take_signals() {
    signalfd_siginfo signal{};
    while (read(signals_, &signal, sizeof signal) == static_cast<ssize_t>(sizeof signal)) {
      if (stop_due_) {
        stop_due_ = process::now();
        return;
      }
      log_.info("the root ends");
      stop_due_ = process::now() + kStopWait;
      step(schedule::RootStopping{});
    }
  }

  const FleetRootOptions& options_;
  const log::Log& log_;
  schedule::FleetLimits limits_;
  transport::Listener listener_;
  std::shared_ptr<transport::Admission> admission_;  // null: without keys
  transport::PeerGuard guard_;
  transport::TcpEndpoint bound_;
  std::string numeric_host_;  // of the same address
  SessionHub hub_;
  transport::Reception reception_;
  schedule::FleetScheduler fleet_;
  LivedTime lived_{kTurnMost * 2};  // what the fleet is judged by
  ResultStore store_;
  ShippedStore shipped_;
  transport::Poller poller_;
  std::map<RunId, Gatherer> gatherers_;
  std::set<std::uint16_t> free_ports_;
  std::set<std::uint16_t> ports_complained_;  // another program has them; said once
  transport::LinkCounts ended_gatherer_links_;
  std::vector<schedule::RunGathererEnded> ended_;
  std::vector<IncarnationId> closing_;
  int signals_;
  std::optional<Instant> stop_due_;
  Published published_;
  std::unique_ptr<http::Endpoints> endpoints_;  // last: its threads use what is above
};

std::uint64_t half_of_free_bytes(const std::string& folder) {
  struct statvfs system {};
  if (statvfs(folder.c_str(), &system) != 0) return 0;
  return static_cast<std::uint64_t>(system.f_bavail) * system.f_frsize / 2;
}

// Too few would show in the middle of somebody's run: known before anything starts. Beyond what peers need there is
// room, where the user may have it, for so many strangers in their handshakes.
constexpr rlim_t kStrangersMax = 1024;

Status allow_open_files(std::uint32_t workers, std::uint32_t runs) {
  constexpr rlim_t kOwn = 192;       // sockets, libraries, links over HTTP
  constexpr rlim_t kOfGatherer = 4;  // its port, its process, what it shares
  const rlim_t needed =
      kOwn + rlim_t{workers} * (1 + runs) + kOfGatherer * runs + 2 * kClientsMax + kResultsMax + kShippedMax;
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= needed + kStrangersMax) return success();
  if (limit.rlim_max != RLIM_INFINITY && limit.rlim_max < needed) {
    return Failure{ExitCode::kUsage, "a root of " + std::to_string(workers) + " workers and " + std::to_string(runs) +
                                         " runs at once needs " + std::to_string(needed) +
                                         " open files, but this user may have " + std::to_string(limit.rlim_max) +
                                         "; give a smaller --workers-max, or raise the limit (ulimit -n)"};
  }
  limit.rlim_cur = std::max(limit.rlim_cur, std::min(needed + kStrangersMax, limit.rlim_max));
  (void)setrlimit(RLIMIT_NOFILE, &limit);
  return success();
}

}  // namespace

Status run_fleet_root(const FleetRootOptions& options, const log::Log& log) {
  Result<transport::TcpEndpoint> listen = transport::parse_tcp(options.listen, "--listen");
  if (!listen) return listen.failure();
  const bool open = !transport::is_loopback(listen->host);
  if (open && !options.insecure && options.keys_folder.empty()) {
    return Failure{ExitCode::kUsage, "--listen " + options.listen +
                                         " is open to other machines, and nothing asks who they are; give it keys with "
                                         "--keys FOLDER (`fanfold keygen` makes them), or say --insecure where the "
                                         "network is yours alone"};
  }
  if (options.insecure && !options.keys_folder.empty()) {
    return Failure{ExitCode::kUsage, "--keys and --insecure do not go together; leave one of them out"};
  }
  if (options.accept_plugins && options.keys_folder.empty()) {
    return Failure{ExitCode::kUsage,
                   "--accept-plugins lets clients run code of their own here, so it must be known who they are; give "
                   "the root keys with --keys FOLDER (`fanfold keygen` makes them)"};
  }
  if (transport::is_every_address(listen->host) && options.advertise.empty()) {
    return Failure{ExitCode::kUsage, "--listen " + options.listen +
                                         " is every address of this machine; say with --advertise HOST which one "
                                         "workers are to connect to"};
  }
  schedule::FleetLimits limits;
  limits.runs_max = options.gather_ports ? options.gather_ports->second - options.gather_ports->first + 1U
                                         : std::max<std::uint32_t>(options.runs_max, 1);
  limits.nodes_max = options.workers_max;
  limits.clients_max = kClientsMax;
  limits.ended_max = kResultsMax;
  limits.shipped_max = kShippedMax;
  limits.result_ttl = options.result_ttl;
  limits.gatherer_memory_bytes = gatherer_account(options.memory_bytes / limits.runs_max);
  if (Status allowed = allow_open_files(options.workers_max, limits.runs_max); !allowed) return allowed;
  const char* temporary = std::getenv("TMPDIR");
  const std::string results = !options.results_folder.empty()              ? options.results_folder
                              : temporary != nullptr && *temporary != '\0' ? temporary
                                                                           : "/tmp";
  if (Status checked = ResultStore::check_folder(results); !checked) return checked;
  std::optional<plugin::PluginCache> plugins;
  if (options.accept_plugins) {
    Result<plugin::PluginCache> cache = plugin::PluginCache::open(options.plugin_cache);
    if (!cache) return cache.failure();
    plugins.emplace(std::move(cache).value());
  }
  limits.accept_plugins = options.accept_plugins;
  limits.ship_bytes_max = options.ship_bytes_max ? *options.ship_bytes_max : half_of_free_bytes(results);

  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  const int descriptor = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
  const auto keys = transport::listener_keys(
      {options.keys_folder},
      {transport::KeyRole::kWorker, transport::KeyRole::kClient, transport::KeyRole::kRoot});  // of its own gatherers
  if (!keys) return keys.failure();
  transport::Context context;
  std::optional<transport::Gatekeeper> gatekeeper;
  if (*keys) gatekeeper.emplace(context, (*keys)->admission);
  const std::string address =
      "tcp://" + listen->host + ":" + (listen->port == 0 ? std::string("*") : std::to_string(listen->port));
  Result<transport::Listener> listener = transport::Listener::bind(context, address, kInboundFrameBytesMax, *keys);
  if (!listener) return listener.failure();
  const Result<transport::TcpEndpoint> bound = transport::parse_tcp(listener->endpoint(), "--listen");
  if (!bound) return bound.failure();
  listen->port = bound->port;
  HubLimits hub_limits;
  hub_limits.sessions_max = std::size_t{options.workers_max} * (2 + limits.runs_max) + std::size_t{2} * kClientsMax +
                            hub_limits.fenced_sessions_max + 2 * limits.runs_max;
  const char* const how = *keys  ? ", encrypted, to whom its folder of keys admits"
                          : open ? ", in the clear and without keys: runs, results and who takes part in them"
                                 : "";
  log.write(*keys || !open ? Severity::kInfo : Severity::kWarning, "the root listens at " + listen->text() + how,
            {{"address", listen->text()}});
  FleetRoot root(options, limits, hub_limits, std::move(listener).value(), *keys ? (*keys)->admission : nullptr,
                 *listen, bound->host, results, std::move(plugins), descriptor, log);
  Status served = options.http.empty() ? success() : root.serve(options.http);
  if (served) root.run();
  close(descriptor);
  return served;
}

}  // namespace fanfold::root
