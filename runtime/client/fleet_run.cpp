#include "runtime/client/fleet_run.h"

#include <atomic>
#include <csignal>
#include <deque>
#include <utility>

#include "engine/overloaded.h"
#include "engine/protocol/ledger_bytes.h"
#include "engine/quoted.h"
#include "runtime/client/machine/machine.h"
#include "runtime/client/root_client.h"
#include "runtime/client/shipment.h"
#include "runtime/plugin/content_hash.h"
#include "runtime/plugin/plugin_choice.h"
#include "runtime/process/clock.h"

namespace fanfold {
namespace {

// Batches that may be on their way.
constexpr std::uint64_t kBatchesAhead = 8;
// A cancelled run is waited for so long; then its client leaves, and the root ends it.
constexpr Duration kCancelWait = milliseconds(1900);

Failure refused_by(const RunRefused& refused) {
  return {static_cast<ExitCode>(refused.exit_code), refused.sentence};
}

// A run as it is submitted, and the plugin, as a file, where that is shipped with it.
struct Submission {
  Submit submit;
  std::optional<Source> plugin = {};
  [[nodiscard]] bool ships() const { return submit.specification.ship || plugin; }
};

class FleetRun final : public RunSession {
 public:
  FleetRun(std::unique_ptr<RootClient> root, RunId run, bool owned, ExpandedInput input)
      : root_(std::move(root)), run_(run), owned_(owned), input_(std::move(input)) {}

  // Sends what the root is to get of a submission, while it is waited for.
  void ship(Submission submission) {
    const RunSpecification& specification = submission.submit.specification;
    shipment_.emplace(run_, std::move(submission.plugin), specification.ship ? &input_.sources : nullptr,
                      specification.allow_growth);
    submitted_ = std::move(submission.submit);
    show_shipment();
  }
  [[nodiscard]] bool shipping() const { return shipment_ && !shipment_->whole(); }

  // Asks for what comes next, also after the link was lost.
  void watch() { root_->send(Watch{run_, batches_taken_, batches_taken_ + kBatchesAhead}); }

  std::optional<RunEvent> wait(Duration timeout) override {
    if (over_) return std::nullopt;
    if (killed_) return end_with({ExitCode::kInterrupted, ""});
    if (cancel_wanted_ && !cancel_sent_) {
      cancel_sent_ = process::now();
      if (!owned_) return end_with({cancel_code_, ""});
      root_->send(CancelWanted{run_, cancel_code_ == ExitCode::kTerminated ? SIGTERM : SIGINT});
    }
    if (cancel_sent_ && process::now() >= *cancel_sent_ + kCancelWait)
      return end_with({cancel_code_, "the run was cancelled."});
    // What was taken meanwhile makes room.
    if (const std::uint64_t consumed = consumed_; consumed + kBatchesAhead > batches_allowed_) {
      batches_allowed_ = consumed + kBatchesAhead;
      root_->send(ResultCredit{run_, batches_allowed_});
    }
    if (shipping() && !cancel_sent_) {
      const Result<bool> more = shipment_->send(*root_);
      if (!more) {
        root_->send(CancelWanted{run_, 0});
        return end_with(more.failure());
      }
      if (*more) timeout = {};
      show_shipment();
    }
    Result<std::optional<RootClient::Received>> received = root_->wait(timeout);
    if (!received) return end_with(received.failure());
    if (!*received) return std::nullopt;
    if (std::holds_alternative<RootClient::Lost>(**received)) {
      if (shipping()) {
        // The same run under the same id: the root says how much of it has come.
        root_->send(submitted_);
        shipment_->begin_again();
      } else {
        lost_once_ = true;
      }
      watch();
      return std::nullopt;
    }
    auto& said = std::get<transport::PeerLink::Received>(**received);
    std::optional<RunEvent> event;
    std::visit(Overloaded{
                   [&](ShipCredit& told) {
                     if (!shipment_) return;
                     shipment_->allow(told);
                     show_shipment();
                   },
                   [&](RunAccepted& told) { leave_receiving(told.stage); },
                   [&](RunProgress& told) {
                     leave_receiving(told.stage);
                     progress_.running = true;
                     progress_.finishing = told.finishing;
                     progress_.shards = told.shards;
                     progress_.shards_awarded = told.shards_awarded;
                     progress_.shards_folded = told.shards_folded;
                     progress_.bytes = told.bytes;
                     progress_.bytes_awarded = told.bytes_awarded;
                     progress_.records = told.records;
                     progress_.workers = told.workers;
                     progress_.slots = told.slots;
                     progress_.runs_ahead = told.stage == RunStage::kQueued ? told.runs_ahead : 0;
                     progress_.waiting =
                         told.stage == RunStage::kQueued || (told.stage == RunStage::kRunning && told.workers == 0);
                   },
                   [&](RunSchema& told) {
                     if (std::exchange(schema_known_, true)) return;
                     Result<Schema> schema = unpack_schema(told.schema);
                     event = schema ? RunEvent(SchemaKnown{schema_ = std::move(schema).value()})
                                    : end_with(unreadable(schema.failure()));
                   },
                   [&](ResultBatch& told) {
                     if (told.index != batches_taken_) return;  // of a watch before this one
                     Result<RowBatch> batch = unpack_batch(schema_, said.raw.view);
                     if (!batch) {
                       event = end_with(unreadable(batch.failure()));
                       return;
                     }
                     batches_taken_ += 1;
                     event = ResultRows{told.index, std::move(batch).value()};
                   },
                   [&](RunRefused& told) {
                     event = end_with(lost_once_ ? Failure{ExitCode::kNoFleet,
                                                           "the root at " + root_->endpoint() +
                                                               " was started anew, and what it had is lost; submit the "
                                                               "run again"}
                                                 : refused_by(told));
                   },
                   [&](RunOver& told) { event = end(std::move(told)); },
                   [](auto&) {},
               },
               said.message);
    return event;
  }

