#include "runtime/client/embedded_run.h"

#include <sys/resource.h>

#include <algorithm>
#include <csignal>
#include <utility>

#include "engine/overloaded.h"
#include "engine/protocol/ledger_bytes.h"
#include "runtime/client/machine/machine.h"
#include "runtime/client/memory_shares.h"
#include "runtime/plugin/content_hash.h"
#include "runtime/process/clock.h"
#include "runtime/process/run_folder.h"
#include "runtime/root/root.h"

namespace fanfold {

namespace {

constexpr std::uint64_t kRecordBytesMaxDefault = 64U << 20;

class EmbeddedRun final : public RunSession {
 public:
  EmbeddedRun(process::RunFolder folder, ExpandedInput input, std::unique_ptr<root::Root> root, std::uint32_t slots,
              Instant started)
      : folder_(std::move(folder)),
        input_(std::move(input)),
        root_(std::move(root)),
        slots_(slots),
        started_(started) {}

  std::optional<RunEvent> wait(Duration timeout) override {
    std::optional<root::Output> output = root_->wait(timeout);
    if (!output) return std::nullopt;
    return std::visit(Overloaded{
                          [&](schedule::DeliverSchema& told) -> RunEvent { return schema_known(told.schema); },
                          [&](schedule::DeliverResult& result) -> RunEvent { return rows(result); },
                          [&](schedule::RunEnded& ended) -> RunEvent { return end(std::move(ended)); },
                      },
                      *output);
  }

  void consumed(std::uint64_t batches) override { root_->consumed(batches); }
  void cancel(ExitCode code) override {
    Cause cause;
    cause.kind = CauseKind::kCancelled;
    cause.signal = code == ExitCode::kTerminated ? SIGTERM : SIGINT;
    root_->cancel(std::move(cause));
  }
  void kill() override { root_->kill(); }
  schedule::Progress progress() override { return root_->progress(); }
  [[nodiscard]] const std::vector<Source>& sources() const override { return input_.sources; }

 private:
  RunEvent schema_known(const Bytes& packed) {
    Result<Schema> schema = unpack_schema(packed);
    if (!schema) return broken(schema.failure());
    schema_ = std::move(schema).value();
    return SchemaKnown{schema_};
  }

  RunEvent rows(const schedule::DeliverResult& result) {
    Result<RowBatch> batch = unpack_batch(schema_, result.bytes.view);
    if (!batch) return broken(batch.failure());
    return ResultRows{result.index, std::move(batch).value()};
  }

  RunEvent end(schedule::RunEnded ended) {
    RunResult told;
    told.run = ended.run;
    told.code = ended.code;
    told.sentence = std::move(ended.sentence);
    told.rows = ended.rows;
    if (!ended.ledger.empty()) told.ledger = unpack_ledger(ended.ledger);
    told.shards_folded = ended.shards_folded;
    told.statistics = std::move(ended.statistics);
    told.wall = process::now() - started_;
    told.slots = slots_;
    return told;
  }

  // The gatherer is a process of ours: what it says is never wrong unless we are.
  RunEvent broken(const Failure& why) {
    kill();
    RunResult ended;
    ended.code = ExitCode::kInternal;
    ended.sentence = "the gatherer sent what cannot be read: " + why.sentence;
    return ended;
  }

  process::RunFolder folder_;  // outlives the root and its processes
  ExpandedInput input_;
  std::unique_ptr<root::Root> root_;
  std::uint32_t slots_;
  Instant started_;
  Schema schema_;
};

// A process, its socket and what it may be replaced by take descriptors of the root: more than a user may have are an
// assertion deep inside ZeroMQ, so the limit is raised as far as it goes, and known before anything starts.
Status allow_open_files(std::uint32_t workers) {
  const rlim_t needed = 64 + rlim_t{4} * workers;
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= needed) return success();
  if (limit.rlim_max != RLIM_INFINITY && limit.rlim_max < needed) {
    return Failure{ExitCode::kUsage, std::to_string(workers) + " workers need " + std::to_string(needed) +
                                         " open files, but this user may have " + std::to_string(limit.rlim_max) +
                                         "; use fewer --workers, or raise the limit (ulimit -n)"};
  }
  limit.rlim_cur = needed;
  (void)setrlimit(RLIMIT_NOFILE, &limit);
  return success();
}

}  // namespace

Result<std::unique_ptr<RunSession>> start_embedded_run(const RunRequest& request, ExpandedInput input) {
  const Instant started = process::now();
  const Result<KernelLevel> kernels = choose_kernels();
  if (!kernels) return kernels.failure();
  const std::uint32_t cpus = cpu_count();
  root::NodeOptions nodes;
  nodes.workers = std::max<std::uint32_t>(request.workers, 1);
  nodes.gatherer_threads = cpus;
  nodes.kernels = std::string(name_of(*kernels));
  const MemoryBudget budget = request.memory_bytes != 0 ? MemoryBudget{request.memory_bytes, true}
                                                        : MemoryBudget{default_memory_budget(machine_memory()), false};
  nodes.slots = request.slots != 0 ? request.slots : default_slots(budget, cpus, nodes.workers);
  const Result<MemoryShares> shares = share_memory(budget, nodes.workers, nodes.slots, input.sources);
  if (!shares) return shares.failure();
  if (Status allowed = allow_open_files(nodes.workers); !allowed) return allowed.failure();
  nodes.gatherer_memory_bytes = shares->gatherer_bytes;

  Result<Plan> plan =
      Plan::make(input.sources, {request.shard_bytes, request.shard_items, nodes.workers * nodes.slots});
  if (!plan) return plan.failure();
  Result<std::string> hash = plugin::content_hash(request.plugin_path);
  if (!hash) return hash.failure();
  Result<process::RunFolder> folder = process::RunFolder::make();
  if (!folder) return folder.failure();
  nodes.folder = folder->path();
  nodes.endpoint = folder->endpoint("root");

  schedule::RunSubmitted run;
  OpenRun& open = run.for_gatherer;
  open.run = process::random_id<RunId>();
  open.job = request.job;
  open.plugin_path = request.plugin_path;
  open.plugin_hash = std::move(hash).value();
  for (const auto& [name, value] : request.parameters) open.parameters.push_back({name, value});
  open.record_bytes_max = request.record_bytes_max != 0 ? request.record_bytes_max : kRecordBytesMaxDefault;
  open.small_partial_bytes_max = kSmallPartialBytesMax;
  open.result_limit = request.limit;
  open.allow_growth = request.allow_growth;
  open.kernels = nodes.kernels;
  open.memory_bytes = shares->gatherer_bytes;
  run.for_workers = open;
  run.for_workers.memory_bytes = shares->worker_bytes;
  run.for_workers.sources = plan->sources();
  run.plan = std::move(plan).value();

  schedule::Limits limits;
  limits.gatherer_bytes_in_flight_max = std::max<std::uint64_t>(shares->gatherer_bytes / 2, 1);
  Result<std::unique_ptr<root::Root>> root = root::Root::start(nodes, limits);
  if (!root) return root.failure();
  root.value()->submit(std::move(run));
  return std::unique_ptr<RunSession>(std::make_unique<EmbeddedRun>(
      std::move(folder).value(), std::move(input), std::move(root).value(), nodes.workers * nodes.slots, started));
}

}  // namespace fanfold
