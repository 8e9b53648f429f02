#include "runtime/gatherer/fold_thread.h"

#include <tbb/parallel_for.h>
#include <unistd.h>

#include <utility>

#include "engine/protocol/ledger_bytes.h"
#include "engine/protocol/row_batch.h"
#include "runtime/client/machine/machine.h"
#include "runtime/plugin/bundle_checksum.h"
#include "runtime/plugin/plugin_choice.h"
#include "runtime/process/clock.h"

namespace fanfold::gatherer {

namespace {

// Bundles kept unmerged beyond this many are merged: what a part costs grows with their number.
constexpr std::size_t kBundlesMax = 256;
// Of the budget, before bundles are merged to make room: the outcome needs room beside them.
constexpr std::uint64_t kCompactShare = 3;

Cause cause_of(CauseKind kind, Phase phase, std::string message) {
  Cause cause;
  cause.kind = kind;
  cause.phase = phase;
  cause.message = std::move(message);
  return cause;
}

// What a small partial's bytes are aligned to.
std::shared_ptr<std::vector<std::uint64_t>> aligned_copy(ByteView bytes) {
  auto copy = std::make_shared<std::vector<std::uint64_t>>((bytes.size() + 7) / 8);
  if (!bytes.empty()) std::memcpy(copy->data(), bytes.data(), bytes.size());
  return copy;
}

}  // namespace

FoldThread::FoldThread(const FoldOptions& options, plugin::MemoryAccount& account, const transport::Waker& waker)
    : options_(options),
      account_(account),
      waker_(waker),
      // TBB does not know of a container's quota: it gets the number that we found.
      parallelism_(tbb::global_control::max_allowed_parallelism, options.threads),
      arena_(static_cast<int>(options.threads)),
      thread_([this] { run(); }) {}

FoldThread::~FoldThread() {
  {
    const std::lock_guard lock(mutex_);
    ending_ = cancelled_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void FoldThread::ask(std::function<void()> task) {
  {
    const std::lock_guard lock(mutex_);
    tasks_.push_back(std::move(task));
  }
  changed_.notify_all();
}

void FoldThread::answer(Answer answer) {
  {
    const std::lock_guard lock(mutex_);
    answers_.push_back(std::move(answer));
  }
  waker_.wake();
}

std::vector<Answer> FoldThread::take_answers() {
  const std::lock_guard lock(mutex_);
  return std::exchange(answers_, {});
}

void FoldThread::run() {
  for (;;) {
    std::function<void()> task;
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [this] { return ending_ || !tasks_.empty(); });
      if (ending_) break;
      task = std::move(tasks_.front());
      tasks_.pop_front();
    }
    task();
  }
  total_.reset();
  validated_.clear();
  instance_.reset();
}

void FoldThread::open(OpenRun open) {
  ask([this, open = std::move(open)] { do_open(open); });
}
void FoldThread::validate(BundleId id, StoredBundle stored) {
  ask([this, id, stored = std::move(stored)] { do_validate(id, stored); });
}
void FoldThread::fold(BundleId id) {
  ask([this, id] { do_fold(id); });
}
void FoldThread::fold_small(std::vector<SmallFold> partials) {
  ask([this, partials = std::move(partials)] { do_fold_small(partials); });
}
void FoldThread::free(BundleId id) {
  ask([this, id] { validated_.erase(id); });
}
void FoldThread::finish(RunId run, std::uint64_t batches_allowed) {
  allow_batches(batches_allowed);
  ask([this, run] { do_finish(run); });
}
void FoldThread::close(RunId run) {
  ask([this, run] { do_close(run); });
}

void FoldThread::allow_batches(std::uint64_t batches_allowed) {
  {
    const std::lock_guard lock(mutex_);
    batches_allowed_ = batches_allowed;
  }
  changed_.notify_all();
}

void FoldThread::cancel() {
  {
    const std::lock_guard lock(mutex_);
    cancelled_ = true;
    tasks_.clear();
  }
  changed_.notify_all();
}

bool FoldThread::wait_for_credit(std::uint64_t index) {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return cancelled_ || index < batches_allowed_; });
  return !cancelled_;
}

