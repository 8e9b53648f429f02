// main.cpp: the program `fanfold`: a command of the user's, or one of the roles in which the program
// starts itself again. Roles come first: a worker is up before any command line is read.
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <cerrno>
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

// A standard stream that is closed is opened to be of no use: otherwise its number goes to the next file that is
// opened, and what is written to standard error, or read as standard input, is somebody's pipe.
void occupy_closed_streams() {
  for (int number = STDIN_FILENO; number <= STDERR_FILENO; ++number) {
    if (fcntl(number, F_GETFD) >= 0 || errno != EBADF) continue;
    (void)open("/dev/null", number == STDIN_FILENO ? O_WRONLY : O_RDONLY);  // reading, writing it: "bad descriptor"
  }
}

}  // namespace

int main(int argc, char** argv) {
  occupy_closed_streams();
  // A reader that goes away is an error of write(), not a signal;
  signal(SIGPIPE, SIG_IGN);
  signal(SIGXFSZ, SIG_IGN);  // likewise a file that may not grow
  if (argc >= 2) {
    for (const Role& role : kRoles) {
      if (std::strcmp(argv[1], role.name) == 0) return role.run(argc, argv);
    }
  }
  return static_cast<int>(fanfold::cli::run_program({argv + 1, argv + argc}));
}
