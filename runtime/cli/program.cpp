// program.cpp: which command is meant, help, and --version.
#include <fanfold/abi.h>

#include <cstdio>

#include "engine/protocol/limits.h"
#include "engine/quoted.h"
#include "runtime/build_info.h"
#include "runtime/cli/commands.h"
#include "runtime/client/machine/machine.h"
#include "runtime/transport/socket.h"

namespace fanfold::cli {

namespace {

constexpr const char* kHelp =
    "fanfold: fan out, fold in\n"
    "\n"
    "  fanfold run JOB INPUT...      run a job over files, folders, globs, - or range:BEGIN..END\n"
    "  fanfold run JOB --help        what the job and the engine can be told\n"
    "  fanfold jobs                  the jobs there are\n"
    "  fanfold jobs describe NAME    one of them: parameters, columns, order\n"
    "\n"
    "  fanfold root --listen URL     a fleet's root: plans, schedules, gathers, keeps results\n"
    "  fanfold worker --root URL     a machine or container that maps for it\n"
    "  fanfold run ... --root URL    the same run, on that fleet\n"
    "  fanfold submit JOB INPUT...   a run that goes on without this program; prints its id\n"
    "  fanfold result RUN            its rows, when it is done\n"
    "  fanfold ps | workers          the runs, the workers of a root\n"
    "  fanfold cancel RUN            ends a run\n"
    "  fanfold health                whether a node is ready, by its HTTP\n"
    "  fanfold keygen ROLE [NAME]    a key for a root, worker or client\n"
    "  fanfold --version             this build\n"
    "\n"
    "Example: fanfold run wordcount /usr/share/common-licenses --top 10\n";

}  // namespace

ExitCode say(const Failure& failure) {
  if (!failure.sentence.empty()) std::fprintf(stderr, "fanfold: %s\n", failure.sentence.c_str());
  return failure.code;
}

ExitCode say(const Failure& failure, const log::Log& log) {
  if (log.options().format != log::Format::kJson) return say(failure);
  log.error(failure.sentence, {{"exit_code", static_cast<std::uint64_t>(failure.code)}});
  return failure.code;
}

ExitCode say(const Failure& failure, const SignalWatcher& signals) {
  return signals.cancelled() ? signals.code() : say(failure);
}

ExitCode print_version() {
  const BuildInfo& build = build_info();
  const Result<KernelLevel> kernels = choose_kernels();
  if (!kernels) return say(kernels.failure());
  const auto text = [](std::string_view view) { return std::string(view); };
  std::printf("fanfold %s (%s, %s%s%s, %s, %s)\n", text(build.version).c_str(), text(build.revision).c_str(),
              text(build.build_type).c_str(), build.sanitizer.empty() ? "" : ", sanitizer ",
              text(build.sanitizer).c_str(), text(build.compiler).c_str(), text(build.processor).c_str());
  std::printf("protocol %u\n", kProtocolVersion);
  std::printf("plugin interface %d.%d\n", FANFOLD_ABI_MAJOR, FANFOLD_ABI_MINOR);
  std::printf("kernels %s\n", text(name_of(*kernels)).c_str());
  std::printf("%s\n", transport::describe_zeromq().c_str());
  return ExitCode::kDone;
}

ExitCode run_program(const Words& words) {
  if (words.empty()) {
    std::fputs(kHelp, stderr);
    return ExitCode::kUsage;
  }
  const std::string& command = words.front();
  const Words rest(words.begin() + 1, words.end());
  if (command == "run") return run_command(rest);
  if (command == "jobs") return jobs_command(rest);
  if (command == "root") return root_command(rest);
  if (command == "worker") return worker_command(rest);
  if (command == "submit") return submit_command(rest);
  if (command == "ps") return ps_command(rest);
  if (command == "result") return result_command(rest);
  if (command == "cancel") return cancel_command(rest);
  if (command == "workers") return workers_command(rest);
  if (command == "keygen") return keygen_command(rest);
  if (command == "health") return health_command(rest);
  if (command == "--version" || command == "version") return print_version();
  if (command == "--help" || command == "-h" || command == "help") {
    std::fputs(kHelp, stdout);
    return ExitCode::kDone;
  }
  return say({ExitCode::kUsage, "there is no command " + fanfold::quoted(command) + "; `fanfold --help` lists them"});
}

}  // namespace fanfold::cli