  void consumed(std::uint64_t batches) override { consumed_ = batches; }
  void cancel(ExitCode code) override {
    cancel_code_ = code;
    cancel_wanted_ = true;
  }
  void kill() override { killed_ = true; }
  schedule::Progress progress() override { return progress_; }
  [[nodiscard]] const std::vector<Source>& sources() const override { return input_.sources; }
  [[nodiscard]] RootClient& root() { return *root_; }

 private:
  // It is received whole, if it ever was: perhaps by another client's doing.
  void leave_receiving(RunStage stage) {
    if (stage != RunStage::kReceiving && shipment_) shipment_->end();
    show_shipment();
  }
  void show_shipment() {
    progress_.shipping = shipping();
    if (!shipment_) return;
    progress_.running = true;
    progress_.bytes_shipped = shipment_->sent();
    progress_.bytes = shipment_->bytes();
  }

  Failure unreadable(const Failure& why) {
    return {ExitCode::kInternal, "the root at " + root_->endpoint() + " sent what cannot be read: " + why.sentence};
  }

  RunEvent end_with(const Failure& failure) {
    over_ = true;
    RunResult result;
    result.run = run_;
    result.code = failure.code;
    result.sentence = failure.sentence;
    result.wall = process::now() - started_;
    return result;
  }

  RunEvent end(RunOver told) {
    over_ = true;
    RunResult result;
    result.run = told.run;
    result.job = std::move(told.job);
    result.code = static_cast<ExitCode>(told.exit_code);
    result.sentence = std::move(told.sentence);
    result.rows = told.rows;
    if (!told.ledger.empty()) result.ledger = unpack_ledger(told.ledger);
    result.shards_folded = told.shards_folded;
    result.wall = told.wall;
    result.slots = told.slots;
    schedule::RunStatistics& statistics = result.statistics;
    statistics.shards = told.shards;
    statistics.leases = told.leases;
    statistics.bundles = told.bundles;
    statistics.retries = told.retries;
    statistics.drops = told.drops;
    statistics.records = told.records;
    statistics.bytes = told.bytes;
    statistics.merge = told.merge;
    statistics.finish = told.finish;
    for (ProcessAccount& process : told.processes) {
      statistics.processes.push_back({process.role, std::move(process.name), process.pid, process.slots,
                                      process.peak_rss_bytes, process.slot_times, process.lost});
    }
    return result;
  }

