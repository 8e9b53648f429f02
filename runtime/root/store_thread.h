// store_thread.h: the thread of one of the root's stores: it does what it is asked in that order, so that the root's
// loop never waits for a disk, and keeps its answers until the loop takes them.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

#include "engine/schedule/fleet_scheduler.h"
#include "runtime/transport/poller.h"

namespace fanfold::root {

class StoreThread {
 public:
  StoreThread();
  StoreThread(const StoreThread&) = delete;
  StoreThread& operator=(const StoreThread&) = delete;
  ~StoreThread() { end(); }
  // What has not begun is never done. Before what the tasks use goes.
  void end();

  // For the root's loop.
  void ask(std::function<void()> task);
  [[nodiscard]] std::vector<schedule::FleetEvent> take_answers();
  // Readable when there are answers.
  [[nodiscard]] int descriptor() const { return waker_.descriptor(); }

  // For a task.
  void answer(schedule::FleetEvent event);

 private:
  void run();

  transport::Waker waker_;
  std::mutex mutex_;  // guards what follows
  std::condition_variable changed_;
  std::deque<std::function<void()>> tasks_;
  std::vector<schedule::FleetEvent> answers_;
  bool ending_ = false;
  std::thread thread_;
};

}  // namespace fanfold::root
