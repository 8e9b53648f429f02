// supervisor.h: a worker as its operating system sees it: a supervisor without sockets, threads or user code,
// and an executor, forked from it, that has all three. When the executor dies the supervisor reads what it
// died of, writes its obituary, and forks the next one, which brings it to the root.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>

namespace fanfold::worker {

struct WorkerConfig {
  std::string root;  // endpoint
  std::string name;  // the same for every incarnation
  std::uint32_t slots = 1;
  std::string kernels;  // portable, avx2, avx512
  std::string folder;   // of the run: removed when the parent is gone
  pid_t parent = 0;
};

// How an executor ends itself; any other end is a death.
enum class ExecutorStatus : int {
  kLeft = 0,        // for good
  kBeginAnew = 81,  // a fresh incarnation takes its place
  kRefused = 82,    // the root does not take this worker
};

// `fanfold internal-worker`: root=ENDPOINT name=NAME slots=N kernels=LEVEL folder=FOLDER parent=PID. Ends with
// its parent, or when the root refuses it.
int worker_main(int argc, char** argv);

}  // namespace fanfold::worker
