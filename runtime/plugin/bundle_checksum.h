// bundle_checksum.h: the checksums of packed partials on the wire, the same code at both ends. A bundle's
// is made of its parts' own (the zeros that pad a part to 64 bytes are in none), so that the worker hashes
// each part while it is warm from packing and the gatherer hashes parts in parallel.
#pragma once

#include <cstdint>
#include <span>

namespace fanfold::plugin {

// xxh3 (64 bits) of one packed part, or of a small partial.
[[nodiscard]] std::uint64_t part_checksum(const void* packed, std::uint64_t bytes);

// BundleOffer::checksum: xxh3 of the parts' checksums in order, 8 little-endian bytes each.
[[nodiscard]] std::uint64_t bundle_checksum(std::span<const std::uint64_t> part_checksums);

// Parts lie in a bundle's bytes one after the other, each from the next multiple of this on.
inline constexpr std::uint64_t kPartAlignment = 64;
[[nodiscard]] constexpr std::uint64_t padded_part(std::uint64_t packed_bytes) {
  return (packed_bytes + kPartAlignment - 1) / kPartAlignment * kPartAlignment;
}

}  // namespace fanfold::plugin
