// run_work.h: everything a worker holds of one run: the job, open; the plan; a mapper and a stop word a
// slot; the store of partials. Slots map with it; it lives until none does.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "engine/plan/plan.h"
#include "engine/protocol/message.h"
#include "engine/worker/memory_split.h"
#include "engine/worker/worker_core.h"
#include "runtime/plugin/memory_pool.h"
#include "runtime/plugin/plugin.h"
#include "runtime/worker/bundle.h"
#include "runtime/worker/lease_mapper.h"
#include "runtime/worker/slot_partial.h"
#include "runtime/worker/supervisor.h"

namespace fanfold::worker {

// What a slot answers when it is through with a lease.
struct LeaseReport {
  LeaseMapped mapped;
  std::unique_ptr<SlotPartial> partial = {};  // null: nothing of it counts, or it travels inside mapped.small
};

// A partial may pass its soft bound while a shard is mapped to its end: so many times, then the job fails.
inline constexpr std::uint64_t kPartialHardFactor = 4;
// A table's first blocks alone need this.
inline constexpr std::uint64_t kPartialHardBytesLeast = std::uint64_t{4} << 20;
[[nodiscard]] constexpr std::uint64_t partial_hard_bytes(std::uint64_t partial_bytes_max) {
  return std::max(partial_bytes_max * kPartialHardFactor, kPartialHardBytesLeast);
}

class RunWork {
 public:
  // Loads and opens the job. User code, so on a slot's thread: `cell` tells the phase. `shipped` brings what the run's
  // client has shipped.
  static std::variant<std::unique_ptr<RunWork>, Cause> open(const OpenRun& open, const WorkerConfig& config,
                                                            SlotPage& page, SlotCell& cell, plugin::MemoryPool& pool,
                                                            ShippedBlocks& shipped);
  RunWork(const RunWork&) = delete;
  RunWork& operator=(const RunWork&) = delete;

  [[nodiscard]] RunId run() const { return run_; }
  [[nodiscard]] const plugin::Instance& instance() const { return *instance_; }
  [[nodiscard]] PartialStore& partials() { return *partials_; }
  [[nodiscard]] std::vector<SlotClock>& clocks() { return clocks_; }
  [[nodiscard]] const MemorySplit& memory() const { return memory_; }
  [[nodiscard]] std::uint64_t memory_bytes() const { return memory_bytes_; }
  // Of the rows wanted: the job's, with the run's own limit.
  [[nodiscard]] const Schema& schema() const { return schema_; }

  // On the slot's thread: maps, seals and, where asked for and small enough, packs a lease.
  LeaseReport map_lease(const StartLease& start);
  // Every lease, under way or to come, ends as soon as it can. Any thread.
  void cancel();

 private:
  struct alignas(64) StopWord {
    std::uint32_t word = FANFOLD_GO_ON;
  };
  RunWork(SlotPage& page, plugin::MemoryPool& pool) : page_(page), pool_(pool), clocks_(page.slots()) {}
  // Seals the partial into report; the cause where that failed.
  std::optional<Cause> seal(LeaseReport& report, std::unique_ptr<SlotPartial> partial, bool send_small);
  // Packs a sealed partial; what is there to be kept where it turns out not to be small.
  std::variant<SmallPartial, std::unique_ptr<SlotPartial>, Cause> pack_small(std::unique_ptr<SlotPartial> partial);

  SlotPage& page_;
  plugin::MemoryPool& pool_;
  RunId run_;
  std::uint64_t memory_bytes_ = 0;
  std::uint64_t small_bytes_max_ = 0;
  Schema schema_;
  MemorySplit memory_;
  Plan plan_;
  std::unique_ptr<plugin::Plugin> plugin_;
  std::unique_ptr<plugin::Instance> instance_;
  std::vector<StopWord> stops_;
  std::vector<SlotClock> clocks_;
  std::vector<std::unique_ptr<ShippedReader>> shipped_;  // a slot each
  std::vector<std::unique_ptr<LeaseMapper>> mappers_;
  std::unique_ptr<PartialStore> partials_;
};

}  // namespace fanfold::worker
