// files.h: a folder that vanishes with its test, files in it, and their planned sources.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>

#include "engine/plan/plan.h"

namespace fanfold {

class TestFolder {
 public:
  TestFolder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "fanfold-test-XXXXXX").string();
    if (::mkdtemp(pattern.data()) == nullptr) ADD_FAILURE() << "no folder in " << pattern;
    path_ = pattern;
  }
  TestFolder(const TestFolder&) = delete;
  TestFolder& operator=(const TestFolder&) = delete;
  ~TestFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }

  [[nodiscard]] const std::string& path() const { return path_; }

  // Writes a new file, folders on the way included, and returns its path. One of that name is removed first,
  // for some file systems wait for the disk when a file is cut to nothing and written again.
  std::string write(const std::string& name, std::string_view bytes) const {
    std::error_code ignored;
    std::filesystem::remove(path_ + "/" + name, ignored);
    return rewrite(name, bytes);
  }

  // The same, in place: who has the file open sees it change.
  std::string rewrite(const std::string& name, std::string_view bytes) const {
    std::string path = path_ + "/" + name;
    std::filesystem::create_directories(std::filesystem::path(path).parent_path());
    std::ofstream out(path, std::ios::binary | std::ios::trunc);
    out.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    return path;
  }

 private:
  std::string path_;
};

// The source that a client would have planned for a file as it is now.
inline Source planned(const std::string& path, Compression compression = Compression::kNone) {
  struct stat now = {};
  if (::stat(path.c_str(), &now) != 0) ADD_FAILURE() << "no file " << path;
  return {.kind = compression == Compression::kNone ? SourceKind::kBytes : SourceKind::kStream,
          .compression = compression,
          .name = path.substr(path.rfind('/') + 1),
          .path = path,
          .size = static_cast<uint64_t>(now.st_size),
          .mtime_ns = static_cast<int64_t>(now.st_mtim.tv_sec) * 1'000'000'000 + now.st_mtim.tv_nsec};
}

}  // namespace fanfold
