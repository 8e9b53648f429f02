// memory_shares.h: how `--memory` is shared out over the processes of a run, so that their peaks together stay within
// it: the published rule (docs/cli.md). What a process needs beside what it accounts for is set aside first: code,
// stacks, sockets, buffers, the list of inputs, and, for each slot, the first blocks of its partials. Half of the rest
// is the gatherer's, half the workers'. Pure.
#pragma once

#include <cstdint>
#include <vector>

#include "engine/failure.h"
#include "engine/plan/plan.h"

namespace fanfold {

// What a process may account for.
struct MemoryShares {
  std::uint64_t gatherer_bytes = 0;
  std::uint64_t worker_bytes = 0;  // of each
  bool operator==(const MemoryShares&) const = default;
};

struct MemoryBudget {
  std::uint64_t bytes = 0;
  bool given = false;  // by the user, else by the machine
};

// Exit 2, with the numbers, when it is too little for so many workers, slots and inputs.
[[nodiscard]] Result<MemoryShares> share_memory(const MemoryBudget& budget, std::uint32_t workers, std::uint32_t slots,
                                                const std::vector<Source>& inputs);
// The slots of each worker where the user does not say: a slot a core, shared out over the workers, but no more than
// there is memory for; one at least.
[[nodiscard]] std::uint32_t default_slots(const MemoryBudget& budget, std::uint32_t cpus, std::uint32_t workers);
// At a fleet's root and workers a process has its share of its machine's memory: what it may account for, at least what
// the tables of one shard take.
[[nodiscard]] std::uint64_t worker_account(std::uint64_t process_bytes, std::uint32_t slots);
[[nodiscard]] std::uint64_t gatherer_account(std::uint64_t process_bytes);
// The same for the twin, which is one process beside the client.
[[nodiscard]] Result<std::uint64_t> twin_memory(const MemoryBudget& budget);

}  // namespace fanfold
