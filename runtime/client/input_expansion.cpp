// input_expansion.cpp: stat, walk, glob, spool. Regular files are only opened where their name or size asks
// for a look inside, so that a hundred thousand of them are listed in a moment.
#include "runtime/client/input_expansion.h"

#include <dirent.h>
#include <fcntl.h>
#include <glob.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <cstring>
#include <map>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>

#include "engine/quoted.h"

namespace fanfold {
namespace {

constexpr int64_t kNanosecondsPerSecond = 1'000'000'000;
constexpr size_t kListReadBytes = size_t{64} << 10;
constexpr size_t kMagicBytes = 4;
constexpr std::string_view kStandardInput = "-";

Failure cannot_use(const std::string& display, const std::string& why) {
  return {ExitCode::kInputOutput, "cannot use " + display + " as input: " + why};
}

std::string system_words(int error) {
  return std::strerror(error);
}

// What to do about an errno of stat, open or opendir.
std::string advice_for(int error) {
  switch (error) {
    case ENOENT:
    case ENOTDIR:
      return "Check the spelling and the folder you are in.";
    case EACCES:
    case EPERM:
      return "Make it readable, or run as a user who may read it.";
    case ELOOP:
      return "Mend the symbolic links.";
    case ENXIO:
      return "A socket or a device without driver cannot be read.";
    default:
      return "Mend that and run the job again.";
  }
}

Failure cannot_use(const std::string& display, int error) {
  return cannot_use(display, system_words(error) + ". " + advice_for(error));
}

int64_t mtime_ns_of(const struct stat& status) {
  return static_cast<int64_t>(status.st_mtim.tv_sec) * kNanosecondsPerSecond + status.st_mtim.tv_nsec;
}

Compression compression_by_suffix(std::string_view name) {
  if (name.ends_with(".gz")) return Compression::kGzip;
  if (name.ends_with(".zst")) return Compression::kZstd;
  return Compression::kNone;
}

Compression compression_by_magic(std::string_view first_bytes) {
  const auto at = [&](size_t i) { return static_cast<uint8_t>(first_bytes[i]); };
  if (first_bytes.size() >= 2 && at(0) == 0x1f && at(1) == 0x8b) return Compression::kGzip;
  if (first_bytes.size() >= 4) {
    if (at(0) == 0x28 && at(1) == 0xb5 && at(2) == 0x2f && at(3) == 0xfd) return Compression::kZstd;
    // A skippable frame, with which pzstd begins.
    if ((at(0) & 0xf0) == 0x50 && at(1) == 0x2a && at(2) == 0x4d && at(3) == 0x18) return Compression::kZstd;
  }
  return Compression::kNone;
}

// Files whose size does not tell what reading them gives.
bool is_pseudo_file_system(const struct statfs& system) {
  switch (static_cast<unsigned long>(system.f_type)) {
    case PROC_SUPER_MAGIC:
    case SYSFS_MAGIC:
    case CGROUP_SUPER_MAGIC:
    case CGROUP2_SUPER_MAGIC:
    case DEBUGFS_MAGIC:
    case TRACEFS_MAGIC:
    case SECURITYFS_MAGIC:
      return true;
    default:
      return false;
  }
}

// Paths that mean another file in another process.
bool is_local_to_this_process(std::string_view path) {
  return path.starts_with("/proc/") || path.starts_with("/dev/fd/") || path == "/dev/stdin";
}

bool has_glob_characters(std::string_view name) {
  return name.find_first_of("*?[") != std::string_view::npos;
}

struct CloseFolder {
  void operator()(DIR* folder) const { ::closedir(folder); }
};

int open_to_read(const std::string& path) {
  while (true) {
    // O_NONBLOCK: opening a pipe does not wait for its writer; reading it waits in poll.
    const int number = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (number >= 0 || errno != EINTR) return number;
  }
}

class Expansion {
 public:
  explicit Expansion(const InputRequest& request) : request_(request) {}

  Result<ExpandedInput> run() {
    for (const std::string& input : request_.inputs) {
      if (Status status = add_input(input); !status) return status.failure();
    }
    if (!request_.files_from.empty()) {
      if (Status status = add_list(); !status) return status.failure();
    }
    return std::move(result_);
  }

 private:
  [[nodiscard]] bool stopped() const { return request_.spool.stopped && request_.spool.stopped(); }

  Status add_input(const std::string& input) {
    if (stopped()) return stopped_failure();
    if (input == kStandardInput) return add_standard_input();
    if (names_range(input)) {
      Result<Source> range = parse_range(input);
      if (!range) return range.failure();
      result_.sources.push_back(std::move(range).value());
      return success();
    }
    struct stat status = {};
    if (::stat(input.c_str(), &status) == 0) return add_path(input, status);
    const int error = errno;
    const bool absent = error == ENOENT || error == ENOTDIR || error == ENAMETOOLONG;
    if (absent && has_glob_characters(input)) return add_glob(input);
    return no_such_path(input, error, "");
  }

