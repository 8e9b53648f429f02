// run_command.h: what the commands that show a run's rows have in common: `run`, and `result`; and how the ones that
// read a job's command line find jobs: `run`, and `submit`.
#pragma once

#include <functional>
#include <memory>

#include "engine/failure.h"
#include "runtime/cli/report/progress_bar.h"
#include "runtime/cli/run_arguments.h"
#include "runtime/cli/signal_watcher.h"
#include "runtime/client/run_session.h"

namespace fanfold::cli {

using StartSession = std::function<Result<std::unique_ptr<RunSession>>()>;

// Rows to the request's output, progress and summary to standard error. The exit code.
ExitCode show_run(const RunRequest& request, SignalWatcher& signals, const StartSession& start);

// What a progress bar shows of a run.
[[nodiscard]] ProgressReading reading_of(const schedule::Progress& progress);

[[nodiscard]] JobSource job_source(const Stopped& stopped);
// `fanfold COMMAND --help`, with the job's own parameters where one is named.
ExitCode print_job_help(const std::string& command, const RunRequest& request, const SignalWatcher& signals);

}  // namespace fanfold::cli