void FoldThread::fail(Cause cause) {
  if (failed_) return;
  failed_ = true;
  if (cause.kind == CauseKind::kMemory && account_.refused_bytes() != 0) {
    cause.message = "the partial results need more than the " + std::to_string(account_.hard_bytes() >> 20) +
                    " MiB that the gatherer may use (" + std::to_string(account_.refused_bytes() >> 20) +
                    " MiB were asked for); raise --memory";
  }
  answer(staging::Event(staging::WorkFailed{run_, std::move(cause)}));
}

void FoldThread::do_open(const OpenRun& open) {
  run_ = open.run;
  result_limit_ = open.result_limit;
  FoldPosition& at = options_.positions[0];
  at.phase.store(static_cast<std::uint32_t>(Phase::kLoad));
  const Result<std::string> path =
      plugin::choose_plugin(open.job, open.plugin_hash, open.plugin_path, options_.plugin_folders);
  if (!path) return fail(cause_of(CauseKind::kUsage, Phase::kLoad, path.failure().sentence));
  Result<std::unique_ptr<plugin::Plugin>> loaded = plugin::Plugin::load(*path, options_.kernels);
  if (!loaded) return fail(cause_of(CauseKind::kUsage, Phase::kLoad, loaded.failure().sentence));
  plugin_ = std::move(loaded).value();
  at.phase.store(static_cast<std::uint32_t>(Phase::kOpen));
  plugin::Arguments arguments;
  for (const Parameter& parameter : open.parameters) arguments.emplace_back(parameter.name, parameter.value);
  Result<std::unique_ptr<plugin::Instance>> opened = plugin_->open(arguments);
  if (!opened) {
    const bool usage = opened.failure().code == ExitCode::kUsage;
    return fail(cause_of(usage ? CauseKind::kUsage : CauseKind::kJob, Phase::kOpen, opened.failure().sentence));
  }
  at.phase.store(static_cast<std::uint32_t>(Phase::kNone));
  instance_ = std::move(opened).value();
  const Schema schema = with_limit(instance_->schema(), result_limit_);
  total_ = std::make_unique<Total>(FoldJob{&instance_->job(), instance_->handle(), account_.memory(), schema,
                                           [](std::int32_t status) { return plugin::take_failure_text(status); }},
                                   arena_, options_.positions);
  answer(staging::Event(staging::JobOpened{run_, instance_->job().flags, pack_schema(schema)}));
}

void FoldThread::do_validate(const BundleId& id, const StoredBundle& stored) {
  const auto bad = [&](std::string why) {
    answer(
        staging::Event(staging::BundleValidated{id, cause_of(CauseKind::kBadPartial, Phase::kCheck, std::move(why))}));
  };
  if (failed_ || total_ == nullptr) return bad("the job is not open");
  std::optional<Ledger> ledger = unpack_ledger(stored.offer.ledger);
  if (!ledger) return bad("its ledger is none");
  std::optional<PackedBundle> bundle = parts_of(id, stored);
  if (!bundle) return bad("its parts do not lie within its bytes");
  std::vector<std::uint64_t> checksums(bundle->parts.size());
  arena_.execute([&] {
    tbb::parallel_for(std::size_t{0}, checksums.size(), [&](std::size_t part) {
      checksums[part] = plugin::part_checksum(bundle->parts[part].data, bundle->parts[part].bytes);
    });
  });
  if (plugin::bundle_checksum(checksums) != stored.offer.checksum)
    return bad("its checksum differs from the one its worker sent");
  FoldFault fault = total_->validate(*bundle);
  if (!fault) validated_[id] = {std::move(*bundle), std::move(*ledger)};
  answer(staging::Event(staging::BundleValidated{id, std::move(fault)}));
}

