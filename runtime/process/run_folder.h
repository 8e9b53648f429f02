// run_folder.h: the folder of one embedded run, mode 0700, in TMPDIR: its sockets lie there and nothing
// else. Removed when the run ends, by whichever of its processes is the last to see it.
#pragma once

#include <string>

#include "engine/failure.h"

namespace fanfold::process {

class RunFolder {
 public:
  // Exit 3 when TMPDIR cannot be written or its path is too long for a socket's name.
  static Result<RunFolder> make();
  RunFolder(RunFolder&& other) noexcept;
  RunFolder& operator=(RunFolder&&) = delete;
  ~RunFolder();  // removes it

  [[nodiscard]] const std::string& path() const { return path_; }
  // The ipc endpoint of a socket in it.
  [[nodiscard]] std::string endpoint(const std::string& name) const { return "ipc://" + path_ + "/" + name; }

 private:
  explicit RunFolder(std::string path) : path_(std::move(path)) {}
  std::string path_;
};

// Removes a run's folder with the sockets in it. For processes that outlive the one that made it.
void remove_run_folder(const std::string& path);

}  // namespace fanfold::process
