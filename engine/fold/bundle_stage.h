// bundle_stage.h: the gatherer's decisions: which bundles are received, re-requested, validated, put to the
// root, folded or freed; and its part of the run's opening and end. It holds no bundle: the runtime stores
// chunks and does the work. Pure: step(event, now) -> actions, performed in the order given. Not thread-safe.
//
// The gatherer
//   state      event                     next       actions
//   new        Started                   greeting   SendToRoot Hello
//   greeting   Welcome                   idle
//   idle       OpenRun                   opening    OpenJob
//   opening    JobOpened                 open       SendToRoot RunOpened; folds that waited
//   open       Finish                    finishing  FinishRun
//   finishing  ResultCredit              finishing  AllowBatches
//   finishing  RunFinished               done       SendToRoot Finished
//   any        WorkFailed                same       SendToRoot Failed
//   any        CancelRun, CloseRun       closing    CloseJob
//   closing    JobClosed                 idle       SendToRoot Goodbye
//   any        StartAnew, RootLost, Refused  ended  Leave
//
// A bundle
//   state       event                    next        actions
//   none        BundleOffer, sound       receiving   ReceiveBundle
//   none        BundleOffer, unsound     none        SendToRoot BundleFailed
//   receiving   missing Chunk            receiving   StoreChunk, SendToWorker ChunksWanted for the next
//   receiving   last missing Chunk       validating  ValidateBundle
//   receiving   no chunk for a while     receiving   SendToWorker ChunksWanted for what is missing
//   receiving   no chunk for far longer  none        FreeBundle, SendToRoot BundleFailed
//   validating  BundleValidated, good    staged      SendToRoot Staged
//   validating  BundleValidated, bad     none        FreeBundle, SendToRoot BundleFailed
//   staged      FoldBundle               folding     FoldStaged, one at a time, in the order said
//   staged      RejectBundle             none        FreeBundle
//   folding     BundleFolded             none        SendToRoot Folded (the total may keep the bytes)
//   any but folding  ForgetWorker        none        FreeBundle (after BundleValidated, when validating)
//   any         BundleOffer, Chunk again same        ignored: it is here already
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <variant>
#include <vector>

#include "engine/instant.h"
#include "engine/protocol/message.h"

namespace fanfold::staging {

// ---- events -----------------------------------------------------------------------------------

struct Started {};
struct RootSaid {
  Message message;
};
struct WorkerSaid {
  IncarnationId from;
  Message message;
  RawBytes raw = {};
};
struct RootLost {
  std::string why;
};
struct JobOpened {
  RunId run;
  uint32_t job_flags = 0;
  Bytes schema;
};
// Opening, folding or finishing failed; the run cannot go on here.
struct WorkFailed {
  RunId run;
  Cause cause;
};
struct BundleValidated {
  BundleId bundle;
  std::optional<Cause> bad = {};
};
struct BundleFolded {
  BundleId bundle;
};
struct SmallPartialsFolded {
  std::vector<LeaseId> folded;
  std::vector<LeaseId> invalid;
};
// Every row has been sent.
struct RunFinished {
  Finished finished;
};
struct JobClosed {
  Goodbye goodbye;
};
struct Tick {};

using Event = std::variant<Started, RootSaid, WorkerSaid, RootLost, JobOpened, WorkFailed, BundleValidated,
                           BundleFolded, SmallPartialsFolded, RunFinished, JobClosed, Tick>;

// ---- actions ----------------------------------------------------------------------------------

struct SendToRoot {
  Message message;
};
struct SendToWorker {
  IncarnationId to;
  Message message;
};
struct OpenJob {
  OpenRun open;
};
// Make room for offer.bytes (they are touched as chunks come).
struct ReceiveBundle {
  BundleId bundle;
  BundleOffer offer;
};
// Into the bundle's bytes at offset.
struct StoreChunk {
  BundleId bundle;
  uint64_t offset = 0;
  RawBytes bytes;
};
// Checksum, counts, offsets, hash parts: all of it, before anything counts. Answer BundleValidated.
struct ValidateBundle {
  BundleId bundle;
};
// Answer BundleFolded; the bundle's bytes are the runtime's to keep or free.
struct FoldStaged {
  BundleId bundle;
};
// Check and fold each; answer SmallPartialsFolded.
struct FoldSmallPartials {
  std::vector<SmallFold> partials;
};
struct FreeBundle {
  BundleId bundle;
};
// Finish per part, order, limit, send ResultBatch messages within the credit; answer RunFinished.
struct FinishRun {
  uint64_t result_batches_allowed = 0;
};
struct AllowBatches {
  uint64_t result_batches_allowed = 0;
};
struct CloseJob {
  RunId run;
};
struct Leave {
  std::string sentence;
};

using Action = std::variant<SendToRoot, SendToWorker, OpenJob, ReceiveBundle, StoreChunk, ValidateBundle, FoldStaged,
                            FoldSmallPartials, FreeBundle, FinishRun, AllowBatches, CloseJob, Leave>;

struct Limits {
  Duration chunk_wait = milliseconds(500);  // without a chunk: ask again
  Duration stall_max = seconds(30);         // without a chunk: give the bundle up
  uint64_t bundle_bytes_max = uint64_t{1} << 40;
  std::size_t bundles_max = 4096;  // at once; the root's budget allows far fewer
  std::size_t forgotten_workers_max = 4096;
};

struct Counters {
  uint64_t unexpected_messages = 0;
  uint64_t chunks_received = 0;
  uint64_t chunks_repeated = 0;
  uint64_t chunks_unwanted = 0;  // of no bundle being received, or of another size
  uint64_t chunks_asked_again = 0;
  uint64_t bundles_refused = 0;  // unsound offers
};

class BundleStage {
 public:
  // `hello` is sent on Started.
  BundleStage(Hello hello, const Limits& limits);

