// message.h: every message between root, nodes, workers, gatherers and clients, as plain structs;
// protocol/codec.h writes and reads them. A message travels inside a Session (in order, exactly once) unless it says
// "loose" below: then it may be lost or repeated, and its sender or receiver asks again.
//
//   anybody -> root            Hello Goodbye
//   root -> anybody            Welcome Refused StartAnew(loose)
//   worker, gatherer -> root   Failed
//   root -> worker, gatherer   OpenRun CancelRun CloseRun
//   root -> worker             Grant Verdicts Flush FlushGranted BundleDone SlotsAllowed ShippedBlock(raw frame)
//   worker -> root             Ended FlushWanted ReadShipped
//   worker -> gatherer         Hello BundleOffer Chunk(loose, raw frame)
//   gatherer -> worker         Welcome Refused StartAnew(loose) ChunksWanted
//   gatherer -> root           RunOpened Staged Folded BundleFailed SmallFolded ResultBatch(raw frame) Finished
//   root -> gatherer           ForgetWorker FoldBundle RejectBundle FoldSmall Finish ResultCredit
//   root -> node               StartWorker StopWorker NodeReleased ShippedBlock(raw frame)
//   node -> root               WorkerEnded NodeLeaving ReadShipped
//   client -> root             Submit ShipBytes(raw frame) Watch ResultCredit CancelWanted ListRuns ListNodes
//   root -> client             RunAccepted RunRefused ShipCredit RunProgress RunSchema ResultBatch(raw frame) RunOver
//                              Runs Nodes
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "engine/failure.h"
#include "engine/instant.h"
#include "engine/plan/plan.h"
#include "engine/protocol/bytes.h"
#include "engine/protocol/identity.h"
#include "engine/protocol/limits.h"

