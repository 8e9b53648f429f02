// slot_page.h: the page that a supervisor shares with its executor: what each slot is doing, a cell a slot,
// kept up with plain stores, so that whoever outlives the executor can tell what it died of. Mapped before
// the fork; the executor writes, the supervisor reads once it is dead.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "engine/protocol/identity.h"
#include "engine/protocol/message.h"

namespace fanfold::worker {

// One slot's. A line of its own, so that slots do not slow each other down.
struct alignas(64) SlotCell {
  static constexpr std::uint64_t kNoPosition = ~std::uint64_t{0};

  std::uint64_t lease = 0;               // being mapped or sealed; 0: none
  std::uint64_t shard = 0;               // of that lease
  std::uint64_t position = kNoPosition;  // fanfold_shard::position: offset of the record
  std::uint64_t bundle = 0;              // being merged into, packed or finished
  std::uint32_t part = 0;                // of that bundle
  std::uint32_t phase = 0;               // of fanfold::Phase; kNone: no user code runs

  void enter(Phase entered) { __atomic_store_n(&phase, static_cast<std::uint32_t>(entered), __ATOMIC_RELAXED); }
  // Begins a lease, or with an empty id ends it.
  void set_lease(LeaseId id) { __atomic_store_n(&lease, id.value, __ATOMIC_RELAXED); }
  void set_shard(std::uint64_t index) {
    __atomic_store_n(&position, kNoPosition, __ATOMIC_RELAXED);
    __atomic_store_n(&shard, index, __ATOMIC_RELAXED);
  }
  void set_part(BundleSeq seq, std::uint32_t number) {
    __atomic_store_n(&bundle, seq.value, __ATOMIC_RELAXED);
    __atomic_store_n(&part, number, __ATOMIC_RELAXED);
  }
  [[nodiscard]] std::optional<std::uint64_t> offset() const {
    const std::uint64_t at = __atomic_load_n(&position, __ATOMIC_RELAXED);
    return at == kNoPosition ? std::nullopt : std::optional(at);
  }
};
static_assert(sizeof(SlotCell) == 64);

class SlotPage {
 public:
  // Aborts when the system has no memory for a page.
  explicit SlotPage(std::uint32_t slots);
  ~SlotPage();
  SlotPage(const SlotPage&) = delete;
  SlotPage& operator=(const SlotPage&) = delete;

  // For the supervisor, before it forks an executor.
  void begin(IncarnationId incarnation);

  [[nodiscard]] std::uint32_t slots() const { return slots_; }
  [[nodiscard]] IncarnationId incarnation() const { return head_->incarnation; }
  [[nodiscard]] SlotCell& cell(std::uint32_t slot) { return cells_[slot]; }
  [[nodiscard]] const SlotCell& cell(std::uint32_t slot) const { return cells_[slot]; }

  // Said by the executor before it ends itself: an exit without it is user code's.
  void set_leaving() { __atomic_store_n(&head_->leaving, 1U, __ATOMIC_SEQ_CST); }
  [[nodiscard]] bool leaving() const { return __atomic_load_n(&head_->leaving, __ATOMIC_SEQ_CST) != 0; }

  // This slot is the one that ends the process. The first word stands. Callable from a signal handler.
  void set_culprit(std::uint32_t slot);
  [[nodiscard]] std::optional<std::uint32_t> culprit() const;

 private:
  struct alignas(64) Head {
    IncarnationId incarnation;
    std::uint32_t leaving = 0;
    std::uint32_t culprit = 0;  // slot + 1
  };
  std::uint32_t slots_;
  std::size_t bytes_;
  Head* head_;
  SlotCell* cells_;
};

// What the supervisor tells of a dead executor: the cause with whatever the page adds to it, and every
// lease that had been started. `peak_rss_bytes` as the kernel counted it.
[[nodiscard]] Obituary write_obituary(const SlotPage& page, int wait_status, std::uint64_t peak_rss_bytes);

}  // namespace fanfold::worker
