#include "runtime/gatherer/bundle_storage.h"

#include <cstring>

#include "engine/assertion.h"
#include "runtime/plugin/bundle_checksum.h"

namespace fanfold::gatherer {

HeldBytes::HeldBytes(const fanfold_memory* memory, std::uint64_t bytes)
    : memory_(memory), data_(static_cast<std::uint8_t*>(memory->allocate(memory->context, bytes))), bytes_(bytes) {}

HeldBytes::~HeldBytes() {
  if (data_ != nullptr) memory_->release(memory_->context, data_, bytes_);
}

bool BundleStorage::receive(const BundleId& id, const BundleOffer& offer) {
  auto bytes = std::make_shared<HeldBytes>(memory_, offer.bytes);
  if (bytes->data() == nullptr) return false;
  bundles_[id] = {offer, std::move(bytes)};
  return true;
}

void BundleStorage::store(const BundleId& id, std::uint64_t offset, ByteView bytes) {
  const auto found = bundles_.find(id);
  if (found == bundles_.end()) return;
  const HeldBytes& held = *found->second.bytes;
  FANFOLD_ASSERT(offset <= held.bytes() && bytes.size() <= held.bytes() - offset, "a chunk beyond its bundle");
  std::memcpy(held.data() + offset, bytes.data(), bytes.size());
}

std::optional<StoredBundle> BundleStorage::find(const BundleId& id) const {
  const auto found = bundles_.find(id);
  if (found == bundles_.end()) return std::nullopt;
  return found->second;
}

std::optional<PackedBundle> parts_of(const BundleId& id, const StoredBundle& stored) {
  const BundleOffer& offer = stored.offer;
  if (offer.log2_parts > FANFOLD_LOG2_PARTS_MAX || offer.parts.size() != std::size_t{1} << offer.log2_parts) {
    return std::nullopt;
  }
  PackedBundle bundle;
  bundle.id = id;
  bundle.content = offer.content;
  bundle.log2_parts = offer.log2_parts;
  bundle.owner = stored.bytes;
  std::uint64_t at = 0;
  for (std::uint32_t part = 0; part < offer.parts.size(); ++part) {
    const std::uint64_t size = offer.parts[part].packed_bytes;
    if (at > offer.bytes || size > offer.bytes - at) return std::nullopt;
    bundle.parts.push_back({sizeof(fanfold_packed), offer.log2_parts, part, 0, stored.bytes->data() + at, size});
    at += plugin::padded_part(size);
  }
  return bundle;
}

}  // namespace fanfold::gatherer
