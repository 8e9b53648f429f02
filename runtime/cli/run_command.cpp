// run_command.cpp: `fanfold run`: from a command line to rows in an output, a progress display and a summary.
#include "runtime/cli/run_command.h"

#include <sys/stat.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <optional>

#include "engine/quoted.h"
#include "runtime/cli/commands.h"
#include "runtime/cli/engine_flags.h"
#include "runtime/cli/job_help.h"
#include "runtime/cli/output/output_file.h"
#include "runtime/cli/output/row_writer.h"
#include "runtime/cli/report/progress_bar.h"
#include "runtime/cli/report/standard_error.h"
#include "runtime/cli/report/summary_report.h"
#include "runtime/cli/run_arguments.h"
#include "runtime/cli/signal_watcher.h"
#include "runtime/client/job_describer.h"
#include "runtime/client/quantity.h"
#include "runtime/client/run_session.h"
#include "runtime/client/summarise.h"
#include "runtime/plugin/job_finder.h"
#include "runtime/process/clock.h"

namespace fanfold::cli {

namespace {

// How often signals and the display are looked at while nothing comes.
constexpr Duration kTurn = milliseconds(50);
// A wait for workers, or for the run's turn, is told when it lasts.
constexpr Duration kWaitingShown = seconds(1);

}  // namespace

ExitCode print_job_help(const std::string& command, const RunRequest& request, const SignalWatcher& signals) {
  std::string job;
  if (!request.plugin_path.empty()) {
    const Result<plugin::Described> described = describe_job(request.plugin_path, signals.stopped());
    if (!described) return say(described.failure(), signals);
    job = "\n" + description_text(*described, request.plugin_path);
  }
  std::printf("fanfold %s JOB INPUT... [FLAG]...\n%s", command.c_str(), job.c_str());
  std::fputs("\nEngine flags (each also as an environment variable, FANFOLD_SHARD_BYTES for --shard-bytes)\n", stdout);
  for (const EngineFlag& flag : engine_flags()) {
    const std::string name = "--" + std::string(flag.name) + (flag.value.empty() ? "" : " ") + std::string(flag.value);
    std::printf("  %-26s  %s\n", name.c_str(), std::string(flag.help).c_str());
  }
  std::printf("  %-26s  %s\n", "-0", "entries of --files-from end in a zero byte instead of a newline");
  return ExitCode::kDone;
}

namespace {}  // namespace

JobSource job_source(const Stopped& stopped) {
  JobSource source;
  source.find = [](const std::string& name,
                   const std::vector<std::string>& named) -> Result<std::pair<std::string, std::string>> {
    Result<FoundJob> job = find_job(name, plugin_folders(named));
    if (!job) return job.failure();
    return std::pair(job->name, job->path);
  };
  source.describe = [stopped](const std::string& path) -> Result<plugin::JobDescription> {
    Result<plugin::Described> described = describe_job(path, stopped);
    if (!described) return described.failure();
    return std::move(described->job);
  };
  return source;
}

namespace {

std::vector<FileIdentity> identities_of(const std::vector<Source>& sources) {
  std::vector<FileIdentity> identities;
  for (const Source& source : sources) {
    struct stat status {};
    if (!source.path.empty() && stat(source.path.c_str(), &status) == 0) {
      identities.push_back({status.st_dev, status.st_ino});
    }
  }
  return identities;
}

// Whether two names lead to one file, which need not exist yet.
bool same_file(const std::string& a, const std::string& b) {
  std::error_code error;
  const auto resolved = [&](const std::string& name) {
    return std::filesystem::weakly_canonical(std::filesystem::absolute(name, error), error);
  };
  const std::filesystem::path first = resolved(a);
  return !error && first == resolved(b) && !error;
}

// The rows of one run on their way into the output.
class ResultOutput {
 public:
  ResultOutput(std::unique_ptr<OutputFile> file, Format format) : file_(std::move(file)), format_(format) {}

