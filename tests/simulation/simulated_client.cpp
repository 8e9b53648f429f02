#include "tests/simulation/simulated_client.h"

namespace fanfold::simulation {
namespace {

constexpr uint64_t kBatchesAhead = 2;

}  // namespace

Hello SimulatedClient::hello() const {
  Hello hello;
  hello.role = Role::kClient;
  hello.name = "user@host";
  return hello;
}

void SimulatedClient::watch() {
  send(Watch{settings_.submit.run, batches_, batches_ + kBatchesAhead});
}

bool SimulatedClient::cancel() {
  if (accepted_) send(CancelWanted{settings_.submit.run, 2});
  return accepted_;
}

void SimulatedClient::leave(const RunOver* over) {
  send(Goodbye{});
  flush();
  world().end(id());
  settings_.left(over, rows_);
}

void SimulatedClient::heard(const Message& message, const RawBytes& raw) {
  if (std::holds_alternative<Welcome>(message)) {
    welcome_ = true;
    accepted_ ? watch() : send(settings_.submit);
  } else if (std::holds_alternative<RunAccepted>(message)) {
    if (std::exchange(accepted_, true)) return;
    settings_.watches ? watch() : leave(nullptr);
  } else if (const auto* refused = std::get_if<RunRefused>(&message)) {
    world().problem("a run was refused: " + refused->sentence);
  } else if (const auto* rejected = std::get_if<Refused>(&message)) {
    world().problem("a client was refused: " + rejected->sentence);
  } else if (const auto* batch = std::get_if<ResultBatch>(&message)) {
    if (batch->index != batches_) return;  // of a watch before this one
    batches_ += 1;
    rows_.merge(Partial::unpack(raw.view));
    send(ResultCredit{batch->run, batches_ + kBatchesAhead});
  } else if (const auto* over = std::get_if<RunOver>(&message)) {
    if (over->exit_code == 0 && over->batches != batches_) world().problem("a client was told the end before its rows");
    leave(over);
  }
}

}  // namespace fanfold::simulation
