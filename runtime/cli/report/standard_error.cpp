#include "runtime/cli/report/standard_error.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <cerrno>

namespace fanfold {

Status StandardError::write(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(STDERR_FILENO, bytes.data(), bytes.size());
    if (written >= 0) {
      bytes.remove_prefix(static_cast<std::size_t>(written));
    } else if (errno != EINTR) {
      break;
    }
  }
  return success();
}

bool StandardError::is_terminal() {
  return ::isatty(STDERR_FILENO) == 1;
}

unsigned StandardError::columns() {
  winsize size{};
  return ::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col != 0 ? size.ws_col : 80;
}

}  // namespace fanfold
