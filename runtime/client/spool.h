// spool.h: what cannot be read twice (pipes, standard input, devices, files of /proc) copied into a file
// without a name, so that workers can read any part of it and nothing is left behind however the client ends.
// Every wait ends when `stopped` says so.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>

#include "engine/failure.h"
#include "runtime/client/file_descriptor.h"

namespace fanfold {

// Asked every kStopPollMilliseconds at least; empty: never stopped.
using Stopped = std::function<bool()>;
inline constexpr int kStopPollMilliseconds = 100;

struct SpoolOptions {
  std::string folder = {};  // empty: TMPDIR, or /tmp
  // 0: nine tenths of what the folder's file system has free, so that a stream without end does not fill it.
  uint64_t bytes_max = 0;
  Stopped stopped = {};
};

// Up to `bytes` bytes as soon as there are any; 0 at the end. `display` names the input in sentences.
Result<size_t> read_some(int from, char* to, size_t bytes, const std::string& display, const Stopped& stopped);

// Reads `from` to its end. The spool has been unlinked already and is closed on exec; `bytes` tells its size.
struct Spool {
  FileDescriptor file;
  uint64_t bytes = 0;
};
Result<Spool> spool(int from, const std::string& display, const SpoolOptions& options);

// The failure of what was stopped: exit code 130; the caller knows whether it was another signal.
[[nodiscard]] Failure stopped_failure();

}  // namespace fanfold
