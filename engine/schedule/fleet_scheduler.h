// fleet_scheduler.h: the decisions of a fleet's root: which runs there are, which of them run, which nodes map for
// them with how many slots, who watches them, and how long their results are kept. Each run that runs has a
// RootScheduler of its own, which knows nothing of the others: peers are routed to it by the run in their Hello, and
// what it wants done is told with the run's id. Pure: step(event, now) -> actions, performed in the order given;
// `now` never goes backwards. Not thread-safe.
//
// A run
//   stage     event                                    next     actions
//   -         Submit                                   queued   RunAccepted; or RunRefused: a bad plan, an id in use
//   -         Submit of a run that ships            receiving  RunAccepted, BeginShipped where it ships its plugin; or
//                                                              RunRefused: more than may be kept, plugins not accepted
//   receiving ShippedBegun                             same     ShipCredit, behind the plugin if it is kept already
//   receiving ShipBytes, the next ones                 same     StoreShipped
//   receiving ShippedStored                            same     ShipCredit, a window ahead of what is stored
//                                                 or   queued   ShipCredit: all of them are here
//   receiving the client that ships is lost, and no other has submitted the run within client_grace
//                                                      failed   as CancelWanted
//   queued    fewer than runs_max run                  running  StartWorker to every node, StartRunGatherer
//   receiving, queued  CancelWanted                    failed   RunOver
//   running   what its RootScheduler does              running  the same; StoreBatch for its rows
//   running   its RootScheduler has ended it           failed   StopWorker, StopRunGatherer; DropResult, RunOver
//                                                 or   storing
//   storing   BatchStored, the last one                done     batches to who watches, RunOver behind the last
//   receiving, queued, running   StoreFailed           failed
//   any but the last  ends: what was shipped for it    same     DropShipped
//   receiving, queued, running   attached, unwatched for client_grace  ...  as CancelWanted
//   done, failed      result_ttl after its end         expired  DropResult; its id is remembered
//
// A node
//   joins     Hello                                    StartWorker for every run that runs
//   leaves    NodeLeaving: no share of any run; StopWorker for each run of which it holds nothing; then NodeReleased
//   is lost   silent: its workers are lost with it
// One that does not accept plugins has no part in a run that ships its own.
// A worker's ReadShipped becomes ReadShippedBlock, and the bytes that answer it ShippedBlock; asking for more at once
// than its slots may, or for what was never shipped, is a protocol error.
// Slots of a node are divided among the runs that run: equally, what is left over going round; a run without pending
// shards keeps what its leases need and no more. Shares are told to workers by their RootScheduler (ShareSet).
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <variant>
#include <vector>

#include "engine/instant.h"
#include "engine/protocol/message.h"
#include "engine/schedule/root_scheduler.h"
#include "engine/severity.h"

