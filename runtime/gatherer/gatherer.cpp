#include "runtime/gatherer/gatherer.h"

#include <malloc.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "engine/overloaded.h"
#include "engine/protocol/codec.h"
#include "engine/session/session_hub.h"
#include "runtime/gatherer/fold_thread.h"
#include "runtime/log/log.h"
#include "runtime/process/child_process.h"
#include "runtime/process/clock.h"
#include "runtime/process/role_arguments.h"
#include "runtime/process/run_folder.h"
#include "runtime/transport/gatekeeper.h"
#include "runtime/transport/link_counts_page.h"
#include "runtime/transport/peer_guard.h"
#include "runtime/transport/reception.h"
#include "runtime/transport/socket.h"

namespace fanfold::gatherer {

namespace {

// A fleet's root takes no frame as large as a batch of rows.
SessionLimits limits_to_root(bool of_fleet) {
  SessionLimits limits;
  if (of_fleet) limits.raw_piece_bytes_max = kPieceBytesMax;
  return limits;
}

// What was said last has so long to leave before the process ends.
constexpr int kLingerMs = 1000;

class Gatherer {
 public:
  Gatherer(transport::Connector root, transport::Listener listener, Hello hello, IncarnationId incarnation,
           const FoldOptions& options, std::uint64_t memory_bytes, std::optional<transport::LinkCountsPage> links,
           int signals, const log::Log& log)
      : log_(log),
        root_(std::move(root)),
        listener_(std::move(listener)),
        root_session_(Session::Side::kConnector, {}, incarnation, limits_to_root(links.has_value()), process::now()),
        workers_(epoch_of(incarnation), SessionLimits{}),
        reception_(listener_, guard_, workers_),
        links_(std::move(links)),
        account_(&pool_, memory_bytes, memory_bytes, nullptr),
        storage_(account_.memory()),
        stage_(std::move(hello), staging::Limits{}),
        folding_(options, account_, waker_),
        signals_(signals) {}

  // Until there is nothing left to do. The exit status.
  int run() {
    step(staging::Started{});
    while (!leaving_) {
      send_frames();
      wait();
      receive();
      for (Answer& answer : folding_.take_answers()) handle(std::move(answer));
      const Instant now = process::now();
      if (stage_.next_deadline() && *stage_.next_deadline() <= now) step(staging::Tick{});
      if (root_session_.state() == Session::State::kLost || root_session_.silent()) {
        step(staging::RootLost{"the root is not heard any more"});
      }
    }
    folding_.cancel();
    send_frames();
    root_.close_after(kLingerMs);
    return 0;
  }

  [[nodiscard]] bool terminated() const { return terminated_; }

 private:
  void step(staging::Event event) {
    for (staging::Action& action : stage_.step(std::move(event), process::now())) perform(std::move(action));
  }

  void perform(staging::Action action) {
    std::visit(Overloaded{
                   [&](staging::SendToRoot& send) { root_session_.send(encode(send.message)); },
                   [&](staging::SendToWorker& send) { workers_.send(send.to, encode(send.message)); },
                   [&](staging::OpenJob& open) {
                     run_ = open.open.run;
                     folding_.open(std::move(open.open));
                   },
                   [&](staging::ReceiveBundle& receive) {
                     if (storage_.receive(receive.bundle, receive.offer)) return;
                     Cause cause;
                     cause.kind = CauseKind::kMemory;
                     cause.phase = Phase::kFold;
                     cause.message = "a bundle of " + std::to_string(receive.offer.bytes >> 20) +
                                     " MiB does not fit the " + std::to_string(account_.hard_bytes() >> 20) +
                                     " MiB that the gatherer may use, of which " +
                                     std::to_string(account_.bytes() >> 20) + " MiB are taken; raise --memory";
                     step(staging::WorkFailed{run_, std::move(cause)});
                   },
                   [&](staging::StoreChunk& chunk) { storage_.store(chunk.bundle, chunk.offset, chunk.bytes.view); },
                   [&](staging::ValidateBundle& validate) {
                     if (std::optional<StoredBundle> stored = storage_.find(validate.bundle)) {
                       folding_.validate(validate.bundle, std::move(*stored));
                     }
                   },
                   [&](staging::FoldStaged& fold) {
                     storage_.free(fold.bundle);  // the total keeps the bytes
                     folding_.fold(fold.bundle);
                   },
                   [&](staging::FoldSmallPartials& fold) { folding_.fold_small(std::move(fold.partials)); },
                   [&](staging::FreeBundle& free) {
                     storage_.free(free.bundle);
                     folding_.free(free.bundle);
                   },
                   [&](staging::FinishRun& finish) { folding_.finish(run_, finish.result_batches_allowed); },
                   [&](staging::AllowBatches& allow) { folding_.allow_batches(allow.result_batches_allowed); },
                   [&](staging::CloseJob& close) {
                     storage_.clear();
                     folding_.cancel();
                     folding_.close(close.run);
                   },
                   [&](staging::Leave&) { leaving_ = true; },
               },
               action);
  }

