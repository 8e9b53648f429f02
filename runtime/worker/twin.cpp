#include "runtime/worker/twin.h"

#include <signal.h>
#include <tbb/global_control.h>
#include <unistd.h>

#include <memory>

#include "engine/fold/row_sink.h"
#include "engine/protocol/ledger_bytes.h"
#include "engine/protocol/row_batch.h"
#include "runtime/client/machine/machine.h"
#include "runtime/plugin/plugin.h"
#include "runtime/process/child_process.h"
#include "runtime/process/clock.h"
#include "runtime/process/message_pipe.h"
#include "runtime/process/role_arguments.h"
#include "runtime/worker/lease_mapper.h"

namespace fanfold::worker {

namespace {

class Twin {
 public:
  Twin(OpenRun open, fanfold_kernels kernels, int result)
      : open_(std::move(open)), kernels_(kernels), result_(result), page_(1) {}

  void run() {
    const Instant started = process::now();
    if (std::optional<Cause> cause = map_and_finish(started)) {
      process::write_message(result_, Failed{open_.run, std::move(*cause)});
    }
  }

 private:
  static Cause cause_of(const Failure& failure, Phase phase) {
    Cause cause;
    cause.kind = cause_kind_of(failure.code);
    cause.phase = phase;
    cause.message = failure.sentence;
    return cause;
  }

  Cause refused(std::int32_t status, Phase phase, const plugin::MemoryAccount& account) {
    Cause cause;
    cause.kind = status == FANFOLD_EXHAUSTED ? CauseKind::kMemory : CauseKind::kJob;
    cause.phase = phase;
    cause.message = plugin::take_failure_text(status);
    if (status == FANFOLD_EXHAUSTED) {
      cause.message = "the partial needs more than the " + std::to_string(account.hard_bytes() >> 20) +
                      " MiB that the twin may use; raise --memory";
    }
    return cause;
  }

  std::optional<Cause> map_and_finish(Instant started) {
    Result<std::unique_ptr<plugin::Plugin>> loaded = plugin::Plugin::load(open_.plugin_path, kernels_);
    if (!loaded) return cause_of(loaded.failure(), Phase::kLoad);
    plugin::Arguments arguments;
    for (const Parameter& parameter : open_.parameters) arguments.emplace_back(parameter.name, parameter.value);
    Result<std::unique_ptr<plugin::Instance>> opened = loaded.value()->open(arguments);
    if (!opened) return cause_of(opened.failure(), Phase::kOpen);
    const plugin::Instance& instance = *opened.value();
    const Schema schema = with_limit(instance.schema(), open_.result_limit);
    process::write_message(result_, RunOpened{open_.run, instance.job().flags, pack_schema(schema)});

    Result<Plan> plan = Plan::make(open_.sources, PlanOptions{});
    if (!plan) return cause_of(plan.failure(), Phase::kOpen);
    plugin::MemoryPool pool;
    // Beyond half of it keys that stand in the partial more than once are folded.
    const plugin::MemoryAccount account(&pool, open_.memory_bytes / 2, open_.memory_bytes, nullptr);
    plugin::Partial partial(instance, account.memory());
    plugin::Partial total(instance, account.memory());
    if (partial.handle() == nullptr || total.handle() == nullptr) {
      return refused(FANFOLD_EXHAUSTED, Phase::kMap, account);
    }
    std::uint32_t stop = FANFOLD_GO_ON;
    ReadOptions options;
    if (open_.record_bytes_max != 0) options.record_bytes_max = open_.record_bytes_max;
    options.allow_growth = open_.allow_growth;
    LeaseMapper mapper(instance, *plan, options, page_.cell(0), stop);
    const Interval all{0, plan->shard_count()};
    Ledger ledger;
    Ended ended;
    ended.run = open_.run;
    if (!all.empty()) {
      Mapped mapped = mapper.map(LeaseId{1}, all, partial, account);
      if (mapped.cause) return std::move(*mapped.cause);
      ended.records = mapped.records;
      ledger.add_skipped(mapped.skipped);
      ended.bytes = mapped.bytes;
    }
    ended.done = all;
    ended.map = process::now() - started;
    fanfold_extent extent{};
    std::int32_t status = instance.job().seal(partial.handle(), &extent);
    if (status == FANFOLD_OK) status = plugin::merge_all(instance, total, partial);
    if (status != FANFOLD_OK) return refused(status, Phase::kMerge, account);
    process::write_message(result_, ended);
    ledger.add_records(ended.records, ended.bytes);
    return finish(instance, schema, total, account, ledger);
  }

  std::optional<Cause> finish(const plugin::Instance& instance, const Schema& schema, plugin::Partial& total,
                              const plugin::MemoryAccount& account, const Ledger& ledger) {
    const Instant started = process::now();
    RowSink sink(schema, account.memory());
    const std::uint32_t log2_parts = instance.keyed() ? FANFOLD_LOG2_PARTS_MAX : 0;
    {
      const RowSink::Lent writer = sink.writer();
      for (std::uint32_t part = 0; part < 1U << log2_parts; ++part) {
        const std::int32_t status =
            instance.job().finish(instance.handle(), total.handle(), log2_parts, part, writer.rows());
        if (const std::optional<Failure> failure = sink.failure()) return cause_of(*failure, Phase::kFinish);
        if (status != FANFOLD_OK) return refused(status, Phase::kFinish, account);
        instance.job().release_part(total.handle(), log2_parts, part);
      }
    }
    Result<OrderedRows> rows = sink.order();
    if (!rows) return cause_of(rows.failure(), Phase::kFinish);
    Finished finished;
    finished.run = open_.run;
    finished.ledger = pack_ledger(ledger);
    finished.rows = rows->rows();
    const Status sent = rows->for_each_batch([&](const fanfold_batch& batch) -> Status {
      // A client that is gone wants no more: this process ends with it.
      if (!process::write_message(result_, ResultBatch{open_.run, finished.batches, batch.rows},
                                  pack_batch(schema, batch))) {
        return Failure{ExitCode::kInterrupted, "cancelled"};
      }
      ++finished.batches;
      return success();
    });
    if (!sent) return cause_of(sent.failure(), Phase::kFinish);
    finished.finish = process::now() - started;
    Goodbye goodbye;
    goodbye.run = open_.run;
    goodbye.pid = static_cast<std::uint64_t>(getpid());
    goodbye.peak_rss_bytes = peak_rss_bytes();
    process::write_message(result_, goodbye);
    process::write_message(result_, finished);
    return std::nullopt;
  }

  OpenRun open_;
  fanfold_kernels kernels_;
  int result_;
  SlotPage page_;
};

}  // namespace

int twin_main(int argc, char** argv) {
  const process::RoleArguments arguments(argc, argv);
  signal(SIGINT, SIG_IGN);
  if (!process::end_with_parent(SIGKILL, static_cast<pid_t>(arguments.number("parent")))) return 0;
  const tbb::global_control one_thread(tbb::global_control::max_allowed_parallelism, 1);
  process::MessageReader reader;
  std::optional<process::PipedMessage> spec;
  while (!spec) {
    if (!reader.fill(static_cast<int>(arguments.number("spec")))) return 1;
    Result<std::optional<process::PipedMessage>> next = reader.next();
    if (!next) return 1;
    spec = std::move(next).value();
  }
  const auto* open = std::get_if<OpenRun>(&spec->message);
  if (open == nullptr) return 1;
  Twin(*open, plugin::kernels_named(arguments.text("kernels")), static_cast<int>(arguments.number("result"))).run();
  _exit(0);
}

}  // namespace fanfold::worker