  Status begin(const Schema& schema) {
    schema_ = schema;
    writer_ = make_row_writer(format_, schema_, *file_);
    return success();
  }
  // Batch 0 again: a gatherer was lost, and what was written is void.
  Status add(const ResultRows& rows) {
    if (rows.index == 0 && batches_ > 0) {
      if (Status restarted = file_->restart(); !restarted) return restarted;
      writer_ = make_row_writer(format_, schema_, *file_);
      batches_ = 0;
    }
    ++batches_;
    return writer_->write(rows.batch.view());
  }
  Status finish() {
    if (writer_ != nullptr) {
      if (Status finished = writer_->finish(); !finished) return finished;
    }
    return file_->commit();
  }
  [[nodiscard]] std::uint64_t batches() const { return batches_; }
  [[nodiscard]] bool reader_gone() const { return file_->reader_gone(); }

 private:
  std::unique_ptr<OutputFile> file_;
  Format format_;
  Schema schema_;
  std::unique_ptr<RowWriter> writer_;
  std::uint64_t batches_ = 0;
};

class Run {
 public:
  Run(const RunRequest& request, SignalWatcher& signals)
      : request_(request),
        signals_(signals),
        progress_(standard_error_, progress_style(request.quiet, StandardError::is_terminal(), std::getenv("TERM")),
                  process::now()) {}

  ExitCode perform(const StartSession& start) {
    const Result<Format> format = parse_format(request_.format.empty() ? "table" : request_.format);
    if (!format) return say(format.failure());
    Result<std::unique_ptr<RunSession>> session = start();
    if (!session) return end_early(session.failure());
    session_ = std::move(session).value();
    const std::vector<FileIdentity> inputs = identities_of(session_->sources());
    Result<std::unique_ptr<OutputFile>> file = request_.output.empty()
                                                   ? OutputFile::standard_output(inputs, &signals_.cancelled())
                                                   : OutputFile::open(request_.output, inputs, &signals_.cancelled());
    if (!file) return end_early(file.failure());
    if (Status opened = open_summary(inputs, file.value()->is_regular()); !opened) return end_early(opened.failure());
    ResultOutput output(std::move(file).value(), *format);

    for (;;) {
      std::optional<RunEvent> event = session_->wait(kTurn);
      if (signals_.cancelled() && !cancel_sent_) {
        cancel_sent_ = true;
        session_->cancel(signals_.code());
      }
      show_progress();
      if (!event) continue;
      if (auto* result = std::get_if<RunResult>(&*event)) return end(std::move(*result), output);
      const Status taken = take(*event, output);
      if (taken) continue;
      return abandon(taken.failure(), output);
    }
  }

 private:
  // Before anything runs: a summary that cannot be written is known in time, and no input is replaced by it.
  Status open_summary(const std::vector<FileIdentity>& inputs, bool output_is_regular) {
    if (request_.json_summary.empty()) return success();
    if (output_is_regular && same_file(request_.json_summary, request_.output)) {
      return Failure{ExitCode::kUsage, "--output and --json-summary both name " +
                                           fanfold::quoted(request_.json_summary) + "; give each a file of its own"};
    }
    Result<std::unique_ptr<OutputFile>> file = OutputFile::open(request_.json_summary, inputs, &signals_.cancelled());
    if (!file) return file.failure();
    summary_file_ = std::move(file).value();
    return success();
  }

  Status write_summary(const RunSummary& summary) {
    if (summary_file_ == nullptr) return success();
    if (Status written = summary_file_->write(summary_json(summary)); !written) return written;
    return summary_file_->commit();
  }

  Status take(const RunEvent& event, ResultOutput& output) {
    if (const auto* known = std::get_if<SchemaKnown>(&event)) return output.begin(known->schema);
    const auto& rows = std::get<ResultRows>(event);
    Status added = output.add(rows);
    if (added) session_->consumed(rows.index + 1);
    return added;
  }

