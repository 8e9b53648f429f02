// root.h: the root of an embedded run: one thread that owns the socket, the sessions and the scheduler, and
// supervises worker and gatherer processes. It never decodes a bundle, merges, touches a disk or runs user
// code. Its client asks through submit(), consumed(), cancel(), and takes what comes out with wait().
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <variant>
#include <vector>

#include "engine/protocol/codec.h"
#include "engine/schedule/root_scheduler.h"
#include "runtime/root/node_processes.h"
#include "runtime/transport/poller.h"

namespace fanfold::root {

// What comes out of a run, in order: the schema, batches, the end. After a gatherer was lost batches begin
// again at index 0.
using Output = std::variant<schedule::DeliverSchema, schedule::DeliverResult, schedule::RunEnded>;

class Root {
 public:
  // Listens, starts the processes and its thread. Exit 3 when the system refuses.
  static Result<std::unique_ptr<Root>> start(const NodeOptions& options, const schedule::Limits& limits);
  // Ends every process it started.
  ~Root();
  Root(const Root&) = delete;
  Root& operator=(const Root&) = delete;

  // One run a root.
  void submit(schedule::RunSubmitted run);
  // So many result batches have been taken in all.
  void consumed(std::uint64_t batches);
  void cancel(Cause cause);
  // Kills every process at once; the run ends without an account.
  void kill();

  // The next output, or nothing after `timeout`. One thread.
  std::optional<Output> wait(Duration timeout);
  [[nodiscard]] schedule::Progress progress();

 private:
  Root(NodeProcesses nodes, const schedule::Limits& limits, std::string endpoint);
  void ask(schedule::Event event);
  void run(std::optional<Failure>* failure);
  class Loop;

  NodeProcesses nodes_;
  schedule::Limits limits_;
  std::string endpoint_;
  transport::Waker waker_;
  std::mutex mutex_;  // guards what follows
  std::condition_variable changed_;
  std::deque<schedule::Event> asked_;
  std::deque<Output> outputs_;
  schedule::Progress progress_;
  bool started_ = false;
  bool stopping_ = false;
  bool killing_ = false;
  std::thread thread_;
};

}  // namespace fanfold::root
