// root_command.cpp: `fanfold root`: the root of a fleet, until it is told to end.
#include <array>
#include <charconv>

#include "engine/quoted.h"
#include "runtime/cli/command_flags.h"
#include "runtime/cli/commands.h"
#include "runtime/client/machine/machine.h"
#include "runtime/plugin/job_finder.h"
#include "runtime/process/whereabouts.h"
#include "runtime/root/fleet_root.h"

namespace fanfold::cli {
namespace {

constexpr std::array kFlags = {
    EngineFlag{"listen", FlagKind::kText, "tcp://HOST:PORT", "where workers and clients connect"},
    EngineFlag{"advertise", FlagKind::kText, "HOST", "where workers reach the gatherers (default: HOST of --listen)"},
    EngineFlag{"gather-ports", FlagKind::kText, "A-B",
               "ports of the gatherers, one a run; more runs wait (default: any that are free)"},
    EngineFlag{"runs-max", FlagKind::kCount, "N", "runs at once where no ports are given; more wait (default 4)"},
    EngineFlag{"workers-max", FlagKind::kCount, "N", "workers at most (default 64)"},
    EngineFlag{"results", FlagKind::kText, "FOLDER", "where results are kept (default: TMPDIR)"},
    EngineFlag{"result-ttl", FlagKind::kText, "TIME", "how long a result is kept, fetched or not (default 1h)"},
    EngineFlag{"ship-bytes-max", FlagKind::kSize, "SIZE",
               "of files that clients ship, kept there until their runs end; 0: none (default: half of what is free)"},
    EngineFlag{"memory", FlagKind::kSize, "SIZE", "of all gatherers (default: half of what is free)"},
    EngineFlag{"plugin-path", FlagKind::kTexts, "FOLDER", "look for jobs there first; may be repeated"},
    EngineFlag{"accept-plugins", FlagKind::kSwitch, "", "load plugins that clients ship; needs --keys"},
    EngineFlag{"plugin-cache", FlagKind::kText, "FOLDER",
               "where those are kept (default: one in TMPDIR, for this life)"},
    EngineFlag{"http", FlagKind::kText, "HOST:PORT", "serve /healthz, /readyz and /metrics there"},
    EngineFlag{"log-format", FlagKind::kText, "FORMAT",
               "of the log on standard error: text (default) or json, a line a record"},
    EngineFlag{"log-level", FlagKind::kText, "LEVEL",
               "of the log: debug, info (default), warning or error, and what is above"},
    EngineFlag{"keys", FlagKind::kText, "FOLDER", "root.key, and NAME.pub of all who are admitted"},
    EngineFlag{"insecure", FlagKind::kSwitch, "", "listen beyond this machine in the clear, to anybody"},
};

Status parse_ports(const std::string& text, root::FleetRootOptions& options) {
  if (text.empty()) return success();
  std::uint16_t first = 0;
  std::uint16_t last = 0;
  const char* end = text.data() + text.size();
  const auto low = std::from_chars(text.data(), end, first);
  const bool dash = low.ec == std::errc() && low.ptr != end && *low.ptr == '-';
  const auto high = dash ? std::from_chars(low.ptr + 1, end, last) : low;
  constexpr unsigned kPortsMax = 256;
  if (!dash || high.ec != std::errc() || high.ptr != end || first == 0 || last < first ||
      last - first + 1U > kPortsMax) {
    return Failure{ExitCode::kUsage, "--gather-ports takes two ports, say 7100-7103, of which a run gets one each, " +
                                         std::to_string(kPortsMax) + " at most; not " + fanfold::quoted(text)};
  }
  options.gather_ports = {first, last};
  return success();
}

}  // namespace

std::span<const EngineFlag> root_flags() {
  return kFlags;
}

ExitCode root_command(const Words& words) {
  const Result<CommandFlags> flags = CommandFlags::parse("root", kFlags, words, 0);
  if (!flags) return say(flags.failure());
  if (flags->answered("fanfold root --listen tcp://HOST:PORT [FLAG]...")) return ExitCode::kDone;
  root::FleetRootOptions options;
  log::Options log_as;
  options.listen = flags->text("listen");
  if (options.listen.empty()) {
    return say({ExitCode::kUsage, "a root needs an address: fanfold root --listen tcp://127.0.0.1:7000"});
  }
  options.advertise = flags->text("advertise");
  options.results_folder = flags->text("results");
  options.accept_plugins = flags->on("accept-plugins");
  options.plugin_cache = flags->text("plugin-cache");
  options.insecure = flags->on("insecure");
  options.keys_folder = flags->text("keys");
  options.http = flags->text("http");
  options.plugin_folders = plugin_folders(flags->texts("plugin-path"));
  constexpr std::uint32_t kRunsMax = 256;
  constexpr std::uint32_t kWorkersMax = 4096;
  for (const Status& status :
       {parse_ports(flags->text("gather-ports"), options), flags->count("runs-max", kRunsMax, options.runs_max),
        flags->count("workers-max", kWorkersMax, options.workers_max), flags->size("memory", options.memory_bytes),
        flags->time("result-ttl", options.result_ttl), log_options(*flags, log_as)}) {
    if (!status) return say(status.failure());
  }
  if (flags->on("ship-bytes-max")) {
    if (Status status = flags->size("ship-bytes-max", options.ship_bytes_max.emplace(), 0); !status) {
      return say(status.failure());
    }
  }
  if (options.memory_bytes == 0) options.memory_bytes = default_memory_budget(machine_memory());
  const Result<KernelLevel> kernels = choose_kernels();
  if (!kernels) return say(kernels.failure());
  options.kernels = std::string(name_of(*kernels));
  options.gatherer_threads = cpu_count();
  const log::Log log(log_as, "root", process::host_name());
  if (Status ended = root::run_fleet_root(options, log); !ended) return say(ended.failure(), log);
  return ExitCode::kDone;
}

}  // namespace fanfold::cli
