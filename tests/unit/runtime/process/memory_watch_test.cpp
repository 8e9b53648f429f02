// What a process that was killed died of, told from a count that the kernel keeps; the count is a test's own file.
#include "runtime/process/memory_watch.h"

#include <gtest/gtest.h>
#include <signal.h>

#include <string>

#include "tests/unit/runtime/files.h"

namespace fanfold::process {
namespace {

class MemoryWatched : public testing::Test {
 protected:
  void set_kills(int kills) { root_.write("proc/vmstat", "pgfault 12\noom_kill " + std::to_string(kills) + "\n"); }

  static Cause ended_by(int signal) {
    Cause cause;
    cause.kind = CauseKind::kSignal;
    cause.signal = signal;
    return cause;
  }

  TestFolder root_;
};

TEST_F(MemoryWatched, AKillBesideWhichTheCountRoseWasForWantOfMemory) {
  root_.write("proc/meminfo", "MemTotal:  163840 kB\nMemAvailable: 1 kB\n");
  set_kills(4);
  const MemoryWatch watch(root_.path());
  set_kills(5);
  Cause cause = ended_by(SIGKILL);
  watch.explain(cause);
  EXPECT_EQ(cause.kind, CauseKind::kOutOfMemory);
  EXPECT_EQ(cause.message, "in a container or machine that has 160 MiB");
}

TEST_F(MemoryWatched, AKillBesideWhichTheCountStoodStillIsAKill) {
  set_kills(4);
  const MemoryWatch watch(root_.path());
  Cause cause = ended_by(SIGKILL);
  watch.explain(cause);
  EXPECT_EQ(cause, ended_by(SIGKILL));
}

TEST_F(MemoryWatched, ACrashStaysACrashWhateverTheCount) {
  set_kills(4);
  const MemoryWatch watch(root_.path());
  set_kills(5);
  Cause cause = ended_by(SIGSEGV);
  watch.explain(cause);
  EXPECT_EQ(cause, ended_by(SIGSEGV));
}

}  // namespace
}  // namespace fanfold::process
