// slot.cpp: one lock for all inboxes: leases last milliseconds, so nobody waits for it.
#include "runtime/worker/slot.h"

#include <utility>

#include "runtime/worker/crash_marks.h"

namespace fanfold::worker {

void SharedWork::help(std::uint32_t slot) {
  for (;;) {
    const std::uint32_t piece = next_.fetch_add(1, std::memory_order_relaxed);
    if (piece >= pieces_) {
      // Keeps the counter from running on to an overflow over many calls.
      next_.store(pieces_, std::memory_order_relaxed);
      return;
    }
    do_piece(piece, slot);
    if (done_.fetch_add(1, std::memory_order_acq_rel) + 1 == pieces_) finish(slot);
  }
}

Slots::Slots(std::uint32_t count, SlotPage& page) : inboxes_(count) {
  for (std::uint32_t slot = 0; slot < count; ++slot) {
    threads_.emplace_back([this, slot, &page] { run(slot, page); });
  }
}

Slots::~Slots() {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
    for (Inbox& inbox : inboxes_) inbox.wakes.notify_one();
  }
  for (std::thread& thread : threads_) thread.join();
}

void Slots::put(std::uint32_t slot, SlotTask task) {
  const std::lock_guard lock(mutex_);
  Inbox& inbox = inboxes_[slot];
  inbox.tasks.push_back(std::move(task));
  if (inbox.idle) inbox.wakes.notify_one();
}

void Slots::share(std::shared_ptr<SharedWork> work) {
  const std::lock_guard lock(mutex_);
  std::uint32_t helpers = work->pieces();
  shared_.push_back(std::move(work));
  for (Inbox& inbox : inboxes_) {
    if (helpers == 0) return;
    if (!inbox.idle) continue;
    // Not idle from now on: the next call wakes another.
    inbox.idle = false;
    inbox.wakes.notify_one();
    --helpers;
  }
}

void Slots::run(std::uint32_t slot, SlotPage& page) {
  mark_crashes_of_this_thread(page, slot);
  Inbox& inbox = inboxes_[slot];
  std::unique_lock lock(mutex_);
  while (!ending_) {
    while (!shared_.empty() && !shared_.front()->claimable()) shared_.pop_front();
    if (!shared_.empty()) {
      const std::shared_ptr<SharedWork> work = shared_.front();
      lock.unlock();
      work->help(slot);
      lock.lock();
    } else if (!inbox.tasks.empty()) {
      SlotTask task = std::move(inbox.tasks.front());
      inbox.tasks.pop_front();
      lock.unlock();
      task();
      task = nullptr;  // what it holds is freed outside the lock
      lock.lock();
    } else {
      inbox.idle = true;
      inbox.wakes.wait(lock);
      inbox.idle = false;
    }
  }
}

}  // namespace fanfold::worker
