// bundle_checksum.cpp: xxh3 over parts, and over the parts' checksums in a fixed byte order.
#include "runtime/plugin/bundle_checksum.h"

#include <xxhash.h>

#include <cstddef>
#include <vector>

namespace fanfold::plugin {

std::uint64_t part_checksum(const void* packed, std::uint64_t bytes) {
  return XXH3_64bits(packed, bytes);
}

std::uint64_t bundle_checksum(std::span<const std::uint64_t> part_checksums) {
  std::vector<std::uint8_t> bytes;
  bytes.reserve(part_checksums.size() * 8);
  for (const std::uint64_t checksum : part_checksums) {
    for (unsigned shift = 0; shift < 64; shift += 8) bytes.push_back(static_cast<std::uint8_t>(checksum >> shift));
  }
  return XXH3_64bits(bytes.data(), bytes.size());
}

}  // namespace fanfold::plugin
