#include "runtime/worker/supervisor.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <optional>

#include "runtime/process/child_process.h"
#include "runtime/process/clock.h"
#include "runtime/process/memory_watch.h"
#include "runtime/process/role_arguments.h"
#include "runtime/process/run_folder.h"
#include "runtime/worker/executor.h"
#include "runtime/worker/slot_page.h"

namespace fanfold::worker {

namespace {

// An executor that lived no longer died of its start. One such death is followed at once, more of them
// after a pause, and too many in a row end the worker.
constexpr Duration kQuickDeath = seconds(1);
constexpr Duration kPauseFirst = milliseconds(50);
constexpr Duration kPauseMost = seconds(2);
constexpr unsigned kQuickDeathsMax = 20;

log::Log log_of(const WorkerConfig& config) {
  log::Fields context;
  if (!config.run.empty()) context.push_back({"run", to_text(config.run)});
  return {config.log, "worker", config.name, std::move(context)};
}

class Supervisor {
 public:
  Supervisor(WorkerConfig config, const sigset_t& mask_before)
      : config_(std::move(config)), log_(log_of(config_)), page_(config_.slots), mask_before_(mask_before) {}

  int run() {
    while (true) {
      const Instant begin = process::now();
      const process::MemoryWatch memory_watch;
      fork_executor();
      int status = 0;
      rusage usage{};
      if (!wait_for_executor(status, usage)) return end();
      if (page_.leaving() && WIFEXITED(status)) {
        if (WEXITSTATUS(status) == static_cast<int>(ExecutorStatus::kLeft)) return end();
        if (WEXITSTATUS(status) == static_cast<int>(ExecutorStatus::kRefused)) {
          end();
          return static_cast<int>(ExitCode::kNoFleet);
        }
        obituary_.reset();
      } else {
        obituary_ = write_obituary(page_, status, static_cast<std::uint64_t>(usage.ru_maxrss) * 1024);
        memory_watch.explain(obituary_->cause);
      }
      quick_deaths_ = process::now() - begin < kQuickDeath ? quick_deaths_ + 1 : 0;
      if (quick_deaths_ > kQuickDeathsMax) {
        log_.error("worker " + config_.name + " ended " + std::to_string(quick_deaths_) +
                   " times in a row as soon as it had started; it gives up");
        end();
        return static_cast<int>(ExitCode::kNoFleet);
      }
      if (quick_deaths_ > 1 && !pause()) return end();
    }
  }

 private:
  void fork_executor() {
    page_.begin(process::random_id<IncarnationId>());
    const pid_t supervisor = getpid();
    pid_ = fork();
    if (pid_ < 0) {
      log_.error("worker " + config_.name + " cannot start a process: the machine allows no more");
      std::exit(static_cast<int>(ExitCode::kInputOutput));
    }
    if (pid_ != 0) return;
    if (!process::end_with_parent(SIGKILL, supervisor)) _exit(0);
    pthread_sigmask(SIG_SETMASK, &mask_before_, nullptr);
    run_executor(config_, log_, page_, std::move(obituary_));
  }

  // The next signal that is waited for, or none after so long.
  static int next_signal(std::optional<Duration> longest) {
    sigset_t waited;
    sigemptyset(&waited);
    sigaddset(&waited, SIGTERM);
    sigaddset(&waited, SIGCHLD);
    if (!longest) return sigwaitinfo(&waited, nullptr);
    const timespec time{longest->nanoseconds / 1'000'000'000, longest->nanoseconds % 1'000'000'000};
    return sigtimedwait(&waited, nullptr, &time);
  }

  // False: SIGTERM came first, and the executor has been killed.
  bool wait_for_executor(int& status, rusage& usage) {
    while (true) {
      const pid_t got = wait4(pid_, &status, WNOHANG, &usage);
      if (got == pid_) {
        pid_ = -1;
        return true;
      }
      if (next_signal(std::nullopt) == SIGTERM) return false;
    }
  }

  // False: SIGTERM came.
  bool pause() {
    Duration pause = kPauseFirst;
    for (unsigned death = 2; death < quick_deaths_ && pause < kPauseMost; ++death) pause = pause * 2;
    const Instant until = process::now() + std::min(pause, kPauseMost);
    for (Instant now = process::now(); now < until; now = process::now()) {
      if (next_signal(until - now) == SIGTERM) return false;
    }
    return true;
  }

  int end() {
    if (pid_ > 0) {
      kill(pid_, SIGKILL);
      int status = 0;
      while (waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
      }
    }
    // SIGTERM is the end of the run, from the root or from the kernel when the root was killed; then nobody
    // else removes the folder. Which of the two it was cannot be asked: a dying parent is still ours.
    if (!config_.folder.empty()) process::remove_run_folder(config_.folder);
    return 0;
  }

  WorkerConfig config_;
  log::Log log_;
  SlotPage page_;
  sigset_t mask_before_;
  pid_t pid_ = -1;
  std::optional<Obituary> obituary_;
  unsigned quick_deaths_ = 0;
};

}  // namespace

int worker_main(int argc, char** argv) {
  const process::RoleArguments arguments(argc, argv);
  WorkerConfig config;
  config.root = arguments.text("root");
  config.name = arguments.text("name");
  config.slots = static_cast<std::uint32_t>(std::clamp<std::uint64_t>(arguments.number("slots"), 1, kSuspectsMax));
  config.kernels = arguments.text("kernels");
  config.folder = arguments.text("folder");
  (void)from_text(arguments.text("run"), config.run);
  config.memory_bytes = arguments.number("memory");
  config.plugin_folders = process::lines_of(arguments.text("plugins"));
  config.shipped_plugin = arguments.text("plugin");
  const std::vector<std::string> paths = process::lines_of(arguments.text("path-map"));
  for (std::size_t at = 0; at + 1 < paths.size(); at += 2) config.path_map.push_back({paths[at], paths[at + 1]});
  config.keys = {arguments.text("keys"), arguments.text("key-name")};
  config.log = log::from_word(arguments.text("log"));
  config.parent = static_cast<pid_t>(arguments.number("parent"));
  // Taken by sigwaitinfo: blocked from the start, so that none is lost.
  sigset_t taken;
  sigset_t mask_before;
  sigemptyset(&taken);
  sigaddset(&taken, SIGTERM);
  sigaddset(&taken, SIGCHLD);
  pthread_sigmask(SIG_BLOCK, &taken, &mask_before);
  signal(SIGINT, SIG_IGN);
  signal(SIGPIPE, SIG_IGN);
  if (!process::end_with_parent(SIGTERM, config.parent)) {
    process::remove_run_folder(config.folder);
    return 0;
  }
  return Supervisor(std::move(config), mask_before).run();
}

}  // namespace fanfold::worker
