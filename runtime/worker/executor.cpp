// executor.cpp: the loop: wait, receive, step, perform, send. Slots answer through a queue and a waker.
#include "runtime/worker/executor.h"

#include <malloc.h>
#include <tbb/global_control.h>
#include <unistd.h>

#include <map>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "engine/assertion.h"
#include "engine/overloaded.h"
#include "engine/worker/worker_core.h"
#include "runtime/build_info.h"
#include "runtime/client/machine/machine.h"
#include "runtime/process/child_process.h"
#include "runtime/process/clock.h"
#include "runtime/process/whereabouts.h"
#include "runtime/transport/peer_link.h"
#include "runtime/transport/poller.h"
#include "runtime/worker/crash_marks.h"
#include "runtime/worker/run_work.h"
#include "runtime/worker/slot.h"

namespace fanfold::worker {

namespace {

// A cancelled run whose slots do not answer (user code that does not look at the stop word) is left behind
// with the whole process.
constexpr Duration kCancelPatience = seconds(1);

// What slots tell the main thread.
struct JobReport {
  std::variant<std::unique_ptr<RunWork>, Cause> opened;
};
using Report = std::variant<JobReport, LeaseReport, WorkReport, BlockRequest>;

class Reports {
 public:
  void put(Report report) {
    {
      const std::lock_guard lock(mutex_);
      reports_.push_back(std::move(report));
    }
    waker_.wake();
  }
  [[nodiscard]] std::vector<Report> take() {
    waker_.clear();
    const std::lock_guard lock(mutex_);
    return std::exchange(reports_, {});
  }
  [[nodiscard]] int descriptor() const { return waker_.descriptor(); }

 private:
  std::mutex mutex_;
  std::vector<Report> reports_;
  transport::Waker waker_;
};

// Opening the job, as work for whichever slot is idle.
class OpenWork : public SharedWork {
 public:
  OpenWork(OpenRun open, const WorkerConfig& config, SlotPage& page, plugin::MemoryPool& pool, ShippedBlocks& shipped,
           Reports& reports)
      : SharedWork(1),
        open_(std::move(open)),
        config_(config),
        page_(page),
        pool_(pool),
        shipped_(shipped),
        reports_(reports) {}

 private:
  void do_piece(std::uint32_t, std::uint32_t slot) override {
    SlotCell& cell = page_.cell(slot);
    JobReport report{RunWork::open(open_, config_, page_, cell, pool_, shipped_)};
    cell.enter(Phase::kNone);
    reports_.put(std::move(report));
  }
  void finish(std::uint32_t) override {}

  OpenRun open_;
  const WorkerConfig& config_;
  SlotPage& page_;
  plugin::MemoryPool& pool_;
  ShippedBlocks& shipped_;
  Reports& reports_;
};

class Executor {
 public:
  Executor(const WorkerConfig& config, const log::Log& log, SlotPage& page, transport::PeerLink root,
           std::optional<transport::ConnectorKeys> keys, transport::Context& context, Hello hello)
      : config_(config),
        log_(log),
        page_(page),
        context_(context),
        keys_(std::move(keys)),
        root_(std::move(root)),
        shipped_([this](BlockRequest request) { reports_.put(request); }),
        core_(std::move(hello), Limits{}),
        slots_(page.slots(), page) {}

  [[noreturn]] void run() {
    step(Started{});
    while (true) {
      const Instant now = process::now();
      root_.send_frames(now);
      if (gatherer_) gatherer_->link.send_frames(now);
      wait();
      receive();
      for (Report& report : reports_.take()) {
        std::visit([this](auto& what) { handle(std::move(what)); }, report);
      }
      if (core_.next_deadline() && *core_.next_deadline() <= process::now()) step(Tick{});
      // After the sockets: what was said in time counts.
      if (root_.refused()) leave(ExecutorStatus::kRefused);  // the agent says so
      if (root_.gone()) step(RootLost{"the root is not heard any more"});
      if (gatherer_ && gatherer_->link.gone()) gatherer_.reset();  // the root will name another
      if (patience_ends_ && process::now() >= *patience_ends_) {
        leave(ExecutorStatus::kBeginAnew);
      }
    }
  }

