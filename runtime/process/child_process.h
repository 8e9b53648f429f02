// child_process.h: starts this program again in another role and watches it end. Children get SIGTERM
// when their parent dies, and none of the parent's descriptors but those named.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "engine/failure.h"
#include "engine/protocol/message.h"
#include "runtime/process/memory_watch.h"

namespace fanfold::process {

class ChildProcess {
 public:
  // Runs this program with the arguments (argv[0] excluded). `inherited`: descriptors of ours and the
  // numbers they get in the child. Standard error is shared, standard input is /dev/null, standard output
  // is ours only if inherited.
  static Result<ChildProcess> start(const std::vector<std::string>& arguments,
                                    const std::vector<std::pair<int, int>>& inherited = {});
  ChildProcess(ChildProcess&& other) noexcept;
  ChildProcess& operator=(ChildProcess&& other) noexcept;
  // Kills it, if it still runs, and waits for it.
  ~ChildProcess();

  [[nodiscard]] pid_t pid() const { return pid_; }
  // Readable when the process has ended.
  [[nodiscard]] int descriptor() const { return descriptor_; }
  // What ended it, with its peak of memory, once it has; asked again, the same.
  std::optional<Cause> ended();
  void signal(int number) const;

 private:
  ChildProcess(pid_t pid, int descriptor, MemoryWatch memory_watch)
      : pid_(pid), descriptor_(descriptor), memory_watch_(std::move(memory_watch)) {}
  pid_t pid_ = -1;
  int descriptor_ = -1;
  MemoryWatch memory_watch_;
  std::optional<Cause> cause_;
};

// A wait status as a cause: exit status, or signal.
[[nodiscard]] Cause cause_of_status(int wait_status);

// To be called first by a child: signal `number` comes when the parent dies. False when it has already.
bool end_with_parent(int number, pid_t expected_parent);

}  // namespace fanfold::process