namespace fanfold::schedule {

// ---- events: PeerSaid, PeerLost (of any role) and Tick of root_scheduler.h, and --------------------

// The gatherer process that StartRunGatherer{run, life} asked for has ended, or could not be started.
struct RunGathererEnded {
  RunId run;
  uint32_t life = 1;
  Cause cause;
};
// StoreBatch{run, life, index} is done.
struct BatchStored {
  RunId run;
  uint32_t life = 1;
  uint64_t index = 0;
};
// What the root keeps of the run, rows or shipped bytes, cannot be written or not be read back; `sentence` says why.
struct StoreFailed {
  RunId run;
  std::string sentence;
  ExitCode code = ExitCode::kInputOutput;
};
// The plugin that the run ships is kept there, whole, with the content that was announced.
struct PluginStored {
  RunId run;
  std::string path;
};
// BeginShipped is done: the first `bytes` need not be sent.
struct ShippedBegun {
  RunId run;
  uint64_t bytes = 0;
};
// The first `bytes` of what the run's client ships are stored.
struct ShippedStored {
  RunId run;
  uint64_t bytes = 0;
};
// What ReadShippedBlock asked for.
struct ShippedRead {
  RunId run;
  IncarnationId reader;
  uint64_t ticket = 0;
  RawBytes bytes;
};
// What ReadBatch asked for.
struct BatchRead {
  RunId run;
  IncarnationId client;
  uint64_t index = 0;
  uint64_t rows = 0;
  RawBytes bytes;
};
// The root is to end: every run is over.
struct RootStopping {};

using FleetEvent = std::variant<PeerSaid, PeerLost, RunGathererEnded, BatchStored, StoreFailed, BatchRead, PluginStored,
                                ShippedBegun, ShippedStored, ShippedRead, RootStopping, Tick>;

// ---- actions: SendMessage and FencePeer of root_scheduler.h, and ------------------------------------

// Its session is forgotten: it has said Goodbye, or is gone.
struct ClosePeer {
  IncarnationId incarnation;
};
// A message with rows behind it.
struct SendBatch {
  IncarnationId to;
  ResultBatch batch;
  RawBytes bytes;
};
// The one before it, if any, is fenced and must be killed.
struct StartRunGatherer {
  RunId run;
  uint32_t life = 1;
};
// It has given its account, or will not: killed if it does not end by itself.
struct StopRunGatherer {
  RunId run;
};
// Keep the rows; index 0 begins anew. BatchStored or StoreFailed answers.
struct StoreBatch {
  RunId run;
  uint32_t life = 1;
  uint64_t index = 0;
  uint64_t rows = 0;
  RawBytes bytes;
};
struct ReadBatch {
  RunId run;
  IncarnationId client;
  uint64_t index = 0;
};
struct DropResult {
  RunId run;
};
// The run ships its plugin, of so many bytes and with this hash, before its files: PluginStored, at once or when it has
// come, and ShippedBegun answer, or StoreFailed.
struct BeginShipped {
  RunId run;
  std::string plugin_hash;
  uint64_t plugin_bytes = 0;
};
// Keep what was shipped for the run, behind what is kept. ShippedStored or StoreFailed answers.
struct StoreShipped {
  RunId run;
  uint64_t offset = 0;
  RawBytes bytes;
};
// ShippedRead or StoreFailed answers.
struct ReadShippedBlock {
  RunId run;
  IncarnationId reader;
  uint64_t ticket = 0;
  uint64_t offset = 0;
  uint64_t bytes = 0;
};
// A message with shipped bytes behind it.
struct SendShipped {
  IncarnationId to;
  ShippedBlock block;
  RawBytes bytes;
};
struct DropShipped {
  RunId run;
};
// A sentence for the root's operator, and what it is about.
struct Note {
  Severity severity = Severity::kInfo;
  std::string sentence;
  RunId run = {};           // empty: of none
  std::string node = {};    // likewise
  IncarnationId peer = {};  // likewise
};

using FleetAction =
    std::variant<SendMessage, FencePeer, ClosePeer, SendBatch, StartRunGatherer, StopRunGatherer, StoreBatch, ReadBatch,
                 DropResult, BeginShipped, StoreShipped, ReadShippedBlock, SendShipped, DropShipped, Note>;

struct FleetLimits {
  uint32_t runs_max = 4;  // at once; memory of nodes and gatherers is divided by it
  std::size_t queue_max = 1000;
  uint32_t nodes_max = 64;
  uint32_t clients_max = 256;
  std::size_t ended_max = 256;     // kept; beyond, the oldest expires early
  std::size_t expired_max = 4096;  // ids remembered
  uint32_t worker_starts_max = 5;  // of a run's worker at a node
  Duration result_ttl = seconds(3600);
  Duration client_grace = seconds(5);  // an attached run goes on unwatched for so long
  Duration share_turn = seconds(1);    // slots left over go to the next run after this
  Duration progress_every = milliseconds(200);
  uint64_t gatherer_memory_bytes = 0;              // of each run
  bool accept_plugins = false;                     // of clients
  uint64_t ship_bytes_max = 0;                     // of all runs together, on disk; 0: clients ship nothing
  std::size_t shipped_max = 64;                    // runs of which something is kept
  uint32_t shippers_max = 4;                       // clients that send at once; more wait
  uint64_t ship_window_bytes = uint64_t{4} << 20;  // from each on its way, or not yet on disk
  uint64_t record_bytes_max = uint64_t{64} << 20;
  Limits run;  // of each run's scheduler; slots_expected and no_workers_max are set by it
};

// What a fleet has come to. Totals are of runs that have ended.
struct FleetCounts {
  uint32_t nodes = 0;
  uint32_t slots = 0;
  uint32_t clients = 0;
  uint32_t runs_receiving = 0;
  uint32_t runs_queued = 0;
  uint32_t runs_running = 0;
  uint32_t results_kept = 0;
  uint64_t shipped_bytes = 0;  // set aside for what clients ship
  uint64_t nodes_lost = 0;
  uint64_t refused_version = 0;   // peers of another protocol
  uint64_t refused_capacity = 0;  // more than nodes_max or clients_max
  uint64_t refused_invalid = 0;   // a Hello that makes no sense here
  uint64_t runs_done = 0;
  uint64_t runs_failed = 0;
  uint64_t leases = 0;
  uint64_t retries = 0;
  uint64_t bundles = 0;
  uint64_t records = 0;
  uint64_t bytes = 0;
};

class FleetScheduler {
 public:
  explicit FleetScheduler(const FleetLimits& limits, std::string build = {});
  ~FleetScheduler();
  FleetScheduler(const FleetScheduler&) = delete;
  FleetScheduler& operator=(const FleetScheduler&) = delete;