 private:
  struct Gatherer {
    IncarnationId incarnation;
    transport::PeerLink link;
  };

  [[noreturn]] void leave(ExecutorStatus status) {
    page_.set_leaving();
    _exit(static_cast<int>(status));
  }

  void wait() {
    poller_.clear();
    poller_.add_socket(root_.handle());
    if (gatherer_) poller_.add_socket(gatherer_->link.handle());
    poller_.add_descriptor(reports_.descriptor());
    std::optional<Instant> deadline = earlier(earlier(root_.next_deadline(), patience_ends_), core_.next_deadline());
    if (gatherer_) deadline = earlier(deadline, gatherer_->link.next_deadline());
    poller_.wait(process::poll_ms(deadline, process::now()));
  }

  void receive() {
    for (auto& received : root_.receive(process::now())) {
      if (const auto* block = std::get_if<ShippedBlock>(&received.message)) {
        (void)shipped_.deliver(block->ticket, std::move(received.raw));
      } else {
        step(RootSaid{std::move(received.message)});
      }
    }
    if (!gatherer_) return;
    const IncarnationId from = gatherer_->incarnation;
    for (auto& received : gatherer_->link.receive(process::now())) {
      step(GathererSaid{from, std::move(received.message)});
    }
  }

  void step(Event event) {
    for (Action& action : core_.step(std::move(event), process::now())) {
      std::visit([this](auto& what) { perform(what); }, action);
    }
  }

  // ---- what the core wants done ----

  void perform(SendToRoot& send) { root_.send(send.message); }

  void perform(SendToGatherer& send) {
    if (gatherer_ && gatherer_->incarnation == send.gatherer) gatherer_->link.send(send.message);
  }

  void perform(ConnectGatherer& connect) {
    gatherer_.reset();
    auto link = transport::PeerLink::connect(context_, connect.gatherer.address, epoch_of(connect.gatherer.incarnation),
                                             page_.incarnation(), process::now(), keys_);
    if (link) {
      gatherer_.emplace(Gatherer{connect.gatherer.incarnation, std::move(link).value()});
    } else {
      log_.error("worker " + config_.name + ": " + link.failure().sentence);
    }
  }

  void perform(SendChunk& send) {
    const auto packed = packed_.find(send.chunk.seq);
    if (packed == packed_.end() || !gatherer_ || gatherer_->incarnation != send.gatherer) return;
    gatherer_->link.send_loose(send.chunk, packed->second->slice(send.offset, send.size));
  }

  void perform(OpenJob& open) {
    opening_ = true;
    opening_run_ = open.open.run;
    run_begin_ = process::now();
    slots_.share(std::make_shared<OpenWork>(std::move(open.open), config_, page_, pool_, shipped_, reports_));
  }

  void perform(StartLease& start) {
    FANFOLD_ASSERT(work_ != nullptr, "a lease for a run that is not open");
    slots_.put(start.slot, [this, start] { reports_.put(work_->map_lease(start)); });
  }

  void perform(CancelSlots&) {
    if (work_ != nullptr) work_->cancel();
    shipped_.cancel();  // behind the stop words: whoever waits looks at its own when it wakes
    patience_ends_ = process::now() + kCancelPatience;
    // Nothing can be sent any more of what failed: now its work may be called done.
    for (Event& event : std::exchange(withheld_, {})) step(std::move(event));
  }

  void perform(MergePartial& merge) {
    const auto held = held_.find(merge.lease);
    FANFOLD_ASSERT(held != held_.end(), "a partial to be merged is not here");
    std::shared_ptr<Bundle>& bundle = bundles_[merge.bundle];
    if (bundle == nullptr) {
      bundle = std::make_shared<Bundle>(merge.bundle, work_->instance(), pool_, work_->memory_bytes());
    }
    slots_.share(std::make_shared<MergeWork>(merge.lease, std::move(held->second), bundle, work_->partials(),
                                             workplace(),
                                             [this](WorkReport report) { reports_.put(std::move(report)); }));
    held_.erase(held);
  }

