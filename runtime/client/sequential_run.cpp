#include "runtime/client/sequential_run.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "engine/protocol/failure_sentence.h"
#include "engine/protocol/ledger_bytes.h"
#include "engine/schedule/place_text.h"
#include "runtime/client/machine/machine.h"
#include "runtime/client/memory_shares.h"
#include "runtime/process/child_process.h"
#include "runtime/process/clock.h"
#include "runtime/process/message_pipe.h"

namespace fanfold {

namespace {

class SequentialRun final : public RunSession {
 public:
  SequentialRun(RunId run, std::string job, ExpandedInput input, Plan plan, process::ChildProcess child,
                FileDescriptor result, Instant started)
      : job_(std::move(job)),
        input_(std::move(input)),
        plan_(std::move(plan)),
        child_(std::move(child)),
        result_(std::move(result)),
        started_(started) {
    told_.run = run;
    told_.statistics.shards = plan_.shard_count();
    told_.slots = 1;
  }

  std::optional<RunEvent> wait(Duration timeout) override {
    const Instant deadline = process::now() + timeout;
    for (;;) {
      Result<std::optional<process::PipedMessage>> next = reader_.next();
      if (!next) return end(ExitCode::kInternal, "the twin's answer cannot be read: " + next.failure().sentence);
      if (*next) {
        if (std::optional<RunEvent> event = heard(std::move(**next))) return event;
        continue;
      }
      pollfd item{result_.number(), POLLIN, 0};
      const int ready = poll(&item, 1, static_cast<int>(process::poll_ms(deadline, process::now())));
      if (ready <= 0) return std::nullopt;
      if (!reader_.fill(result_.number())) return ended_early();
    }
  }

  void consumed(std::uint64_t) override {}
  void cancel(ExitCode code) override {
    cancelled_ = code;
    child_.signal(SIGKILL);
  }
  void kill() override { child_.signal(SIGKILL); }
  schedule::Progress progress() override { return {}; }
  [[nodiscard]] const std::vector<Source>& sources() const override { return input_.sources; }

 private:
  // Nothing for what only adds to the account.
  std::optional<RunEvent> heard(process::PipedMessage piped) {
    if (const auto* opened = std::get_if<RunOpened>(&piped.message)) {
      Result<Schema> schema = unpack_schema(opened->schema);
      if (!schema) return end(ExitCode::kInternal, schema.failure().sentence);
      schema_ = std::move(schema).value();
      phase_ = Phase::kMap;
      return SchemaKnown{schema_};
    }
    if (const auto* batch = std::get_if<ResultBatch>(&piped.message)) {
      Result<RowBatch> rows = unpack_batch(schema_, piped.raw);
      if (!rows) return end(ExitCode::kInternal, rows.failure().sentence);
      return ResultRows{batch->index, std::move(rows).value()};
    }
    if (const auto* ended = std::get_if<fanfold::Ended>(&piped.message)) {
      told_.statistics.records = ended->records;
      told_.statistics.bytes = ended->bytes;
      map_ = ended->map;
      phase_ = Phase::kFinish;
    } else if (const auto* goodbye = std::get_if<Goodbye>(&piped.message)) {
      schedule::ProcessStatistics twin;
      twin.pid = goodbye->pid;
      twin.slots = 1;
      twin.peak_rss_bytes = goodbye->peak_rss_bytes;
      twin.slot_times.read_map = map_;
      told_.statistics.processes.push_back(twin);
    } else if (const auto* failed = std::get_if<Failed>(&piped.message)) {
      return fail(failed->cause);
    } else if (const auto* finished = std::get_if<Finished>(&piped.message)) {
      told_.rows = finished->rows;
      told_.ledger = unpack_ledger(finished->ledger);
      told_.statistics.finish = finished->finish;
      told_.shards_folded = told_.statistics.shards;
      return end(ExitCode::kDone, "");
    }
    return std::nullopt;
  }

