#include "engine/fold/bundle_stage.h"

#include <algorithm>
#include <utility>

#include "engine/assertion.h"

namespace fanfold::staging {
namespace {

// Parts lie 64-byte aligned, one after the other.
constexpr uint64_t kPartAlignment = 64;

// Whether the offer's numbers fit together; bytes themselves are validated when they are here.
bool sound(const BundleOffer& offer, const Limits& limits) {
  if (offer.log2_parts > kLog2PartsMax || offer.parts.size() != std::size_t{1} << offer.log2_parts) return false;
  if (offer.manifest.empty() || offer.bytes > limits.bundle_bytes_max) return false;
  if (offer.bytes > uint64_t{kChunksPerBundleMax} * kChunkBytesMax) return false;
  uint64_t bytes = 0;
  for (const PartExtent& part : offer.parts) {
    if (part.packed_bytes > offer.bytes) return false;
    bytes += (part.packed_bytes + kPartAlignment - 1) / kPartAlignment * kPartAlignment;
    if (bytes > offer.bytes) return false;
  }
  return bytes == offer.bytes &&
         std::none_of(offer.manifest.begin(), offer.manifest.end(),
                      [](const ManifestEntry& entry) { return entry.lease.empty() || entry.shards.empty(); });
}

}  // namespace

BundleStage::BundleStage(Hello hello, const Limits& limits) : hello_(std::move(hello)), limits_(limits) {}

std::vector<Action> BundleStage::step(Event event, Instant now) {
  Actions actions;
  if (state_ == State::kEnded) return actions;
  std::visit([&](const auto& what) { on(what, now, actions); }, event);
  check_stalls(now, actions);
  return actions;
}

std::optional<Instant> BundleStage::next_deadline() const {
  std::optional<Instant> deadline;
  for (const auto& [id, bundle] : bundles_) {
    if (bundle.state != BundleState::kReceiving) continue;
    deadline = earlier(deadline, earlier(bundle.ask_again_at, bundle.progress_at + limits_.stall_max));
  }
  return deadline;
}

void BundleStage::on(const Started&, Instant, Actions& actions) {
  FANFOLD_ASSERT(state_ == State::kNew, "started twice");
  state_ = State::kGreeting;
  actions.push_back(SendToRoot{hello_});
}

void BundleStage::on(const RootSaid& said, Instant, Actions& actions) {
  std::visit([&](const auto& message) { heard(message, actions); }, said.message);
}

void BundleStage::on(const RootLost& lost, Instant, Actions& actions) {
  leave(lost.why, actions);
}

void BundleStage::leave(std::string sentence, Actions& actions) {
  state_ = State::kEnded;
  actions.push_back(Leave{std::move(sentence)});
}

// ---- the handshake and the run's ends ---------------------------------------------------------

void BundleStage::heard(const Welcome&, Actions&) {
  if (state_ == State::kGreeting) {
    state_ = State::kIdle;
  } else {
    counters_.unexpected_messages += 1;
  }
}

void BundleStage::heard(const Refused& refused, Actions& actions) {
  leave(refused.sentence, actions);
}

void BundleStage::heard(const StartAnew&, Actions& actions) {
  // Its total is void: the root starts another gatherer.
  leave("the root has given this gatherer up", actions);
}

void BundleStage::heard(const OpenRun& open, Actions& actions) {
  if (state_ != State::kIdle) {
    counters_.unexpected_messages += 1;
    return;
  }
  state_ = State::kOpening;
  run_ = open.run;
  actions.push_back(OpenJob{open});
}

void BundleStage::on(const JobOpened& opened, Instant, Actions& actions) {
  if (state_ != State::kOpening || opened.run != run_) return;
  state_ = State::kOpen;
  actions.push_back(SendToRoot{RunOpened{run_, opened.job_flags, opened.schema}});
  next_turn(actions);
}

void BundleStage::on(const WorkFailed& failed, Instant, Actions& actions) {
  if (failed.run == run_ && !run_.empty()) actions.push_back(SendToRoot{Failed{run_, failed.cause}});
}

void BundleStage::heard(const CancelRun& cancel, Actions& actions) {
  if (cancel.run == run_) close(actions);
}

void BundleStage::heard(const CloseRun& close_run, Actions& actions) {
  if (close_run.run == run_) close(actions);
}

void BundleStage::close(Actions& actions) {
  if (run_.empty() || state_ == State::kClosing) return;
  state_ = State::kClosing;
  actions.push_back(CloseJob{run_});
}

void BundleStage::on(const JobClosed& closed, Instant, Actions& actions) {
  if (state_ != State::kClosing) return;
  actions.push_back(SendToRoot{closed.goodbye});
  state_ = State::kIdle;
  run_ = {};
  bundles_.clear();
  turns_.clear();
  folding_ = false;
}

void BundleStage::heard(const Finish& finish, Actions& actions) {
  if (finish.run != run_ || state_ != State::kOpen || folding_ || !turns_.empty()) {
    counters_.unexpected_messages += 1;
    return;
  }
  state_ = State::kFinishing;
  actions.push_back(FinishRun{finish.result_batches_allowed});
}

void BundleStage::heard(const ResultCredit& credit, Actions& actions) {
  if (credit.run == run_ && state_ == State::kFinishing) actions.push_back(AllowBatches{credit.result_batches_allowed});
}

void BundleStage::on(const RunFinished& finished, Instant, Actions& actions) {
  if (state_ != State::kFinishing) return;
  state_ = State::kDone;
  actions.push_back(SendToRoot{finished.finished});
}

// ---- bundles come in --------------------------------------------------------------------------

void BundleStage::on(const WorkerSaid& said, Instant now, Actions& actions) {
  if (std::find(forgotten_.begin(), forgotten_.end(), said.from) != forgotten_.end()) return;
  if (const auto* hello = std::get_if<Hello>(&said.message)) {
    greet(said.from, *hello, actions);
  } else if (!greeted_.contains(said.from)) {
    counters_.unexpected_messages += 1;
  } else if (const auto* offer = std::get_if<BundleOffer>(&said.message)) {
    offered(said.from, *offer, now, actions);
  } else if (const auto* piece = std::get_if<Chunk>(&said.message)) {
    chunk(said.from, *piece, said.raw, now, actions);
  } else {
    counters_.unexpected_messages += 1;
  }
}

void BundleStage::greet(IncarnationId from, const Hello& hello, Actions& actions) {
  if (hello.protocol_version != kProtocolVersion) {
    actions.push_back(
        SendToWorker{from, Refused{kProtocolVersion, hello.protocol_version,
                                   "worker \"" + hello.name + "\" speaks protocol " +
                                       std::to_string(hello.protocol_version) + ", the gatherer speaks " +
                                       std::to_string(kProtocolVersion) + ". Run the same release on all nodes."}});
    return;
  }
  greeted_.insert(from);
  actions.push_back(SendToWorker{from, Welcome{kProtocolVersion, hello_.build}});
}

void BundleStage::offered(IncarnationId from, const BundleOffer& offer, Instant now, Actions& actions) {
  const BundleId id{from, offer.seq};
  if (offer.run != run_ || state_ == State::kClosing || bundles_.contains(id)) {
    counters_.unexpected_messages += 1;
    return;
  }
  if (!sound(offer, limits_) || bundles_.size() >= limits_.bundles_max) {
    counters_.bundles_refused += 1;
    Cause cause;
    cause.kind = CauseKind::kBadPartial;
    cause.phase = Phase::kCheck;
    cause.bundle = id;
    cause.message = "the numbers that announce the bundle do not fit together";
    actions.push_back(SendToRoot{BundleFailed{run_, id, std::move(cause)}});
    return;
  }
  Bundle& bundle = bundles_[id];
  bundle.manifest = offer.manifest;
  bundle.content = offer.content;
  bundle.bytes = offer.bytes;
  for (const PartExtent& part : offer.parts) bundle.entries += part.entries;
  const auto chunks = static_cast<uint32_t>((offer.bytes + kChunkBytesMax - 1) / kChunkBytesMax);
  bundle.received.assign(chunks, false);
  bundle.missing = chunks;
  bundle.asked = std::min(chunks, kChunksInFlightMax);
  bundle.progress_at = now;
  bundle.ask_again_at = now + limits_.chunk_wait;
  actions.push_back(ReceiveBundle{id, offer});
  if (chunks == 0) {
    bundle.state = BundleState::kValidating;
    actions.push_back(ValidateBundle{id});
  }
}

void BundleStage::chunk(IncarnationId from, const Chunk& piece, const RawBytes& raw, Instant now, Actions& actions) {
  const BundleId id{from, piece.seq};
  const auto found = bundles_.find(id);
  if (found == bundles_.end() || piece.run != run_ || state_ == State::kClosing ||
      piece.index >= found->second.received.size()) {
    counters_.chunks_unwanted += 1;
    return;
  }
  Bundle& bundle = found->second;
  if (bundle.received[piece.index]) {
    counters_.chunks_repeated += 1;
    return;
  }
  const uint64_t offset = uint64_t{piece.index} * kChunkBytesMax;
  if (raw.view.size() != std::min<uint64_t>(kChunkBytesMax, bundle.bytes - offset)) {
    counters_.chunks_unwanted += 1;
    return;
  }
  counters_.chunks_received += 1;
  bundle.received[piece.index] = true;
  bundle.missing -= 1;
  bundle.progress_at = now;
  bundle.ask_again_at = now + limits_.chunk_wait;
  actions.push_back(StoreChunk{id, offset, raw});
  if (bundle.missing == 0) {
    bundle.state = BundleState::kValidating;
    actions.push_back(ValidateBundle{id});
  } else if (bundle.asked < bundle.received.size()) {
    actions.push_back(SendToWorker{from, ChunksWanted{run_, id.seq, bundle.asked, 1}});
    bundle.asked += 1;
  }
}

void BundleStage::ask_again(const BundleId& id, Bundle& bundle, Instant now, Actions& actions) {
  bundle.ask_again_at = now + limits_.chunk_wait;
  uint32_t left = kChunksInFlightMax;
  for (uint32_t index = 0; index < bundle.asked && left > 0; ++index) {
    if (bundle.received[index]) continue;
    const uint32_t first = index;
    while (index < bundle.asked && !bundle.received[index] && index - first < left) ++index;
    const uint32_t count = index - first;
    left -= count;
    counters_.chunks_asked_again += count;
    actions.push_back(SendToWorker{id.incarnation, ChunksWanted{run_, id.seq, first, count}});
  }
}

void BundleStage::check_stalls(Instant now, Actions& actions) {
  for (auto next = bundles_.begin(); next != bundles_.end();) {
    auto& [id, bundle] = *next;
    if (bundle.state == BundleState::kReceiving && now >= bundle.progress_at + limits_.stall_max) {
      Cause cause;
      cause.kind = CauseKind::kLostLink;
      cause.bundle = id;
      cause.message = "the worker's bundle stopped coming";
      actions.push_back(FreeBundle{id});
      actions.push_back(SendToRoot{BundleFailed{run_, id, std::move(cause)}});
      next = bundles_.erase(next);
      continue;
    }
    if (bundle.state == BundleState::kReceiving && now >= bundle.ask_again_at) ask_again(id, bundle, now, actions);
    ++next;
  }
}

void BundleStage::on(const BundleValidated& validated, Instant, Actions& actions) {
  const auto found = bundles_.find(validated.bundle);
  if (found == bundles_.end() || state_ == State::kClosing) return;
  Bundle& bundle = found->second;
  FANFOLD_ASSERT(bundle.state == BundleState::kValidating, "validated what was not to be validated");
  if (bundle.forgotten || validated.bad) {
    if (!bundle.forgotten) actions.push_back(SendToRoot{BundleFailed{run_, validated.bundle, *validated.bad}});
    actions.push_back(FreeBundle{validated.bundle});
    bundles_.erase(found);
    return;
  }
  bundle.state = BundleState::kStaged;
  actions.push_back(
      SendToRoot{Staged{run_, validated.bundle, bundle.manifest, bundle.content, bundle.bytes, bundle.entries}});
}

// ---- bundles go into the total ----------------------------------------------------------------

void BundleStage::heard(const FoldBundle& fold, Actions& actions) {
  const auto found = bundles_.find(fold.bundle);
  if (fold.run != run_ || state_ != State::kOpen || found == bundles_.end() ||
      found->second.state != BundleState::kStaged) {
    counters_.unexpected_messages += 1;
    return;
  }
  found->second.state = BundleState::kFolding;
  turns_.emplace_back(fold.bundle);
  next_turn(actions);
}

void BundleStage::heard(const RejectBundle& reject, Actions& actions) {
  const auto found = bundles_.find(reject.bundle);
  // Not there: forgotten already.
  if (found == bundles_.end() || found->second.state != BundleState::kStaged) return;
  bundles_.erase(found);
  actions.push_back(FreeBundle{reject.bundle});
}

void BundleStage::heard(const FoldSmall& fold, Actions& actions) {
  if (fold.run != run_ || (state_ != State::kOpen && state_ != State::kOpening)) {
    counters_.unexpected_messages += 1;
    return;
  }
  turns_.emplace_back(fold.partials);
  next_turn(actions);
}

void BundleStage::next_turn(Actions& actions) {
  // One fold at a time: it has all threads.
  if (folding_ || turns_.empty() || state_ != State::kOpen) return;
  folding_ = true;
  Turn turn = std::move(turns_.front());
  turns_.pop_front();
  if (auto* small = std::get_if<std::vector<SmallFold>>(&turn)) {
    actions.push_back(FoldSmallPartials{std::move(*small)});
  } else {
    actions.push_back(FoldStaged{std::get<BundleId>(turn)});
  }
}

void BundleStage::on(const BundleFolded& folded, Instant, Actions& actions) {
  if (state_ != State::kOpen) return;
  FANFOLD_ASSERT(folding_, "folded what was not to be folded");
  folding_ = false;
  bundles_.erase(folded.bundle);
  actions.push_back(SendToRoot{Folded{run_, folded.bundle}});
  next_turn(actions);
}

void BundleStage::on(const SmallPartialsFolded& small, Instant, Actions& actions) {
  if (state_ != State::kOpen) return;
  FANFOLD_ASSERT(folding_, "folded what was not to be folded");
  folding_ = false;
  actions.push_back(SendToRoot{SmallFolded{run_, small.folded, small.invalid}});
  next_turn(actions);
}

void BundleStage::heard(const ForgetWorker& forget, Actions& actions) {
  greeted_.erase(forget.incarnation);
  forgotten_.push_back(forget.incarnation);
  if (forgotten_.size() > limits_.forgotten_workers_max) forgotten_.pop_front();
  for (auto next = bundles_.begin(); next != bundles_.end();) {
    auto& [id, bundle] = *next;
    if (id.incarnation != forget.incarnation || bundle.state == BundleState::kFolding) {
      ++next;
    } else if (bundle.state == BundleState::kValidating) {
      bundle.forgotten = true;  // its bytes are being read
      ++next;
    } else {
      actions.push_back(FreeBundle{id});
      next = bundles_.erase(next);
    }
  }
}

}  // namespace fanfold::staging
