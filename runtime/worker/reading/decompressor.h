// decompressor.h: the bytes inside a compressed file, from its beginning to its end: all members of a .gz,
// all frames of a .zst. A file cut short, damaged, or with anything else behind its end is exit 3, in a
// sentence with the offset. Memory is bounded: gzip needs 0.2 MiB, zstd at most a window of 128 MiB.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "engine/failure.h"
#include "engine/plan/plan.h"
#include "runtime/worker/reading/input_file.h"

namespace fanfold {

// A zstd frame made with a larger window (--long=28 and up) is refused: it would need that much memory a slot.
inline constexpr int kZstdWindowLog2Max = 27;

class Decompressor {
 public:
  virtual ~Decompressor() = default;
  // Up to `bytes` further bytes; 0 of them is legal before the end too, so that the caller may look at its
  // stop word between two reads.
  virtual Result<size_t> read(char* to, size_t bytes) = 0;
  [[nodiscard]] bool at_end() const { return at_end_; }
  // Bytes of the file taken so far.
  [[nodiscard]] virtual uint64_t stored_bytes() const = 0;

 protected:
  bool at_end_ = false;
};

// `file` outlives the decompressor; its source's compression is not kNone.
std::unique_ptr<Decompressor> make_decompressor(const InputFile& file);

}  // namespace fanfold
