// worker_command.cpp: `fanfold worker`: a machine or container that maps for the runs of a root, until it is told to
// leave.
#include <array>

#include "engine/protocol/limits.h"
#include "engine/quoted.h"
#include "runtime/cli/command_flags.h"
#include "runtime/cli/commands.h"
#include "runtime/client/machine/machine.h"
#include "runtime/plugin/job_finder.h"
#include "runtime/process/whereabouts.h"
#include "runtime/transport/endpoint.h"
#include "runtime/worker/agent.h"

namespace fanfold::cli {
namespace {

constexpr std::array kFlags = {
    EngineFlag{"root", FlagKind::kText, "tcp://HOST:PORT", "the root to map for"},
    EngineFlag{"slots", FlagKind::kCount, "N", "shards mapped at once (default: one a core)"},
    EngineFlag{"name", FlagKind::kText, "NAME", "in lists and sentences (default: the host's)"},
    EngineFlag{"memory", FlagKind::kSize, "SIZE", "of all runs here (default: half of what is free)"},
    EngineFlag{"path-map", FlagKind::kTexts, "FROM=TO",
               "what clients call FROM is at TO here; may be repeated, the first that fits is taken"},
    EngineFlag{"plugin-path", FlagKind::kTexts, "FOLDER", "look for jobs there first; may be repeated"},
    EngineFlag{"accept-plugins", FlagKind::kSwitch, "", "load plugins that clients ship; needs --keys"},
    EngineFlag{"plugin-cache", FlagKind::kText, "FOLDER",
               "where those are kept (default: one in TMPDIR, for this life)"},
    EngineFlag{"http", FlagKind::kText, "HOST:PORT", "serve /healthz, /readyz and /metrics there"},
    EngineFlag{"log-format", FlagKind::kText, "FORMAT",
               "of the log on standard error: text (default) or json, a line a record"},
    EngineFlag{"log-level", FlagKind::kText, "LEVEL",
               "of the log: debug, info (default), warning or error, and what is above"},
    EngineFlag{"keys", FlagKind::kText, "FOLDER", "where its key and root.pub are"},
    EngineFlag{"key-name", FlagKind::kText, "NAME", "which key, where there are several workers'"},
    EngineFlag{"root-timeout", FlagKind::kText, "TIME",
               "give up when the root does not answer for so long (default 10s)"},
    EngineFlag{"drain-timeout", FlagKind::kText, "TIME", "from SIGTERM to the end at most (default 30s)"},
};

}  // namespace

std::span<const EngineFlag> worker_flags() {
  return kFlags;
}

ExitCode worker_command(const Words& words) {
  const Result<CommandFlags> flags = CommandFlags::parse("worker", kFlags, words, 0);
  if (!flags) return say(flags.failure());
  if (flags->answered("fanfold worker --root tcp://HOST:PORT [FLAG]...")) return ExitCode::kDone;
  worker::AgentConfig config;
  log::Options log_as;
  config.root = flags->text("root");
  if (config.root.empty()) {
    return say({ExitCode::kUsage, "a worker needs a root: fanfold worker --root tcp://HOST:PORT, or FANFOLD_ROOT"});
  }
  if (const auto root = transport::parse_tcp(config.root, "--root"); !root) return say(root.failure());
  config.name = flags->text("name");
  if (config.name.empty()) config.name = process::host_name();
  config.keys = {flags->text("keys"), flags->text("key-name")};
  config.http = flags->text("http");
  config.accept_plugins = flags->on("accept-plugins");
  config.plugin_cache = flags->text("plugin-cache");
  config.slots = cpu_count();
  for (const Status& status :
       {flags->count("slots", static_cast<std::uint32_t>(kSuspectsMax), config.slots),
        flags->size("memory", config.memory_bytes), flags->time("root-timeout", config.root_timeout),
        flags->time("drain-timeout", config.drain_max), log_options(*flags, log_as)}) {
    if (!status) return say(status.failure());
  }
  for (const std::string& pair : flags->texts("path-map")) {
    const std::size_t equals = pair.find('=');
    if (equals == std::string::npos || equals == 0 || equals + 1 == pair.size()) {
      return say({ExitCode::kUsage, "--path-map takes FROM=TO, not " + fanfold::quoted(pair)});
    }
    config.path_map.push_back({pair.substr(0, equals), pair.substr(equals + 1)});
  }
  if (config.memory_bytes == 0) config.memory_bytes = default_memory_budget(machine_memory());
  const Result<KernelLevel> kernels = choose_kernels();
  if (!kernels) return say(kernels.failure());
  config.kernels = std::string(name_of(*kernels));
  config.plugin_folders = plugin_folders(flags->texts("plugin-path"));
  const log::Log log(log_as, "worker", config.name);
  if (Status ended = worker::run_agent(config, log); !ended) return say(ended.failure(), log);
  return ExitCode::kDone;
}

}  // namespace fanfold::cli
