// gatekeeper.h: the Gatekeeper answers, for all secured listeners of a context, whether the key behind a new link is
// admitted: ZeroMQ's authentication protocol (ZAP, RFC 27), on a thread of its own, which also keeps the list of
// keys fresh. Without a gatekeeper a secured listener hears nobody.
//
// Make it before the listeners; it ends before its context.
#pragma once

#include <memory>
#include <thread>

#include "runtime/transport/admission.h"
#include "runtime/transport/poller.h"
#include "runtime/transport/socket.h"

namespace fanfold::transport {

class Gatekeeper {
 public:
  Gatekeeper(Context& context, std::shared_ptr<Admission> admission);
  ~Gatekeeper();
  Gatekeeper(const Gatekeeper&) = delete;
  Gatekeeper& operator=(const Gatekeeper&) = delete;

 private:
  void run();
  void answer();

  std::shared_ptr<Admission> admission_;
  void* socket_;
  Waker waker_;
  std::thread thread_;
};

}  // namespace fanfold::transport
