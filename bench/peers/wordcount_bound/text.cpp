// text.cpp: see text.h. Mapped, not read: with large folios in the page cache mapping costs less than copying, and
// long words are then counted where they stand.
#include "text.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace fanfold::bound {

namespace {
// Positions are stored in 40 bits.
constexpr uint64_t kTextBytesMax = uint64_t{1} << 40;
// A prefetch may point farther, a load may not.
constexpr size_t kReadableBytesBehind = 65536 + 4096;  // more than a page of any kernel
}  // namespace

MappedText::MappedText(const std::string& path) {
  const int file = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  struct stat facts = {};
  if (file < 0 || fstat(file, &facts) != 0) {
    error_ = "cannot open \"" + path + "\": " + std::strerror(errno);
    if (file >= 0) close(file);
    return;
  }
  if (!S_ISREG(facts.st_mode)) {
    error_ = "cannot map \"" + path + "\": it is not a regular file";
    close(file);
    return;
  }
  const auto bytes = static_cast<uint64_t>(facts.st_size);
  if (bytes >= kTextBytesMax) {
    error_ = "cannot count \"" + path + "\": it is larger than 1 TiB";
    close(file);
    return;
  }
  // Zero pages first, the file over them: what lies behind its last page stays readable.
  void* reserved = mmap(nullptr, bytes + kReadableBytesBehind, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (reserved == MAP_FAILED ||
      (bytes > 0 && mmap(reserved, bytes, PROT_READ, MAP_SHARED | MAP_FIXED, file, 0) == MAP_FAILED)) {
    error_ = "cannot map \"" + path + "\": " + std::strerror(errno);
    close(file);
    return;
  }
  close(file);
  data_ = static_cast<const char*>(reserved);
  size_ = bytes;
}

}  // namespace fanfold::bound