  [[nodiscard]] std::vector<Action> step(Event event, Instant now);
  [[nodiscard]] std::optional<Instant> next_deadline() const;
  [[nodiscard]] const Counters& counters() const { return counters_; }

 private:
  enum class State : uint8_t { kNew, kGreeting, kIdle, kOpening, kOpen, kFinishing, kDone, kClosing, kEnded };
  enum class BundleState : uint8_t { kReceiving, kValidating, kStaged, kFolding };
  struct Bundle {
    BundleState state = BundleState::kReceiving;
    bool forgotten = false;  // while validating: freed when that ends
    Manifest manifest;
    BundleContent content = BundleContent::kColumns;
    uint64_t bytes = 0;
    uint64_t entries = 0;
    std::vector<bool> received;
    uint32_t missing = 0;
    uint32_t asked = 0;  // chunks [0, asked) were sent unasked or asked for
    Instant progress_at;
    Instant ask_again_at;
  };
  using Actions = std::vector<Action>;
  // A fold that waits its turn: a bundle, or small partials.
  using Turn = std::variant<BundleId, std::vector<SmallFold>>;

  void on(const Started&, Instant, Actions&);
  void on(const RootSaid&, Instant, Actions&);
  void on(const WorkerSaid&, Instant, Actions&);
  void on(const RootLost&, Instant, Actions&);
  void on(const JobOpened&, Instant, Actions&);
  void on(const WorkFailed&, Instant, Actions&);
  void on(const BundleValidated&, Instant, Actions&);
  void on(const BundleFolded&, Instant, Actions&);
  void on(const SmallPartialsFolded&, Instant, Actions&);
  void on(const RunFinished&, Instant, Actions&);
  void on(const JobClosed&, Instant, Actions&);
  void on(const Tick&, Instant, Actions&) {}
  void heard(const Welcome&, Actions&);
  void heard(const Refused&, Actions&);
  void heard(const StartAnew&, Actions&);
  void heard(const OpenRun&, Actions&);
  void heard(const FoldBundle&, Actions&);
  void heard(const RejectBundle&, Actions&);
  void heard(const FoldSmall&, Actions&);
  void heard(const ForgetWorker&, Actions&);
  void heard(const Finish&, Actions&);
  void heard(const ResultCredit&, Actions&);
  void heard(const CancelRun&, Actions&);
  void heard(const CloseRun&, Actions&);
  template <class T>
  void heard(const T&, Actions&) {
    counters_.unexpected_messages += 1;
  }
  void offered(IncarnationId from, const BundleOffer&, Instant, Actions&);
  void chunk(IncarnationId from, const Chunk&, const RawBytes&, Instant, Actions&);
  void greet(IncarnationId from, const Hello&, Actions&);
  void ask_again(const BundleId&, Bundle&, Instant, Actions&);
  void check_stalls(Instant, Actions&);
  void close(Actions&);
  void next_turn(Actions&);
  void leave(std::string sentence, Actions&);

  Hello hello_;
  Limits limits_;
  State state_ = State::kNew;
  Counters counters_;
  RunId run_;
  std::map<BundleId, Bundle> bundles_;
  std::deque<Turn> turns_;
  bool folding_ = false;  // a turn is being done
  std::set<IncarnationId> greeted_;
  std::deque<IncarnationId> forgotten_;
};

}  // namespace fanfold::staging
