#include "runtime/worker/slot_partial.h"

#include <utility>

namespace fanfold::worker {

std::unique_ptr<SlotPartial> PartialStore::take(std::uint32_t slot, std::uint64_t soft_bytes, std::uint64_t hard_bytes,
                                                std::uint32_t* stop) {
  {
    const std::lock_guard lock(mutex_);
    auto& idle = idle_[slot];
    if (!idle.empty()) {
      std::unique_ptr<SlotPartial> partial = std::move(idle.back());
      idle.pop_back();
      return partial;
    }
  }
  return std::make_unique<SlotPartial>(instance_, pool_, slot, soft_bytes, hard_bytes, stop);
}

void PartialStore::give_back(std::unique_ptr<SlotPartial> partial) {
  if (partial == nullptr || partial->partial.handle() == nullptr || !partial->reusable) return;
  partial->partial.reset();
  partial->ledger = Ledger{};
  if (partial->account.bytes() > partial->account.soft_bytes() / 2) return;
  const std::lock_guard lock(mutex_);
  idle_[partial->slot].push_back(std::move(partial));
}

}  // namespace fanfold::worker
