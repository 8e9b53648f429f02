#include "runtime/client/memory_shares.h"

#include <algorithm>
#include <string>

namespace fanfold {

namespace {

constexpr std::uint64_t kMebi = std::uint64_t{1} << 20;
// Measured as VmHWM beyond what is accounted for, with room: word counts of few and of millions of words, 64 MiB to
// 2 GiB, one and two workers.
constexpr std::uint64_t kRootBytes = 16 * kMebi;
constexpr std::uint64_t kGathererBytes = 16 * kMebi;
constexpr std::uint64_t kWorkerBytes = 16 * kMebi;  // supervisor and executor
constexpr std::uint64_t kSlotBytes = 12 * kMebi;
constexpr std::uint64_t kTwinBytes = 16 * kMebi;
// Less would not hold the tables of one shard.
constexpr std::uint64_t kShareBytesLeast = 16 * kMebi;

std::uint64_t set_aside(std::uint64_t workers, std::uint64_t slots) {
  return kRootBytes + kGathererBytes + workers * (kWorkerBytes + slots * kSlotBytes);
}

// Root and workers each keep the list, and hold it packed beside for a moment: three times its own bytes were measured
// for 300,000 files.
constexpr std::uint64_t kListTimes = 4;
constexpr std::uint64_t kSourceBytes = 2 * sizeof(Source);
constexpr std::uint64_t kSmallListsBytes = 4 * kMebi;  // within what is set aside for processes

std::uint64_t list_bytes(const std::vector<Source>& inputs) {
  std::uint64_t bytes = 0;
  for (const Source& input : inputs) bytes += kSourceBytes + input.name.size() + input.path.size();
  return bytes;
}

std::uint64_t bytes_least(std::uint64_t workers, std::uint64_t slots) {
  return set_aside(workers, slots) + (1 + workers) * kShareBytesLeast;
}

std::string counted(std::uint64_t count, const std::string& one) {
  return std::to_string(count) + " " + one + (count == 1 ? "" : "s");
}

Failure too_little(const MemoryBudget& budget, const std::string& who, std::uint64_t least, const std::string& advice) {
  const std::string have = budget.given ? "--memory is " : "what this machine can give is ";
  return {ExitCode::kUsage, have + std::to_string(budget.bytes / kMebi) + " MiB, but " + who + " needs at least " +
                                std::to_string((least + kMebi - 1) / kMebi) + " MiB; " + advice};
}

}  // namespace

Result<MemoryShares> share_memory(const MemoryBudget& budget, std::uint32_t workers, std::uint32_t slots,
                                  const std::vector<Source>& inputs) {
  const std::uint64_t all_lists = kListTimes * list_bytes(inputs) * (1 + std::uint64_t{workers});
  const std::uint64_t lists = all_lists - std::min(all_lists, kSmallListsBytes);
  const std::uint64_t least = bytes_least(workers, slots) + lists;
  if (budget.bytes < least) {
    return too_little(budget,
                      "a run of " + counted(workers, "worker") + " with " + counted(slots, "slot") + " over " +
                          counted(inputs.size(), "input"),
                      least, "raise --memory, use fewer --workers or --slots, or --sequential");
  }
  const std::uint64_t rest = budget.bytes - set_aside(workers, slots) - lists;
  return MemoryShares{rest / 2, rest / 2 / workers};
}

std::uint32_t default_slots(const MemoryBudget& budget, std::uint32_t cpus, std::uint32_t workers) {
  std::uint32_t slots = std::max<std::uint32_t>(cpus / workers, 1);
  while (slots > 1 && bytes_least(workers, slots) > budget.bytes) --slots;
  return slots;
}

std::uint64_t worker_account(std::uint64_t process_bytes, std::uint32_t slots) {
  const std::uint64_t aside = kWorkerBytes + slots * kSlotBytes;
  return std::max(process_bytes - std::min(process_bytes, aside), kShareBytesLeast);
}

std::uint64_t gatherer_account(std::uint64_t process_bytes) {
  return std::max(process_bytes - std::min(process_bytes, kGathererBytes), kShareBytesLeast);
}

Result<std::uint64_t> twin_memory(const MemoryBudget& budget) {
  constexpr std::uint64_t kAside = kRootBytes + kTwinBytes;
  if (budget.bytes < kAside + kShareBytesLeast) {
    return too_little(budget, "the twin", kAside + kShareBytesLeast, "raise --memory");
  }
  return budget.bytes - kAside;
}

}  // namespace fanfold