  [[nodiscard]] std::vector<FleetAction> step(FleetEvent event, Instant now);
  [[nodiscard]] std::optional<Instant> next_deadline() const;

  // Nothing runs and everybody who watches has been told: a root that stops may end.
  [[nodiscard]] bool quiet() const;
  [[nodiscard]] FleetCounts counts() const;
  // For tests and pages.
  [[nodiscard]] std::optional<std::string> check_intervals() const;
  [[nodiscard]] const RootScheduler* scheduler_of(RunId run) const;

 private:
  using Actions = std::vector<FleetAction>;
  enum class Stage : uint8_t { kReceiving, kQueued, kRunning, kStoring, kDone, kFailed };
  struct Watcher {
    uint64_t next = 0;     // batch to be read
    uint64_t sent = 0;     // batches [from, sent) were
    uint64_t allowed = 0;  // batches [0, allowed) may be
    bool schema_told = false;
    bool over_told = false;
  };
  struct RunEntry;
  struct WorkerAtNode {
    uint32_t starts = 0;
    uint32_t share = 0;
    bool told = false;  // its scheduler knows the share
    bool started = false;
    uint64_t reads = 0;  // of the shipped plugin, asked for and not answered
  };
  struct Node {
    IncarnationId incarnation;
    Hello hello;
    std::string label;  // its name, made unique among those that live
    Instant joined;
    bool leaving = false;
    bool released = false;
    std::map<RunId, WorkerAtNode> workers;
  };
  struct Peer {
    Role role = Role::kClient;
    RunId run = {};          // of a worker or gatherer
    std::string label = {};  // of a node
    std::string name = {};   // of a client
    uint64_t reads = 0;      // of shipped bytes, asked for and not answered
    uint64_t reads_max = 0;
  };

  void on(PeerSaid said, Instant now, Actions& actions);
  void on(PeerLost lost, Instant now, Actions& actions);
  void on(RunGathererEnded ended, Instant now, Actions& actions);
  void on(const BatchStored& stored, Instant now, Actions& actions);
  void on(StoreFailed failed, Instant now, Actions& actions);
  void on(BatchRead read, Instant now, Actions& actions);
  void on(PluginStored stored, Instant now, Actions& actions);
  void on(const ShippedBegun& begun, Instant now, Actions& actions);
  void on(const ShippedStored& stored, Instant now, Actions& actions);
  void on(ShippedRead read, Instant now, Actions& actions);
  void on(RootStopping, Instant now, Actions& actions);
  void on(Tick, Instant, Actions&) {}

