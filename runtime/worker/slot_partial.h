// slot_partial.h: a partial with the account of its memory and the ledger of its shards; and the store that
// gives them out to slots, warm ones first.
#pragma once

#include <fanfold/ledger.h>

#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

#include "runtime/plugin/memory_pool.h"
#include "runtime/plugin/plugin.h"

namespace fanfold::worker {

struct SlotPartial {
  // `stop` is the slot's word; null where nobody is to be stopped.
  SlotPartial(const plugin::Instance& instance, plugin::MemoryPool& pool, std::uint32_t of_slot,
              std::uint64_t soft_bytes, std::uint64_t hard_bytes, std::uint32_t* stop)
      : slot(of_slot), account(&pool, soft_bytes, hard_bytes, stop), partial(instance, account.memory()) {}

  std::uint32_t slot;
  plugin::MemoryAccount account;
  plugin::Partial partial;  // after its account: freed before it
  Ledger ledger;
  bool reusable = true;  // false: freed when given back
};

// One a run. Any thread.
class PartialStore {
 public:
  PartialStore(const plugin::Instance& instance, plugin::MemoryPool& pool, std::uint32_t slots)
      : instance_(instance), pool_(pool), idle_(slots) {}

  // An empty partial for a slot. Its handle is null when memory was refused.
  std::unique_ptr<SlotPartial> take(std::uint32_t slot, std::uint64_t soft_bytes, std::uint64_t hard_bytes,
                                    std::uint32_t* stop);
  // Resets it and keeps it for its slot; one that holds on to much memory is freed instead, or the next
  // lease would begin at its bound.
  void give_back(std::unique_ptr<SlotPartial> partial);

 private:
  const plugin::Instance& instance_;
  plugin::MemoryPool& pool_;
  std::mutex mutex_;
  std::vector<std::vector<std::unique_ptr<SlotPartial>>> idle_;  // by slot
};

}  // namespace fanfold::worker
