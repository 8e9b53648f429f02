#include "runtime/transport/poller.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>

#include "engine/assertion.h"

namespace fanfold::transport {

Waker::Waker() : descriptor_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  FANFOLD_ASSERT(descriptor_ >= 0, "eventfd refused: too many open files");
}

Waker::~Waker() {
  close(descriptor_);
}

void Waker::wake() const {
  const std::uint64_t one = 1;
  // Full means that it is woken already.
  [[maybe_unused]] const ssize_t written = write(descriptor_, &one, sizeof one);
}

void Waker::clear() const {
  std::uint64_t count = 0;
  [[maybe_unused]] const ssize_t got = read(descriptor_, &count, sizeof count);
}

std::size_t Poller::add_socket(void* handle) {
  items_.push_back({handle, 0, ZMQ_POLLIN, 0});
  return items_.size() - 1;
}

std::size_t Poller::add_descriptor(int descriptor) {
  items_.push_back({nullptr, descriptor, ZMQ_POLLIN, 0});
  return items_.size() - 1;
}

void Poller::wait(long timeout_ms) {
  if (zmq_poll(items_.data(), static_cast<int>(items_.size()), timeout_ms) >= 0) return;
  FANFOLD_ASSERT(zmq_errno() == EINTR, zmq_strerror(zmq_errno()));
  for (zmq_pollitem_t& item : items_) item.revents = 0;
}

}  // namespace fanfold::transport
