#include "runtime/client/job_describer.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "engine/quoted.h"
#include "runtime/client/file_descriptor.h"
#include "runtime/client/machine/machine.h"
#include "runtime/process/child_process.h"
#include "runtime/process/clock.h"

namespace fanfold {

namespace {
constexpr Duration kDescribeTimeMax = seconds(10);
constexpr std::size_t kDescriptionBytesMax = std::size_t{16} << 20;
}  // namespace

Result<plugin::Described> describe_job(const std::string& plugin_path, const Stopped& stopped) {
  const Result<KernelLevel> kernels = choose_kernels();
  if (!kernels) return kernels.failure();
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) {
    return Failure{ExitCode::kInputOutput, std::string("cannot make a pipe: ") + std::strerror(errno) +
                                               "; close other programs, or raise the limits of this user (ulimit -a)"};
  }
  FileDescriptor reading(ends[0]);
  FileDescriptor writing(ends[1]);
  constexpr int kResultInChild = 3;
  Result<process::ChildProcess> child = process::ChildProcess::start(
      {"internal-describe", "plugin=" + plugin_path, "kernels=" + std::string(name_of(*kernels)),
       "result=" + std::to_string(kResultInChild), "parent=" + std::to_string(getpid())},
      {{writing.number(), kResultInChild}});
  if (!child) return child.failure();
  writing = FileDescriptor();

  const Instant deadline = process::now() + kDescribeTimeMax;
  std::string text;
  char buffer[65536];
  for (;;) {
    if (stopped && stopped()) return stopped_failure();
    pollfd item{reading.number(), POLLIN, 0};
    const Instant look = process::now() + milliseconds(kStopPollMilliseconds);
    const int ready = poll(&item, 1, static_cast<int>(process::poll_ms(std::min(deadline, look), process::now())));
    if (ready < 0 && errno == EINTR) continue;
    if (ready == 0) {
      if (process::now() < deadline) continue;
      return Failure{ExitCode::kJobFailed, "plugin " + fanfold::quoted(plugin_path) +
                                               " hangs while it is loaded: nothing came from it for " +
                                               std::to_string(kDescribeTimeMax.nanoseconds / 1'000'000'000) +
                                               " s; mend what it does when it is loaded, or name another job"};
    }
    const ssize_t got = read(reading.number(), buffer, sizeof buffer);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    text.append(buffer, static_cast<std::size_t>(got));
    if (text.size() > kDescriptionBytesMax) {
      return Failure{ExitCode::kUsage, "plugin " + fanfold::quoted(plugin_path) + " describes itself with more than " +
                                           std::to_string(kDescriptionBytesMax >> 20) +
                                           " MiB; its author must shorten its texts"};
    }
  }
  if (text.empty()) {
    std::optional<Cause> cause = child.value().ended();
    for (; !cause && process::now() < deadline; cause = child.value().ended()) {
      pollfd item{child.value().descriptor(), POLLIN, 0};
      poll(&item, 1, static_cast<int>(process::poll_ms(deadline, process::now())));
    }
    return Failure{ExitCode::kJobFailed, "plugin " + fanfold::quoted(plugin_path) +
                                             " brought down the process that loaded it: it " +
                                             (cause ? describe(*cause) : std::string("closed its output")) +
                                             "; mend what it does when it is loaded, or name another job"};
  }
  return plugin::described_of(text);
}

}  // namespace fanfold
