// run_summary.h: what is told about a run when it has ended, in one plain struct: runtime/cli/report prints
// it for people and as JSON. A program reads these fields too: they are only ever added to (schema 1).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace fanfold {

// Where the slots' time went; the fields add up to slots x wall.
struct SlotSeconds {
  double read_map = 0;
  double seal_pack = 0;
  double wire = 0;
  double merge = 0;
  double finish = 0;
  double idle = 0;
};

struct ProcessSummary {
  std::string role;  // "root", "client" of a fleet's root, "gatherer", "worker", "supervisor"
  std::int64_t pid = 0;
  std::uint64_t peak_rss_bytes = 0;
};

struct MachineSummary {
  unsigned cpus = 0;
  std::uint64_t memory_bytes = 0;
  std::string kernels;  // "portable", "avx2", "avx512"
};

struct RunSummary {
  std::string run_id;
  std::string job;
  std::uint64_t bytes = 0;    // read, as stored
  std::uint64_t records = 0;  // mapped
  std::uint64_t skipped = 0;  // records that could not be mapped and were passed over, as the user allowed
  std::uint64_t rows = 0;     // of the result
  std::uint64_t shards = 0;
  std::uint64_t leases = 0;
  std::uint64_t bundles = 0;
  std::uint64_t retries = 0;  // leases done again
  std::uint64_t drops = 0;    // partials that did not count
  double coverage = 1;        // of the shards, those that are in the result
  int exit_code = 0;
  double wall_seconds = 0;
  SlotSeconds slot_seconds;
  std::vector<ProcessSummary> processes;
  MachineSummary machine;
  std::vector<std::string> notes;  // sentences: what a user should know about how the run was done
};

}  // namespace fanfold
