// cancel_command.cpp: `fanfold cancel ID`: ends a run of a root, whoever submitted it.
#include <array>
#include <cstdio>
#include <limits>

#include "runtime/cli/commands.h"
#include "runtime/cli/fleet_commands.h"
#include "runtime/client/root_client.h"

namespace fanfold::cli {
namespace {

constexpr std::array kFlags = {kRootFlag, kRootTimeoutFlag, kKeysFlag, kKeyNameFlag};

}  // namespace

ExitCode cancel_command(const Words& words) {
  const Result<CommandFlags> flags = CommandFlags::parse("cancel", kFlags, words, 1);
  if (!flags) return say(flags.failure());
  if (flags->answered("fanfold cancel RUN [FLAG]...   ends a run")) return ExitCode::kDone;
  const Result<RootAddress> address = root_address(*flags, "cancel");
  if (!address) return say(address.failure());
  const Result<RunId> run = run_named(*flags, "cancel");
  if (!run) return say(run.failure());
  const SignalWatcher signals;
  Result<std::unique_ptr<RootClient>> root = RootClient::connect(address->endpoint, address->timeout, address->keys);
  if (!root) return say(root.failure());
  root.value()->send(CancelWanted{*run, 0});
  // None of its rows, but its end.
  root.value()->send(Watch{*run, std::numeric_limits<std::uint64_t>::max(), 0});
  const Result<RunOver> over = root.value()->answer<RunOver>(signals.stopped());
  if (!over) return say(over.failure(), signals);
  const bool done = over->exit_code == static_cast<std::uint32_t>(ExitCode::kDone);
  std::printf("%s\n", done ? "the run had ended; its result is kept" : over->sentence.c_str());
  return ExitCode::kDone;
}

}  // namespace fanfold::cli
