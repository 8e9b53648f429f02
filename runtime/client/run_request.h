// run_request.h: what a user asked to be run, as the command line read it and before anything is looked
// at. Plain values; zero or empty means: the default of the machine or of the job.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "engine/instant.h"
#include "runtime/transport/link_keys.h"

namespace fanfold {

struct RunRequest {
  std::string job;          // as named
  std::string plugin_path;  // of the plugin found for it, absolute
  std::vector<std::pair<std::string, std::string>> parameters = {};

  std::vector<std::string> inputs = {};
  std::string files_from = {};  // a file or "-"
  bool files_from_zero = false;
  std::uint64_t spool_bytes_max = 0;

  std::uint32_t workers = 0;  // 0: one
  std::uint32_t slots = 0;    // of a worker; 0: a slot a core, shared out over the workers
  std::uint64_t memory_bytes = 0;
  std::uint64_t shard_bytes = 0;
  std::uint64_t shard_items = 0;
  std::uint64_t record_bytes_max = 0;
  std::uint64_t limit = 0;
  bool allow_growth = false;
  bool whole_sources = false;  // each source is one shard: a parameter of the job asked for it
  bool sequential = false;

  std::string root = {};     // of a fleet; empty: an embedded cluster
  std::string run_id = {};   // at that root; empty: a fresh one
  bool ship = false;         // to that root: the files themselves, not their names
  bool ship_plugin = false;  // likewise the job's plugin
  Duration root_timeout = seconds(10);
  transport::KeyPlace keys = {};  // of this client
  Duration no_worker_timeout = seconds(30);

  std::string format = {};  // table, csv, json, jsonl; empty: table on a terminal or not
  std::string output = {};  // empty: standard output
  std::string json_summary = {};
  bool quiet = false;
};

}  // namespace fanfold
