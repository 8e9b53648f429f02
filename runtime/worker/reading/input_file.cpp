// input_file.cpp: open, fstat, pread, and the sentences when they disagree with the plan.
#include "runtime/worker/reading/input_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "engine/assertion.h"
#include "engine/quoted.h"

namespace fanfold {
namespace {

constexpr int64_t kNanosecondsPerSecond = 1'000'000'000;

Failure cannot_read(const Source& source, const std::string& why) {
  return {ExitCode::kInputOutput, "cannot read " + display_name(source) + ": " + why};
}

Failure shrank(const Source& source, uint64_t bytes_now) {
  return cannot_read(source, "it has " + std::to_string(bytes_now) + " bytes, " + std::to_string(source.size) +
                                 " were planned. The file shrank after planning; run the job again.");
}

}  // namespace

std::string map_path(const std::string& path, const std::vector<PathMapping>& mappings) {
  for (const PathMapping& mapping : mappings) {
    std::string from = mapping.from;
    while (from.size() > 1 && from.back() == '/') from.pop_back();
    if (!path.starts_with(from)) continue;
    const bool whole_component = path.size() == from.size() || from.back() == '/' || path[from.size()] == '/';
    if (!whole_component) continue;
    std::string to = mapping.to;
    const std::string rest = path.substr(from.size());
    if (to.ends_with('/') && rest.starts_with('/')) to.pop_back();
    if (!to.ends_with('/') && !rest.empty() && !rest.starts_with('/')) to += '/';
    return to + rest;
  }
  return path;
}

std::string display_name(const Source& source) {
  return source.name == "-" ? std::string("standard input") : quoted(source.name);
}

Result<InputFile> InputFile::open(const Source& source, const std::vector<PathMapping>& mappings, bool allow_growth,
                                  const std::string& reader, ShippedReader* shipped) {
  if (source.shipped_at) {
    FANFOLD_ASSERT(shipped != nullptr, source.name);
    return InputFile(source, -1, allow_growth, shipped);
  }
  const std::string path = map_path(source.path, mappings);
  int descriptor = -1;
  // O_NONBLOCK: a pipe that has taken the file's place since must not block the open.
  do descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
  while (descriptor < 0 && errno == EINTR);
  if (descriptor < 0) {
    const int error = errno;
    std::string sentence = "cannot open " + display_name(source);
    if (path != source.name) sentence += " as " + quoted(path);
    if (!reader.empty()) sentence += ", as " + reader;
    sentence += std::string(": ") + std::strerror(error) + ". ";
    if (error == ENOENT || error == ENOTDIR) {
      sentence += reader.empty() ? "It vanished after planning: run the job again."
                                 : "It vanished after planning, or this worker does not have it: run the job again, "
                                   "mount it here and tell where with --path-map, or send it with --ship.";
    } else if (error == EACCES || error == EPERM) {
      sentence += "Let the user that runs the worker read it.";
    } else {
      sentence += "Mend that and run the job again.";
    }
    return Failure{ExitCode::kInputOutput, std::move(sentence)};
  }
  InputFile file(source, descriptor, allow_growth, nullptr);
  if (Status status = file.verify(); !status) return status.failure();
  // Doubles the kernel's read-ahead; a hint, so its failure does not matter.
  static_cast<void>(::posix_fadvise(descriptor, 0, 0, POSIX_FADV_SEQUENTIAL));
  return file;
}

InputFile::InputFile(InputFile&& other) noexcept
    : source_(other.source_),
      descriptor_(std::exchange(other.descriptor_, -1)),
      allow_growth_(other.allow_growth_),
      shipped_(other.shipped_) {}

InputFile& InputFile::operator=(InputFile&& other) noexcept {
  std::swap(source_, other.source_);
  std::swap(descriptor_, other.descriptor_);
  std::swap(allow_growth_, other.allow_growth_);
  std::swap(shipped_, other.shipped_);
  return *this;
}

InputFile::~InputFile() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

void InputFile::expect(uint64_t begin, uint64_t end) const {
  if (shipped_ != nullptr) shipped_->expect(*source_->shipped_at + begin, *source_->shipped_at + end);
}

Status InputFile::verify() const {
  if (shipped_ != nullptr) return success();  // its client looked when it sent it
  struct stat now = {};
  if (::fstat(descriptor_, &now) != 0)
    return cannot_read(*source_, std::string(std::strerror(errno)) + ". Mend that and run the job again.");
  if (!S_ISREG(now.st_mode))
    return cannot_read(*source_, "it is no regular file any more. It was replaced after planning; run the job again.");
  const auto bytes_now = static_cast<uint64_t>(now.st_size);
  if (bytes_now < source_->size) return shrank(*source_, bytes_now);
  if (allow_growth_) return success();
  if (bytes_now > source_->size)
    return cannot_read(*source_, "it has " + std::to_string(bytes_now) + " bytes, " + std::to_string(source_->size) +
                                     " were planned. The file grew after planning; run the job again, or with "
                                     "--allow-growth to read what was planned.");
  const int64_t mtime_ns = static_cast<int64_t>(now.st_mtim.tv_sec) * kNanosecondsPerSecond + now.st_mtim.tv_nsec;
  if (mtime_ns != source_->mtime_ns)
    return cannot_read(*source_, "it was written or replaced after planning, its size of " + std::to_string(bytes_now) +
                                     " bytes being the same; run the job again.");
  return success();
}

Status InputFile::read_at(uint64_t offset, char* to, size_t bytes) const {
  FANFOLD_ASSERT(offset <= source_->size && bytes <= source_->size - offset, source_->name);
  if (shipped_ != nullptr) {
    if (shipped_->read_at(*source_->shipped_at + offset, to, bytes)) return success();
    return Failure{ExitCode::kInterrupted, "cannot read " + display_name(*source_) + ": the run was cancelled."};
  }
  while (bytes > 0) {
    const ssize_t got = ::pread(descriptor_, to, bytes, static_cast<off_t>(offset));
    if (got < 0) {
      if (errno == EINTR) continue;
      return cannot_read(*source_, std::string(std::strerror(errno)) + " at byte " + std::to_string(offset) +
                                       ". Check the disk or the mount and run the job again.");
    }
    if (got == 0) return shrank(*source_, offset);
    to += got;
    offset += static_cast<uint64_t>(got);
    bytes -= static_cast<size_t>(got);
  }
  return success();
}

}  // namespace fanfold
