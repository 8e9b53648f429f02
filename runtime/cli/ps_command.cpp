// ps_command.cpp: `fanfold ps`: the runs of a root, those that have ended and are kept too.
#include <array>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "runtime/cli/commands.h"
#include "runtime/cli/fleet_commands.h"
#include "runtime/client/quantity.h"
#include "runtime/client/root_client.h"

namespace fanfold::cli {
namespace {

constexpr std::array kFlags = {kRootFlag, kRootTimeoutFlag, kKeysFlag, kKeyNameFlag, kJsonFlag};

const char* name_of(RunStage stage) {
  switch (stage) {
    case RunStage::kQueued:
      return "queued";
    case RunStage::kRunning:
      return "running";
    case RunStage::kDone:
      return "done";
    case RunStage::kFailed:
      return "failed";
    case RunStage::kReceiving:
      return "receiving";
  }
  return "failed";
}

std::string json_of(const Runs& runs) {
  using Json = nlohmann::ordered_json;
  Json list = Json::array();
  for (const RunRecord& run : runs.runs) {
    list.push_back({{"run_id", to_text(run.run)},
                    {"job", run.job},
                    {"stage", name_of(run.stage)},
                    {"exit_code", run.exit_code},
                    {"sentence", run.sentence},
                    {"client", run.client},
                    {"attached", run.attached},
                    {"shards", run.shards},
                    {"shards_folded", run.shards_folded},
                    {"rows", run.rows},
                    {"slots", run.slots},
                    {"age_seconds", run.age.seconds()},
                    {"expires_in_seconds", run.expires_in.seconds()}});
  }
  return Json{{"schema", 1}, {"runs", list}}.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace

ExitCode ps_command(const Words& words) {
  const Result<CommandFlags> flags = CommandFlags::parse("ps", kFlags, words, 0);
  if (!flags) return say(flags.failure());
  if (flags->answered("fanfold ps [FLAG]...           lists the runs of a root")) return ExitCode::kDone;
  const Result<RootAddress> address = root_address(*flags, "ps");
  if (!address) return say(address.failure());
  const SignalWatcher signals;
  Result<std::unique_ptr<RootClient>> root = RootClient::connect(address->endpoint, address->timeout, address->keys);
  if (!root) return say(root.failure());
  root.value()->send(ListRuns{});
  const Result<Runs> runs = root.value()->answer<Runs>(signals.stopped());
  if (!runs) return say(runs.failure(), signals);
  if (flags->on("json")) {
    std::fputs(json_of(*runs).c_str(), stdout);
    return ExitCode::kDone;
  }
  std::printf("%-32s  %-16s  %-9s  %9s  %5s  %10s  %s\n", "run", "job", "stage", "folded", "slots", "age", "client");
  for (const RunRecord& run : runs->runs) {
    char folded[32] = "-";
    if (run.shards != 0) {
      std::snprintf(folded, sizeof folded, "%.0f %%",
                    100.0 * static_cast<double>(run.shards_folded) / static_cast<double>(run.shards));
    }
    std::printf("%-32s  %-16s  %-9s  %9s  %5u  %10s  %s\n", to_text(run.run).c_str(), printable(run.job).c_str(),
                name_of(run.stage), folded, run.slots, human_seconds(run.age.seconds()).c_str(),
                printable(run.client).c_str());
    if (!run.sentence.empty()) std::printf("    %s\n", printable(run.sentence).c_str());
  }
  return ExitCode::kDone;
}

}  // namespace fanfold::cli