  // `origin` tells which list named it.
  [[nodiscard]] Failure no_such_path(const std::string& name, int error, const std::string& origin) const {
    struct stat link = {};
    if (error == ENOENT && ::lstat(name.c_str(), &link) == 0)
      return cannot_use(quoted(name) + origin,
                        "it is a symbolic link to what does not exist. Mend the link or name another file.");
    if (error == ENOENT) return cannot_use(quoted(name) + origin, "there is no such file. " + advice_for(error));
    return cannot_use(quoted(name) + origin, error);
  }

  Status add_path(const std::string& name, const struct stat& status) {
    if (S_ISDIR(status.st_mode)) return add_folder(name);
    if (S_ISREG(status.st_mode)) return add_file(name, status);
    if (S_ISSOCK(status.st_mode)) return cannot_use(quoted(name), "it is a socket, which cannot be read as a file.");
    FileDescriptor file(open_to_read(name));
    if (!file.is_open()) return cannot_use(quoted(name), errno);
    return add_spooled(name, file.number());
  }

  Status add_glob(const std::string& pattern) {
    glob_t found = {};
    struct Release {
      void operator()(glob_t* to_free) const { ::globfree(to_free); }
    };
    const std::unique_ptr<glob_t, Release> guard(&found);
    const int code = ::glob(pattern.c_str(), GLOB_NOSORT, nullptr, &found);
    if (code == GLOB_NOSPACE) return cannot_use(quoted(pattern), "it matches more than fits into memory.");
    if (code != 0 || found.gl_pathc == 0)
      return cannot_use(quoted(pattern),
                        "there is no such file, and as a pattern it matches none. Check the spelling and the folder "
                        "you are in.");
    std::vector<std::string> names(found.gl_pathv, found.gl_pathv + found.gl_pathc);
    std::sort(names.begin(), names.end());
    for (const std::string& name : names) {
      if (stopped()) return stopped_failure();
      struct stat status = {};
      if (::stat(name.c_str(), &status) != 0) return no_such_path(name, errno, "");
      if (Status added = add_path(name, status); !added) return added;
    }
    return success();
  }

  Status add_folder(const std::string& folder) {
    struct Found {
      std::string name;
      struct stat status;
    };
    std::vector<Found> files;
    uint64_t links = 0;
    std::vector<std::string> pending = {folder};
    while (!pending.empty()) {
      const std::string at = std::move(pending.back());
      pending.pop_back();
      const std::unique_ptr<DIR, CloseFolder> entries(::opendir(at.c_str()));
      if (entries == nullptr) {
        const bool vanished_since = errno == ENOENT && at != folder;
        if (vanished_since) continue;
        return cannot_use("the folder " + quoted(at), errno);
      }
      const std::string prefix = at.ends_with('/') ? at : at + "/";
      while (true) {
        if (stopped()) return stopped_failure();
        errno = 0;
        const dirent* entry = ::readdir(entries.get());
        if (entry == nullptr) {
          if (errno != 0) return cannot_use("the folder " + quoted(at), errno);
          break;
        }
        const std::string_view entry_name = entry->d_name;
        if (entry_name == "." || entry_name == "..") continue;
        struct stat status = {};
        if (::fstatat(::dirfd(entries.get()), entry->d_name, &status, AT_SYMLINK_NOFOLLOW) != 0) {
          if (errno == ENOENT) continue;  // vanished since
          return cannot_use(quoted(prefix + entry->d_name), errno);
        }
        if (S_ISDIR(status.st_mode)) pending.push_back(prefix + entry->d_name);
        if (S_ISREG(status.st_mode)) files.push_back({prefix + entry->d_name, status});
        if (S_ISLNK(status.st_mode)) ++links;
      }
    }
    if (files.empty())
      return cannot_use("the folder " + quoted(folder),
                        std::string("there is no file in it. ") +
                            (links > 0 ? "Symbolic links in a folder are not followed: name those to be read."
                                       : "Name a folder with files."));
    std::sort(files.begin(), files.end(), [](const Found& a, const Found& b) { return a.name < b.name; });
    for (const Found& file : files) {
      if (stopped()) return stopped_failure();
      if (Status added = add_file(file.name, file.status); !added) return added;
    }
    return success();
  }

