// supervisor.h: a worker as its operating system sees it: a supervisor without sockets, threads or user code,
// and an executor, forked from it, that has all three. When the executor dies the supervisor reads what it
// died of, writes its obituary, and forks the next one, which brings it to the root.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

#include "engine/protocol/identity.h"
#include "runtime/log/log.h"
#include "runtime/transport/link_keys.h"
#include "runtime/worker/reading/input_file.h"

namespace fanfold::worker {

struct WorkerConfig {
  std::string root;  // endpoint
  std::string name;  // the same for every incarnation
  std::uint32_t slots = 1;
  std::string kernels;                      // portable, avx2, avx512
  std::string folder;                       // of the run: removed when the parent is gone; empty: none
  RunId run;                                // of a fleet's worker, which serves that run alone
  std::uint64_t memory_bytes = 0;           // that it may use; 0: as the root says
  std::vector<std::string> plugin_folders;  // where it looks for a job whose path the root does not say
  std::string shipped_plugin;               // where the node keeps the run's own; empty: it ships none
  std::vector<PathMapping> path_map;        // where it has what clients call otherwise
  transport::KeyPlace keys;
  log::Options log;  // plain: of an embedded run
  pid_t parent = 0;
};

// How an executor ends itself; any other end is a death.
enum class ExecutorStatus : int {
  kLeft = 0,        // for good
  kBeginAnew = 81,  // a fresh incarnation takes its place
  kRefused = 82,    // the root does not take this worker
};

// `fanfold internal-worker`: root=ENDPOINT name=NAME slots=N kernels=LEVEL folder=FOLDER parent=PID run=ID
// log=WORD memory=BYTES plugins=FOLDERS plugin=PATH path-map=PAIRS (joined by line ends) keys=FOLDER key-name=NAME.
// Ends with its parent, or when the root refuses it.
int worker_main(int argc, char** argv);

}  // namespace fanfold::worker
