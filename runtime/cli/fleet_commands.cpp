#include "runtime/cli/fleet_commands.h"

#include "engine/quoted.h"
#include "runtime/transport/endpoint.h"

namespace fanfold::cli {

Result<RootAddress> root_address(const CommandFlags& flags, const std::string& command) {
  RootAddress root;
  root.endpoint = flags.text("root");
  if (root.endpoint.empty()) {
    return Failure{ExitCode::kUsage, "`fanfold " + command + "` needs a root: --root tcp://HOST:PORT, or FANFOLD_ROOT"};
  }
  if (const auto parsed = transport::parse_tcp(root.endpoint, "--root"); !parsed) return parsed.failure();
  if (Status timed = flags.time("root-timeout", root.timeout); !timed) return timed.failure();
  root.keys = {flags.text("keys"), flags.text("key-name")};
  return root;
}

std::string printable(std::string text) {
  for (char& byte : text) {
    if (static_cast<unsigned char>(byte) < 0x20 || byte == 0x7f) byte = '?';
  }
  return text;
}

Result<RunId> run_named(const CommandFlags& flags, const std::string& command) {
  RunId run;
  if (flags.names().size() != 1) {
    return Failure{ExitCode::kUsage, "`fanfold " + command + "` takes the id of one run; `fanfold ps` lists them"};
  }
  if (!from_text(flags.names().front(), run)) {
    return Failure{ExitCode::kUsage, fanfold::quoted(flags.names().front()) +
                                         " is no run's id, which has 32 hexadecimal digits; `fanfold ps` lists them"};
  }
  return run;
}

}  // namespace fanfold::cli
