// bytes.h: owned bytes, and bytes that somebody else owns and keeps alive (a bundle's chunk, a batch of
// rows), which travel as a raw frame behind the payload frame without being copied.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <vector>

namespace fanfold {

using Bytes = std::vector<std::byte>;
using ByteView = std::span<const std::byte>;

struct RawBytes {
  std::shared_ptr<const void> owner;  // releasing it may happen on any thread
  ByteView view;
  [[nodiscard]] bool present() const { return owner != nullptr; }
};

// Takes over `bytes` without copying them.
inline RawBytes raw_bytes(Bytes bytes) {
  auto owner = std::make_shared<const Bytes>(std::move(bytes));
  const ByteView view{*owner};
  return {std::move(owner), view};
}

// What goes to, or came from, a socket: one payload frame and, when `raw` is present, one raw frame.
struct Frame {
  Bytes payload;
  RawBytes raw;
};

}  // namespace fanfold
