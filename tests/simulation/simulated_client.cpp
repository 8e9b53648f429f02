#include "tests/simulation/simulated_client.h"

#include <algorithm>

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

void SimulatedClient::ship(const ShipCredit& credit) {
  if (!std::exchange(shipping_, true)) shipped_ = credit.received;
  if (credit.received == settings_.shipped_bytes && !received_) return received();
  const RunId run = settings_.submit.run;
  while (shipped_ < credit.allowed) {
    const uint64_t bytes = std::min(settings_.block_bytes, credit.allowed - shipped_);
    send(ShipBytes{run, shipped_}, raw_bytes(shipped_bytes(run, shipped_, bytes)));
    shipped_ += bytes;
  }
}

void SimulatedClient::received() {
  received_ = true;
  settings_.watches ? watch() : leave(nullptr);
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
    accepted_&& received_ ? watch() : send(settings_.submit);
  } else if (const auto* accepted = std::get_if<RunAccepted>(&message)) {
    accepted_ = true;
    if (accepted->stage != RunStage::kReceiving) {
      if (!received_) received();
    } else if (!std::exchange(watches_shipment_, true)) {
      watch();  // it may end before it has begun
    }
  } else if (const auto* credit = std::get_if<ShipCredit>(&message)) {
    ship(*credit);
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
