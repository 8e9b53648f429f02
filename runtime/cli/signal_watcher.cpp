#include "runtime/cli/signal_watcher.h"

#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "runtime/cli/output/output_file.h"

namespace fanfold::cli {

namespace {

sigset_t watched() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  return signals;
}

}  // namespace

SignalWatcher::SignalWatcher() {
  const sigset_t signals = watched();
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  descriptor_ = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
  thread_ = std::thread([this] { watch(); });
}

SignalWatcher::~SignalWatcher() {
  stop_ = true;
  ending_.wake();
  thread_.join();
  close(descriptor_);
}

void SignalWatcher::watch() {
  transport::Poller poller;
  poller.add_descriptor(ending_.descriptor());
  poller.add_descriptor(descriptor_);
  while (!stop_) {
    poller.wait(-1);
    signalfd_siginfo signal{};
    while (read(descriptor_, &signal, sizeof signal) == static_cast<ssize_t>(sizeof signal)) {
      const ExitCode code = signal.ssi_signo == SIGTERM ? ExitCode::kTerminated : ExitCode::kInterrupted;
      if (cancelled_) {
        OutputFile::remove_unfinished();
        _exit(static_cast<int>(code));
      }
      code_ = code;
      cancelled_ = true;
    }
  }
}

}  // namespace fanfold::cli
