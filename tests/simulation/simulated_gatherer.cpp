#include "tests/simulation/simulated_gatherer.h"

#include <algorithm>
#include <cstring>
#include <string>
#include <utility>

#include "engine/protocol/codec.h"

namespace fanfold::simulation {

SimulatedGatherer::SimulatedGatherer(SimulatedWorld& world, const SimulatedJob& job, Settings settings)
    : SimulatedProcess(world),
      job_(job),
      settings_(std::move(settings)),
      incarnation_(world.fresh_incarnation()),
      root_(Session::Side::kConnector, Epoch{}, incarnation_, world.session_limits, world.now()),
      hub_(epoch_of(incarnation_), world.session_limits),
      counted_(job.shards, false) {}

void SimulatedGatherer::start() {
  Hello hello;
  hello.role = Role::kGatherer;
  hello.name = "gatherer";
  hello.pid = id();
  hello.address = std::to_string(id());
  hello.run = settings_.of_fleet ? job_.run : RunId{};
  stage_.emplace(hello, staging::Limits{});
  step(staging::Started{});
}

void SimulatedGatherer::arrive(ProcessId from, const Frame& frame) {
  const auto unreadable = [this] { world().problem("a message to a gatherer cannot be read"); };
  if (from == settings_.root) {
    const Result<FrameHead> head = decode_frame(frame.payload);
    if (!head) return;
    for (Delivery& delivery : root_.receive(*head, frame.raw, world().now())) {
      Result<Message> message = decode(delivery.message);
      if (!message) return unreadable();
      step(staging::RootSaid{std::move(*message)});
      if (!alive()) return;
    }
    return;
  }
  for (PeerDelivery& delivery : hub_.receive(std::to_string(from), frame, world().now())) {
    Result<Message> message = decode(delivery.delivery.message);
    if (!message) return unreadable();
    step(staging::WorkerSaid{delivery.from, std::move(*message), delivery.delivery.raw});
    if (!alive()) return;
  }
}

std::optional<Instant> SimulatedGatherer::turn() {
  if (root_.silent() || root_.state() == Session::State::kLost) {
    step(staging::RootLost{"the root is silent"});
    return std::nullopt;
  }
  const Instant now = world().now();
  if (const auto deadline = stage_->next_deadline(); deadline && *deadline <= now) step(staging::Tick{});
  if (!alive()) return std::nullopt;
  for (Frame& frame : root_.take_frames(now)) world().transmit(id(), settings_.root, std::move(frame));
  for (RoutedFrame& routed : hub_.take_frames(now)) {
    world().transmit(id(), std::stoull(routed.route), std::move(routed.frame));
  }
  (void)hub_.take_silent();  // a worker's silence is the root's to judge
  return earlier(earlier(root_.next_deadline(), hub_.next_deadline()), stage_->next_deadline());
}

void SimulatedGatherer::step(staging::Event event) {
  for (staging::Action& action : stage_->step(std::move(event), world().now())) {
    std::visit([this](auto& what) { perform(what); }, action);
    if (!alive()) return;
  }
}

void SimulatedGatherer::fold(const Partial& partial) {
  for (const Interval& interval : partial.shards) {
    for (uint64_t shard = interval.begin; shard < interval.end; ++shard) {
      if (counted_[shard]) world().problem("shard " + std::to_string(shard) + " counts twice");
      counted_[shard] = true;
    }
  }
  total_.merge(partial);
}

void SimulatedGatherer::perform(staging::SendToRoot& send) {
  root_.send(encode(send.message));
}

void SimulatedGatherer::perform(staging::SendToWorker& send) {
  hub_.send(send.to, encode(send.message));
}

void SimulatedGatherer::perform(staging::OpenJob&) {
  after(world().between(microseconds(100), milliseconds(5)), [this] { step(staging::JobOpened{job_.run, 0, {}}); });
}

void SimulatedGatherer::perform(staging::ReceiveBundle& receive) {
  staged_[receive.bundle].resize(receive.offer.bytes);
  if (receive.offer.content == BundleContent::kRows) rows_.insert(receive.bundle);
}

void SimulatedGatherer::perform(staging::StoreChunk& store) {
  std::memcpy(staged_.at(store.bundle).data() + store.offset, store.bytes.view.data(), store.bytes.view.size());
}

void SimulatedGatherer::perform(staging::ValidateBundle& validate) {
  after(world().between(microseconds(10), milliseconds(3)), [this, bundle = validate.bundle] {
    step(staging::BundleValidated{bundle, {}});
  });
}

void SimulatedGatherer::perform(staging::FoldStaged& fold_staged) {
  after(world().between(microseconds(10), milliseconds(3)), [this, bundle = fold_staged.bundle] {
    if (rows_.contains(bundle)) {
      if (!total_.sums.empty()) world().problem("finished rows came beside other bundles");
      finished_bundles_ += 1;
    }
    fold(Partial::unpack(staged_.at(bundle)));
    if (rows_.contains(bundle) && std::count(counted_.begin(), counted_.end(), false) > 0) {
      world().problem("finished rows are not the whole run");
    }
    staged_.erase(bundle);
    step(staging::BundleFolded{bundle});
  });
}

void SimulatedGatherer::perform(staging::FoldSmallPartials& small) {
  after(world().between(microseconds(10), milliseconds(3)), [this, partials = small.partials] {
    staging::SmallPartialsFolded folded;
    for (const SmallFold& partial : partials) {
      if (checksum(partial.partial.packed) != partial.partial.checksum) {
        world().problem("a small partial was changed");
      }
      fold(Partial::unpack(partial.partial.packed));
      folded.folded.push_back(partial.lease);
    }
    step(std::move(folded));
  });
}

void SimulatedGatherer::perform(staging::FreeBundle& free) {
  if (staged_.erase(free.bundle) == 0) world().problem("a staged bundle was freed that is not there");
}

// The simulated job answers in one to five batches, as credit comes.
void SimulatedGatherer::perform(staging::FinishRun& finish) {
  batches_.resize(1 + world().below(5));
  for (const auto& [key, sum] : total_.sums) batches_[key % batches_.size()].sums[key] = sum;
  after(world().between(microseconds(10), milliseconds(3)),
        [this, allowed = finish.result_batches_allowed] { send_batches(allowed); });
}

void SimulatedGatherer::perform(staging::AllowBatches& allow) {
  after({}, [this, allowed = allow.result_batches_allowed] { send_batches(allowed); });
}

void SimulatedGatherer::send_batches(uint64_t allowed) {
  if (batches_.empty() || batches_sent_ == batches_.size()) return;
  for (; batches_sent_ < std::min<uint64_t>(batches_.size(), allowed); ++batches_sent_) {
    const Partial& batch = batches_[batches_sent_];
    root_.send(encode(ResultBatch{job_.run, batches_sent_, batch.sums.size()}), raw_bytes(batch.pack()));
  }
  if (batches_sent_ < batches_.size()) return;
  Finished finished;
  finished.run = job_.run;
  finished.batches = batches_.size();
  finished.rows = total_.sums.size();
  step(staging::RunFinished{finished});
}

void SimulatedGatherer::perform(staging::CloseJob&) {
  after(milliseconds(1), [this] {
    staging::JobClosed closed;
    closed.goodbye.run = job_.run;
    step(closed);
  });
}

void SimulatedGatherer::perform(staging::Leave&) {
  world().end(id());
  settings_.left();
}

}  // namespace fanfold::simulation