  void handle(Answer answer) {
    if (auto* rows = std::get_if<RowsReady>(&answer)) {
      root_session_.send(encode(rows->batch), std::move(rows->bytes));
      return;
    }
    auto& event = std::get<staging::Event>(answer);
    // A process serves one run: with its account given, it ends.
    const bool closed = std::holds_alternative<staging::JobClosed>(event);
    step(std::move(event));
    leaving_ = leaving_ || closed;
  }

  void wait() {
    poller_.clear();
    poller_.add_socket(root_.handle());
    poller_.add_socket(listener_.handle());
    const std::size_t answers = poller_.add_descriptor(waker_.descriptor());
    const std::size_t signals = poller_.add_descriptor(signals_);
    std::optional<Instant> deadline = earlier(root_session_.next_deadline(), workers_.next_deadline());
    deadline = earlier(deadline, stage_.next_deadline());
    poller_.wait(process::poll_ms(deadline, process::now()));
    if (poller_.ready(answers)) waker_.clear();
    // SIGTERM: the end of the run, from the root or because it died.
    if (poller_.ready(signals)) leaving_ = terminated_ = true;
  }

  void receive() {
    const Instant now = process::now();
    while (std::optional<Frame> frame = root_.receive()) {
      const Result<FrameHead> head = decode_frame(frame->payload);
      if (!head) continue;
      for (Delivery& delivery : root_session_.receive(*head, frame->raw, now)) {
        Result<Message> message = decode(delivery.message);
        if (message) step(staging::RootSaid{std::move(message).value()});
      }
    }
    reception_.receive(now, [this](IncarnationId from, Message message, RawBytes raw) {
      step(staging::WorkerSaid{from, std::move(message), std::move(raw)});
    });
    if (!links_) return;  // an embedded run's: nobody else reaches it
    links_->write(reception_.counts());
    for (const std::string& complaint : reception_.take_complaints()) log_.warning(complaint);
  }

  void send_frames() {
    const Instant now = process::now();
    for (Frame& frame : root_session_.take_frames(now)) root_.send(std::move(frame));
    for (RoutedFrame& routed : workers_.take_frames(now)) listener_.send(routed.route, std::move(routed.frame));
  }

