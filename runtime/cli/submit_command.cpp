// submit_command.cpp: `fanfold submit`: the command line of `run`, for a root that goes on without this program. Prints
// the run's id.
#include <cstdio>
#include <cstdlib>

#include "runtime/cli/commands.h"
#include "runtime/cli/report/progress_bar.h"
#include "runtime/cli/report/standard_error.h"
#include "runtime/cli/run_command.h"
#include "runtime/client/fleet_run.h"
#include "runtime/process/clock.h"

namespace fanfold::cli {

ExitCode submit_command(const Words& words) {
  const SignalWatcher signals;
  const Result<RunArguments> arguments = parse_run(words, job_source(signals.stopped()));
  if (!arguments) return say(arguments.failure(), signals);
  const RunRequest& request = arguments->request;
  if (arguments->help) return print_job_help("submit", request, signals);
  if (arguments->show_config) {
    print_settings(engine_flags(), arguments->settings);
    return ExitCode::kDone;
  }
  if (request.root.empty()) {
    return say({ExitCode::kUsage, "`fanfold submit` needs a root: --root tcp://HOST:PORT, or FANFOLD_ROOT"});
  }
  for (const auto& [given, flag] :
       {std::pair(request.sequential, "--sequential"), std::pair(!request.output.empty(), "--output"),
        std::pair(!request.format.empty(), "--format"), std::pair(!request.json_summary.empty(), "--json-summary")}) {
    if (given) {
      return say({ExitCode::kUsage, std::string(flag) + " belongs to `fanfold run`, or to `fanfold result`, which "
                                                        "fetches what was submitted"});
    }
  }
  StandardError standard_error;
  ProgressBar bar(standard_error, progress_style(request.quiet, StandardError::is_terminal(), std::getenv("TERM")),
                  process::now());
  const Result<RunId> run = submit_fleet_run(request, signals.stopped(), [&](const schedule::Progress& progress) {
    bar.update(reading_of(progress), process::now(), StandardError::columns());
  });
  bar.clear();
  if (!run) return say(run.failure(), signals);
  std::printf("%s\n", to_text(*run).c_str());
  return ExitCode::kDone;
}

}  // namespace fanfold::cli
