#include "runtime/client/summarise.h"

#include <unistd.h>

#include <algorithm>

#include "runtime/client/machine/machine.h"

namespace fanfold {

RunSummary summarise(const RunRequest& request, const RunResult& result) {
  const schedule::RunStatistics& statistics = result.statistics;
  RunSummary summary;
  summary.run_id = to_text(result.run);
  summary.job = request.job.empty() ? result.job : request.job;
  // Without a ledger the run was not done: then all that is known is what leases reported.
  summary.bytes = result.ledger ? result.ledger->bytes() : statistics.bytes;
  summary.records = result.ledger ? result.ledger->records() : statistics.records;
  if (result.ledger) summary.skipped = result.ledger->skipped();
  summary.rows = result.rows;
  summary.shards = statistics.shards;
  summary.leases = statistics.leases;
  summary.bundles = statistics.bundles;
  summary.retries = statistics.retries;
  summary.drops = statistics.drops;
  summary.coverage =
      statistics.shards == 0 ? 1 : static_cast<double>(result.shards_folded) / static_cast<double>(statistics.shards);
  summary.exit_code = static_cast<int>(result.code);
  summary.wall_seconds = result.wall.seconds();

  if (request.whole_sources) {
    summary.notes.emplace_back("each file was one shard: its records can only be found from its beginning");
  }

  SlotSeconds& slots = summary.slot_seconds;
  for (const schedule::ProcessStatistics& process : statistics.processes) {
    const bool gatherer = process.role == Role::kGatherer;
    const bool supervisor = !gatherer && process.slots == 0;
    summary.processes.push_back({gatherer     ? "gatherer"
                                 : supervisor ? "supervisor"
                                              : "worker",
                                 static_cast<std::int64_t>(process.pid), process.peak_rss_bytes});
    if (gatherer) continue;
    slots.read_map += process.slot_times.read_map.seconds();
    slots.seal_pack += process.slot_times.seal_pack.seconds();
    slots.wire += process.slot_times.wire.seconds();
    slots.merge += process.slot_times.merge.seconds();
    slots.finish += process.slot_times.finish.seconds();
  }
  summary.processes.insert(summary.processes.begin(),
                           {request.root.empty() ? "root" : "client", getpid(), peak_rss_bytes()});
  const double all = summary.wall_seconds * result.slots;
  const double busy = slots.read_map + slots.seal_pack + slots.wire + slots.merge + slots.finish;
  // While the gatherer finishes, all slots wait for it.
  const double finishing = std::clamp(statistics.finish.seconds() * result.slots, 0.0, std::max(all - busy, 0.0));
  slots.finish += finishing;
  slots.idle = std::max(all - busy - finishing, 0.0);

  summary.machine.cpus = cpu_count();
  summary.machine.memory_bytes = machine_memory().total_bytes;
  if (const Result<KernelLevel> kernels = choose_kernels()) summary.machine.kernels = name_of(*kernels);
  return summary;
}

}  // namespace fanfold