void FoldThread::do_fold(const BundleId& id) {
  const auto found = validated_.find(id);
  if (failed_ || found == validated_.end()) return;
  const Instant start = process::now();
  total_->accept(std::move(found->second.bundle));
  ledger_.merge(found->second.ledger);
  validated_.erase(found);
  compact_if_large();
  merge_ += process::now() - start;
  answer(staging::Event(staging::BundleFolded{id}));
}

void FoldThread::do_fold_small(const std::vector<SmallFold>& partials) {
  staging::SmallPartialsFolded done;
  const Instant start = process::now();
  for (const SmallFold& small : partials) {
    if (failed_ || total_ == nullptr) return;
    auto copy = aligned_copy(small.partial.packed);
    PackedBundle bundle;
    bundle.parts.push_back({sizeof(fanfold_packed), 0, 0, 0, reinterpret_cast<const std::uint8_t*>(copy->data()),
                            small.partial.packed.size()});
    bundle.owner = copy;
    const std::optional<Ledger> ledger = unpack_ledger(small.partial.ledger);
    if (!ledger || plugin::part_checksum(copy->data(), small.partial.packed.size()) != small.partial.checksum ||
        total_->validate(bundle)) {
      done.invalid.push_back(small.lease);
      continue;
    }
    total_->accept(std::move(bundle));
    ledger_.merge(*ledger);
    done.folded.push_back(small.lease);
  }
  compact_if_large();
  merge_ += process::now() - start;
  answer(staging::Event(std::move(done)));
}

void FoldThread::compact_if_large() {
  if (failed_) return;
  const bool many = total_->bundles() > kBundlesMax;
  // Merging pays only when a good part of what is kept is new.
  const bool large =
      total_->bytes() > account_.hard_bytes() / kCompactShare && total_->bytes() > compacted_bytes_ * 3 / 2;
  if (!many && !large) return;
  if (FoldFault fault = total_->compact()) return fail(std::move(*fault));
  compacted_bytes_ = total_->bytes();
}

void FoldThread::do_finish(RunId run) {
  if (failed_) return;
  const Instant start = process::now();
  const Schema schema = with_limit(instance_->schema(), result_limit_);
  RowSink sink(schema, account_.memory());
  if (FoldFault fault = total_->finish(sink)) {
    // Of rows that the sink refused the plugin knows nothing to say.
    if (const std::optional<Failure> refused = sink.failure()) fault->message = refused->sentence;
    return fail(std::move(*fault));
  }
  Finished finished;
  finished.run = run;
  Status sent = success();
  const auto order_and_send = [&]() -> Status {
    Result<OrderedRows> rows = sink.order();
    if (!rows) return rows.failure();
    finished.rows = rows->rows();
    return rows->for_each_batch([&](const fanfold_batch& batch) -> Status {
      if (!wait_for_credit(finished.batches)) return Failure{ExitCode::kInterrupted, "cancelled"};
      answer(RowsReady{ResultBatch{run, finished.batches, batch.rows}, raw_bytes(pack_batch(schema, batch))});
      ++finished.batches;
      return success();
    });
  };
  arena_.execute([&] { sent = order_and_send(); });
  if (!sent) {
    if (sent.failure().code != ExitCode::kInterrupted) {
      fail(cause_of(CauseKind::kJob, Phase::kFinish, sent.failure().sentence));
    }
    return;
  }
  finished.ledger = pack_ledger(ledger_);
  finished.merge = merge_;
  finished.finish = process::now() - start;
  answer(staging::Event(staging::RunFinished{std::move(finished)}));
}

void FoldThread::do_close(RunId run) {
  total_.reset();
  validated_.clear();
  Goodbye goodbye;
  goodbye.run = run;
  goodbye.pid = static_cast<std::uint64_t>(getpid());
  goodbye.peak_rss_bytes = peak_rss_bytes();
  goodbye.slot_times.merge = merge_;
  answer(staging::Event(staging::JobClosed{goodbye}));
}

}  // namespace fanfold::gatherer
