// shipped_reader.h: shipped bytes as one slot reads them: a block at a time, the next one asked for while this one is
// used. Holds two blocks at most, and has asked for two at most (kShippedReadsPerSlotMax). Not thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>

#include "runtime/worker/reading/shipped_blocks.h"

namespace fanfold {

class ShippedReader {
 public:
  // `blocks` outlives the reader.
  explicit ShippedReader(ShippedBlocks& blocks) : blocks_(blocks) {}
  ShippedReader(const ShippedReader&) = delete;
  ShippedReader& operator=(const ShippedReader&) = delete;

  // What lies in [begin, end) will be read in order, so it is asked for ahead.
  void expect(uint64_t begin, uint64_t end);
  // Copies [offset, offset + bytes), waiting for what is not here. False when the wait is cancelled.
  bool read_at(uint64_t offset, char* to, std::size_t bytes);

 private:
  struct Block {
    uint64_t begin = 0;
    uint64_t end = 0;
    uint64_t ticket = 0;
    RawBytes bytes = {};  // present once it has come
  };
  bool drop_all();
  void ask(uint64_t begin, uint64_t end);
  void ask_ahead();

  ShippedBlocks& blocks_;
  uint64_t expected_begin_ = 0;
  uint64_t expected_end_ = 0;
  std::deque<Block> held_;  // each behind the one before it without a gap
};

}  // namespace fanfold
