#include "runtime/worker/reading/shipped_reader.h"

#include <algorithm>
#include <cstring>

#include "engine/protocol/limits.h"

namespace fanfold {

void ShippedReader::expect(uint64_t begin, uint64_t end) {
  expected_begin_ = begin;
  expected_end_ = end;
}

bool ShippedReader::read_at(uint64_t offset, char* to, std::size_t bytes) {
  while (bytes > 0) {
    while (!held_.empty() && held_.front().bytes.present() && held_.front().end <= offset) held_.pop_front();
    const bool follows = !held_.empty() && held_.front().begin <= offset && offset <= held_.back().end;
    if (!follows && !drop_all()) return false;
    // What is asked for out of order is no more than what is wanted.
    if (held_.empty()) ask(offset, std::min<uint64_t>(offset + bytes, offset + kShippedBlockBytesMax));
    ask_ahead();
    Block& block = held_.front();
    if (!block.bytes.present()) {
      std::optional<RawBytes> came = blocks_.wait(block.ticket);
      if (!came) {
        held_.clear();
        return false;
      }
      block.bytes = std::move(*came);
      if (block.end <= offset) continue;
    }
    const auto piece = static_cast<std::size_t>(std::min<uint64_t>(bytes, block.end - offset));
    std::memcpy(to, block.bytes.view.data() + (offset - block.begin), piece);
    to += piece;
    offset += piece;
    bytes -= piece;
  }
  return true;
}

// What was asked for and is not wanted any more is waited for: it counts among what this slot has asked for.
bool ShippedReader::drop_all() {
  bool cancelled = false;
  for (const Block& block : held_) {
    if (!block.bytes.present() && !blocks_.wait(block.ticket)) cancelled = true;
  }
  held_.clear();
  return !cancelled;
}

void ShippedReader::ask(uint64_t begin, uint64_t end) {
  held_.push_back({begin, end, blocks_.ask(begin, end - begin)});
}

void ShippedReader::ask_ahead() {
  if (held_.size() >= kShippedReadsPerSlotMax) return;
  const uint64_t begin = held_.back().end;
  if (begin < expected_begin_ || begin >= expected_end_) return;
  ask(begin, std::min<uint64_t>(expected_end_, begin + kShippedBlockBytesMax));
}

}  // namespace fanfold