  void perform(FreePartial& free) {
    const auto held = held_.find(free.lease);
    if (held == held_.end()) return;  // it travelled inside Ended
    work_->partials().give_back(std::move(held->second));
    held_.erase(held);
  }

  void perform(PackBundle& pack) {
    const auto bundle = bundles_.find(pack.bundle);
    FANFOLD_ASSERT(bundle != bundles_.end(), "a bundle to be packed is not here");
    ReportWork report = [this](WorkReport done) { reports_.put(std::move(done)); };
    slots_.share(pack.finish ? finish_work(bundle->second, work_->schema(), workplace(), std::move(report))
                             : pack_work(bundle->second, workplace(), std::move(report)));
  }

  void perform(FreeBundle& free) {
    packed_.erase(free.bundle);
    bundles_.erase(free.bundle);
    count_wire();
  }

  void perform(CloseJob& close) {
    // Not under a slot that still opens the job: its report comes first.
    if (opening_) {
      closing_ = close.run;
      return;
    }
    close_job(close.run);
  }

  void perform(Leave& leaving) {
    if (leaving.begin_anew) leave(ExecutorStatus::kBeginAnew);
    if (leaving.sentence.empty()) leave(ExecutorStatus::kLeft);
    log_.error("worker " + config_.name + ": " + leaving.sentence);
    leave(ExecutorStatus::kRefused);
  }

  // ---- what slots report ----

  void handle(BlockRequest request) {
    root_.send(ReadShipped{config_.run, request.ticket, request.offset, request.bytes});
  }

  void handle(JobReport report) {
    opening_ = false;
    if (auto* cause = std::get_if<Cause>(&report.opened)) {
      if (!closing_) step(JobFailed{opening_run_, std::move(*cause)});
    } else {
      work_ = std::move(std::get<std::unique_ptr<RunWork>>(report.opened));
      if (!closing_) step(JobOpened{work_->run()});
    }
    if (closing_) close_job(*std::exchange(closing_, std::nullopt));
  }

  void handle(LeaseReport report) {
    if (report.partial != nullptr) held_[report.mapped.lease] = std::move(report.partial);
    step(std::move(report.mapped));
  }

  void handle(WorkReport report) {
    if (report.failed) {
      // The bundle is spoilt. It is not called done until the run closes: then it cannot be sent.
      if (patience_ends_) {
        step(std::move(report.event));
        return;
      }
      withheld_.push_back(std::move(report.event));
      step(JobFailed{work_->run(), std::move(*report.failed)});
      return;
    }
    if (report.packed != nullptr) {
      packed_[std::get<BundlePacked>(report.event).bundle] = std::move(report.packed);
      count_wire();
    }
    step(std::move(report.event));
  }

  void close_job(RunId run) {
    patience_ends_.reset();
    Goodbye goodbye;
    goodbye.run = run;
    goodbye.pid = static_cast<std::uint64_t>(getpid());
    goodbye.peak_rss_bytes = peak_rss_bytes();
    goodbye.slot_times = slot_times();
    step(JobClosed{goodbye});
    root_.send_frames(process::now());
    gatherer_.reset();
    held_.clear();
    packed_.clear();
    bundles_.clear();
    withheld_.clear();
    work_.reset();
    wire_ = {};
    wire_begin_.reset();
  }

  // ---- where the time went ----

  // Bundles are under way: slots that find nothing to do wait for the wire.
  void count_wire() {
    const Instant now = process::now();
    if (!packed_.empty() && !wire_begin_) wire_begin_ = now;
    if (packed_.empty() && wire_begin_) wire_ += now - *std::exchange(wire_begin_, std::nullopt);
  }