  std::unique_ptr<RootClient> root_;
  RunId run_;
  bool owned_;  // cancelled when this client wants to end
  ExpandedInput input_;
  std::optional<Shipment> shipment_;
  Submit submitted_;  // what is shipped
  Instant started_ = process::now();
  Schema schema_;
  bool schema_known_ = false;
  std::uint64_t batches_taken_ = 0;
  std::uint64_t batches_allowed_ = kBatchesAhead;
  bool over_ = false;
  bool lost_once_ = false;
  std::optional<Instant> cancel_sent_;
  schedule::Progress progress_;
  std::atomic<std::uint64_t> consumed_ = 0;
  std::atomic<bool> cancel_wanted_ = false;
  std::atomic<ExitCode> cancel_code_ = ExitCode::kInterrupted;
  std::atomic<bool> killed_ = false;
};

Result<Submission> submission_of(const RunRequest& request, const std::vector<Source>& sources, bool attached) {
  Submission submission;
  Submit& submit = submission.submit;
  if (request.run_id.empty()) {
    submit.run = process::random_id<RunId>();
  } else if (!from_text(request.run_id, submit.run) || submit.run.empty()) {
    return Failure{ExitCode::kUsage, "--run-id takes 32 hexadecimal digits, not all of them zero, not " +
                                         fanfold::quoted(request.run_id)};
  }
  RunSpecification& specification = submit.specification;
  Result<std::string> hash = plugin::content_hash(request.plugin_path);
  if (!hash) return hash.failure();
  specification.job = plugin::job_of_file(request.plugin_path);
  specification.plugin_hash = std::move(hash).value();
  for (const auto& [name, value] : request.parameters) specification.parameters.push_back({name, value});
  specification.sources = sources;
  specification.ship = request.ship;
  if (request.ship) {
    for (Source& source : specification.sources) source.path.clear();  // nobody else can use it
  }
  if (request.ship_plugin) {
    Result<ExpandedInput> plugin = expand_inputs({.inputs = {request.plugin_path}});
    if (!plugin) return plugin.failure();
    submission.plugin = plugin->sources.at(0);
    specification.plugin_bytes = submission.plugin->size;
  }
  specification.shard_bytes = request.shard_bytes;
  specification.shard_items = request.shard_items;
  specification.limit = request.limit;
  specification.record_bytes_max = request.record_bytes_max;
  specification.allow_growth = request.allow_growth;
  specification.attached = attached;
  specification.no_workers_max = request.no_worker_timeout;
  return submission;
}

// Submits, and waits until the root has taken it.
Status submit_to(RootClient& root, const Submit& submit, const Stopped& stopped) {
  root.send(submit);
  while (!stopped || !stopped()) {
    Result<std::optional<RootClient::Received>> received = root.wait(milliseconds(kStopPollMilliseconds));
    if (!received) return received.failure();
    if (!*received) continue;
    if (std::holds_alternative<RootClient::Lost>(**received)) {
      root.send(submit);  // the same run under the same id: taken once
      continue;
    }
    const Message& message = std::get<transport::PeerLink::Received>(**received).message;
    if (const auto* refused = std::get_if<RunRefused>(&message)) return refused_by(*refused);
    if (std::holds_alternative<RunAccepted>(message)) return success();
  }
  return stopped_failure();
}

// Until the root has all files: then the run goes on alone.
Status ship_whole(FleetRun& run, const Stopped& stopped, const ShipmentTold& told) {
  while (run.shipping()) {
    if (stopped && stopped()) run.cancel(ExitCode::kInterrupted);
    const std::optional<RunEvent> event = run.wait(milliseconds(kStopPollMilliseconds));
    const RunResult* ended = event ? std::get_if<RunResult>(&*event) : nullptr;
    if (ended != nullptr && ended->code != ExitCode::kDone) return Failure{ended->code, ended->sentence};
    if (ended != nullptr) break;
    told(run.progress());
  }
  return success();
}

}  // namespace

Result<std::unique_ptr<RunSession>> start_fleet_run(const RunRequest& request, ExpandedInput input,
                                                    const Stopped& stopped) {
  Result<Submission> submission = submission_of(request, input.sources, true);
  if (!submission) return submission.failure();
  Result<std::unique_ptr<RootClient>> root = RootClient::connect(request.root, request.root_timeout, request.keys);
  if (!root) return root.failure();
  if (Status submitted = submit_to(**root, submission->submit, stopped); !submitted) return submitted.failure();
  auto run = std::make_unique<FleetRun>(std::move(root).value(), submission->submit.run, true, std::move(input));
  if (submission->ships()) run->ship(std::move(submission).value());
  run->watch();
  return std::unique_ptr<RunSession>(std::move(run));
}

Result<RunId> submit_fleet_run(const RunRequest& request, const Stopped& stopped, const ShipmentTold& told) {
  Result<ExpandedInput> input = expand_for(request, stopped);
  if (!input) return input.failure();
  if (!input->kept.empty() && !request.ship) {
    return Failure{ExitCode::kUsage,
                   "standard input, pipes and devices end with this program; a run that is submitted "
                   "needs files that stay, or --ship"};
  }
  Result<Submission> submission = submission_of(request, input->sources, false);
  if (!submission) return submission.failure();
  Result<std::unique_ptr<RootClient>> root = RootClient::connect(request.root, request.root_timeout, request.keys);
  if (!root) return root.failure();
  if (Status submitted = submit_to(**root, submission->submit, stopped); !submitted) return submitted.failure();
  const RunId run = submission->submit.run;
  if (submission->ships()) {
    FleetRun sent(std::move(root).value(), run, true, std::move(input).value());
    sent.ship(std::move(submission).value());
    sent.watch();
    if (Status shipped = ship_whole(sent, stopped, told); !shipped) return shipped.failure();
  }
  return run;
}

Result<std::unique_ptr<RunSession>> watch_fleet_run(RunId run, const std::string& root, Duration root_timeout,
                                                    const transport::KeyPlace& keys) {
  Result<std::unique_ptr<RootClient>> client = RootClient::connect(root, root_timeout, keys);
  if (!client) return client.failure();
  auto session = std::make_unique<FleetRun>(std::move(client).value(), run, false, ExpandedInput{});
  session->watch();
  return std::unique_ptr<RunSession>(std::move(session));
}

}  // namespace fanfold
