// executor.h: one incarnation of a worker: sockets and sessions on the main thread, around the worker's
// core (engine/worker/worker_core.h), and a thread a slot, where user code runs.
#pragma once

#include <optional>

#include "engine/protocol/message.h"
#include "runtime/worker/slot_page.h"
#include "runtime/worker/supervisor.h"

namespace fanfold::worker {

// In a process just forked. Ends it, with an ExecutorStatus.
[[noreturn]] void run_executor(const WorkerConfig& config, const log::Log& log, SlotPage& page,
                               std::optional<Obituary> obituary);

}  // namespace fanfold::worker
