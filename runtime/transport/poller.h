// poller.h: waits on sockets and file descriptors at once, and Waker, by which other threads wake the one
// that owns the sockets. Used by the thread that owns the sockets.
#pragma once

#include <zmq.h>

#include <cstddef>
#include <vector>

namespace fanfold::transport {

// An eventfd. wake() from any thread; many wakes may become one.
class Waker {
 public:
  Waker();
  ~Waker();
  Waker(const Waker&) = delete;
  Waker& operator=(const Waker&) = delete;
  void wake() const;
  void clear() const;
  [[nodiscard]] int descriptor() const { return descriptor_; }

 private:
  int descriptor_;
};

class Poller {
 public:
  // Begins a new set.
  void clear() { items_.clear(); }
  // Gives the item's place, for ready().
  std::size_t add_socket(void* handle);
  std::size_t add_descriptor(int descriptor);
  // Until something is readable or the time is over; -1 waits for ever. An interrupting signal ends it early.
  void wait(long timeout_ms);
  [[nodiscard]] bool ready(std::size_t item) const { return items_[item].revents != 0; }

 private:
  std::vector<zmq_pollitem_t> items_;
};

}  // namespace fanfold::transport