  void greet(IncarnationId from, Hello hello, Instant now, Actions& actions);
  void refuse(IncarnationId from, const Hello& hello, std::string sentence, Actions& actions);
  void node_said(Node& node, const Message& message, Instant now, Actions& actions);
  void client_said(IncarnationId from, Message message, RawBytes raw, Instant now, Actions& actions);
  void lose_node(const std::string& label, const Cause& cause, Instant now, Actions& actions);
  void lose_client(IncarnationId client, Instant now);

  void submit(IncarnationId from, Submit submit, Instant now, Actions& actions);
  void watch(IncarnationId from, const Watch& watch, Instant now, Actions& actions);
  void take_shipped(IncarnationId from, const ShipBytes& told, RawBytes bytes, Instant now, Actions& actions);
  void receive_whole(RunEntry& run, Actions& actions);
  void read_shipped(IncarnationId from, const ReadShipped& wanted, Instant now, Actions& actions);
  void read_shipped(Node& node, const ReadShipped& wanted, Instant now, Actions& actions);
  void drop_shipped(RunEntry& run, Actions& actions);
  // Why a run that ships so many bytes of files, or such a plugin, is not taken; nothing where it is.
  [[nodiscard]] std::optional<Failure> no_room_for(uint64_t bytes) const;
  [[nodiscard]] std::optional<Failure> no_plugin_of(const RunSpecification& specification) const;
  // Behind a sentence that there is no worker: which there are that do not take the run's plugin.
  [[nodiscard]] std::string who_takes_no_plugins() const;
  void cancel(RunEntry& run, Cause cause, Instant now, Actions& actions);
  void start_run(RunEntry& run, Instant now, Actions& actions);
  void start_worker(Node& node, RunEntry& run, Actions& actions);
  void stop_worker(Node& node, RunId run, Actions& actions);
  void feed(RunEntry& run, Event event, Instant now, Actions& actions);
  void end_run(RunEntry& run, RunEnded ended, Instant now);
  void fail_run(RunEntry& run, ExitCode code, std::string sentence, Instant now, Actions& actions);
  void close_run(RunEntry& run, Instant now, Actions& actions);
  void expire(RunId run, Actions& actions);

  // After every event.
  void settle(Instant now, Actions& actions);
  void give_ship_credit(Actions& actions);
  void divide_slots(Instant now, Actions& actions);
  void release_nodes(Instant now, Actions& actions);
  void serve(RunEntry& run, Instant now, Actions& actions);
  void serve(RunEntry& run, IncarnationId client, Watcher& watcher, Actions& actions);

  [[nodiscard]] RunEntry* find(RunId run);
  [[nodiscard]] uint32_t running() const;
  [[nodiscard]] uint32_t slots_of_nodes() const;
  [[nodiscard]] RunProgress progress_of(const RunEntry& run) const;
  [[nodiscard]] Runs list_runs(Instant now) const;
  [[nodiscard]] Nodes list_nodes(Instant now) const;

  FleetLimits limits_;
  std::string build_;
  std::map<IncarnationId, Peer> peers_;
  std::map<std::string, Node> nodes_;  // by label
  std::map<RunId, std::unique_ptr<RunEntry>> runs_;
  std::vector<RunId> order_;  // of submission
  std::set<RunId> expired_;
  std::deque<RunId> expired_order_;
  uint64_t turn_ = 0;  // of the slots left over
  std::optional<Instant> next_turn_;
  bool stopping_ = false;
  FleetCounts totals_;
};

}  // namespace fanfold::schedule
