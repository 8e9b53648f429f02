// memory_watch.h: whether a process that was killed was killed by the kernel for want of memory. A wait status says
// SIGKILL alone; the kernel counts such kills for the container or the machine (memory_kills), so the count is taken
// when a process starts and looked at again when it is dead.
#pragma once

#include <cstdint>
#include <filesystem>

#include "engine/protocol/message.h"

namespace fanfold::process {

class MemoryWatch {
 public:
  // To be made before the process is started. `root` is that of the file system that tells.
  explicit MemoryWatch(std::filesystem::path root = "/");
  // A SIGKILL becomes kOutOfMemory, with how much memory there is, if the count has risen. Where another process of the
  // container was killed for memory meanwhile, somebody's kill -9 looks the same.
  void explain(Cause& cause) const;

 private:
  std::filesystem::path root_;
  std::uint64_t kills_before_;
};

}  // namespace fanfold::process
