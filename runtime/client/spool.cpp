// spool.cpp: poll, read, write, and the sentences of a full disk.
#include "runtime/client/spool.h"

#include <poll.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <memory>

#include "engine/quoted.h"
#include "runtime/process/nameless_file.h"

namespace fanfold {
namespace {

constexpr size_t kCopyBytes = size_t{256} << 10;
constexpr const char* kDefaultFolder = "/tmp";

std::string folder_of(const SpoolOptions& options) {
  if (!options.folder.empty()) return options.folder;
  const char* from_environment = std::getenv("TMPDIR");
  return from_environment != nullptr && *from_environment != '\0' ? from_environment : kDefaultFolder;
}

Failure cannot_spool(const std::string& display, const std::string& folder, const std::string& why) {
  return {ExitCode::kInputOutput, "cannot keep a copy of " + display + " in " + quoted(folder) + ": " + why};
}

Result<FileDescriptor> create_without_name(const std::string& folder, const std::string& display) {
  const int number = process::open_nameless(folder);
  if (number < 0)
    return cannot_spool(display, folder,
                        std::string(std::strerror(errno)) + ". Set TMPDIR to a folder that can be written.");
  return FileDescriptor(number);
}

uint64_t bound_of(const SpoolOptions& options, int file) {
  if (options.bytes_max != 0) return options.bytes_max;
  struct statvfs system = {};
  if (::fstatvfs(file, &system) != 0) return std::numeric_limits<uint64_t>::max();
  const uint64_t free_bytes = static_cast<uint64_t>(system.f_bavail) * system.f_frsize;
  return free_bytes - free_bytes / 10;
}

}  // namespace

Failure stopped_failure() {
  return {ExitCode::kInterrupted, "interrupted while the input was being listed or read."};
}

Result<size_t> read_some(int from, char* to, size_t bytes, const std::string& display, const Stopped& stopped) {
  while (true) {
    if (stopped && stopped()) return stopped_failure();
    // A pipe that no writer has opened yet reads as ended; poll alone knows the difference.
    pollfd readable = {.fd = from, .events = POLLIN, .revents = 0};
    const int ready = ::poll(&readable, 1, kStopPollMilliseconds);
    if (ready == 0 || (ready < 0 && errno == EINTR)) continue;
    const ssize_t got = ready < 0 ? -1 : ::read(from, to, bytes);
    if (got >= 0) return static_cast<size_t>(got);
    if (errno == EINTR || errno == EAGAIN) continue;
    return Failure{ExitCode::kInputOutput, "cannot read " + display + ": " + std::strerror(errno) +
                                               ". Check that it can be read and run the job again."};
  }
}

Result<Spool> spool(int from, const std::string& display, const SpoolOptions& options) {
  const std::string folder = folder_of(options);
  Result<FileDescriptor> file = create_without_name(folder, display);
  if (!file) return file.failure();
  const uint64_t bytes_max = bound_of(options, file->number());
  const std::unique_ptr<char[]> buffer(new char[kCopyBytes]);
  uint64_t bytes = 0;
  while (true) {
    Result<size_t> got = read_some(from, buffer.get(), kCopyBytes, display, options.stopped);
    if (!got) return got.failure();
    if (*got == 0) break;
    if (*got > bytes_max - bytes)
      return cannot_spool(display, folder,
                          "it is longer than the " + std::to_string(bytes_max) + " bytes allowed for it. Raise " +
                              "--spool-bytes-max, set TMPDIR to a folder with more room, or give the input as a file.");
    for (size_t written = 0; written < *got;) {
      const ssize_t put = ::write(file->number(), buffer.get() + written, *got - written);
      if (put < 0) {
        if (errno == EINTR) continue;
        if (errno == ENOSPC || errno == EDQUOT || errno == EFBIG)
          return cannot_spool(display, folder,
                              "there is no room after " + std::to_string(bytes + written) +
                                  " bytes. Set TMPDIR to a folder with more room, or give the input as a file.");
        return cannot_spool(display, folder,
                            std::string(std::strerror(errno)) + ". Set TMPDIR to a folder that can be written.");
      }
      written += static_cast<size_t>(put);
    }
    bytes += *got;
  }
  return Spool{.file = std::move(file).value(), .bytes = bytes};
}

}  // namespace fanfold
