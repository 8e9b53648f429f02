#include "runtime/root/store_thread.h"

#include <signal.h>

#include <utility>

namespace fanfold::root {

StoreThread::StoreThread() : thread_([this] { run(); }) {}

void StoreThread::end() {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void StoreThread::ask(std::function<void()> task) {
  {
    const std::lock_guard lock(mutex_);
    tasks_.push_back(std::move(task));
  }
  changed_.notify_all();
}

std::vector<schedule::FleetEvent> StoreThread::take_answers() {
  waker_.clear();
  const std::lock_guard lock(mutex_);
  return std::exchange(answers_, {});
}

void StoreThread::answer(schedule::FleetEvent event) {
  {
    const std::lock_guard lock(mutex_);
    answers_.push_back(std::move(event));
  }
  waker_.wake();
}

void StoreThread::run() {
  sigset_t all;
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, nullptr);
  for (;;) {
    std::function<void()> task;
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [this] { return ending_ || !tasks_.empty(); });
      if (ending_) return;
      task = std::move(tasks_.front());
      tasks_.pop_front();
    }
    task();
  }
}

}  // namespace fanfold::root
