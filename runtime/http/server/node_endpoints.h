// node_endpoints.h: the server behind endpoints.h, with cpp-httplib.
#pragma once

#include <memory>
#include <string>

#include "engine/failure.h"
#include "runtime/http/endpoints.h"

namespace fanfold::http {

class NodeEndpoints final : public Endpoints {
 public:
  static Result<std::unique_ptr<Endpoints>> serve(const std::string& address, NodeAnswers answers);
  static Status ask_ready(const std::string& address);
  ~NodeEndpoints() override;

  void beat() override;
  [[nodiscard]] const std::string& address() const override;

 private:
  class Server;
  explicit NodeEndpoints(std::unique_ptr<Server> server);
  std::unique_ptr<Server> server_;
};

}  // namespace fanfold::http