  // The whole list is one stream of paths; none of them is a pattern, `-` or a range.
  Status add_list() {
    const bool from_standard_input = request_.files_from == kStandardInput;
    const std::string display = from_standard_input ? "the list of files on standard input"
                                                    : "the list of files " + quoted(request_.files_from);
    if (from_standard_input && standard_input_)
      return Failure{ExitCode::kUsage,
                     "standard input cannot be both an input and the list of files. Give the list as a file."};
    FileDescriptor file;
    if (from_standard_input) {
      const int flags = ::fcntl(STDIN_FILENO, F_GETFL);
      if (flags < 0 || (flags & O_ACCMODE) == O_WRONLY)
        return Failure{ExitCode::kInputOutput,
                       "cannot read " + display + ": it is closed. Redirect the list into it, or name a file."};
    } else {
      file = FileDescriptor(open_to_read(request_.files_from));
      if (!file.is_open())
        return Failure{ExitCode::kInputOutput,
                       "cannot read " + display + ": " + system_words(errno) + ". " + advice_for(errno)};
    }
    const int number = from_standard_input ? STDIN_FILENO : file.number();
    const char separator = request_.files_from_zero ? '\0' : '\n';
    const std::unique_ptr<char[]> buffer(new char[kListReadBytes]);
    std::string entry;
    uint64_t entries = 0;
    while (true) {
      Result<size_t> got = read_some(number, buffer.get(), kListReadBytes, display, request_.spool.stopped);
      if (!got) return got.failure();
      if (*got == 0) break;
      std::string_view rest(buffer.get(), *got);
      while (!rest.empty()) {
        const size_t found = rest.find(separator);
        entry += rest.substr(0, found);
        if (entry.size() >= PATH_MAX) return bad_entry(display, entries + 1, "is longer than any path");
        if (found == std::string_view::npos) break;
        rest.remove_prefix(found + 1);
        if (Status added = add_entry(entry, ++entries, display); !added) return added;
        entry.clear();
      }
    }
    return add_entry(entry, ++entries, display);
  }

  [[nodiscard]] Failure bad_entry(const std::string& display, uint64_t number, const std::string& what) const {
    return {ExitCode::kInputOutput,
            "cannot read " + display + ": entry " + std::to_string(number) + " " + what + ". " +
                (request_.files_from_zero ? "With -0 every path ends in a zero byte; leave -0 out for one path a line."
                                          : "Write one path a line, or end each in a zero byte and say -0.")};
  }

  Status add_entry(const std::string& name, uint64_t number, const std::string& display) {
    if (name.empty()) return success();
    if (name.find('\0') != std::string::npos) return bad_entry(display, number, "has a zero byte in it");
    struct stat status = {};
    if (::stat(name.c_str(), &status) != 0)
      return no_such_path(name, errno, ", entry " + std::to_string(number) + " of " + display + ",");
    return add_path(name, status);
  }

  Status add_standard_input() {
    if (standard_input_) {  // named twice: what was kept of it counts twice
      result_.sources.push_back(*standard_input_);
      return success();
    }
    const std::string name(kStandardInput);
    struct stat status = {};
    // Closed, or by another name: opened for nothing but writing.
    const int flags = ::fcntl(STDIN_FILENO, F_GETFL);
    if (flags < 0 || (flags & O_ACCMODE) == O_WRONLY || ::fstat(STDIN_FILENO, &status) != 0)
      return cannot_use("standard input", "it is closed. Redirect a file into it, or name one.");
    if (S_ISDIR(status.st_mode))
      return cannot_use("standard input", "it is a folder. Name the folder instead to read its files.");
    Status added = success();
    // A file redirected into it and not yet read from is as good as a named one.
    if (S_ISREG(status.st_mode) && ::lseek(STDIN_FILENO, 0, SEEK_CUR) == 0 && reads_as_its_size(STDIN_FILENO, status) &&
        can_be_opened_again(STDIN_FILENO)) {
      FileDescriptor file(::fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0));
      if (!file.is_open()) return cannot_use("standard input", errno);
      added = add_kept(name, std::move(file), true);
    } else {
      added = add_spooled(name, STDIN_FILENO);
    }
    if (added) standard_input_ = result_.sources.back();
    return added;
  }

  static bool can_be_opened_again(int number) {
    return FileDescriptor(open_to_read("/proc/self/fd/" + std::to_string(number))).is_open();
  }

  static bool reads_as_its_size(int number, const struct stat& status) {
    struct statfs system = {};
    if (::fstatfs(number, &system) != 0 || is_pseudo_file_system(system)) return false;
    char byte = 0;
    return status.st_size > 0 || ::pread(number, &byte, 1, 0) <= 0;
  }

  [[nodiscard]] bool is_pseudo(const std::string& name, const struct stat& status) {
    const auto [known, is_new] = pseudo_devices_.try_emplace(status.st_dev, false);
    struct statfs system = {};
    if (is_new && ::statfs(name.c_str(), &system) == 0) known->second = is_pseudo_file_system(system);
    return known->second;
  }

