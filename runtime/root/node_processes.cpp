#include "runtime/root/node_processes.h"

#include <signal.h>
#include <unistd.h>

#include <utility>

#include "runtime/client/machine/machine.h"
#include "runtime/process/clock.h"
#include "runtime/transport/poller.h"

namespace fanfold::root {

namespace {

// A supervisor restarts its executor by itself; that it dies is rare, and many times is a fault of the machine.
constexpr std::uint32_t kWorkerStartsMax = 5;

}  // namespace

Result<NodeProcesses> NodeProcesses::make(NodeOptions options) {
  GathererOptions gathering;
  gathering.root = options.endpoint;
  gathering.folder = options.folder;
  gathering.threads = options.gatherer_threads;
  gathering.memory_bytes = options.gatherer_memory_bytes;
  gathering.kernels = options.kernels;
  Result<GathererProcess> gatherer = GathererProcess::make(std::move(gathering));
  if (!gatherer) return gatherer.failure();
  return NodeProcesses(std::move(options), std::move(gatherer).value());
}

Status NodeProcesses::start(WorkerProcess& worker, std::size_t index) {
  worker.name = "worker-" + std::to_string(index);
  if (worker.starts > 0) worker.name += "." + std::to_string(worker.starts);
  worker.starts += 1;
  Result<process::ChildProcess> child = process::ChildProcess::start(
      {"internal-worker", "root=" + options_.endpoint, "name=" + worker.name, "slots=" + std::to_string(options_.slots),
       "kernels=" + options_.kernels, "folder=" + options_.folder, "parent=" + std::to_string(getpid()),
       "log=", "run=", "memory=0", "plugins=", "plugin=", "path-map=", "keys=", "key-name="});
  if (!child) return child.failure();
  worker.child = std::move(child).value();
  return success();
}

Status NodeProcesses::start_workers() {
  workers_.resize(options_.workers);
  for (std::size_t index = 0; index < workers_.size(); ++index) {
    if (Status started = start(workers_[index], index); !started) return started;
  }
  return success();
}

std::vector<schedule::Event> NodeProcesses::start_gatherer(std::uint32_t life) {
  if (std::optional<Cause> cause = gatherer_.start(life)) return {schedule::GathererDied{life, std::move(*cause)}};
  return {};
}

std::vector<int> NodeProcesses::descriptors() const {
  std::vector<int> descriptors;
  for (const WorkerProcess& worker : workers_) {
    if (worker.child) descriptors.push_back(worker.child->descriptor());
  }
  if (const std::optional<int> descriptor = gatherer_.descriptor()) descriptors.push_back(*descriptor);
  return descriptors;
}

std::vector<schedule::Event> NodeProcesses::collect() {
  std::vector<schedule::Event> events;
  std::string last_end;
  bool any_left = false;
  for (std::size_t index = 0; index < workers_.size(); ++index) {
    WorkerProcess& worker = workers_[index];
    if (worker.child) {
      if (const std::optional<Cause> cause = worker.child->ended()) {
        last_end = describe(*cause);
        worker.child.reset();
        events.push_back(schedule::NodeLost{worker.name, *cause});
        if (worker.starts < kWorkerStartsMax) {
          if (Status started = start(worker, index); !started) last_end = started.failure().sentence;
        }
      }
    }
    any_left = any_left || worker.child.has_value();
  }
  if (!any_left && !workers_.empty() && !last_end.empty()) {
    events.push_back(schedule::NoMoreWorkers{"no worker process can be kept alive: the last one was " + last_end});
  }
  const std::uint32_t life = gatherer_.life();
  if (std::optional<Cause> cause = gatherer_.collect()) {
    events.push_back(schedule::GathererDied{life, std::move(*cause)});
  }
  return events;
}

std::vector<schedule::ProcessStatistics> NodeProcesses::supervisors() const {
  std::vector<schedule::ProcessStatistics> all;
  for (const WorkerProcess& worker : workers_) {
    if (!worker.child) continue;
    schedule::ProcessStatistics one;
    one.name = worker.name;
    one.pid = static_cast<std::uint64_t>(worker.child->pid());
    one.peak_rss_bytes = peak_rss_bytes(worker.child->pid());
    all.push_back(std::move(one));
  }
  return all;
}

void NodeProcesses::end_all(Duration wait) {
  // Killed at once, and before the workers remove the folder of its socket: what it still does, says or waits for
  // (a root that does not listen any more) is of no use to anybody.
  gatherer_.kill();
  for (const WorkerProcess& worker : workers_) {
    if (worker.child) worker.child->signal(SIGTERM);
  }
  const Instant deadline = process::now() + wait;
  transport::Poller poller;
  for (;;) {
    for (WorkerProcess& worker : workers_) {
      if (worker.child && worker.child->ended()) worker.child.reset();
    }
    const std::vector<int> left = descriptors();
    const Instant now = process::now();
    if (left.empty() || now >= deadline) break;
    poller.clear();
    for (const int descriptor : left) poller.add_descriptor(descriptor);
    poller.wait(process::poll_ms(deadline, now));
  }
  workers_.clear();  // kills what is left
}

}  // namespace fanfold::root
