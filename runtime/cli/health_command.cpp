// health_command.cpp: `fanfold health`: whether a node is ready, for those who start and watch nodes.
#include <array>

#include "runtime/cli/command_flags.h"
#include "runtime/cli/commands.h"
#include "runtime/http/endpoints.h"

namespace fanfold::cli {
namespace {

constexpr std::array kFlags = {
    EngineFlag{"http", FlagKind::kText, "HOST:PORT", "where the node serves HTTP (default 127.0.0.1:7118)"}};

}  // namespace

ExitCode health_command(const Words& words) {
  const Result<CommandFlags> flags = CommandFlags::parse("health", kFlags, words, 0);
  if (!flags) return say(flags.failure());
  if (flags->answered(
          "fanfold health [--http HOST:PORT]\n\nEnds with 0 when the node there is ready, with 5 when not."))
    return ExitCode::kDone;
  const std::string address = flags->text("http");
  if (Status ready = http::ask_ready(address.empty() ? "127.0.0.1:7118" : address); !ready) return say(ready.failure());
  return ExitCode::kDone;
}

}  // namespace fanfold::cli
