// shipped_blocks.h: the blocks of shipped bytes that an executor's slots wait for. A slot asks and waits; the thread
// that owns the link to the root passes the question on and delivers the answer. What a slot may have asked for at once
// is its own matter (shipped_reader.h). Thread-safe.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <optional>

#include "engine/protocol/bytes.h"

namespace fanfold {

// Bytes [offset, offset + bytes) of what the client has shipped.
struct BlockRequest {
  uint64_t ticket = 0;
  uint64_t offset = 0;
  uint64_t bytes = 0;
};

class ShippedBlocks {
 public:
  // `send` passes a question on; called on the threads of slots.
  explicit ShippedBlocks(std::function<void(BlockRequest)> send) : send_(std::move(send)) {}
  ShippedBlocks(const ShippedBlocks&) = delete;
  ShippedBlocks& operator=(const ShippedBlocks&) = delete;

  // The ticket to wait with.
  [[nodiscard]] uint64_t ask(uint64_t offset, uint64_t bytes);
  // Until the block is there, or nothing once all is cancelled.
  [[nodiscard]] std::optional<RawBytes> wait(uint64_t ticket);

  // The answer to a ticket. One that nobody has, or of another size than was asked for, is dropped: false.
  bool deliver(uint64_t ticket, RawBytes block);
  // Ends every wait, now and later. Any thread.
  void cancel();

 private:
  struct Asked {
    uint64_t bytes = 0;
    std::optional<RawBytes> block = {};
  };
  std::function<void(BlockRequest)> send_;
  std::mutex mutex_;  // guards what follows
  std::condition_variable changed_;
  std::map<uint64_t, Asked> asked_;
  uint64_t last_ticket_ = 0;
  bool cancelled_ = false;
};

}  // namespace fanfold
