#include "runtime/process/run_folder.h"

#include <stdlib.h>
#include <sys/un.h>
#include <time.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <utility>

namespace fanfold::process {

namespace {

constexpr const char* kFolderName = "fanfold-";
constexpr std::size_t kSocketNameBytesMax = 24;  // "/gatherer-4294967295" and its end

}  // namespace

Result<RunFolder> RunFolder::make() {
  const char* given = std::getenv("TMPDIR");
  const std::string parent = given != nullptr && *given != '\0' ? given : "/tmp";
  std::string path = parent + "/" + kFolderName + "XXXXXX";
  if (path.size() + kSocketNameBytesMax > sizeof(sockaddr_un{}.sun_path)) {
    return Failure{ExitCode::kInputOutput, "TMPDIR is too long for a socket's name: \"" + parent + "\" has " +
                                               std::to_string(parent.size()) + " bytes, at most " +
                                               std::to_string(sizeof(sockaddr_un{}.sun_path) - kSocketNameBytesMax -
                                                              (path.size() - parent.size())) +
                                               " can be used; set TMPDIR to a shorter folder"};
  }
  if (mkdtemp(path.data()) == nullptr) {  // mode 0700
    return Failure{ExitCode::kInputOutput, "cannot make a folder in TMPDIR \"" + parent + "\": " +
                                               std::strerror(errno) + "; set TMPDIR to a folder that can be written"};
  }
  return RunFolder(std::move(path));
}

RunFolder::RunFolder(RunFolder&& other) noexcept : path_(std::exchange(other.path_, std::string())) {}

RunFolder::~RunFolder() {
  if (!path_.empty()) remove_run_folder(path_);
}

void remove_run_folder(const std::string& path) {
  // Another process of the run may be removing it too, and a dying one may just be making its socket there:
  // then the folder is not empty a moment after it was emptied.
  constexpr int kAttempts = 50;
  constexpr timespec kPause = {0, 10'000'000};
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    std::error_code error;
    std::filesystem::remove_all(path, error);
    if (!std::filesystem::exists(path, error)) return;
    nanosleep(&kPause, nullptr);
  }
}

}  // namespace fanfold::process
