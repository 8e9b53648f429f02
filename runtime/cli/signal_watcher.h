// signal_watcher.h: SIGINT and SIGTERM while a command runs. The first one asks for an orderly end, which
// whoever waits looks for; a second one ends the process at once: its children see that and end too.
#pragma once

#include <atomic>
#include <thread>

#include "engine/failure.h"
#include "runtime/client/spool.h"
#include "runtime/transport/poller.h"

namespace fanfold::cli {

class SignalWatcher {
 public:
  // Before any other thread exists: they inherit that the signals are blocked.
  SignalWatcher();
  ~SignalWatcher();
  SignalWatcher(const SignalWatcher&) = delete;
  SignalWatcher& operator=(const SignalWatcher&) = delete;

  [[nodiscard]] const std::atomic<bool>& cancelled() const { return cancelled_; }
  // The same, for what waits in the client; the watcher outlives it.
  [[nodiscard]] Stopped stopped() const {
    return [this] { return cancelled_.load(); };
  }
  // 130 or 143, by the signal that came.
  [[nodiscard]] ExitCode code() const { return code_.load(); }

 private:
  void watch();

  int descriptor_;
  transport::Waker ending_;
  std::atomic<bool> cancelled_ = false;
  std::atomic<bool> stop_ = false;
  std::atomic<ExitCode> code_ = ExitCode::kDone;
  std::thread thread_;
};

}  // namespace fanfold::cli
