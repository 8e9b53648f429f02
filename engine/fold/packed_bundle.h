// packed_bundle.h: a bundle received whole, as the plugin packed it, or its finished rows: its parts, borrowed from the
// buffers they came in, which it keeps alive. Immutable; cheap to move.
#pragma once

#include <fanfold/abi.h>

#include <cstdint>
#include <memory>
#include <vector>

#include "engine/protocol/identity.h"
#include "engine/protocol/message.h"

namespace fanfold {

struct PackedBundle {
  BundleId id = {};  // names it in failures; empty for small partials and for what compact() made
  BundleContent content = BundleContent::kColumns;
  std::uint32_t log2_parts = 0;
  std::vector<fanfold_packed> parts;    // 1 << log2_parts of them
  std::vector<fanfold_extent> extents;  // of the parts, as validate() found them
  std::uint64_t entries = 0;
  std::uint64_t bytes = 0;
  std::shared_ptr<const void> owner;  // of the parts' bytes
};

}  // namespace fanfold