  const log::Log& log_;
  transport::Connector root_;
  transport::Listener listener_;
  Session root_session_;
  SessionHub workers_;
  transport::PeerGuard guard_;
  transport::Reception reception_;
  std::optional<transport::LinkCountsPage> links_;  // that the root reads
  plugin::MemoryPool pool_;
  plugin::MemoryAccount account_;
  BundleStorage storage_;
  staging::BundleStage stage_;
  transport::Waker waker_;
  transport::Poller poller_;
  FoldThread folding_;
  RunId run_;
  int signals_;
  bool leaving_ = false;
  bool terminated_ = false;
};

// Where workers connect: at `host`, if they cannot at the address bound.
std::string announced_address(const std::string& bound, const std::string& host) {
  return host.empty() ? bound : "tcp://" + host + bound.substr(bound.rfind(':'));
}

}  // namespace

int gatherer_main(int argc, char** argv) {
  const process::RoleArguments arguments(argc, argv);
  const log::Log log(log::from_word(arguments.text("log")), "gatherer", arguments.text("name"),
                     {{"run", arguments.text("run")}});
  // Blocked in all threads: they come through the descriptor.
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  signal(SIGINT, SIG_IGN);
  const auto parent = static_cast<pid_t>(arguments.number("parent"));
  // When the root is gone nobody else removes the sockets' folder.
  bool terminated = false;
  const auto end = [&](int status) {
    if (terminated || getppid() != parent) process::remove_run_folder(arguments.text("folder"));
    return status;
  };
  if (!process::end_with_parent(SIGTERM, parent)) return end(0);
  const int signal_descriptor = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
  // Chunks are received into buffers of a megabyte: taken from a warm heap, not mapped and unmapped each.
  mallopt(M_MMAP_THRESHOLD, 64 << 20);
  mallopt(M_TRIM_THRESHOLD, 256 << 20);

  FoldOptions options;
  options.threads = static_cast<std::uint32_t>(
      std::clamp<std::uint64_t>(arguments.number("threads"), 1, std::uint64_t{kFoldThreadsMax}));
  options.plugin_folders = process::lines_of(arguments.text("plugins"));
  options.kernels = plugin::kernels_named(arguments.text("kernels"));
  void* positions = mmap(nullptr, sizeof(FoldPosition) * kFoldThreadsMax, PROT_READ | PROT_WRITE, MAP_SHARED,
                         static_cast<int>(arguments.number("positions")), 0);
  FANFOLD_ASSERT(positions != MAP_FAILED, "the page of positions cannot be mapped");
  options.positions = static_cast<FoldPosition*>(positions);

  transport::Context context;
  const transport::KeyPlace place{arguments.text("keys")};
  const auto own_keys = transport::connector_keys(place, transport::KeyRole::kRoot);
  const auto worker_keys = transport::listener_keys(place, {transport::KeyRole::kWorker});
  for (const Failure* failure :
       {own_keys ? nullptr : &own_keys.failure(), worker_keys ? nullptr : &worker_keys.failure()}) {
    if (failure == nullptr) continue;
    log.error(failure->sentence, {{"exit_code", static_cast<std::uint64_t>(failure->code)}});
    return end(static_cast<int>(failure->code));
  }
  std::optional<transport::Gatekeeper> gatekeeper;
  if (*worker_keys) gatekeeper.emplace(context, (*worker_keys)->admission);
  auto root = transport::Connector::connect(context, arguments.text("root"), kMessageBytesMax, *own_keys);
  const auto listening = static_cast<int>(arguments.number("listening"));
  auto listener = transport::Listener::bind(context, arguments.text("listen"), kInboundFrameBytesMax, *worker_keys,
                                            listening == 0 ? std::nullopt : std::optional(listening));
  for (const Failure* failure : {root ? nullptr : &root.failure(), listener ? nullptr : &listener.failure()}) {
    if (failure == nullptr) continue;
    // A run that has ended meanwhile took its folder with it: nothing to complain of.
    const std::string& endpoint = arguments.text("listen");
    constexpr std::string_view kIpc = "ipc://";
    const std::string socket = endpoint.starts_with(kIpc) ? endpoint.substr(kIpc.size()) : "/";
    const bool folder_gone = access(socket.substr(0, socket.rfind('/') + 1).c_str(), F_OK) != 0;
    if (folder_gone || getppid() != parent) return end(0);
    log.error(failure->sentence, {{"exit_code", static_cast<std::uint64_t>(failure->code)}});
    return end(static_cast<int>(failure->code));
  }
  Hello hello;
  hello.role = Role::kGatherer;
  hello.name = arguments.text("name");
  hello.kernels = arguments.text("kernels");
  hello.pid = static_cast<std::uint64_t>(getpid());
  hello.slots = options.threads;
  hello.address = announced_address(listener->endpoint(), arguments.text("announce"));
  (void)from_text(arguments.text("run"), hello.run);
  std::optional<transport::LinkCountsPage> links;
  if (const std::uint64_t page = arguments.number("links"); page != 0) {
    links.emplace(transport::LinkCountsPage::attach(static_cast<int>(page)));
  }
  log.debug("bundles are received at " + hello.address, {{"address", hello.address}});
  Gatherer gatherer(std::move(root).value(), std::move(listener).value(), std::move(hello),
                    process::random_id<IncarnationId>(), options, arguments.number("memory"), std::move(links),
                    signal_descriptor, log);
  const int status = gatherer.run();
  terminated = gatherer.terminated();
  end(status);
  // The run is over and nobody waits for what is under way; user code that hangs would be waited for.
  if (terminated) _exit(status);
  return status;
}

}  // namespace fanfold::gatherer
