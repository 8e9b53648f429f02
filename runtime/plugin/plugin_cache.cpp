#include "runtime/plugin/plugin_cache.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <utility>
#include <vector>

#include "engine/assertion.h"
#include "engine/protocol/identity.h"
#include "engine/quoted.h"
#include "runtime/plugin/content_hash.h"
#include "runtime/process/nameless_file.h"

namespace fanfold::plugin {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kSuffix = ".so";
constexpr std::string_view kArriving = ".arriving-";

Failure cannot(const std::string& folder, const std::string& why) {
  return {ExitCode::kInputOutput, "cannot keep the plugins of clients in " + fanfold::quoted(folder) + ": " + why +
                                      "; name a folder of this user's alone with --plugin-cache"};
}

bool is_hash(const std::string& text) {
  std::uint64_t high = 0;
  std::uint64_t low = 0;
  return from_text(text, high, low);
}

// A file that nobody uses is gone. False: it is in use, or not there.
bool remove_unused(const std::string& path) {
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
  if (file < 0) return false;
  const bool unused = flock(file, LOCK_EX | LOCK_NB) == 0;
  if (unused) unlink(path.c_str());
  close(file);
  return unused;
}

}  // namespace

Result<PluginCache> PluginCache::open(std::string folder) {
  if (folder.empty()) {
    const char* temporary = std::getenv("TMPDIR");
    std::string made =
        (temporary != nullptr && *temporary != '\0' ? std::string(temporary) : "/tmp") + "/fanfold-plugins-XXXXXX";
    if (mkdtemp(made.data()) == nullptr) return cannot(made, std::strerror(errno));  // mode 0700
    PluginCache cache(made);
    cache.private_folder_ = std::shared_ptr<const void>(nullptr, [made](const void*) {
      std::error_code ignored;
      fs::remove_all(made, ignored);
    });
    return cache;
  }
  if (mkdir(folder.c_str(), 0700) != 0 && errno != EEXIST) return cannot(folder, std::strerror(errno));
  struct stat status {};
  if (lstat(folder.c_str(), &status) != 0) return cannot(folder, std::strerror(errno));
  if (!S_ISDIR(status.st_mode)) return cannot(folder, "it is no folder");
  if (status.st_uid != geteuid()) return cannot(folder, "it belongs to another user");
  if ((status.st_mode & 077) != 0) return cannot(folder, "others may enter it (chmod 700)");
  std::error_code error;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder, error)) {
    // Of a process that was killed.
    if (entry.path().filename().string().starts_with(kArriving)) remove_unused(entry.path().string());
  }
  return PluginCache(std::move(folder));
}

std::optional<PluginCache::Held> PluginCache::find(const std::string& hash) const {
  if (!is_hash(hash)) return std::nullopt;
  std::string path = folder_ + "/" + hash + std::string(kSuffix);
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
  if (file < 0) return std::nullopt;
  Held held(path, file);
  struct stat status {};
  // Removed between the two: then it is nobody's any more.
  if (flock(file, LOCK_SH) != 0 || fstat(file, &status) != 0 || status.st_nlink == 0) return std::nullopt;
  const Result<std::string> found = content_hash(path);
  if (!found || *found != hash) {
    unlink(path.c_str());
    return std::nullopt;
  }
  futimens(file, nullptr);  // used now
  return held;
}

Result<PluginCache::Arrival> PluginCache::begin(const std::string& hash) const {
  if (!is_hash(hash)) return Failure{ExitCode::kUsage, fanfold::quoted(hash) + " is no hash of a plugin"};
  std::string path = folder_ + "/" + std::string(kArriving) + "XXXXXX";
  const int file = mkostemp(path.data(), O_CLOEXEC);  // mode 0600
  if (file < 0) return cannot(folder_, std::strerror(errno));
  (void)flock(file, LOCK_EX | LOCK_NB);  // it is new: nobody else has it
  return Arrival(*this, hash, std::move(path), file);
}

void PluginCache::trim() const {
  struct File {
    std::string path;
    std::uint64_t bytes;
    timespec used;
  };
  std::vector<File> files;
  std::uint64_t bytes = 0;
  std::error_code error;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder_, error)) {
    struct stat status {};
    if (!entry.path().filename().string().ends_with(kSuffix) || lstat(entry.path().c_str(), &status) != 0) continue;
    files.push_back({entry.path().string(), static_cast<std::uint64_t>(status.st_size), status.st_mtim});
    bytes += files.back().bytes;
  }
  std::sort(files.begin(), files.end(), [](const File& a, const File& b) {
    return std::pair(a.used.tv_sec, a.used.tv_nsec) < std::pair(b.used.tv_sec, b.used.tv_nsec);
  });
  std::size_t count = files.size();
  for (const File& file : files) {
    if (bytes <= kBytesMax && count <= kFilesMax) return;
    if (!remove_unused(file.path)) continue;
    bytes -= file.bytes;
    count -= 1;
  }
}

PluginCache::Held::Held(Held&& other) noexcept
    : path_(std::move(other.path_)), descriptor_(std::exchange(other.descriptor_, -1)) {}
PluginCache::Held& PluginCache::Held::operator=(Held&& other) noexcept {
  std::swap(path_, other.path_);
  std::swap(descriptor_, other.descriptor_);
  return *this;
}
PluginCache::Held::~Held() {
  if (descriptor_ >= 0) close(descriptor_);
}

std::uint64_t PluginCache::Held::bytes() const {
  struct stat status {};
  return fstat(descriptor_, &status) == 0 ? static_cast<std::uint64_t>(status.st_size) : 0;
}

PluginCache::Arrival::Arrival(Arrival&& other) noexcept
    : folder_(std::move(other.folder_)),
      hash_(std::move(other.hash_)),
      path_(std::exchange(other.path_, std::string())),
      descriptor_(std::exchange(other.descriptor_, -1)) {}
PluginCache::Arrival& PluginCache::Arrival::operator=(Arrival&& other) noexcept {
  std::swap(folder_, other.folder_);
  std::swap(hash_, other.hash_);
  std::swap(path_, other.path_);
  std::swap(descriptor_, other.descriptor_);
  return *this;
}
PluginCache::Arrival::~Arrival() {
  if (!path_.empty()) unlink(path_.c_str());
  if (descriptor_ >= 0) close(descriptor_);
}

Status PluginCache::Arrival::write(std::uint64_t offset, ByteView bytes) {
  if (const int error = process::write_all(descriptor_, offset, bytes.data(), bytes.size()); error != 0) {
    return cannot(folder_, std::strerror(error));
  }
  return success();
}

Result<PluginCache::Held> PluginCache::Arrival::finish() {
  const Result<std::string> found = content_hash(path_);
  if (!found) return found.failure();
  if (*found != hash_) {
    return Failure{ExitCode::kUsage, "the plugin that the client has shipped has " + *found + ", not the " + hash_ +
                                         " that it was announced with; nothing of it is loaded. Submit the run again"};
  }
  const std::string path = folder_ + "/" + hash_ + std::string(kSuffix);
  if (rename(path_.c_str(), path.c_str()) != 0) return cannot(folder_, std::strerror(errno));
  path_.clear();
  // From one who may remove it to one who uses it: the lock is of the file, whatever its name.
  struct stat status {};
  if (flock(descriptor_, LOCK_SH) != 0 || fstat(descriptor_, &status) != 0)
    return cannot(folder_, std::strerror(errno));
  if (status.st_nlink == 0) return cannot(folder_, "a plugin was removed as soon as it had come");
  return Held(path, std::exchange(descriptor_, -1));
}

}  // namespace fanfold::plugin
