// fleet_root.h: the root of a fleet: one thread that owns the socket, the sessions and the fleet's scheduler; a
// gatherer process for each run that runs; and the threads that keep results and what clients ship. Nodes, workers,
// gatherers and clients all speak to the one socket. It never decodes a bundle, merges, touches a disk or runs user
// code.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "engine/failure.h"
#include "engine/instant.h"
#include "runtime/log/log.h"

namespace fanfold::root {

struct FleetRootOptions {
  std::string listen;     // tcp://HOST:PORT
  std::string advertise;  // host at which workers reach gatherers; empty: that of `listen`
  std::optional<std::pair<std::uint16_t, std::uint16_t>> gather_ports;  // a run each; none: any that is free
  std::string results_folder;                                           // empty: TMPDIR
  std::optional<std::uint64_t> ship_bytes_max;  // of what clients ship, in the same folder; none: half of what is free
  std::vector<std::string> plugin_folders;
  std::string kernels;
  std::uint32_t gatherer_threads = 1;
  std::uint64_t memory_bytes = 0;  // of all gatherers
  std::uint32_t runs_max = 4;      // at once, where ports do not say
  std::uint32_t workers_max = 64;
  Duration result_ttl = seconds(3600);
  bool accept_plugins = false;  // of clients; with keys alone
  std::string plugin_cache;     // where they are kept; empty: a folder in TMPDIR that goes with the root
  std::string keys_folder;      // the root's key, and the public ones of who is admitted; empty: anybody is
  bool insecure = false;        // beyond this machine without keys
  std::string http;             // HOST:PORT of its endpoints; empty: none
};

// Until SIGTERM or SIGINT. Exit 2 for options that do not go together, exit 3 when the address is in use or the
// results cannot be kept. Blocks the signals for itself; before any other thread exists. Children log as `log` does.
Status run_fleet_root(const FleetRootOptions& options, const log::Log& log);

}  // namespace fanfold::root
