// worker_core.h: the decisions of one worker incarnation: which slot maps which lease, what becomes of
// partials, when bundles close, are offered, sent and freed. It owns no partial: the runtime keeps them by
// lease id and bundle seq and does the work. Pure: step(event, now) -> actions, performed in the order
// given. Not thread-safe.
//
// The incarnation
//   state     event                              next      actions
//   new       Started                            greeting  SendToRoot Hello
//   greeting  Welcome                            idle
//   greeting  Refused                            ended     Leave with the sentence
//   idle      OpenRun                            opening   OpenJob
//   opening   Grant                              opening   queued
//   opening   JobOpened                          running   StartLease for queued leases
//   opening   job_open_max has passed            opening   SendToRoot Failed, once: user code hangs
//   running   Grant                              running   StartLease where a slot has room, else queued
//   opening, running  SlotsAllowed              same      StartLease on the first so many slots only; with fewer
//                                                       than before, what is queued ends kNeverStarted
//   running   CancelRun, CloseRun                closing   CancelSlots; CloseJob once no slot works
//   closing   JobClosed                          idle      SendToRoot Goodbye
//   any       JobFailed, WorkFailed              same      SendToRoot Failed
//   any       StartAnew, RootLost                ended     Leave to begin a fresh incarnation
//
// A lease                                                 A bundle
//   queued  -> started    a slot has room                   open -> closing      bytes or leases at bound, Flush
//   started -> ended      LeaseMapped: SendToRoot Ended     closing -> packing   merges done: PackBundle, to be
//   ended   -> merging    awarded: MergePartial                                  finished where the Flush said so and
//   ended   -> gone       dropped, or awarded and small:                         there is no other bundle
//                         FreePartial                       packing -> wanted    BundlePacked: FlushWanted
//   merging -> in the manifest   PartialMerged              wanted -> sending    FlushGranted: BundleOffer, first
//   chunks
//                                                           sending -> gone      BundleDone: FreeBundle
//                                                           sending -> sending   FlushGranted anew: another gatherer
// Words about another run, lease or bundle than there are: counted and ignored.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "engine/instant.h"
#include "engine/protocol/message.h"
#include "engine/worker/memory_split.h"

namespace fanfold::worker {

// ---- events -----------------------------------------------------------------------------------

struct Started {};
struct RootSaid {
  Message message;
};
struct GathererSaid {
  IncarnationId gatherer;
  Message message;
};
// The root's session is lost, or silent.
struct RootLost {
  std::string why;
};
struct JobOpened {
  RunId run;
};
// Loading or opening failed; merging, packing or finishing failed.
struct JobFailed {
  RunId run;
  Cause cause;
};
// A slot is through with a lease: mapped and sealed, or not.
struct LeaseMapped {
  uint32_t slot = 0;
  LeaseId lease;
  uint64_t actual_end = 0;
  Outcome outcome = Outcome::kDone;
  uint64_t records = 0;
  uint64_t bytes = 0;
  Duration map = {};
  Duration seal = {};
  uint64_t entries = 0;
  uint64_t partial_bytes = 0;
  std::optional<SmallPartial> small = {};  // only where StartLease asked for it
  std::optional<Cause> cause = {};
};
// MergePartial is done. bundle_bytes: what the open bundle now occupies.
struct PartialMerged {
  LeaseId lease;
  BundleSeq bundle;
  Duration merge = {};
  uint64_t bundle_bytes = 0;
};
struct BundlePacked {
  BundleSeq bundle;
  BundleContent content = BundleContent::kColumns;
  uint32_t log2_parts = 0;
  std::vector<PartExtent> parts;
  uint64_t bytes = 0;  // of all chunks
  uint64_t checksum = 0;
  Bytes ledger;
};
struct JobClosed {
  Goodbye goodbye;
};
struct Tick {};

using Event = std::variant<Started, RootSaid, GathererSaid, RootLost, JobOpened, JobFailed, LeaseMapped, PartialMerged,
                           BundlePacked, JobClosed, Tick>;

// ---- actions ----------------------------------------------------------------------------------

struct SendToRoot {
  Message message;
};
// Through the session with that gatherer; a session of another gatherer is closed for good.
struct SendToGatherer {
  IncarnationId gatherer;
  Message message;
};
// A new session to this gatherer, in place of any other.
struct ConnectGatherer {
  GathererAddress gatherer;
};
// The raw frame is bytes [offset, offset + size) of the packed bundle.
struct SendChunk {
  IncarnationId gatherer;
  Chunk chunk;
  uint64_t offset = 0;
  uint64_t size = 0;
};
struct OpenJob {
  OpenRun open;
};
// Into the slot's inbox, which holds the lease being mapped and leases_ahead_per_slot more.
struct StartLease {
  uint32_t slot = 0;
  LeaseGrant grant;
  uint64_t partial_bytes_max = 0;  // raise the stop word beyond
};
// Every slot's stop word to cancel; leases in inboxes end kNeverStarted.
struct CancelSlots {};
// Merge the sealed partial of `lease` into open bundle `bundle` (created when first named), then free it. By
// any thread; ahead of leases to be mapped, for it frees memory. `slot` mapped it.
struct MergePartial {
  uint32_t slot = 0;
  LeaseId lease;
  BundleSeq bundle;
};
struct FreePartial {
  LeaseId lease;
};
struct PackBundle {
  BundleSeq bundle;
  bool finish = false;  // it holds the whole run: pack the rows that it comes to
};
struct FreeBundle {
  BundleSeq bundle;
};
// Free what is left of the run; answer JobClosed.
struct CloseJob {
  RunId run;
};
// End this process. begin_anew: a fresh incarnation takes its place.
struct Leave {
  bool begin_anew = false;
  std::string sentence;
};

using Action = std::variant<SendToRoot, SendToGatherer, ConnectGatherer, SendChunk, OpenJob, StartLease, CancelSlots,
                            MergePartial, FreePartial, PackBundle, FreeBundle, CloseJob, Leave>;

struct Limits {
  uint32_t leases_ahead_per_slot = 1;   // in a slot's inbox behind the lease being mapped
  Duration job_open_max = seconds(30);  // from OpenJob to JobOpened; the gatherer has as long
  // Leases queued beyond slots x this end kNeverStarted: the root never grants so many.
  uint32_t queued_leases_per_slot_max = 64;
};

struct Counters {
  uint64_t unexpected_messages = 0;
  uint64_t leases_mapped = 0;
  uint64_t bundles_sent = 0;
  uint64_t chunks_sent = 0;
};

class WorkerCore {
 public:
  // `hello` is sent on Started; its slots say how many this worker has.
  WorkerCore(Hello hello, const Limits& limits);

