#include "runtime/process/memory_watch.h"

#include <signal.h>

#include <string>
#include <utility>

#include "runtime/client/machine/machine.h"

namespace fanfold::process {

MemoryWatch::MemoryWatch(std::filesystem::path root) : root_(std::move(root)), kills_before_(memory_kills(root_)) {}

void MemoryWatch::explain(Cause& cause) const {
  if (cause.kind != CauseKind::kSignal || cause.signal != SIGKILL || memory_kills(root_) <= kills_before_) return;
  cause.kind = CauseKind::kOutOfMemory;
  const std::uint64_t total = machine_memory(root_).total_bytes;
  if (total != 0) cause.message = "in a container or machine that has " + std::to_string(total >> 20) + " MiB";
}

}  // namespace fanfold::process
