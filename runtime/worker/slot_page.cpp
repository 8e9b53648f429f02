// slot_page.cpp: the mapping, and how a dead executor's cells are read.
#include "runtime/worker/slot_page.h"

#include <sys/mman.h>

#include <algorithm>
#include <new>

#include "engine/assertion.h"
#include "runtime/process/child_process.h"

namespace fanfold::worker {

SlotPage::SlotPage(std::uint32_t slots) : slots_(slots), bytes_(sizeof(Head) + slots * sizeof(SlotCell)) {
  void* mapped = mmap(nullptr, bytes_, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  FANFOLD_ASSERT(mapped != MAP_FAILED, "no memory for the slots' page");
  head_ = new (mapped) Head;
  cells_ = reinterpret_cast<SlotCell*>(static_cast<char*>(mapped) + sizeof(Head));
  begin({});
}

SlotPage::~SlotPage() {
  munmap(head_, bytes_);
}

void SlotPage::begin(IncarnationId incarnation) {
  *head_ = Head{incarnation};
  for (std::uint32_t slot = 0; slot < slots_; ++slot) new (&cells_[slot]) SlotCell;
}

void SlotPage::set_culprit(std::uint32_t slot) {
  std::uint32_t none = 0;
  __atomic_compare_exchange_n(&head_->culprit, &none, slot + 1, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
}

std::optional<std::uint32_t> SlotPage::culprit() const {
  const std::uint32_t said = __atomic_load_n(&head_->culprit, __ATOMIC_SEQ_CST);
  if (said == 0 || said > slots_) return std::nullopt;
  return said - 1;
}

namespace {

Phase phase_of(const SlotCell& cell) {
  return cell.phase <= static_cast<std::uint32_t>(kLastOf<Phase>) ? static_cast<Phase>(cell.phase) : Phase::kNone;
}

// The slot to be blamed: the one that said so, or the only one that was in user code.
std::optional<std::uint32_t> find_culprit(const SlotPage& page) {
  if (const auto said = page.culprit()) return said;
  std::optional<std::uint32_t> only;
  for (std::uint32_t slot = 0; slot < page.slots(); ++slot) {
    if (phase_of(page.cell(slot)) == Phase::kNone) continue;
    if (only) return std::nullopt;
    only = slot;
  }
  return only;
}

}  // namespace

Obituary write_obituary(const SlotPage& page, int wait_status, std::uint64_t peak_rss_bytes) {
  Obituary obituary;
  obituary.incarnation = page.incarnation();
  obituary.cause = process::cause_of_status(wait_status);
  Cause& cause = obituary.cause;
  cause.peak_rss_bytes = peak_rss_bytes;
  const std::optional<std::uint32_t> culprit = find_culprit(page);
  if (culprit) {
    const SlotCell& cell = page.cell(*culprit);
    cause.phase = phase_of(cell);
    if (cell.lease != 0) {
      cause.shard = cell.shard;
      cause.offset = cell.offset();
    } else if (cell.bundle != 0) {
      cause.part = cell.part;
      cause.bundle = BundleId{page.incarnation(), {cell.bundle}};
    }
  }
  for (std::uint32_t slot = 0; slot < page.slots() && obituary.suspects.size() < kSuspectsMax; ++slot) {
    const SlotCell& cell = page.cell(slot);
    if (cell.lease == 0) continue;
    Suspect suspect;
    suspect.slot = slot;
    suspect.lease = {cell.lease};
    suspect.shard = cell.shard;
    suspect.phase = phase_of(cell);
    suspect.offset = cell.offset();
    obituary.suspects.push_back(suspect);
    // The one who did it first.
    if (culprit == slot) std::swap(obituary.suspects.front(), obituary.suspects.back());
  }
  return obituary;
}

}  // namespace fanfold::worker
