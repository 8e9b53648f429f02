// result_store.h: where a fleet's root keeps the rows of runs until they are fetched or have expired: a thread of its
// own with a file a run, so that the root's loop never waits for a disk. The files have no names: however the root
// ends, nothing of them stays.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "engine/schedule/fleet_scheduler.h"
#include "runtime/transport/poller.h"

namespace fanfold::root {

class ResultStore {
 public:
  // Exit 3 when no file can be made in the folder.
  static Status check_folder(const std::string& folder);
  explicit ResultStore(std::string folder);
  ~ResultStore();
  ResultStore(const ResultStore&) = delete;
  ResultStore& operator=(const ResultStore&) = delete;

  // Done in the order asked; each but drop() is answered.
  void store(schedule::StoreBatch batch);
  void read(schedule::ReadBatch batch);
  void drop(RunId run);

  // BatchStored, BatchRead, ResultNotStored.
  [[nodiscard]] std::vector<schedule::FleetEvent> take_answers();
  // Readable when there are answers.
  [[nodiscard]] int descriptor() const { return waker_.descriptor(); }

 private:
  struct Batch {
    std::uint64_t offset = 0;
    std::uint64_t bytes = 0;
    std::uint64_t rows = 0;
  };
  struct File {
    int descriptor = -1;
    std::uint64_t size = 0;
    std::vector<Batch> batches;
  };

  void ask(std::function<void()> task);
  void answer(schedule::FleetEvent event);
  void run();
  // The thread's.
  void do_store(const schedule::StoreBatch& batch);
  void do_read(const schedule::ReadBatch& batch);
  void do_drop(RunId run);

  std::string folder_;
  std::map<RunId, File> files_;  // the thread's
  transport::Waker waker_;
  std::mutex mutex_;  // guards what follows
  std::condition_variable changed_;
  std::deque<std::function<void()>> tasks_;
  std::vector<schedule::FleetEvent> answers_;
  bool ending_ = false;
  std::thread thread_;
};

}  // namespace fanfold::root
