#include "runtime/worker/reading/shipped_blocks.h"

#include <utility>

namespace fanfold {

uint64_t ShippedBlocks::ask(uint64_t offset, uint64_t bytes) {
  uint64_t ticket = 0;
  {
    const std::lock_guard lock(mutex_);
    ticket = ++last_ticket_;
    asked_[ticket] = {bytes};
  }
  send_({ticket, offset, bytes});
  return ticket;
}

std::optional<RawBytes> ShippedBlocks::wait(uint64_t ticket) {
  std::unique_lock lock(mutex_);
  const auto asked = asked_.find(ticket);
  changed_.wait(lock, [&] { return cancelled_ || asked->second.block; });
  std::optional<RawBytes> block = std::move(asked->second.block);
  asked_.erase(asked);
  return cancelled_ ? std::nullopt : std::move(block);
}

bool ShippedBlocks::deliver(uint64_t ticket, RawBytes block) {
  {
    const std::lock_guard lock(mutex_);
    const auto asked = asked_.find(ticket);
    if (asked == asked_.end() || asked->second.block || asked->second.bytes != block.view.size()) return false;
    asked->second.block = std::move(block);
  }
  changed_.notify_all();
  return true;
}

void ShippedBlocks::cancel() {
  {
    const std::lock_guard lock(mutex_);
    cancelled_ = true;
  }
  changed_.notify_all();
}

}  // namespace fanfold
