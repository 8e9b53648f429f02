// result_command.cpp: `fanfold result ID`: the rows of a run that was submitted, when it is done; of a failed one its
// cause and exit code.
#include <array>

#include "runtime/cli/commands.h"
#include "runtime/cli/fleet_commands.h"
#include "runtime/cli/output/row_writer.h"
#include "runtime/cli/run_command.h"
#include "runtime/client/fleet_run.h"

namespace fanfold::cli {
namespace {

constexpr std::array kFlags = {
    kRootFlag,
    kRootTimeoutFlag,
    kKeysFlag,
    kKeyNameFlag,
    EngineFlag{"format", FlagKind::kText, "FORMAT", "table, csv, json or jsonl (default table)"},
    EngineFlag{"output", FlagKind::kText, "FILE", "write the result there, whole or not at all"},
    EngineFlag{"quiet", FlagKind::kSwitch, "", "neither progress nor summary"},
    EngineFlag{"json-summary", FlagKind::kText, "FILE", "write the run's summary there as JSON"},
};

}  // namespace

ExitCode result_command(const Words& words) {
  const Result<CommandFlags> flags = CommandFlags::parse("result", kFlags, words, 1);
  if (!flags) return say(flags.failure());
  if (flags->answered("fanfold result RUN [FLAG]...   the rows of a run, when it is done")) return ExitCode::kDone;
  const Result<RootAddress> address = root_address(*flags, "result");
  if (!address) return say(address.failure());
  const Result<RunId> run = run_named(*flags, "result");
  if (!run) return say(run.failure());
  RunRequest request;
  request.root = address->endpoint;
  request.format = flags->text("format");
  request.output = flags->text("output");
  request.json_summary = flags->text("json-summary");
  request.quiet = flags->on("quiet");
  SignalWatcher signals;
  return show_run(request, signals,
                  [&] { return watch_fleet_run(*run, address->endpoint, address->timeout, address->keys); });
}

}  // namespace fanfold::cli
