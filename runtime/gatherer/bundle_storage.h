// bundle_storage.h: the bytes of bundles while they are received, in memory of the gatherer's account.
// Chunks are stored by the thread that owns the sockets; a whole bundle is then handed over to be folded.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>

#include "engine/fold/packed_bundle.h"
#include "engine/protocol/message.h"
#include "runtime/plugin/memory_pool.h"

namespace fanfold::gatherer {

// A block of the account's memory, given back when the last reference goes.
class HeldBytes {
 public:
  HeldBytes(const fanfold_memory* memory, std::uint64_t bytes);
  ~HeldBytes();
  HeldBytes(const HeldBytes&) = delete;
  HeldBytes& operator=(const HeldBytes&) = delete;
  [[nodiscard]] std::uint8_t* data() const { return data_; }  // null: memory was refused
  [[nodiscard]] std::uint64_t bytes() const { return bytes_; }

 private:
  const fanfold_memory* memory_;
  std::uint8_t* data_;
  std::uint64_t bytes_;
};

struct StoredBundle {
  BundleOffer offer;
  std::shared_ptr<HeldBytes> bytes;
};

class BundleStorage {
 public:
  explicit BundleStorage(const fanfold_memory* memory) : memory_(memory) {}

  // False: memory was refused.
  [[nodiscard]] bool receive(const BundleId& id, const BundleOffer& offer);
  void store(const BundleId& id, std::uint64_t offset, ByteView bytes);
  // Empty when it has been freed meanwhile.
  [[nodiscard]] std::optional<StoredBundle> find(const BundleId& id) const;
  void free(const BundleId& id) { bundles_.erase(id); }
  void clear() { bundles_.clear(); }

 private:
  const fanfold_memory* memory_;
  std::map<BundleId, StoredBundle> bundles_;
};

// The parts of a whole bundle, which keep its bytes alive; or nothing, when the offer's parts do not lie
// within the bundle's bytes.
[[nodiscard]] std::optional<PackedBundle> parts_of(const BundleId& id, const StoredBundle& stored);

}  // namespace fanfold::gatherer
