// agent.h: a fleet's worker as its machine sees it: one small process with a session to the root, which starts a
// worker process (supervisor and executor) for each run that the root names, and stops it. It never runs user code, so
// that a run which crashes or hangs touches no other. SIGTERM drains it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "engine/failure.h"
#include "engine/instant.h"
#include "runtime/log/log.h"
#include "runtime/transport/link_keys.h"
#include "runtime/worker/reading/input_file.h"

namespace fanfold::worker {

struct AgentConfig {
  std::string root;  // endpoint
  std::string name;  // told to the root; it makes it unique
  std::uint32_t slots = 1;
  std::uint64_t memory_bytes = 0;  // of all runs
  std::string kernels;
  std::vector<std::string> plugin_folders;
  std::vector<PathMapping> path_map;
  bool accept_plugins = false;  // of clients; with keys alone
  std::string plugin_cache;     // where they are kept; empty: a folder in TMPDIR that goes with the worker
  transport::KeyPlace keys;
  std::string http;                     // HOST:PORT of its endpoints; empty: none
  Duration root_timeout = seconds(10);  // without an answer of the root for so long it gives up
  Duration drain_max = seconds(30);     // from SIGTERM to the end, whatever is under way
};

// Until it is told to leave: done. Exit 2 for plugins of clients without keys, exit 3 where they cannot be kept. Exit 5
// when the root is not reached, or does not take it. Blocks SIGTERM and SIGINT for itself; before any other thread
// exists. Children log as `log` does.
Status run_agent(const AgentConfig& config, const log::Log& log);

}  // namespace fanfold::worker