  [[nodiscard]] SlotTimes slot_times() {
    SlotTimes times;
    if (work_ != nullptr) {
      for (const SlotClock& clock : work_->clocks()) {
        times.read_map += Duration{clock.read_map_ns.load(std::memory_order_relaxed)};
        times.seal_pack += Duration{clock.seal_pack_ns.load(std::memory_order_relaxed)};
        times.merge += Duration{clock.merge_ns.load(std::memory_order_relaxed)};
        times.finish += Duration{clock.finish_ns.load(std::memory_order_relaxed)};
      }
    }
    const Instant now = process::now();
    if (wire_begin_) wire_ += now - *wire_begin_;
    const Duration all = (now - run_begin_) * slots_.count();
    const Duration rest = std::max(all - times.read_map - times.seal_pack - times.merge - times.finish, Duration{});
    times.wire = std::min(rest, wire_ * slots_.count());
    times.idle = rest - times.wire;
    return times;
  }

  [[nodiscard]] BundleWorkplace workplace() { return {page_, work_->clocks(), slots_}; }

  const WorkerConfig& config_;
  const log::Log& log_;
  SlotPage& page_;
  transport::Context& context_;
  const std::optional<transport::ConnectorKeys> keys_;
  transport::PeerLink root_;
  std::optional<Gatherer> gatherer_;
  transport::Poller poller_;
  Reports reports_;
  plugin::MemoryPool pool_;
  ShippedBlocks shipped_;
  WorkerCore core_;

  // Of the run.
  bool opening_ = false;  // a slot opens the job
  RunId opening_run_;
  std::optional<RunId> closing_;  // as soon as that slot is through
  std::unique_ptr<RunWork> work_;
  std::map<LeaseId, std::unique_ptr<SlotPartial>> held_;
  std::map<BundleSeq, std::shared_ptr<Bundle>> bundles_;
  std::map<BundleSeq, std::shared_ptr<PackedBytes>> packed_;
  std::vector<Event> withheld_;
  std::optional<Instant> patience_ends_;
  Instant run_begin_;
  Duration wire_ = {};
  std::optional<Instant> wire_begin_;

  Slots slots_;  // last: its threads use what is above
};

}  // namespace

void run_executor(const WorkerConfig& config, const log::Log& log, SlotPage& page, std::optional<Obituary> obituary) {
  install_crash_marks();
  // Slots are this process's threads: what is sorted here is sorted by the slot that asks.
  const tbb::global_control no_more_threads(tbb::global_control::max_allowed_parallelism, 1);
  // Frames of a megabyte come and go: from a warm heap, not mapped and unmapped each.
  mallopt(M_MMAP_THRESHOLD, 64 << 20);
  mallopt(M_TRIM_THRESHOLD, 256 << 20);
  Hello hello;
  hello.role = Role::kWorker;
  hello.name = config.name;
  hello.host = process::host_name();
  hello.build = std::string(build_info().version);
  hello.kernels = config.kernels;
  hello.pid = static_cast<std::uint64_t>(getpid());
  hello.slots = page.slots();
  hello.obituary = std::move(obituary);
  hello.run = config.run;
  hello.memory_bytes = config.memory_bytes;
  // Never freed: the process ends by _exit, with slots at work.
  auto* context = new transport::Context;
  const auto cannot = [&](const Failure& failure) {
    log.error("worker " + config.name + ": " + failure.sentence);
    page.set_leaving();
    _exit(static_cast<int>(ExecutorStatus::kRefused));
  };
  auto keys = transport::connector_keys(config.keys, transport::KeyRole::kWorker);
  if (!keys) cannot(keys.failure());
  auto root = transport::PeerLink::connect(*context, config.root, {}, page.incarnation(), process::now(), *keys);
  if (!root) cannot(root.failure());
  auto* executor =
      new Executor(config, log, page, std::move(root).value(), std::move(keys).value(), *context, std::move(hello));
  executor->run();
}

}  // namespace fanfold::worker
