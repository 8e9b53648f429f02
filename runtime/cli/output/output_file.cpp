#include "runtime/cli/output/output_file.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <cstring>
#include <filesystem>
#include <optional>

#include "engine/quoted.h"

namespace fanfold {
namespace {

// A write to a pipe that poll() calls writable takes this much without blocking.
constexpr std::size_t kPipeWriteBytes = PIPE_BUF;
constexpr int kPollMilliseconds = 100;

// Hidden names that must not be left behind, where a signal's handler finds them: no memory is allocated,
// and nothing is freed under its hands.
constexpr std::size_t kHiddenMax = 16;
struct HiddenName {
  enum State { kFree, kChanging, kSet };
  std::atomic<int> state{kFree};
  char name[PATH_MAX];
};
std::array<HiddenName, kHiddenMax> hidden_names;

int remember_hidden(const std::string& name) {
  if (name.size() >= sizeof HiddenName::name) return -1;
  for (std::size_t i = 0; i < kHiddenMax; ++i) {
    int expected = HiddenName::kFree;
    if (!hidden_names[i].state.compare_exchange_strong(expected, HiddenName::kChanging)) continue;
    std::memcpy(hidden_names[i].name, name.c_str(), name.size() + 1);
    hidden_names[i].state.store(HiddenName::kSet);
    return static_cast<int>(i);
  }
  return -1;  // more outputs at once than ever needed: the destructor still removes it
}

void forget_hidden(int slot) {
  if (slot >= 0) hidden_names[static_cast<std::size_t>(slot)].state.store(HiddenName::kFree);
}

// What a link leads to in the end, also when that does not exist yet.
Result<std::string> follow_links(const std::string& path) {
  std::string target = path;
  for (int links = 0; links < 40; ++links) {
    struct stat status {};
    if (::lstat(target.c_str(), &status) != 0 || !S_ISLNK(status.st_mode)) return target;
    char text[PATH_MAX];
    const ssize_t size = ::readlink(target.c_str(), text, sizeof text);
    if (size < 0) return target;
    const std::string next(text, static_cast<std::size_t>(size));
    const std::size_t slash = target.rfind('/');
    target = next.starts_with('/') || slash == std::string::npos ? next : target.substr(0, slash + 1) + next;
  }
  return Failure{ExitCode::kInputOutput,
                 "cannot write " + fanfold::quoted(path) + ": its links lead in a circle; name another file."};
}

std::string folder_of(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  return slash == std::string::npos ? "." : path.substr(0, std::max<std::size_t>(slash, 1));
}

std::string name_in_folder(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  return slash == std::string::npos ? path : path.substr(slash + 1);
}

// A name beside the target that nobody has.
std::string hidden_name(const std::string& target) {
  static std::atomic<unsigned> counter{0};
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  std::string base = name_in_folder(target);
  if (base.size() > 200) base.resize(200);  // names end at 255 bytes
  return folder_of(target) + "/." + base + ".fanfold-" + std::to_string(::getpid()) + "-" +
         std::to_string(now.tv_nsec) + "-" + std::to_string(counter.fetch_add(1));
}

// Absolute, so that a handler finds it wherever the process is by then.
std::string absolute(const std::string& path) {
  std::error_code error;
  const std::filesystem::path full = std::filesystem::absolute(path, error);
  return error ? path : full.string();
}

std::string own_file(int descriptor) {
  return "/proc/self/fd/" + std::to_string(descriptor);
}

bool is_one_of(std::span<const FileIdentity> inputs, const struct stat& status) {
  // Devices are not changed by writing to them: /dev/null may be both.
  if (S_ISCHR(status.st_mode)) return false;
  return std::find(inputs.begin(), inputs.end(), FileIdentity{status.st_dev, status.st_ino}) != inputs.end();
}

const char* advice(int error) {
  switch (error) {
    case ENOSPC:
    case EDQUOT:
      return "; free some space there, or name another file.";
    case ENOENT:
    case ENOTDIR:
      return "; make the folder first, or name another file.";
    case EACCES:
    case EPERM:
    case EROFS:
      return "; name a file you may write.";
    default:
      return "; name another file.";
  }
}

}  // namespace

Failure OutputFile::cannot(std::string_view doing, int error) const {
  return {ExitCode::kInputOutput,
          "cannot " + std::string(doing) + " " + shown_ + ": " + std::strerror(error) + advice(error)};
}

Result<std::unique_ptr<OutputFile>> OutputFile::open(const std::string& path, std::span<const FileIdentity> inputs,
                                                     const std::atomic<bool>* cancelled, Unfinished unfinished) {
  if (path == "-") return standard_output(inputs, cancelled);
  Result<std::string> followed = follow_links(path);
  if (!followed) return followed.failure();
  const std::string& target = *followed;
  std::unique_ptr<OutputFile> file(new OutputFile());
  file->shown_ = fanfold::quoted(path);
  file->cancelled_ = cancelled;
  if (path.empty()) return Failure{ExitCode::kUsage, "an output has no name; name a file, or leave the flag out."};

  // What /dev/stdout and /dev/fd/N lead to may have no name of its own (a pipe); then the link itself opens it.
  struct stat status {};
  const bool exists = ::stat(path.c_str(), &status) == 0;
  if (!exists && errno != ENOENT) return file->cannot("write", errno);
  if (exists && S_ISDIR(status.st_mode)) {
    return Failure{ExitCode::kInputOutput, "cannot write " + file->shown_ + ": it is a folder; name a file in it."};
  }
  if (exists && is_one_of(inputs, status)) {
    return Failure{ExitCode::kInputOutput,
                   "cannot write " + file->shown_ + ": it is also an input of this run; name another file."};
  }
  if (exists && !S_ISREG(status.st_mode)) return open_in_place(path, S_ISFIFO(status.st_mode), cancelled);
  // Replacing would get around a mode that forbids writing.
  if (exists && ::faccessat(AT_FDCWD, path.c_str(), W_OK, AT_EACCESS) != 0) return file->cannot("write", errno);

  file->target_ = absolute(target);
  if (Status made = file->make_temporary(unfinished); !made) return made.failure();
  if (exists) {
    // Owner first: a change of owner clears the set-user-id bits. Without the right to it the file becomes
    // the user's, as with any program that replaces files; then those bits must not stay.
    mode_t mode = status.st_mode & 07777;
    if ((status.st_uid != ::geteuid() || status.st_gid != ::getegid()) &&
        ::fchown(file->descriptor_, status.st_uid, status.st_gid) != 0) {
      mode &= 0777;
    }
    if (::fchmod(file->descriptor_, mode) != 0) return file->cannot("keep the mode of", errno);
  }
  return file;
}

Result<std::unique_ptr<OutputFile>> OutputFile::open_in_place(const std::string& path, bool is_fifo,
                                                              const std::atomic<bool>* cancelled) {
  std::unique_ptr<OutputFile> file(new OutputFile());
  file->shown_ = fanfold::quoted(path);
  file->cancelled_ = cancelled;
  file->may_block_ = true;
  const bool can_wait = is_fifo && cancelled != nullptr;
  while (true) {
    // A pipe opens when somebody reads it; asked without blocking, it says so, and a signal is heard.
    file->descriptor_ = ::open(path.c_str(), O_WRONLY | O_CLOEXEC | O_NOCTTY | (can_wait ? O_NONBLOCK : 0));
    if (file->descriptor_ >= 0) return file;
    if (can_wait && errno == ENXIO) {
      if (cancelled->load())
        return Failure{ExitCode::kInterrupted, "interrupted while waiting for a reader of " + file->shown_ + "."};
      ::poll(nullptr, 0, kPollMilliseconds / 4);
    } else if (errno != EINTR) {
      return file->cannot("write", errno);
    }
  }
}

Result<std::unique_ptr<OutputFile>> OutputFile::standard_output(std::span<const FileIdentity> inputs,
                                                                const std::atomic<bool>* cancelled) {
  std::unique_ptr<OutputFile> file(new OutputFile());
  file->shown_ = "standard output";
  file->descriptor_ = STDOUT_FILENO;
  file->owned_ = false;
  file->cancelled_ = cancelled;
  struct stat status {};
  const int flags = ::fcntl(STDOUT_FILENO, F_GETFL);
  if (flags < 0 || (flags & O_ACCMODE) == O_RDONLY || ::fstat(STDOUT_FILENO, &status) != 0) {
    return Failure{ExitCode::kInputOutput,
                   "cannot write standard output: it is closed; send it somewhere, or name a file with --output."};
  }
  file->may_block_ = !S_ISREG(status.st_mode);
  if (S_ISREG(status.st_mode) && is_one_of(inputs, status)) {
    return Failure{ExitCode::kInputOutput,
                   "standard output is also an input of this run; send it to a file that is not read."};
  }
  return file;
}

OutputFile::~OutputFile() {
  if (!hidden_.empty()) ::unlink(hidden_.c_str());
  forget_hidden(hidden_slot_);
  if (owned_ && descriptor_ >= 0) ::close(descriptor_);
}

Status OutputFile::make_temporary(Unfinished unfinished) {
  const std::string folder = folder_of(target_);
#ifdef O_TMPFILE
  // Without /proc a file without a name could not be given one.
  if (unfinished == Unfinished::kNameless && ::access("/proc/self/fd", X_OK) == 0) {
    descriptor_ = ::open(folder.c_str(), O_TMPFILE | O_WRONLY | O_CLOEXEC, 0666);
    if (descriptor_ >= 0) return success();
    // Kernels and file systems without it answer so; whatever else is wrong shows below as well.
    if (errno != EOPNOTSUPP && errno != EISDIR && errno != ENOENT && errno != EINVAL) {
      return cannot("write", errno);
    }
  }
#endif
  for (int attempt = 0; attempt < 100; ++attempt) {
    std::string name = hidden_name(target_);
    descriptor_ = ::open(name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (descriptor_ >= 0) {
      hidden_ = std::move(name);
      hidden_slot_ = remember_hidden(hidden_);
      return success();
    }
    if (errno != EEXIST && errno != EINTR) break;
  }
  return cannot("write", errno);
}

Status OutputFile::wait_until_writable() {
  while (true) {
    if (cancelled_->load(std::memory_order_relaxed)) {
      return Failure{ExitCode::kInterrupted, "interrupted while writing " + shown_ + "."};
    }
    pollfd waiting{descriptor_, POLLOUT, 0};
    const int ready = ::poll(&waiting, 1, kPollMilliseconds);
    if (ready > 0 || (ready < 0 && errno != EINTR)) return success();  // write() says what is wrong
  }
}

Status OutputFile::write(std::string_view bytes) {
  if (failed_) return Failure{ExitCode::kInputOutput, "cannot write " + shown_ + " after an earlier failure."};
  const bool waits = may_block_ && cancelled_ != nullptr;
  while (!bytes.empty()) {
    if (waits) {
      if (Status ready = wait_until_writable(); !ready) {
        failed_ = true;
        return ready;
      }
    }
    const std::size_t piece = waits ? std::min(bytes.size(), kPipeWriteBytes) : bytes.size();
    const ssize_t written = ::write(descriptor_, bytes.data(), piece);
    if (written >= 0) {
      bytes.remove_prefix(static_cast<std::size_t>(written));
      bytes_written_ += static_cast<std::uint64_t>(written);
      continue;
    }
    if (errno == EINTR || (errno == EAGAIN && waits)) continue;
    if (errno == EAGAIN) {  // somebody made standard output non-blocking
      pollfd waiting{descriptor_, POLLOUT, 0};
      ::poll(&waiting, 1, kPollMilliseconds);
      continue;
    }
    failed_ = true;
    reader_gone_ = errno == EPIPE;
    return cannot("write", errno);
  }
  return success();
}

Status OutputFile::restart() {
  if (bytes_written_ == 0) return success();
  if (!is_regular()) {
    return Failure{ExitCode::kInputOutput, "the result would have to begin anew, but part of it is already in " +
                                               shown_ + "; run the job again."};
  }
  if (::ftruncate(descriptor_, 0) != 0 || ::lseek(descriptor_, 0, SEEK_SET) != 0) return cannot("rewrite", errno);
  bytes_written_ = 0;
  return success();
}

Status OutputFile::commit() {
  if (failed_) return Failure{ExitCode::kInputOutput, "cannot finish " + shown_ + " after an earlier failure."};
  if (!is_regular()) return success();
  // The bytes are on disk before the name leads to them: after a power cut the file is the old or the new.
  while (::fsync(descriptor_) != 0) {
    if (errno == EINVAL || errno == ENOSYS) break;  // a file system that has nothing to sync
    if (errno != EINTR) return cannot("finish", errno);
  }
  if (hidden_.empty()) {
    const std::string file = own_file(descriptor_);
    if (::linkat(AT_FDCWD, file.c_str(), AT_FDCWD, target_.c_str(), AT_SYMLINK_FOLLOW) == 0) return success();
    if (errno != EEXIST) return cannot("finish", errno);
    // A link replaces nothing: it takes a hidden name for the moment until the rename.
    for (int attempt = 0; hidden_.empty(); ++attempt) {
      std::string name = hidden_name(target_);
      hidden_slot_ = remember_hidden(name);
      if (::linkat(AT_FDCWD, file.c_str(), AT_FDCWD, name.c_str(), AT_SYMLINK_FOLLOW) == 0) {
        hidden_ = std::move(name);
        break;
      }
      const int error = errno;
      forget_hidden(hidden_slot_);
      hidden_slot_ = -1;
      if (error != EEXIST || attempt == 100) return cannot("finish", error);
    }
  }
  if (::rename(hidden_.c_str(), target_.c_str()) != 0) return cannot("replace", errno);
  hidden_.clear();
  forget_hidden(hidden_slot_);
  hidden_slot_ = -1;
  return success();
}

void OutputFile::remove_unfinished() noexcept {
  for (HiddenName& hidden : hidden_names) {
    if (hidden.state.load() == HiddenName::kSet) ::unlink(hidden.name);
  }
}

}  // namespace fanfold