  Status add_file(const std::string& name, const struct stat& status) {
    const std::string path = absolute(name);
    if (path.empty()) return cannot_use(quoted(name), "the folder you are in has been removed. Go to one that exists.");
    const bool local = is_local_to_this_process(path);
    const Compression compression = compression_by_suffix(name);
    if (!local && status.st_size > 0 && compression == Compression::kNone && !is_pseudo(name, status)) {
      if (::faccessat(AT_FDCWD, name.c_str(), R_OK, AT_EACCESS) != 0) return cannot_use(quoted(name), errno);
      add_source(name, path, status, Compression::kNone);
      return success();
    }
    FileDescriptor file(open_to_read(name));
    if (!file.is_open()) return cannot_use(quoted(name), errno);
    if (!reads_as_its_size(file.number(), status)) return add_spooled(name, file.number());
    if (local) return add_kept(name, std::move(file), false);
    if (Status fits = check_magic(name, file.number(), compression); !fits) return fits;
    add_source(name, path, status, compression);
    return success();
  }

  static std::string first_bytes_of(int number) {
    std::array<char, kMagicBytes> first = {};
    const ssize_t got = ::pread(number, first.data(), first.size(), 0);
    return std::string(first.data(), got > 0 ? static_cast<size_t>(got) : 0);
  }

  static Status check_magic(const std::string& name, int number, Compression compression) {
    if (compression == Compression::kNone || compression_by_magic(first_bytes_of(number)) == compression)
      return success();
    const std::string format = compression == Compression::kGzip ? "gzip" : "zstd";
    return cannot_use(quoted(name), "its name says " + format +
                                        ", but it does not begin as such a file does. It is cut short or something "
                                        "else: fetch it again or rename it.");
  }

  void add_source(const std::string& name, const std::string& path, const struct stat& status,
                  Compression compression) {
    result_.sources.push_back({.kind = compression == Compression::kNone ? SourceKind::kBytes : SourceKind::kStream,
                               .compression = compression,
                               .name = name,
                               .path = path,
                               .size = static_cast<uint64_t>(status.st_size),
                               .mtime_ns = mtime_ns_of(status)});
  }

  // A regular file that others reach through this process.
  Status add_kept(const std::string& name, FileDescriptor file, bool is_stream) {
    struct stat status = {};
    const std::string display = name == kStandardInput ? "standard input" : quoted(name);
    if (::fstat(file.number(), &status) != 0) return cannot_use(display, errno);
    Compression compression = compression_by_suffix(name);
    if (is_stream) {
      compression = compression_by_magic(first_bytes_of(file.number()));
    } else if (Status fits = check_magic(name, file.number(), compression); !fits) {
      return fits;
    }
    add_source(name, "/proc/" + std::to_string(::getpid()) + "/fd/" + std::to_string(file.number()), status,
               compression);
    result_.kept.push_back(std::move(file));
    return success();
  }

  Status add_spooled(const std::string& name, int from) {
    Result<Spool> spooled =
        spool(from, name == kStandardInput ? std::string("standard input") : quoted(name), request_.spool);
    if (!spooled) return spooled.failure();
    result_.bytes_spooled += spooled->bytes;
    return add_kept(name, std::move(spooled->file), true);
  }

  // Empty where the folder that names are relative to is gone.
  std::string absolute(const std::string& name) {
    if (name.starts_with('/')) return name;
    if (working_folder_.empty()) {
      const std::unique_ptr<char, decltype(&std::free)> folder(::getcwd(nullptr, 0), &std::free);
      // "(unreachable)..." is what Linux says of a folder outside the root.
      if (folder == nullptr || *folder != '/') return {};
      working_folder_ = folder.get();
      if (!working_folder_.ends_with('/')) working_folder_ += '/';
    }
    return working_folder_ + name;
  }

  const InputRequest& request_;
  ExpandedInput result_;
  std::optional<Source> standard_input_;
  std::map<dev_t, bool> pseudo_devices_;
  std::string working_folder_;
};

}  // namespace

Result<ExpandedInput> expand_inputs(const InputRequest& request) {
  return Expansion(request).run();
}

Status check_output_is_no_input(const std::string& output, const std::vector<Source>& sources) {
  struct stat target = {};
  if (::stat(output.c_str(), &target) != 0 || !S_ISREG(target.st_mode)) return success();
  for (const Source& source : sources) {
    struct stat input = {};
    if (source.kind == SourceKind::kRange || ::stat(source.path.c_str(), &input) != 0) continue;
    if (input.st_dev == target.st_dev && input.st_ino == target.st_ino)
      return Failure{ExitCode::kUsage, "the output " + quoted(output) + " is also the input " + quoted(source.name) +
                                           ". Name another file for the output."};
  }
  return success();
}

}  // namespace fanfold
