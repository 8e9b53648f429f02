// bundle.h: the awarded partials of a worker folded together: first a table that slots merge into, a lock a
// work part, then packed bytes that chunks are cut from. Used from slot threads and the main thread as said.
#pragma once

#include <fanfold/ledger.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "engine/protocol/message.h"
#include "engine/worker/worker_core.h"
#include "runtime/plugin/memory_pool.h"
#include "runtime/plugin/plugin.h"
#include "runtime/worker/slot.h"
#include "runtime/worker/slot_page.h"
#include "runtime/worker/slot_partial.h"

namespace fanfold::worker {

// Time that slots spent on a run, a line each.
struct alignas(64) SlotClock {
  std::atomic<std::int64_t> read_map_ns = 0;
  std::atomic<std::int64_t> seal_pack_ns = 0;
  std::atomic<std::int64_t> merge_ns = 0;
  std::atomic<std::int64_t> finish_ns = 0;
};

// The bytes of a packed bundle, as BundleOffer describes them, in segments of whole parts. Not one block:
// a fresh block of hundreds of megabytes costs more to touch than to fill, segments come warm out of the
// pool, from the tables that packing has just freed. Immutable once packed.
class PackedBytes : public std::enable_shared_from_this<PackedBytes> {
 public:
  struct Segment {
    std::uint64_t offset = 0;  // in the bundle
    std::uint64_t bytes = 0;
    std::uint8_t* data = nullptr;
  };

  // `account` is charged, and outlives this.
  explicit PackedBytes(std::shared_ptr<plugin::MemoryAccount> account) : account_(std::move(account)) {}
  ~PackedBytes();
  PackedBytes(const PackedBytes&) = delete;
  PackedBytes& operator=(const PackedBytes&) = delete;

  // A segment's memory, once. False: refused.
  bool allocate(Segment& segment);

  // Bytes [offset, offset + size) of the bundle: a view where they lie in one segment, else a copy.
  [[nodiscard]] RawBytes slice(std::uint64_t offset, std::uint64_t size) const;

  std::vector<Segment> segments;  // in order, without gaps
  std::uint64_t bytes = 0;

 private:
  std::shared_ptr<plugin::MemoryAccount> account_;
};

class Bundle {
 public:
  Bundle(BundleSeq seq, const plugin::Instance& instance, plugin::MemoryPool& pool, std::uint64_t hard_bytes);

  [[nodiscard]] BundleSeq seq() const { return seq_; }
  [[nodiscard]] const plugin::Instance& instance() const { return instance_; }
  [[nodiscard]] const std::shared_ptr<plugin::MemoryAccount>& account() const { return account_; }

  // Its partial, made when first asked for: that is user code, for a slot to run. Null: refused.
  fanfold_partial* partial();
  // Frees the partial, once packed.
  void free_partial();

  [[nodiscard]] std::mutex& part_lock(std::uint32_t part) { return part_locks_[part]; }
  void add(const Ledger& ledger);
  [[nodiscard]] Bytes packed_ledger() const;

 private:
  BundleSeq seq_;
  const plugin::Instance& instance_;
  std::shared_ptr<plugin::MemoryAccount> account_;
  std::vector<std::mutex> part_locks_;
  mutable std::mutex mutex_;  // guards the members below
  std::unique_ptr<plugin::Partial> partial_;
  Ledger ledger_;
};

// Told once, on a slot's thread: what the work came to, or why it failed.
struct WorkReport {
  Event event;                               // PartialMerged or BundlePacked
  std::shared_ptr<PackedBytes> packed = {};  // with BundlePacked
  std::optional<Cause> failed = {};
};
using ReportWork = std::function<void(WorkReport)>;

// What merging, packing and finishing need of their run.
struct BundleWorkplace {
  SlotPage& page;
  std::vector<SlotClock>& clocks;
  Slots& slots;
};

// Folds a lease's sealed partial into a bundle, and gives it back to its store.
class MergeWork : public SharedWork {
 public:
  MergeWork(LeaseId lease, std::unique_ptr<SlotPartial> partial, std::shared_ptr<Bundle> bundle, PartialStore& store,
            BundleWorkplace workplace, ReportWork report);

 private:
  void do_piece(std::uint32_t part, std::uint32_t slot) override;
  void finish(std::uint32_t slot) override;

  LeaseId lease_;
  std::unique_ptr<SlotPartial> right_;
  std::shared_ptr<Bundle> bundle_;
  PartialStore& store_;
  BundleWorkplace workplace_;
  ReportWork report_;
  std::atomic<std::int64_t> merge_ns_ = 0;
  std::mutex mutex_;  // guards failed_
  std::optional<Cause> failed_;
};

// Measures a bundle's parts, lays out their segments, and then shares the packing of them among the slots.
std::shared_ptr<SharedWork> pack_work(std::shared_ptr<Bundle> bundle, BundleWorkplace workplace, ReportWork report);

// Finishes a bundle that holds its whole run, its parts shared among the slots, and packs the rows, of which
// `schema` may limit the number.
std::shared_ptr<SharedWork> finish_work(std::shared_ptr<Bundle> bundle, const Schema& schema, BundleWorkplace workplace,
                                        ReportWork report);

// What a failing callback over a bundle's part comes to.
[[nodiscard]] Cause bundle_cause(Phase phase, BundleId bundle, std::uint32_t part, std::int32_t status,
                                 const plugin::MemoryAccount& account);

}  // namespace fanfold::worker
