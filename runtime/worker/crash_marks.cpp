// crash_marks.cpp: handlers that write one word of shared memory and hand over to whoever was there before.
#include "runtime/worker/crash_marks.h"

#include <signal.h>

#include <array>
#include <cstdlib>
#include <memory>

namespace fanfold::worker {

namespace {

constexpr std::array<int, 5> kFatalSignals = {SIGSEGV, SIGABRT, SIGBUS, SIGFPE, SIGILL};
constexpr std::size_t kSignalStackBytes = std::size_t{64} << 10;

std::array<struct sigaction, kFatalSignals.size()> actions_before;

thread_local SlotPage* page_of_this_thread = nullptr;
thread_local std::uint32_t slot_of_this_thread = 0;

void mark() {
  if (page_of_this_thread != nullptr) page_of_this_thread->set_culprit(slot_of_this_thread);
}

void on_fatal_signal(int number, siginfo_t* info, void*) {
  mark();
  for (std::size_t index = 0; index < kFatalSignals.size(); ++index) {
    if (kFatalSignals[index] == number) sigaction(number, &actions_before[index], nullptr);
  }
  // A fault of this thread comes again as soon as this returns; what was sent by a call must be sent again.
  if (info->si_code <= 0) raise(number);
}

// The stack on which the signals of one thread are handled. The one before comes back at the thread's
// end: a sanitizer unmaps what it finds installed then, and takes it for its own.
class SignalStack {
 public:
  SignalStack() {
    stack_t signals{};
    signals.ss_sp = bytes_.get();
    signals.ss_size = kSignalStackBytes;
    sigaltstack(&signals, &before_);
  }
  ~SignalStack() { sigaltstack(&before_, nullptr); }
  SignalStack(const SignalStack&) = delete;
  SignalStack& operator=(const SignalStack&) = delete;

 private:
  std::unique_ptr<char[]> bytes_ = std::make_unique<char[]>(kSignalStackBytes);
  stack_t before_{};
};

}  // namespace

void install_crash_marks() {
  struct sigaction action {};
  action.sa_sigaction = on_fatal_signal;
  action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER;
  sigemptyset(&action.sa_mask);
  for (std::size_t index = 0; index < kFatalSignals.size(); ++index) {
    sigaction(kFatalSignals[index], &action, &actions_before[index]);
  }
  // exit() runs this on the thread that called it.
  std::atexit(mark);
}

void mark_crashes_of_this_thread(SlotPage& page, std::uint32_t slot) {
  page_of_this_thread = &page;
  slot_of_this_thread = slot;
  thread_local const SignalStack stack;
}

}  // namespace fanfold::worker
