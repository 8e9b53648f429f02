// slot.h: the slots of an executor: a thread each, which takes what is to be done, first the work that all
// slots share (merging and packing bundles, which frees memory), then the leases of its own inbox.
//
// The executor's main thread puts work in; what is done is reported through the callbacks of that work.
// Threads run until the process ends.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "runtime/worker/slot_page.h"

namespace fanfold::worker {

// Work cut into pieces that several slots may do at once.
class SharedWork {
 public:
  virtual ~SharedWork() = default;
  // How many pieces there are.
  [[nodiscard]] std::uint32_t pieces() const { return pieces_; }
  // Whether some are left to be begun.
  [[nodiscard]] bool claimable() const { return next_.load(std::memory_order_relaxed) < pieces_; }
  // Does pieces until none is left to be begun. Whoever ends the last one finishes the work.
  void help(std::uint32_t slot);

 protected:
  explicit SharedWork(std::uint32_t pieces) : pieces_(pieces) {}
  // Any thread, each piece once.
  virtual void do_piece(std::uint32_t piece, std::uint32_t slot) = 0;
  // Once, when every piece is done.
  virtual void finish(std::uint32_t slot) = 0;

 private:
  const std::uint32_t pieces_;
  std::atomic<std::uint32_t> next_ = 0;
  std::atomic<std::uint32_t> done_ = 0;
};

// What a slot does alone, in order: mapping a lease.
using SlotTask = std::function<void()>;

class Slots {
 public:
  // Starts the threads; `page` has a cell for each.
  Slots(std::uint32_t count, SlotPage& page);
  Slots(const Slots&) = delete;
  Slots& operator=(const Slots&) = delete;
  ~Slots();  // only when every thread is idle

  [[nodiscard]] std::uint32_t count() const { return static_cast<std::uint32_t>(inboxes_.size()); }
  // Behind what is in the slot's inbox. Any thread.
  void put(std::uint32_t slot, SlotTask task);
  // Ahead of all inboxes, in order. Any thread.
  void share(std::shared_ptr<SharedWork> work);

 private:
  struct Inbox {
    std::deque<SlotTask> tasks;
    std::condition_variable wakes;
    bool idle = false;
  };
  void run(std::uint32_t slot, SlotPage& page);

  std::mutex mutex_;  // guards all below
  std::vector<Inbox> inboxes_;
  std::deque<std::shared_ptr<SharedWork>> shared_;
  bool ending_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace fanfold::worker
