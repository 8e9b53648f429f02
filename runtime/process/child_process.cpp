#include "runtime/process/child_process.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

extern char** environ;

namespace fanfold::process {

namespace {

// A path that is not the program's own name: it is there however the program was called.
constexpr const char* kThisProgram = "/proc/self/exe";

Failure cannot_start(int error) {
  return {ExitCode::kInputOutput, std::string("cannot start a process: ") + std::strerror(error) +
                                      "; use fewer --workers, or raise the limits of this user (ulimit -a)"};
}

}  // namespace

Result<ChildProcess> ChildProcess::start(const std::vector<std::string>& arguments,
                                         const std::vector<std::pair<int, int>>& inherited) {
  std::vector<char*> argv;
  std::string name = "fanfold";
  argv.push_back(name.data());
  std::vector<std::string> copies = arguments;
  for (std::string& argument : copies) argv.push_back(argument.data());
  argv.push_back(nullptr);

  posix_spawn_file_actions_t files;
  posix_spawn_file_actions_init(&files);
  posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  bool has_output = false;
  for (const auto& [ours, theirs] : inherited) {
    posix_spawn_file_actions_adddup2(&files, ours, theirs);
    has_output = has_output || theirs == STDOUT_FILENO;
  }
  if (!has_output) posix_spawn_file_actions_addopen(&files, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  // A child of its own group: a terminal's Ctrl-C reaches the client alone, which then ends the others.
  posix_spawnattr_setpgroup(&attributes, 0);
  sigset_t none;
  sigemptyset(&none);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK);

  pid_t pid = -1;
  MemoryWatch memory_watch;
  const int error = posix_spawn(&pid, kThisProgram, &files, &attributes, argv.data(), environ);
  posix_spawn_file_actions_destroy(&files);
  posix_spawnattr_destroy(&attributes);
  if (error != 0) return cannot_start(error);
  const int descriptor = static_cast<int>(syscall(SYS_pidfd_open, pid, 0));
  if (descriptor < 0) {  // no more files may be open
    const int why = errno;
    kill(pid, SIGKILL);
    int status = 0;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    return cannot_start(why);
  }
  fcntl(descriptor, F_SETFD, FD_CLOEXEC);
  return ChildProcess(pid, descriptor, std::move(memory_watch));
}

ChildProcess::ChildProcess(ChildProcess&& other) noexcept
    : pid_(std::exchange(other.pid_, -1)),
      descriptor_(std::exchange(other.descriptor_, -1)),
      memory_watch_(std::move(other.memory_watch_)),
      cause_(std::move(other.cause_)) {}

ChildProcess& ChildProcess::operator=(ChildProcess&& other) noexcept {
  std::swap(pid_, other.pid_);
  std::swap(descriptor_, other.descriptor_);
  std::swap(memory_watch_, other.memory_watch_);
  std::swap(cause_, other.cause_);
  return *this;
}

ChildProcess::~ChildProcess() {
  if (pid_ > 0 && !ended()) {
    kill(pid_, SIGKILL);
    int status = 0;
    while (waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
    }
  }
  if (descriptor_ >= 0) close(descriptor_);
}

std::optional<Cause> ChildProcess::ended() {
  if (cause_ || pid_ <= 0) return cause_;
  int status = 0;
  rusage usage{};
  const pid_t got = wait4(pid_, &status, WNOHANG, &usage);
  if (got == pid_) {
    cause_ = cause_of_status(status);
    cause_->peak_rss_bytes = static_cast<std::uint64_t>(usage.ru_maxrss) * 1024;
    memory_watch_.explain(*cause_);
  }
  return cause_;
}

void ChildProcess::signal(int number) const {
  if (pid_ > 0 && !cause_) kill(pid_, number);
}

Cause cause_of_status(int wait_status) {
  Cause cause;
  if (WIFSIGNALED(wait_status)) {
    cause.kind = CauseKind::kSignal;
    cause.signal = WTERMSIG(wait_status);
  } else {
    cause.kind = CauseKind::kExit;
    cause.exit_status = WEXITSTATUS(wait_status);
  }
  return cause;
}

bool end_with_parent(int number, pid_t expected_parent) {
  prctl(PR_SET_PDEATHSIG, number);
  return getppid() == expected_parent;  // it may have died before the call above
}

}  // namespace fanfold::process
