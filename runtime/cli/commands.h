// commands.h: the commands of `fanfold`, a file each. Each prints what it has to say and gives the exit code.
#pragma once

#include <string>
#include <vector>

#include "engine/failure.h"
#include "runtime/cli/signal_watcher.h"
#include "runtime/log/log.h"

namespace fanfold::cli {

using Words = std::vector<std::string>;  // of the command line

// All of it: finds the command. Behind the program's name.
ExitCode run_program(const Words& words);

// Behind the command's name.
ExitCode run_command(const Words& words);
ExitCode jobs_command(const Words& words);
ExitCode root_command(const Words& words);
ExitCode worker_command(const Words& words);
ExitCode submit_command(const Words& words);
ExitCode ps_command(const Words& words);
ExitCode result_command(const Words& words);
ExitCode cancel_command(const Words& words);
ExitCode workers_command(const Words& words);
ExitCode keygen_command(const Words& words);
ExitCode health_command(const Words& words);
ExitCode print_version();

// "fanfold: SENTENCE" on standard error.
ExitCode say(const Failure& failure);
// The same of a node whose log is JSON: as its last record.
ExitCode say(const Failure& failure, const log::Log& log);
// The same as the first, unless a signal came: of whatever it brought about it is the reason, and needs no sentence.
ExitCode say(const Failure& failure, const SignalWatcher& signals);

}  // namespace fanfold::cli
