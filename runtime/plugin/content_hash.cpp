// content_hash.cpp: reads the file front to back, a block at a time.
#include "runtime/plugin/content_hash.h"

#include <fcntl.h>
#include <unistd.h>
#include <xxhash.h>

#include <cerrno>
#include <cstring>
#include <memory>
#include <vector>

#include "engine/protocol/identity.h"
#include "engine/quoted.h"

namespace fanfold::plugin {

namespace {

constexpr std::size_t kBlockBytes = std::size_t{256} << 10;

Failure unreadable(const std::string& path, int error) {
  return {ExitCode::kUsage, "cannot read the plugin " + quoted(path) + ": " + std::strerror(error) +
                                "; name a job (fanfold jobs lists them) or the path of a plugin"};
}

}  // namespace

Result<std::string> content_hash(const std::string& path) {
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) return unreadable(path, errno);
  const std::unique_ptr<XXH3_state_t, XXH_errorcode (*)(XXH3_state_t*)> state(XXH3_createState(), XXH3_freeState);
  XXH3_128bits_reset(state.get());
  std::vector<char> block(kBlockBytes);
  ssize_t got = 0;
  do {
    got = ::read(file, block.data(), block.size());
    if (got > 0) XXH3_128bits_update(state.get(), block.data(), static_cast<std::size_t>(got));
  } while (got > 0 || (got < 0 && errno == EINTR));
  const int error = got < 0 ? errno : 0;
  ::close(file);
  if (error != 0) return unreadable(path, error);
  const XXH128_hash_t hash = XXH3_128bits_digest(state.get());
  return to_text(hash.high64, hash.low64);
}

}  // namespace fanfold::plugin
