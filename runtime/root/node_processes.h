// node_processes.h: the processes of an embedded run: worker supervisors and the gatherer, started, watched
// and started again by the root. Belongs to the root's thread.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "engine/schedule/root_scheduler.h"
#include "runtime/process/child_process.h"
#include "runtime/root/gatherer_process.h"

namespace fanfold::root {

struct NodeOptions {
  std::string endpoint;  // of the root
  std::string folder;    // of the run, for sockets
  std::uint32_t workers = 1;
  std::uint32_t slots = 1;  // of each worker
  std::uint32_t gatherer_threads = 1;
  std::uint64_t gatherer_memory_bytes = 0;
  std::string kernels;
};

class NodeProcesses {
 public:
  static Result<NodeProcesses> make(NodeOptions options);

  // Starts the workers. Exit 3 when the system refuses processes.
  Status start_workers();
  // The action StartGatherer: the one before, if any, is killed.
  std::vector<schedule::Event> start_gatherer(std::uint32_t life);

  // Readable when there may be something to collect.
  [[nodiscard]] std::vector<int> descriptors() const;
  // What has ended since the last call, as events; ended workers are started again, a bounded number of times.
  std::vector<schedule::Event> collect();

  // Root's own account of the supervisors, while they live.
  [[nodiscard]] std::vector<schedule::ProcessStatistics> supervisors() const;
  // Ends all of them: the gatherer at once, workers politely, killing what has not ended after `wait`.
  void end_all(Duration wait);

 private:
  struct WorkerProcess {
    std::string name;
    std::optional<process::ChildProcess> child;
    std::uint32_t starts = 0;
  };
  NodeProcesses(NodeOptions options, GathererProcess gatherer)
      : options_(std::move(options)), gatherer_(std::move(gatherer)) {}
  Status start(WorkerProcess& worker, std::size_t index);

  NodeOptions options_;
  GathererProcess gatherer_;
  std::vector<WorkerProcess> workers_;
};

}  // namespace fanfold::root