  RunEvent ended_early() {
    if (cancelled_ != ExitCode::kDone) return end(cancelled_, "");
    std::optional<Cause> cause = child_.ended();
    while (!cause) {
      pollfd item{child_.descriptor(), POLLIN, 0};
      poll(&item, 1, -1);
      cause = child_.ended();
    }
    cause->phase = phase_;
    return fail(*cause);
  }

  RunEvent fail(const Cause& cause) {
    return end(exit_code_of(cause),
               failure_sentence(job_, "the twin", cause,
                                schedule::place_text(cause, {}, Interval{0, plan_.shard_count()}, plan_)));
  }

  RunEvent end(ExitCode code, std::string sentence) {
    told_.code = code;
    told_.sentence = std::move(sentence);
    told_.wall = process::now() - started_;
    return std::move(told_);
  }

  std::string job_;
  ExpandedInput input_;
  Plan plan_;
  process::ChildProcess child_;
  FileDescriptor result_;
  process::MessageReader reader_;
  Instant started_;
  Schema schema_;
  Phase phase_ = Phase::kLoad;  // what the twin does, by what it has said
  RunResult told_;
  Duration map_ = {};
  ExitCode cancelled_ = ExitCode::kDone;
};

}  // namespace

Result<std::unique_ptr<RunSession>> start_sequential_run(const RunRequest& request, ExpandedInput input) {
  const Instant started = process::now();
  const Result<KernelLevel> kernels = choose_kernels();
  if (!kernels) return kernels.failure();
  Result<Plan> plan = Plan::make(input.sources, {request.shard_bytes, request.shard_items, 1});
  if (!plan) return plan.failure();

  OpenRun open;
  open.run = process::random_id<RunId>();
  open.job = request.job;
  open.plugin_path = request.plugin_path;
  for (const auto& [name, value] : request.parameters) open.parameters.push_back({name, value});
  open.sources = plan->sources();
  open.record_bytes_max = request.record_bytes_max;
  open.allow_growth = request.allow_growth;
  open.result_limit = request.limit;
  const Result<std::uint64_t> memory =
      twin_memory(request.memory_bytes != 0 ? MemoryBudget{request.memory_bytes, true}
                                            : MemoryBudget{default_memory_budget(machine_memory()), false});
  if (!memory) return memory.failure();
  open.memory_bytes = *memory;
  // A file without a name holds any number of sources; a pipe would fill up.
  FileDescriptor spec(memfd_create("fanfold-twin", MFD_CLOEXEC));
  int ends[2];
  if (spec.number() < 0 || pipe2(ends, O_CLOEXEC) != 0) {
    return Failure{ExitCode::kInputOutput, std::string("cannot talk to a child process: ") + std::strerror(errno) +
                                               "; close other programs, or raise the limits of this user (ulimit -a)"};
  }
  FileDescriptor reading(ends[0]);
  FileDescriptor writing(ends[1]);
  if (!process::write_message(spec.number(), open) || lseek(spec.number(), 0, SEEK_SET) != 0) {
    return Failure{ExitCode::kInputOutput, std::string("cannot talk to a child process: ") + std::strerror(errno) +
                                               "; close other programs, or raise the limits of this user (ulimit -a)"};
  }
  constexpr int kSpecInChild = 3;
  constexpr int kResultInChild = 4;
  Result<process::ChildProcess> child = process::ChildProcess::start(
      {"internal-twin", "spec=" + std::to_string(kSpecInChild), "result=" + std::to_string(kResultInChild),
       "kernels=" + std::string(name_of(*kernels)), "parent=" + std::to_string(getpid())},
      {{spec.number(), kSpecInChild}, {writing.number(), kResultInChild}});
  if (!child) return child.failure();
  return std::unique_ptr<RunSession>(std::make_unique<SequentialRun>(open.run, request.job, std::move(input),
                                                                     std::move(plan).value(), std::move(child).value(),
                                                                     std::move(reading), started));
}

}  // namespace fanfold