  [[nodiscard]] std::vector<Action> step(Event event, Instant now);
  // Only a job that does not open falls due by itself: sessions resend, the gatherer asks for chunks again.
  [[nodiscard]] std::optional<Instant> next_deadline() const { return open_due_; }

  [[nodiscard]] const Counters& counters() const { return counters_; }

 private:
  enum class State : uint8_t { kNew, kGreeting, kIdle, kOpening, kRunning, kClosing, kEnded };
  enum class BundleState : uint8_t { kOpen, kClosing, kPacking, kWanted, kSending };
  struct Slot {
    std::deque<LeaseId> inbox;  // the first is being mapped
  };
  struct HeldPartial {
    uint32_t slot = 0;
    Interval shards;
    bool small = false;
    uint64_t bytes = 0;
    BundleSeq bundle;  // empty until awarded
  };
  struct Bundle {
    BundleState state = BundleState::kOpen;
    Manifest manifest;
    uint32_t merging = 0;
    uint64_t bytes = 0;          // occupied while open, then packed
    uint64_t bytes_granted = 0;  // by the Flush that closed it
    bool finish = false;         // as it said
    std::optional<BundlePacked> packed;
    IncarnationId gatherer;  // it was offered to
  };
  using Actions = std::vector<Action>;

  void on(const Started&, Actions&);
  void on(const RootSaid&, Actions&);
  void on(const GathererSaid&, Actions&);
  void on(const RootLost&, Actions&);
  void on(const JobOpened&, Actions&);
  void on(const JobFailed&, Actions&);
  void on(const LeaseMapped&, Actions&);
  void on(const PartialMerged&, Actions&);
  void on(const BundlePacked&, Actions&);
  void on(const JobClosed&, Actions&);
  void on(const Tick&, Actions&) {}
  void heard(const Welcome&, Actions&);
  void heard(const Refused&, Actions&);
  void heard(const StartAnew&, Actions&);
  void heard(const OpenRun&, Actions&);
  void heard(const Grant&, Actions&);
  void heard(const Verdicts&, Actions&);
  void heard(const Flush&, Actions&);
  void heard(const FlushGranted&, Actions&);
  void heard(const BundleDone&, Actions&);
  void heard(const SlotsAllowed&, Actions&);
  void heard(const CancelRun&, Actions&);
  void heard(const CloseRun&, Actions&);
  template <class T>
  void heard(const T&, Actions&) {
    counters_.unexpected_messages += 1;
  }

  void check_open(Instant now, Actions&);
  void leave(bool begin_anew, std::string sentence, Actions&);
  void use_gatherer(const GathererAddress&, Actions&);
  void feed_slots(Actions&);
  void give_back(const LeaseGrant& lease, Actions&);
  void close_run(Actions&);
  void finish_closing(Actions&);
  void close_open_bundle(uint64_t bytes_granted, bool finish, Actions&);
  void pack_if_merged(BundleSeq seq, Bundle&, Actions&);
  void offer(BundleSeq seq, Bundle&, Actions&);
  void send_chunks(BundleSeq seq, const Bundle&, uint32_t first, uint32_t count, Actions&);
  void forget_run();
  [[nodiscard]] uint64_t bundle_bytes() const;

  Hello hello_;
  Limits limits_;
  State state_ = State::kNew;
  Counters counters_;
  GathererAddress gatherer_;

  // Of the run.
  RunId run_;
  std::string job_;
  std::optional<Instant> open_due_;  // while the job is being opened
  bool open_failed_ = false;         // and the root was told
  MemorySplit memory_;
  std::vector<Slot> slots_;
  std::size_t slots_allowed_ = 0;  // the first so many are started on
  std::deque<LeaseGrant> queue_;
  std::map<LeaseId, LeaseGrant> started_;
  std::map<LeaseId, HeldPartial> held_;  // sealed, not yet merged or freed
  std::map<BundleSeq, Bundle> bundles_;
  BundleSeq open_bundle_;  // empty: none
  uint64_t next_bundle_ = 1;
  Duration merge_since_ended_ = {};
};

}  // namespace fanfold::worker