  ExitCode end(RunResult result, ResultOutput& output) {
    if (result.code == ExitCode::kDone) {
      if (Status finished = output.finish(); !finished) {
        return give_account(output.reader_gone() ? Failure{ExitCode::kDone, ""} : finished.failure(), result);
      }
    }
    progress_.clear();
    if (result.code != ExitCode::kDone && !signals_.cancelled()) say({result.code, result.sentence});
    const RunSummary summary = summarise(request_, result);
    // Of what failed before anything was mapped the sentence has told all there is.
    if (!request_.quiet && (result.code == ExitCode::kDone || summary.records != 0 || summary.bytes != 0)) {
      (void)standard_error_.write(summary_text(summary));
    }
    if (Status written = write_summary(summary); !written) return say(written.failure());
    return signals_.cancelled() && result.code != ExitCode::kDone ? signals_.code() : result.code;
  }

  // The rows cannot be written on: the run is of no use any more. A reader that went away has what it wanted, which
  // is no reason for a word.
  ExitCode abandon(const Failure& failure, const ResultOutput& output) {
    const Failure reason = output.reader_gone() ? Failure{ExitCode::kDone, ""} : failure;
    RunResult result;
    if (summary_file_ != nullptr) {
      session_->cancel(ExitCode::kInterrupted);
      for (std::optional<RunEvent> event = session_->wait(kTurn);; event = session_->wait(kTurn)) {
        if (!event || !std::holds_alternative<RunResult>(*event)) continue;
        result = std::get<RunResult>(std::move(*event));
        break;
      }
    }
    return give_account(reason, result);
  }

  // Whatever the run said of itself: this is how it ended for its user.
  ExitCode give_account(const Failure& reason, RunResult& result) {
    result.code = signals_.cancelled() ? signals_.code() : reason.code;
    const ExitCode code = end_early(reason);
    if (Status written = write_summary(summarise(request_, result)); !written) return say(written.failure());
    return code;
  }

  void show_progress() {
    const schedule::Progress now = session_->progress();
    if (!now.running) return;
    if (!now.waiting) waiting_since_.reset();
    if (now.waiting && !waiting_since_) waiting_since_ = process::now();
    if (now.waiting && !waiting_told_ && !request_.quiet && process::now() - *waiting_since_ > kWaitingShown) {
      waiting_told_ = true;
      progress_.clear();
      (void)standard_error_.write(now.runs_ahead > 0
                                      ? "waiting: " + std::to_string(now.runs_ahead) + " runs are ahead at the root\n"
                                      : "waiting for a worker to join " + request_.root + ", for at most " +
                                            human_seconds(request_.no_worker_timeout.seconds()) + "\n");
    }
    progress_.update(reading_of(now), process::now(), StandardError::columns());
  }

  ExitCode end_early(const Failure& failure) {
    progress_.clear();
    return say(failure, signals_);
  }

  const RunRequest& request_;
  SignalWatcher& signals_;
  StandardError standard_error_;
  ProgressBar progress_;
  std::unique_ptr<RunSession> session_;
  std::unique_ptr<OutputFile> summary_file_;
  bool cancel_sent_ = false;
  std::optional<Instant> waiting_since_;
  bool waiting_told_ = false;
};

}  // namespace

ProgressReading reading_of(const schedule::Progress& progress) {
  ProgressReading reading;
  reading.shards_done = progress.shards_awarded;
  reading.shards = progress.shards;
  reading.bytes_done = progress.shipping ? progress.bytes_shipped : progress.bytes_awarded;
  reading.bytes = progress.bytes;
  reading.finishing = progress.finishing;
  reading.shipping = progress.shipping;
  return reading;
}

ExitCode show_run(const RunRequest& request, SignalWatcher& signals, const StartSession& start) {
  return Run(request, signals).perform(start);
}

ExitCode run_command(const Words& words) {
  SignalWatcher signals;
  Result<RunArguments> arguments = parse_run(words, job_source(signals.stopped()));
  if (!arguments) return say(arguments.failure(), signals);
  if (arguments->help) return print_job_help("run", arguments->request, signals);
  if (arguments->show_config) {
    print_settings(engine_flags(), arguments->settings);
    return ExitCode::kDone;
  }
  return show_run(arguments->request, signals, [&] { return start_run(arguments->request, signals.stopped()); });
}

}  // namespace fanfold::cli
