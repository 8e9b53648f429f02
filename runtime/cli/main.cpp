// main.cpp: the program `fanfold`: a command of the user's, or one of the roles in which the program
// starts itself again. Roles come first: a worker is up before any command line is read.
#include <signal.h>

#include <cstdio>
#include <cstring>
#include <string>
#include <vector>

#include "runtime/cli/commands.h"
#include "runtime/gatherer/gatherer.h"
#include "runtime/plugin/describer.h"
#include "runtime/worker/supervisor.h"
#include "runtime/worker/twin.h"

namespace {

struct Role {
  const char* name;
  int (*run)(int argc, char** argv);
};

constexpr Role kRoles[] = {
    {"internal-worker", fanfold::worker::worker_main},
    {"internal-gatherer", fanfold::gatherer::gatherer_main},
    {"internal-describe", fanfold::plugin::describe_main},
    {"internal-twin", fanfold::worker::twin_main},
};

}  // namespace

int main(int argc, char** argv) {
  // A reader that goes away is an error of write(), not a signal.
  signal(SIGPIPE, SIG_IGN);
  if (argc >= 2) {
    for (const Role& role : kRoles) {
      if (std::strcmp(argv[1], role.name) == 0) return role.run(argc, argv);
    }
  }
  return static_cast<int>(fanfold::cli::run_program({argv + 1, argv + argc}));
}
