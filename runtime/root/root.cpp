#include "runtime/root/root.h"

#include <signal.h>

#include <chrono>
#include <utility>

#include "engine/lived_time.h"
#include "engine/overloaded.h"
#include "engine/session/session_hub.h"
#include "runtime/process/clock.h"
#include "runtime/transport/socket.h"

namespace fanfold::root {

namespace {

// How long processes may take to end by themselves when a run is over.
constexpr Duration kEndWait = milliseconds(1500);
// The loop turns at least so often: a longer gap is one in which this process stood still (LivedTime).
constexpr Duration kTurnMost = seconds(1);

}  // namespace

// The thread's own state: nobody else touches it.
class Root::Loop {
 public:
  Loop(Root& root, transport::Listener listener)
      : root_(root),
        listener_(std::move(listener)),
        hub_(process::random_id<Epoch>(), SessionLimits{}),
        scheduler_(root.limits_) {}

  void run() {
    while (take_asked()) {
      send_frames();
      publish_progress();
      wait();
      receive();
      for (schedule::Event& event : root_.nodes_.collect()) step(std::move(event));
      for (const IncarnationId silent : hub_.take_silent()) {
        Cause cause;
        cause.kind = CauseKind::kSilence;
        step(schedule::PeerLost{silent, std::move(cause)});
      }
      const std::optional<Instant> due = scheduler_.next_deadline();
      if (due && *due <= lived_.at(process::now())) step(schedule::Tick{});
    }
    send_frames();
  }

 private:
  // False when the loop is to end.
  bool take_asked() {
    std::deque<schedule::Event> asked;
    {
      const std::lock_guard lock(root_.mutex_);
      if (root_.stopping_) return false;
      asked.swap(root_.asked_);
    }
    for (schedule::Event& event : asked) step(std::move(event));
    return true;
  }

  void step(schedule::Event event) {
    for (schedule::Action& action : scheduler_.step(std::move(event), lived_.at(process::now())))
      perform(std::move(action));
  }

  void perform(schedule::Action action) {
    std::visit(Overloaded{
                   [&](schedule::SendMessage& send) { hub_.send(send.to, encode(send.message)); },
                   [&](schedule::FencePeer& fence) { hub_.fence(fence.incarnation); },
                   [&](schedule::StartGatherer& start) {
                     for (schedule::Event& event : root_.nodes_.start_gatherer(start.life)) step(std::move(event));
                   },
                   [&](schedule::DeliverSchema& schema) { deliver(std::move(schema)); },
                   [&](schedule::DeliverResult& result) { deliver(std::move(result)); },
                   [&](schedule::RunEnded& ended) {
                     for (schedule::ProcessStatistics& one : root_.nodes_.supervisors()) {
                       ended.statistics.processes.push_back(std::move(one));
                     }
                     deliver(std::move(ended));
                   },
               },
               action);
  }

  void deliver(Output output) {
    {
      const std::lock_guard lock(root_.mutex_);
      root_.outputs_.push_back(std::move(output));
    }
    root_.changed_.notify_all();
  }

  void publish_progress() {
    const std::lock_guard lock(root_.mutex_);
    root_.progress_ = scheduler_.progress();
  }

  void wait() {
    poller_.clear();
    poller_.add_socket(listener_.handle());
    const std::size_t asked = poller_.add_descriptor(root_.waker_.descriptor());
    for (const int descriptor : root_.nodes_.descriptors()) poller_.add_descriptor(descriptor);
    const Instant now = process::now();
    const std::optional<Instant> due = earlier(hub_.next_deadline(), lived_.on_clock(scheduler_.next_deadline()));
    poller_.wait(process::poll_ms(earlier(due, now + kTurnMost), now));
    if (poller_.ready(asked)) root_.waker_.clear();
  }

  void receive() {
    const Instant now = process::now();
    while (auto received = listener_.receive()) {
      for (PeerDelivery& said : hub_.receive(received->route, received->frame, now)) {
        Result<Message> message = decode(said.delivery.message);
        if (!message) continue;
        step(schedule::PeerSaid{said.from, std::move(message).value(), std::move(said.delivery.raw)});
      }
    }
  }

  void send_frames() {
    for (RoutedFrame& routed : hub_.take_frames(process::now())) listener_.send(routed.route, std::move(routed.frame));
  }

  Root& root_;
  transport::Listener listener_;
  SessionHub hub_;
  schedule::RootScheduler scheduler_;
  LivedTime lived_{kTurnMost * 2};
  transport::Poller poller_;
};

Result<std::unique_ptr<Root>> Root::start(const NodeOptions& options, const schedule::Limits& limits) {
  Result<NodeProcesses> nodes = NodeProcesses::make(options);
  if (!nodes) return nodes.failure();
  std::unique_ptr<Root> root(new Root(std::move(nodes).value(), limits, options.endpoint));
  // Children first: they load while the socket is made, and connect when it is there.
  if (Status started = root->nodes_.start_workers(); !started) return started.failure();
  std::optional<Failure> failure;
  root->thread_ = std::thread([&] { root->run(&failure); });
  {
    std::unique_lock lock(root->mutex_);
    root->changed_.wait(lock, [&] { return root->started_; });
  }
  if (failure) return std::move(*failure);
  return root;
}

Root::Root(NodeProcesses nodes, const schedule::Limits& limits, std::string endpoint)
    : nodes_(std::move(nodes)), limits_(limits), endpoint_(std::move(endpoint)) {}

void Root::run(std::optional<Failure>* failure) {
  // Signals are the client's.
  sigset_t all;
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, nullptr);
  transport::Context context;
  Result<transport::Listener> listener = transport::Listener::bind(context, endpoint_, kMessageBytesMax);
  if (!listener) *failure = listener.failure();
  {
    const std::lock_guard lock(mutex_);
    started_ = true;
  }
  changed_.notify_all();
  if (!listener) return;
  Loop(*this, std::move(listener).value()).run();
}

Root::~Root() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  waker_.wake();
  if (thread_.joinable()) thread_.join();
  nodes_.end_all(killing_ ? Duration{} : kEndWait);
}

void Root::ask(schedule::Event event) {
  {
    const std::lock_guard lock(mutex_);
    asked_.push_back(std::move(event));
  }
  waker_.wake();
}

void Root::submit(schedule::RunSubmitted run) {
  ask(std::move(run));
}
void Root::consumed(std::uint64_t batches) {
  ask(schedule::ResultConsumed{batches});
}
void Root::cancel(Cause cause) {
  ask(schedule::CancelRequested{std::move(cause)});
}

void Root::kill() {
  const std::lock_guard lock(mutex_);
  killing_ = true;
}

std::optional<Output> Root::wait(Duration timeout) {
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, std::chrono::nanoseconds(timeout.nanoseconds), [this] { return !outputs_.empty(); });
  if (outputs_.empty()) return std::nullopt;
  Output output = std::move(outputs_.front());
  outputs_.pop_front();
  return output;
}

schedule::Progress Root::progress() {
  const std::lock_guard lock(mutex_);
  return progress_;
}

}  // namespace fanfold::root
