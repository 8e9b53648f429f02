#include "runtime/http/server/bounded_server.h"

#include <sys/socket.h>
#include <unistd.h>

#include <functional>
#include <utility>

namespace fanfold::http {

namespace {

// What is queued can only be run: a link that is too many is run at once, by the thread that took it, to be closed.
thread_local bool turning_away = false;

}  // namespace

class BoundedServer::Links final : public httplib::TaskQueue {
 public:
  void enqueue(std::function<void()> serve) override {
    if (waiting_.fetch_add(1) >= kLinksWaitingMax) {
      waiting_.fetch_sub(1);
      turning_away = true;
      serve();
      turning_away = false;
      return;
    }
    threads_.enqueue([this, serve = std::move(serve)] {
      waiting_.fetch_sub(1);
      serve();
    });
  }
  void shutdown() override { threads_.shutdown(); }

 private:
  std::atomic<std::size_t> waiting_ = 0;
  httplib::ThreadPool threads_{kThreads};
};

BoundedServer::BoundedServer() {
  new_task_queue = [] { return new Links; };
  set_keep_alive_max_count(kRequestsALink);
}

bool BoundedServer::process_and_close_socket(socket_t socket) {
  bool answered = false;
  if (turning_away) {
    turned_away_ += 1;
  } else {
    LinkStream stream(socket, {});
    for (std::size_t left = keep_alive_max_count_; left > 0 && svr_sock_ != INVALID_SOCKET; --left) {
      bool closed = false;
      if (!stream.await_request() || !process_request(stream, left == 1, closed, nullptr)) break;
      answered = true;
      if (closed) break;
    }
    without_request_ += answered ? 0 : 1;
  }
  shutdown(socket, SHUT_RDWR);
  close(socket);
  return answered;
}

}  // namespace fanfold::http