namespace fanfold {

// The numbers on the wire; never reused for another meaning.
enum class MessageType : uint8_t {
  kHello = 1,
  kWelcome = 2,
  kRefused = 3,
  kStartAnew = 4,
  kOpenRun = 5,
  kRunOpened = 6,
  kGrant = 7,
  kEnded = 8,
  kVerdicts = 9,
  kFlush = 10,
  kFlushWanted = 11,
  kFlushGranted = 12,
  kBundleOffer = 13,
  kChunksWanted = 14,
  kChunk = 15,
  kStaged = 16,
  kFoldBundle = 17,
  kRejectBundle = 18,
  kFolded = 19,
  kBundleFailed = 20,
  kBundleDone = 21,
  kFoldSmall = 22,
  kSmallFolded = 23,
  kForgetWorker = 24,
  kFinish = 25,
  kResultBatch = 26,
  kResultCredit = 27,
  kFinished = 28,
  kFailed = 29,
  kCancelRun = 30,
  kCloseRun = 31,
  kGoodbye = 32,
  kStartWorker = 33,
  kStopWorker = 34,
  kWorkerEnded = 35,
  kNodeLeaving = 36,
  kNodeReleased = 37,
  kSlotsAllowed = 38,
  kSubmit = 39,
  kWatch = 40,
  kCancelWanted = 41,
  kListRuns = 42,
  kRuns = 43,
  kListNodes = 44,
  kNodes = 45,
  kRunAccepted = 46,
  kRunRefused = 47,
  kRunProgress = 48,
  kRunSchema = 49,
  kRunOver = 50,
  kShipBytes = 51,
  kShipCredit = 52,
  kReadShipped = 53,
  kShippedBlock = 54,
};

// The last value of each enumeration on the wire: a reader refuses what lies beyond.
template <class Enum>
inline constexpr Enum kLastOf = Enum{};

// A node is a machine or container of a fleet: it never runs user code, but starts a worker for each run.
enum class Role : uint8_t { kWorker = 0, kGatherer = 1, kClient = 2, kNode = 3 };
template <>
inline constexpr Role kLastOf<Role> = Role::kNode;

template <>
inline constexpr SourceKind kLastOf<SourceKind> = SourceKind::kRange;
template <>
inline constexpr Compression kLastOf<Compression> = Compression::kZstd;

// Why something failed or was lost. What follows from it is decided by blame_of() alone.
enum class CauseKind : uint8_t {
  kUnknown = 0,
  kSignal = 1,     // `signal` ended the process
  kExit = 2,       // user code called exit(); `exit_status`
  kException = 3,  // escaped from a callback
  kJob = 4,        // the job said so through fail()
  kUsage = 5,      // parameters refused by the job, plugin that cannot be loaded
  kBadRecord = 6,
  kInput = 7,   // cannot open, cut, changed
  kOutput = 8,  // disk full
  kMemory = 9,  // the memory budget, or the machine's, was not enough
  kOverflow = 10,
  kBadPartial = 11,  // packed bytes that no pack() wrote, or a checksum that differs
  kTimeout = 12,
  kSilence = 13,  // nothing was heard for longer than allowed
  kLostLink = 14,
  kCancelled = 15,
  kInternal = 16,
  kOutOfMemory =
      17,  // killed by the kernel: the machine or container had none left, and `message` says how much it has
};
template <>
inline constexpr CauseKind kLastOf<CauseKind> = CauseKind::kOutOfMemory;

// Where in a job's life something happened.
enum class Phase : uint8_t {
  kNone = 0,
  kLoad = 1,
  kOpen = 2,
  kMap = 3,
  kSeal = 4,
  kMerge = 5,
  kPack = 6,
  kCheck = 7,
  kFold = 8,
  kFinish = 9,
};
template <>
inline constexpr Phase kLastOf<Phase> = Phase::kFinish;

struct Cause {
  CauseKind kind = CauseKind::kUnknown;
  Phase phase = Phase::kNone;
  std::string message = {};             // one sentence as the job or the runtime put it; may be empty
  std::string source = {};              // the input as the user named it; may be empty
  std::optional<uint64_t> shard = {};   // being mapped
  std::optional<uint64_t> offset = {};  // of the record in its source
  std::optional<uint32_t> part = {};    // being merged or finished
  std::optional<BundleId> bundle = {};  // being merged
  int32_t signal = 0;
  int32_t exit_status = 0;
  uint64_t peak_rss_bytes = 0;
  bool operator==(const Cause&) const = default;
  template <class Self, class Fields>
  static void fields(Self& self, Fields&& field) {
    field(self.kind, self.phase, self.message, self.source, self.shard, self.offset, self.part, self.bundle,
          self.signal, self.exit_status, self.peak_rss_bytes);
  }
};

// Whose fault: the job's or input's (the run fails), or the machine's (the work is done again).
enum class Blame : uint8_t { kJob, kMachine };
[[nodiscard]] Blame blame_of(const Cause& cause);
[[nodiscard]] ExitCode exit_code_of(const Cause& cause);
// ", having held 300 MiB at most"; empty where the peak is not known.
[[nodiscard]] std::string peak_text(const Cause& cause);
// "ended by signal 11 (SEGV)", "silent for longer than allowed", ...: a clause for a sentence.
[[nodiscard]] std::string describe(const Cause& cause);

// What a slot was mapping when its process ended, as its mapped page says. shard is meaningful in a lease only.
struct Suspect {
  uint32_t slot = 0;
  LeaseId lease = {};
  uint64_t shard = 0;
  Phase phase = Phase::kNone;
  std::optional<uint64_t> offset = {};
  bool operator==(const Suspect&) const = default;
  template <class Self, class Fields>
  static void fields(Self& self, Fields&& field) {
    field(self.slot, self.lease, self.shard, self.phase, self.offset);
  }
};

// The end of an earlier incarnation, told by whoever comes after it.
struct Obituary {
  IncarnationId incarnation = {};
  Cause cause = {};
  std::vector<Suspect> suspects = {};
  bool operator==(const Obituary&) const = default;
  template <class Self, class Fields>
  static void fields(Self& self, Fields&& field) {
    field(self.incarnation, self.cause, self.suspects);
  }
};

// ---- handshake --------------------------------------------------------------------------------

// The first message of a session. Its fields up to `name` never move: a peer of another version is known by them,
// and by them alone.
struct Hello {
  static constexpr MessageType kType = MessageType::kHello;
  uint32_t protocol_version = kProtocolVersion;
  Role role = Role::kWorker;
  std::string name = {};  // of the node, the same for every incarnation of it
  std::string host = {};
  std::string build = {};
  std::string kernels = {};  // information only: all levels agree bit for bit
  std::string address = {};  // gatherer: where workers connect
  uint64_t pid = 0;
  uint32_t slots = 0;
  std::optional<Obituary> obituary = {};
  RunId run = {};                // worker, gatherer of a fleet: the one run that it serves
  uint64_t memory_bytes = 0;     // node, worker of a fleet: what a run may use here; 0: as OpenRun says
  bool accepts_plugins = false;  // node: it loads what clients ship
  bool operator==(const Hello&) const = default;
  template <class Self, class Fields>
  static void fields(Self& self, Fields&& field) {
    field(self.protocol_version, self.role, self.name, self.host, self.build, self.kernels, self.address, self.pid,
          self.slots, self.obituary, self.run, self.memory_bytes, self.accepts_plugins);
  }
};

struct Welcome {
  static constexpr MessageType kType = MessageType::kWelcome;
  uint32_t protocol_version = kProtocolVersion;
  std::string build = {};
  bool operator==(const Welcome&) const = default;
  template <class Self, class Fields>
  static void fields(Self& self, Fields&& field) {
    field(self.protocol_version, self.build);
  }
};

// Its fields up to `sentence` never move.
struct Refused {
  static constexpr MessageType kType = MessageType::kRefused;
  uint32_t protocol_version = kProtocolVersion;  // of the refusing side
  uint32_t peer_protocol_version = 0;            // of the refused one
  std::string sentence = {};
  bool operator==(const Refused&) const = default;
  template <class Self, class Fields>
  static void fields(Self& self, Fields&& field) {
    field(self.protocol_version, self.peer_protocol_version, self.sentence);
  }
};

// Loose. The receiver's incarnation has been given up: what it holds counts for nothing; it ends and a
// fresh incarnation says Hello.
struct StartAnew {
  static constexpr MessageType kType = MessageType::kStartAnew;
  bool operator==(const StartAnew&) const = default;
  template <class Self, class Fields>
  static void fields(Self&, Fields&& field) {
    field();
  }
};

// ---- a run ------------------------------------------------------------------------------------

struct Parameter {
  std::string name = {};
  std::string value = {};
  bool operator==(const Parameter&) const = default;
  template <class Self, class Fields>
  static void fields(Self& self, Fields&& field) {
    field(self.name, self.value);
  }
};

struct OpenRun {
  static constexpr MessageType kType = MessageType::kOpenRun;
  RunId run = {};
  std::string job = {};
  std::string plugin_path = {};  // empty: found by the job's name in the receiver's own folders
  std::string plugin_hash = {};  // of the file's content; a worker with another content refuses
  std::vector<Parameter> parameters = {};
  std::vector<Source> sources = {};  // units chosen; empty for a gatherer
  uint64_t memory_bytes = 0;         // of the receiving process, for this run
  uint64_t record_bytes_max = 0;
  uint64_t small_partial_bytes_max = 0;  // of partials inside Ended
  uint64_t result_limit = 0;             // rows wanted at most; 0: as the job says
  bool allow_growth = false;
  std::string kernels = {};  // forced level, or empty
  std::string log_level = {};
  bool operator==(const OpenRun&) const = default;
  template <class Self, class Fields>
  static void fields(Self& self, Fields&& field) {
    field(self.run, self.job, self.plugin_path, self.plugin_hash, self.parameters, self.sources, self.memory_bytes,
          self.record_bytes_max, self.small_partial_bytes_max, self.result_limit, self.allow_growth, self.kernels,
          self.log_level);
  }
};

// Gatherer: the job is loaded and open, and this is what it will answer.
struct RunOpened {
  static constexpr MessageType kType = MessageType::kRunOpened;
  RunId run = {};
  uint32_t job_flags = 0;  // fanfold_job_flags
  Bytes schema = {};       // protocol/schema.h
  bool operator==(const RunOpened&) const = default;
  template <class Self, class Fields>
  static void fields(Self& self, Fields&& field) {
    field(self.run, self.job_flags, self.schema);
  }
};

// Where a run's bundles go. An empty incarnation: not known yet.
struct GathererAddress {
  IncarnationId incarnation = {};
  std::string address = {};
  bool operator==(const GathererAddress&) const = default;
  template <class Self, class Fields>
  static void fields(Self& self, Fields&& field) {
    field(self.incarnation, self.address);
  }
};

struct LeaseGrant {
  LeaseId lease = {};
  Interval shards = {};
  uint32_t attempt = 1;     // 1 + losses so far
  bool send_small = false;  // put the partial inside Ended if it packs into small_partial_bytes_max
  bool operator==(const LeaseGrant&) const = default;
  template <class Self, class Fields>
  static void fields(Self& self, Fields&& field) {
    field(self.lease, self.shards, self.attempt, self.send_small);
  }
};

struct Grant {
  static constexpr MessageType kType = MessageType::kGrant;
  RunId run = {};
  GathererAddress gatherer = {};
  std::vector<LeaseGrant> leases = {};
  bool operator==(const Grant&) const = default;
  template <class Self, class Fields>
  static void fields(Self& self, Fields&& field) {
    field(self.run, self.gatherer, self.leases);
  }
};

enum class Outcome : uint8_t {
  kDone = 0,
  kGaveBackTail = 1,       // asked to stop early
  kSealedEarlyMemory = 2,  // the partial reached its bytes
  kDrained = 3,            // the worker is leaving
  kNeverStarted = 4,       // actual_end == begin, no partial
  kFailed = 5,             // `cause`; actual_end == begin, no partial
};
template <>
inline constexpr Outcome kLastOf<Outcome> = Outcome::kFailed;

// A packed partial that travels inside messages. The root passes it on unread.
struct SmallPartial {
  Bytes packed = {};
  uint64_t checksum = 0;  // xxh3 of packed
  Bytes ledger = {};      // the run ledger of its lease (ledger_bytes.h)
  bool operator==(const SmallPartial&) const = default;
  template <class Self, class Fields>
  static void fields(Self& self, Fields&& field) {
    field(self.packed, self.checksum, self.ledger);
  }
};

// The one message that ends a lease. The worker owns actual_end; [actual_end, end of the lease) goes back.
struct Ended {
  static constexpr MessageType kType = MessageType::kEnded;
  RunId run = {};
  LeaseId lease = {};
  Interval done = {};  // [begin of the lease, actual_end)
  Outcome outcome = Outcome::kDone;
  uint64_t records = 0;
  uint64_t bytes = 0;
  Duration map = {};  // on the slot
  Duration seal = {};
  Duration merge = {};   // spent merging earlier leases into bundles, since the last Ended
  uint64_t entries = 0;  // of the partial, an upper bound
  uint64_t partial_bytes = 0;
  std::optional<SmallPartial> small = {};
  std::optional<Cause> cause = {};
  bool operator==(const Ended&) const = default;
  template <class Self, class Fields>
  static void fields(Self& self, Fields&& field) {
    field(self.run, self.lease, self.done, self.outcome, self.records, self.bytes, self.map, self.seal, self.merge,
          self.entries, self.partial_bytes, self.small, self.cause);
  }
};

// Awarded: the partial counts; merge it into the open bundle (or free it, when it travelled inside Ended).
// Dropped: it does not.
struct Verdicts {
  static constexpr MessageType kType = MessageType::kVerdicts;
  RunId run = {};
  std::vector<LeaseId> awarded = {};
  std::vector<LeaseId> dropped = {};
  bool operator==(const Verdicts&) const = default;
  template <class Self, class Fields>
  static void fields(Self& self, Fields&& field) {
    field(self.run, self.awarded, self.dropped);
  }
};

// ---- bundles ----------------------------------------------------------------------------------

// Close the open bundle once everything awarded so far is merged. Up to bytes_granted it may be sent at
// once; a larger one asks with FlushWanted.
struct Flush {
  static constexpr MessageType kType = MessageType::kFlush;
  RunId run = {};
  GathererAddress gatherer = {};
  uint64_t bytes_granted = 0;
  bool finish = false;  // every shard of the run is awarded to this worker: finish the bundle, if it is the only one
  bool operator==(const Flush&) const = default;
  template <class Self, class Fields>
  static void fields(Self& self, Fields&& field) {
    field(self.run, self.gatherer, self.bytes_granted, self.finish);
  }
};

// A bundle is closed and packed. sending_to: the gatherer that a Flush allowed it to go to already, so this
// only informs; empty when it waits for FlushGranted.
struct FlushWanted {
  static constexpr MessageType kType = MessageType::kFlushWanted;
  RunId run = {};
  BundleSeq seq = {};
  uint64_t bytes = 0;
  uint64_t leases = 0;
  IncarnationId sending_to = {};
  bool operator==(const FlushWanted&) const = default;
  template <class Self, class Fields>
  static void fields(Self& self, Fields&& field) {
    field(self.run, self.seq, self.bytes, self.leases, self.sending_to);
  }
};

// Send this bundle, whole, to this gatherer. Said again, with another gatherer, when the first was lost.
struct FlushGranted {
  static constexpr MessageType kType = MessageType::kFlushGranted;
  RunId run = {};
  BundleSeq seq = {};
  GathererAddress gatherer = {};
  bool operator==(const FlushGranted&) const = default;
  template <class Self, class Fields>
  static void fields(Self& self, Fields&& field) {
    field(self.run, self.seq, self.gatherer);
  }
};

struct ManifestEntry {
  LeaseId lease = {};
  Interval shards = {};
  auto operator<=>(const ManifestEntry&) const = default;
  template <class Self, class Fields>
  static void fields(Self& self, Fields&& field) {
    field(self.lease, self.shards);
  }
};
using Manifest = std::vector<ManifestEntry>;

// What one part of a bundle holds; packed_bytes of all parts, each rounded up to 64, lie one after the
// other in the bundle's bytes.
struct PartExtent {
  uint64_t entries = 0;
  uint64_t key_bytes = 0;
  uint64_t packed_bytes = 0;
  bool operator==(const PartExtent&) const = default;
  template <class Self, class Fields>
  static void fields(Self& self, Fields&& field) {
    field(self.entries, self.key_bytes, self.packed_bytes);
  }
};

// What a bundle's bytes are.
enum class BundleContent : uint8_t {
  kColumns = 0,  // parts as the job packs them, to be folded
  kRows = 1,     // the run's rows, finished where they were merged; the bundle holds every shard (finished_rows.h)
};
template <>
inline constexpr BundleContent kLastOf<BundleContent> = BundleContent::kRows;

// Ahead of the chunks, so that the receiver can presize. Chunk i is bytes [i x kChunkBytesMax, ...) of `bytes`.
struct BundleOffer {
  static constexpr MessageType kType = MessageType::kBundleOffer;
  RunId run = {};
  BundleSeq seq = {};  // of the sender's incarnation
  Manifest manifest = {};
  BundleContent content = BundleContent::kColumns;
  uint32_t log2_parts = 0;
  std::vector<PartExtent> parts = {};  // 1 << log2_parts
  uint64_t bytes = 0;                  // of all chunks
  uint64_t checksum = 0;               // of the parts' own xxh3 (runtime/plugin/bundle_checksum.h)
  Bytes ledger = {};                   // the run ledger of these leases (ledger_bytes.h); may be empty
  bool operator==(const BundleOffer&) const = default;
  template <class Self, class Fields>
  static void fields(Self& self, Fields&& field) {
    field(self.run, self.seq, self.manifest, self.content, self.log2_parts, self.parts, self.bytes, self.checksum,
          self.ledger);
  }
};

struct ChunksWanted {
  static constexpr MessageType kType = MessageType::kChunksWanted;
  RunId run = {};
  BundleSeq seq = {};
  uint32_t first = 0;
  uint32_t count = 0;  // at most kChunksInFlightMax
  bool operator==(const ChunksWanted&) const = default;
  template <class Self, class Fields>
  static void fields(Self& self, Fields&& field) {
    field(self.run, self.seq, self.first, self.count);
  }
};

// Loose; the bytes are the raw frame behind it.
struct Chunk {
  static constexpr MessageType kType = MessageType::kChunk;
  RunId run = {};
  BundleSeq seq = {};
  uint32_t index = 0;
  bool operator==(const Chunk&) const = default;
  template <class Self, class Fields>
  static void fields(Self& self, Fields&& field) {
    field(self.run, self.seq, self.index);
  }
};

// Received whole and valid; may it count?
struct Staged {
  static constexpr MessageType kType = MessageType::kStaged;
  RunId run = {};
  BundleId bundle = {};
  Manifest manifest = {};
  BundleContent content = BundleContent::kColumns;
  uint64_t bytes = 0;
  uint64_t entries = 0;
  bool operator==(const Staged&) const = default;
  template <class Self, class Fields>
  static void fields(Self& self, Fields&& field) {
    field(self.run, self.bundle, self.manifest, self.content, self.bytes, self.entries);
  }
};

struct FoldBundle {
  static constexpr MessageType kType = MessageType::kFoldBundle;
  RunId run = {};
  BundleId bundle = {};
  bool operator==(const FoldBundle&) const = default;
  template <class Self, class Fields>
  static void fields(Self& self, Fields&& field) {
    field(self.run, self.bundle);
  }
};

struct RejectBundle {
  static constexpr MessageType kType = MessageType::kRejectBundle;
  RunId run = {};
  BundleId bundle = {};
  bool operator==(const RejectBundle&) const = default;
  template <class Self, class Fields>
  static void fields(Self& self, Fields&& field) {
    field(self.run, self.bundle);
  }
};

struct Folded {
  static constexpr MessageType kType = MessageType::kFolded;
  RunId run = {};
  BundleId bundle = {};
  bool operator==(const Folded&) const = default;
  template <class Self, class Fields>
  static void fields(Self& self, Fields&& field) {
    field(self.run, self.bundle);
  }
};

// Received, but its bytes are not what a worker packs, or they stopped coming. It holds no part of it any more.
struct BundleFailed {
  static constexpr MessageType kType = MessageType::kBundleFailed;
  RunId run = {};
  BundleId bundle = {};
  Cause cause = {};
  bool operator==(const BundleFailed&) const = default;
  template <class Self, class Fields>
  static void fields(Self& self, Fields&& field) {
    field(self.run, self.bundle, self.cause);
  }
};

// Root to worker: folded; free it.
struct BundleDone {
  static constexpr MessageType kType = MessageType::kBundleDone;
  RunId run = {};
  BundleSeq seq = {};
  bool operator==(const BundleDone&) const = default;
  template <class Self, class Fields>
  static void fields(Self& self, Fields&& field) {
    field(self.run, self.seq);
  }
};

struct SmallFold {
  LeaseId lease = {};
  SmallPartial partial = {};
  bool operator==(const SmallFold&) const = default;
  template <class Self, class Fields>
  static void fields(Self& self, Fields&& field) {
    field(self.lease, self.partial);
  }
};

// Already awarded: fold each.
struct FoldSmall {
  static constexpr MessageType kType = MessageType::kFoldSmall;
  RunId run = {};
  std::vector<SmallFold> partials = {};
  bool operator==(const FoldSmall&) const = default;
  template <class Self, class Fields>
  static void fields(Self& self, Fields&& field) {
    field(self.run, self.partials);
  }
};

// `invalid` ones were not what a worker packs and were left out.
struct SmallFolded {
  static constexpr MessageType kType = MessageType::kSmallFolded;
  RunId run = {};
  std::vector<LeaseId> folded = {};
  std::vector<LeaseId> invalid = {};
  bool operator==(const SmallFolded&) const = default;
  template <class Self, class Fields>
  static void fields(Self& self, Fields&& field) {
    field(self.run, self.folded, self.invalid);
  }
};

// The incarnation is fenced: free what it sent that is not being folded, and take nothing more from it.
struct ForgetWorker {
  static constexpr MessageType kType = MessageType::kForgetWorker;
  IncarnationId incarnation = {};
  bool operator==(const ForgetWorker&) const = default;
  template <class Self, class Fields>
  static void fields(Self& self, Fields&& field) {
    field(self.incarnation);
  }
};

// ---- the end ----------------------------------------------------------------------------------

struct Finish {
  static constexpr MessageType kType = MessageType::kFinish;
  RunId run = {};
  uint64_t result_batches_allowed = 0;  // first credit
  bool operator==(const Finish&) const = default;
  template <class Self, class Fields>
  static void fields(Self& self, Fields&& field) {
    field(self.run, self.result_batches_allowed);
  }
};

// Rows in order; the bytes (protocol/row_batch.h) are the raw frame behind it. index counts from 0.
struct ResultBatch {
  static constexpr MessageType kType = MessageType::kResultBatch;
  RunId run = {};
  uint64_t index = 0;
  uint64_t rows = 0;
  bool operator==(const ResultBatch&) const = default;
  template <class Self, class Fields>
  static void fields(Self& self, Fields&& field) {
    field(self.run, self.index, self.rows);
  }
};

// Batches [0, result_batches_allowed) may be sent.
struct ResultCredit {
  static constexpr MessageType kType = MessageType::kResultCredit;
  RunId run = {};
  uint64_t result_batches_allowed = 0;
  bool operator==(const ResultCredit&) const = default;
  template <class Self, class Fields>
  static void fields(Self& self, Fields&& field) {
    field(self.run, self.result_batches_allowed);
  }
};

struct Finished {
  static constexpr MessageType kType = MessageType::kFinished;
  RunId run = {};
  uint64_t batches = 0;
  uint64_t rows = 0;
  Bytes ledger = {};  // of the whole run
  Duration merge = {};
  Duration finish = {};
  bool operator==(const Finished&) const = default;
  template <class Self, class Fields>
  static void fields(Self& self, Fields&& field) {
    field(self.run, self.batches, self.rows, self.ledger, self.merge, self.finish);
  }
};

// The sender cannot do its part of the run: loading, opening, merging, packing or finishing failed.
struct Failed {
  static constexpr MessageType kType = MessageType::kFailed;
  RunId run = {};
  Cause cause = {};
  bool operator==(const Failed&) const = default;
  template <class Self, class Fields>
  static void fields(Self& self, Fields&& field) {
    field(self.run, self.cause);
  }
};

// Raise every stop word to cancel, free everything, answer Goodbye.
struct CancelRun {
  static constexpr MessageType kType = MessageType::kCancelRun;
  RunId run = {};
  bool operator==(const CancelRun&) const = default;
  template <class Self, class Fields>
  static void fields(Self& self, Fields&& field) {
    field(self.run);
  }
};

// The run is over: free what is left of it, answer Goodbye.
struct CloseRun {
  static constexpr MessageType kType = MessageType::kCloseRun;
  RunId run = {};
  bool operator==(const CloseRun&) const = default;
  template <class Self, class Fields>
  static void fields(Self& self, Fields&& field) {
    field(self.run);
  }
};

// Where the slots' time went; they add up to slots x wall.
struct SlotTimes {
  Duration read_map = {};
  Duration seal_pack = {};
  Duration wire = {};
  Duration merge = {};
  Duration finish = {};
  Duration idle = {};
  bool operator==(const SlotTimes&) const = default;
  template <class Self, class Fields>
  static void fields(Self& self, Fields&& field) {
    field(self.read_map, self.seal_pack, self.wire, self.merge, self.finish, self.idle);
  }
};

// A process's own account of the run, when its part of it is over.
struct Goodbye {
  static constexpr MessageType kType = MessageType::kGoodbye;
  RunId run = {};
  uint64_t pid = 0;
  uint64_t peak_rss_bytes = 0;
  SlotTimes slot_times = {};
  bool operator==(const Goodbye&) const = default;
  template <class Self, class Fields>
  static void fields(Self& self, Fields&& field) {
    field(self.run, self.pid, self.peak_rss_bytes, self.slot_times);
  }
};

// ---- a fleet: root and nodes ------------------------------------------------------------------

// Start a worker process for this run; it says Hello with the run and this name.
struct StartWorker {
  static constexpr MessageType kType = MessageType::kStartWorker;
  RunId run = {};
  std::string name = {};
  uint64_t memory_bytes = 0;
  std::string shipped_plugin = {};  // the hash of its content; empty: the node's own
  uint64_t plugin_bytes = 0;        // the first so many of what is shipped are that plugin
  bool operator==(const StartWorker&) const = default;
  template <class Self, class Fields>
  static void fields(Self& self, Fields&& field) {
    field(self.run, self.name, self.memory_bytes, self.shipped_plugin, self.plugin_bytes);
  }
};

struct StopWorker {
  static constexpr MessageType kType = MessageType::kStopWorker;
  RunId run = {};
  bool operator==(const StopWorker&) const = default;
  template <class Self, class Fields>
  static void fields(Self& self, Fields&& field) {
    field(self.run);
  }
};

// A worker process that nobody told to stop is no more, or could not be started.
struct WorkerEnded {
  static constexpr MessageType kType = MessageType::kWorkerEnded;
  RunId run = {};
  Cause cause = {};
  bool operator==(const WorkerEnded&) const = default;
  template <class Self, class Fields>
  static void fields(Self& self, Fields&& field) {
    field(self.run, self.cause);
  }
};

// The node is to end: no more leases for it, and what it holds is to be flushed. NodeReleased answers.
struct NodeLeaving {
  static constexpr MessageType kType = MessageType::kNodeLeaving;
  bool operator==(const NodeLeaving&) const = default;
  template <class Self, class Fields>
  static void fields(Self&, Fields&& field) {
    field();
  }
};

// Nothing of any run is left with the node.
struct NodeReleased {
  static constexpr MessageType kType = MessageType::kNodeReleased;
  bool operator==(const NodeReleased&) const = default;
  template <class Self, class Fields>
  static void fields(Self&, Fields&& field) {
    field();
  }
};

// The run's present share of the worker: leases are started on its first `slots` slots only. Until it is said,
// all of them.
struct SlotsAllowed {
  static constexpr MessageType kType = MessageType::kSlotsAllowed;
  RunId run = {};
  uint32_t slots = 0;
  bool operator==(const SlotsAllowed&) const = default;
  template <class Self, class Fields>
  static void fields(Self& self, Fields&& field) {
    field(self.run, self.slots);
  }
};

// ---- a fleet: what a client has shipped -------------------------------------------------------

// Give the bytes [offset, offset + bytes) of what the run's client has shipped; ShippedBlock answers.
struct ReadShipped {
  static constexpr MessageType kType = MessageType::kReadShipped;
  RunId run = {};
  uint64_t ticket = 0;  // the asking side's own; comes back with the answer
  uint64_t offset = 0;
  uint64_t bytes = 0;  // 1 to kShippedBlockBytesMax
  bool operator==(const ReadShipped&) const = default;
  template <class Self, class Fields>
  static void fields(Self& self, Fields&& field) {
    field(self.run, self.ticket, self.offset, self.bytes);
  }
};

// The bytes are the raw frame behind it.
struct ShippedBlock {
  static constexpr MessageType kType = MessageType::kShippedBlock;
  RunId run = {};
  uint64_t ticket = 0;
  bool operator==(const ShippedBlock&) const = default;
  template <class Self, class Fields>
  static void fields(Self& self, Fields&& field) {
    field(self.run, self.ticket);
  }
};

// ---- a fleet: root and clients ----------------------------------------------------------------

// What is to be run. Two submissions under one id are the same if these fields are.
struct RunSpecification {
  std::string job = {};
  std::string plugin_hash = {};
  std::vector<Parameter> parameters = {};
  std::vector<Source> sources = {};  // expanded by the client; paths as the client has them
  uint64_t shard_bytes = 0;          // 0: the planner chooses
  uint64_t shard_items = 0;
  uint64_t limit = 0;
  uint64_t record_bytes_max = 0;
  bool allow_growth = false;
  bool ship = false;             // the client sends the files' bytes (ShipBytes); their paths are of no use
  uint64_t plugin_bytes = 0;     // of the plugin, which it sends first of all; 0: root and workers have it
  bool attached = false;         // cancelled when its client is gone
  Duration no_workers_max = {};  // without any worker for so long it fails
  bool operator==(const RunSpecification&) const = default;
  template <class Self, class Fields>
  static void fields(Self& self, Fields&& field) {
    field(self.job, self.plugin_hash, self.parameters, self.sources, self.shard_bytes, self.shard_items, self.limit,
          self.record_bytes_max, self.allow_growth, self.ship, self.plugin_bytes, self.attached, self.no_workers_max);
  }
};

// Answered with RunAccepted or RunRefused; the same again, with the run's present stage.
struct Submit {
  static constexpr MessageType kType = MessageType::kSubmit;
  RunId run = {};
  RunSpecification specification = {};
  bool operator==(const Submit&) const = default;
  template <class Self, class Fields>
  static void fields(Self& self, Fields&& field) {
    field(self.run, self.specification);
  }
};

// Bytes [offset, offset + size of the raw frame) of what the run's client ships: its plugin, if it does, and its files,
// if it does, one after the other in the order of the sources. In order, and only as far as ShipCredit allows.
struct ShipBytes {
  static constexpr MessageType kType = MessageType::kShipBytes;
  RunId run = {};
  uint64_t offset = 0;
  bool operator==(const ShipBytes&) const = default;
  template <class Self, class Fields>
  static void fields(Self& self, Fields&& field) {
    field(self.run, self.offset);
  }
};

// Said to whoever submitted the run last, while it is being received: the root has the bytes [0, received), and those
// up to `allowed` may be sent. Once it has them all, both are their number.
struct ShipCredit {
  static constexpr MessageType kType = MessageType::kShipCredit;
  RunId run = {};
  uint64_t received = 0;
  uint64_t allowed = 0;
  bool operator==(const ShipCredit&) const = default;
  template <class Self, class Fields>
  static void fields(Self& self, Fields&& field) {
    field(self.run, self.received, self.allowed);
  }
};

// Tell what becomes of the run: RunAccepted, RunProgress while it runs, RunSchema, its batches from
// `from_batch` on up to the credit, RunOver behind the last. RunRefused where the run is not known any more.
struct Watch {
  static constexpr MessageType kType = MessageType::kWatch;
  RunId run = {};
  uint64_t from_batch = 0;
  uint64_t result_batches_allowed = 0;  // batches [0, so many) may be sent; raised by ResultCredit
  bool operator==(const Watch&) const = default;
  template <class Self, class Fields>
  static void fields(Self& self, Fields&& field) {
    field(self.run, self.from_batch, self.result_batches_allowed);
  }
};

struct CancelWanted {
  static constexpr MessageType kType = MessageType::kCancelWanted;
  RunId run = {};
  int32_t signal = 0;  // that the client got, if it did
  bool operator==(const CancelWanted&) const = default;
  template <class Self, class Fields>
  static void fields(Self& self, Fields&& field) {
    field(self.run, self.signal);
  }
};

// kReceiving: its client ships its files.
enum class RunStage : uint8_t { kQueued = 0, kRunning = 1, kDone = 2, kFailed = 3, kReceiving = 4 };
template <>
inline constexpr RunStage kLastOf<RunStage> = RunStage::kReceiving;

struct RunAccepted {
  static constexpr MessageType kType = MessageType::kRunAccepted;
  RunId run = {};
  RunStage stage = RunStage::kQueued;
  bool operator==(const RunAccepted&) const = default;
  template <class Self, class Fields>
  static void fields(Self& self, Fields&& field) {
    field(self.run, self.stage);
  }
};

struct RunRefused {
  static constexpr MessageType kType = MessageType::kRunRefused;
  RunId run = {};
  uint32_t exit_code = 0;
  std::string sentence = {};
  bool operator==(const RunRefused&) const = default;
  template <class Self, class Fields>
  static void fields(Self& self, Fields&& field) {
    field(self.run, self.exit_code, self.sentence);
  }
};

struct RunProgress {
  static constexpr MessageType kType = MessageType::kRunProgress;
  RunId run = {};
  RunStage stage = RunStage::kQueued;
  bool finishing = false;
  uint64_t shards = 0;
  uint64_t shards_awarded = 0;
  uint64_t shards_folded = 0;
  uint64_t bytes = 0;
  uint64_t bytes_awarded = 0;
  uint64_t records = 0;
  uint32_t workers = 0;
  uint32_t slots = 0;
  uint32_t runs_ahead = 0;  // of a queued one
  bool operator==(const RunProgress&) const = default;
  template <class Self, class Fields>
  static void fields(Self& self, Fields&& field) {
    field(self.run, self.stage, self.finishing, self.shards, self.shards_awarded, self.shards_folded, self.bytes,
          self.bytes_awarded, self.records, self.workers, self.slots, self.runs_ahead);
  }
};

struct RunSchema {
  static constexpr MessageType kType = MessageType::kRunSchema;
  RunId run = {};
  uint32_t job_flags = 0;
  Bytes schema = {};
  bool operator==(const RunSchema&) const = default;
  template <class Self, class Fields>
  static void fields(Self& self, Fields&& field) {
    field(self.run, self.job_flags, self.schema);
  }
};

struct ProcessAccount {
  Role role = Role::kWorker;
  std::string name = {};
  uint64_t pid = 0;
  uint32_t slots = 0;
  uint64_t peak_rss_bytes = 0;
  SlotTimes slot_times = {};
  bool lost = false;
  bool operator==(const ProcessAccount&) const = default;
  template <class Self, class Fields>
  static void fields(Self& self, Fields&& field) {
    field(self.role, self.name, self.pid, self.slots, self.peak_rss_bytes, self.slot_times, self.lost);
  }
};

// Nothing follows of this run.
struct RunOver {
  static constexpr MessageType kType = MessageType::kRunOver;
  RunId run = {};
  uint32_t exit_code = 0;
  std::string sentence = {};  // empty when done
  std::string job = {};
  uint64_t rows = 0;
  uint64_t batches = 0;
  Bytes ledger = {};
  Duration wall = {};  // from its start to its end
  uint32_t slots = 0;  // of the fleet when it ended
  uint64_t shards = 0;
  uint64_t shards_folded = 0;
  uint64_t leases = 0;
  uint64_t bundles = 0;
  uint64_t retries = 0;
  uint64_t drops = 0;
  uint64_t records = 0;
  uint64_t bytes = 0;
  Duration merge = {};
  Duration finish = {};
  std::vector<ProcessAccount> processes = {};
  bool operator==(const RunOver&) const = default;
  template <class Self, class Fields>
  static void fields(Self& self, Fields&& field) {
    field(self.run, self.exit_code, self.sentence, self.job, self.rows, self.batches, self.ledger, self.wall,
          self.slots, self.shards, self.shards_folded, self.leases, self.bundles, self.retries, self.drops,
          self.records, self.bytes, self.merge, self.finish, self.processes);
  }
};

struct ListRuns {
  static constexpr MessageType kType = MessageType::kListRuns;
  bool operator==(const ListRuns&) const = default;
  template <class Self, class Fields>
  static void fields(Self&, Fields&& field) {
    field();
  }
};

struct RunRecord {
  RunId run = {};
  std::string job = {};
  std::string client = {};  // who submitted it
  RunStage stage = RunStage::kQueued;
  bool attached = false;
  uint32_t exit_code = 0;
  std::string sentence = {};
  uint64_t shards = 0;
  uint64_t shards_folded = 0;
  uint64_t rows = 0;
  uint32_t slots = 0;        // its share now
  Duration age = {};         // since it was submitted
  Duration expires_in = {};  // of one that has ended
  bool operator==(const RunRecord&) const = default;
  template <class Self, class Fields>
  static void fields(Self& self, Fields&& field) {
    field(self.run, self.job, self.client, self.stage, self.attached, self.exit_code, self.sentence, self.shards,
          self.shards_folded, self.rows, self.slots, self.age, self.expires_in);
  }
};

// In the order submitted.
struct Runs {
  static constexpr MessageType kType = MessageType::kRuns;
  std::vector<RunRecord> runs = {};
  bool operator==(const Runs&) const = default;
  template <class Self, class Fields>
  static void fields(Self& self, Fields&& field) {
    field(self.runs);
  }
};

struct ListNodes {
  static constexpr MessageType kType = MessageType::kListNodes;
  bool operator==(const ListNodes&) const = default;
  template <class Self, class Fields>
  static void fields(Self&, Fields&& field) {
    field();
  }
};

struct NodeRecord {
  std::string name = {};
  std::string host = {};
  std::string build = {};
  std::string kernels = {};
  uint64_t pid = 0;
  uint32_t slots = 0;
  uint32_t slots_used = 0;  // leases being mapped or waiting there, at most its slots
  uint64_t memory_bytes = 0;
  bool leaving = false;
  bool accepts_plugins = false;
  Duration age = {};  // since it joined
  bool operator==(const NodeRecord&) const = default;
  template <class Self, class Fields>
  static void fields(Self& self, Fields&& field) {
    field(self.name, self.host, self.build, self.kernels, self.pid, self.slots, self.slots_used, self.memory_bytes,
          self.leaving, self.accepts_plugins, self.age);
  }
};

// By name.
struct Nodes {
  static constexpr MessageType kType = MessageType::kNodes;
  std::vector<NodeRecord> nodes = {};
  bool operator==(const Nodes&) const = default;
  template <class Self, class Fields>
  static void fields(Self& self, Fields&& field) {
    field(self.nodes);
  }
};

using Message =
    std::variant<Hello, Welcome, Refused, StartAnew, OpenRun, RunOpened, Grant, Ended, Verdicts, Flush, FlushWanted,
                 FlushGranted, BundleOffer, ChunksWanted, Chunk, Staged, FoldBundle, RejectBundle, Folded, BundleFailed,
                 BundleDone, FoldSmall, SmallFolded, ForgetWorker, Finish, ResultBatch, ResultCredit, Finished, Failed,
                 CancelRun, CloseRun, Goodbye, StartWorker, StopWorker, WorkerEnded, NodeLeaving, NodeReleased,
                 SlotsAllowed, Submit, Watch, CancelWanted, ListRuns, Runs, ListNodes, Nodes, RunAccepted, RunRefused,
                 RunProgress, RunSchema, RunOver, ShipBytes, ShipCredit, ReadShipped, ShippedBlock>;

// Whether a message travels outside a session's sequence.
template <class T>
inline constexpr bool kLoose = std::is_same_v<T, StartAnew> || std::is_same_v<T, Chunk>;
[[nodiscard]] bool is_loose(const Message& message);
// "Ended", "BundleOffer", ...
[[nodiscard]] const char* name_of(const Message& message);

}  // namespace fanfold
