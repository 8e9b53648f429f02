#include "runtime/process/message_pipe.h"

#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

namespace fanfold::process {

namespace {

constexpr std::uint64_t kPartBytesMax = std::uint64_t{4} << 30;

bool write_all(int descriptor, const void* data, std::size_t size) {
  const char* at = static_cast<const char*>(data);
  while (size > 0) {
    const ssize_t written = write(descriptor, at, size);
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return false;
    at += written;
    size -= static_cast<std::size_t>(written);
  }
  return true;
}

}  // namespace

bool write_message(int descriptor, const Message& message, ByteView raw) {
  const Bytes encoded = encode(message);
  const std::array<std::uint64_t, 2> sizes = {encoded.size(), raw.size()};
  return write_all(descriptor, sizes.data(), sizeof sizes) && write_all(descriptor, encoded.data(), encoded.size()) &&
         write_all(descriptor, raw.data(), raw.size());
}

bool MessageReader::fill(int descriptor) {
  constexpr std::size_t kReadBytes = std::size_t{1} << 20;
  if (at_ > 0) {
    bytes_.erase(bytes_.begin(), bytes_.begin() + static_cast<std::ptrdiff_t>(at_));
    at_ = 0;
  }
  const std::size_t size = bytes_.size();
  bytes_.resize(size + kReadBytes);
  ssize_t got = 0;
  do {
    got = read(descriptor, bytes_.data() + size, kReadBytes);
  } while (got < 0 && errno == EINTR);
  bytes_.resize(size + static_cast<std::size_t>(got > 0 ? got : 0));
  return got > 0;
}

Result<std::optional<PipedMessage>> MessageReader::next() {
  std::array<std::uint64_t, 2> sizes{};
  if (bytes_.size() - at_ < sizeof sizes) return std::optional<PipedMessage>();
  std::memcpy(sizes.data(), bytes_.data() + at_, sizeof sizes);
  if (sizes[0] > kPartBytesMax || sizes[1] > kPartBytesMax)
    return Failure{ExitCode::kInternal, "a message is too long"};
  const std::size_t whole = sizeof sizes + sizes[0] + sizes[1];
  if (bytes_.size() - at_ < whole) return std::optional<PipedMessage>();
  const std::byte* begin = bytes_.data() + at_ + sizeof sizes;
  Result<Message> message = decode({begin, sizes[0]});
  if (!message) return message.failure();
  at_ += whole;
  return std::optional<PipedMessage>(
      PipedMessage{std::move(message).value(), Bytes(begin + sizes[0], begin + sizes[0] + sizes[1])});
}

}  // namespace fanfold::process
