// slice.h: a piece of a shard's block, as scanners tell it and tables take it.
#pragma once

#include <cstdint>

namespace fanfold {

// Bytes [begin, end) of a block, which is smaller than 4 GiB.
struct Slice {
  std::uint32_t begin;
  std::uint32_t end;
};

}  // namespace fanfold
