// run_session.h: one run as its client sees it: what comes out of it, event by event, and the few things
// a client may ask. Behind it is an embedded cluster (embedded_run.cpp) or the sequential twin
// (sequential_run.cpp). One thread, but cancel() and kill() may come from any.
#pragma once

#include <fanfold/ledger.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <variant>

#include "engine/failure.h"
#include "engine/protocol/row_batch.h"
#include "engine/protocol/schema.h"
#include "engine/schedule/root_scheduler.h"
#include "runtime/client/input_expansion.h"
#include "runtime/client/run_request.h"
#include "runtime/client/spool.h"

namespace fanfold {

// What the rows to come look like. First of all, and once, unless the run fails before.
struct SchemaKnown {
  Schema schema;
};
// The next rows, in order. index counts batches from 0; when it is 0 again, the gatherer was lost and every
// row before is void.
struct ResultRows {
  std::uint64_t index = 0;
  RowBatch batch;
};
// Nothing follows.
struct RunResult {
  RunId run;
  std::string job;  // of a run at a fleet's root
  ExitCode code = ExitCode::kDone;
  std::string sentence;  // empty when done
  std::uint64_t rows = 0;
  std::uint64_t shards_folded = 0;  // coverage: of statistics.shards
  std::optional<Ledger> ledger;     // of a run that was done: each record counted once, however often mapped
  schedule::RunStatistics statistics;
  Duration wall = {};
  std::uint32_t slots = 0;
};
using RunEvent = std::variant<SchemaKnown, ResultRows, RunResult>;

class RunSession {
 public:
  virtual ~RunSession() = default;  // ends every process of the run
  // The next event, or nothing after `timeout`.
  virtual std::optional<RunEvent> wait(Duration timeout) = 0;
  // So many batches have been taken in all: more may come.
  virtual void consumed(std::uint64_t batches) = 0;
  // RunResult follows within two seconds, with the cause's exit code.
  virtual void cancel(ExitCode code) = 0;
  // Ends the processes at once; nothing follows.
  virtual void kill() = 0;
  virtual schedule::Progress progress() = 0;
  // What the run reads, for refusing an output that is one of them.
  [[nodiscard]] virtual const std::vector<Source>& sources() const = 0;
};

// Expands the inputs of a request.
Result<ExpandedInput> expand_for(const RunRequest& request, const Stopped& stopped);
// Expands the inputs, plans, and starts the run. `stopped` ends the expansion early (exit 130).
Result<std::unique_ptr<RunSession>> start_run(const RunRequest& request, const Stopped& stopped);

}  // namespace fanfold
