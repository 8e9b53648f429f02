// bundle.cpp: merging into a bundle, part by part.
#include "runtime/worker/bundle.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "engine/assertion.h"
#include "engine/protocol/ledger_bytes.h"
#include "engine/worker/memory_split.h"
#include "runtime/process/clock.h"

namespace fanfold::worker {

PackedBytes::~PackedBytes() {
  const fanfold_memory* memory = account_->memory();
  for (const Segment& segment : segments) {
    if (segment.data != nullptr) memory->release(memory->context, segment.data, segment.bytes);
  }
}

bool PackedBytes::allocate(Segment& segment) {
  const fanfold_memory* memory = account_->memory();
  segment.data = static_cast<std::uint8_t*>(memory->allocate(memory->context, segment.bytes));
  return segment.data != nullptr;
}

RawBytes PackedBytes::slice(std::uint64_t offset, std::uint64_t size) const {
  FANFOLD_ASSERT(offset <= bytes && size <= bytes - offset, "a chunk outside its bundle");
  if (size == 0) return raw_bytes({});
  auto segment = std::upper_bound(segments.begin(), segments.end(), offset,
                                  [](std::uint64_t at, const Segment& other) { return at < other.offset; });
  --segment;
  const std::uint64_t within = offset - segment->offset;
  if (size <= segment->bytes - within) {
    return {shared_from_this(), {reinterpret_cast<const std::byte*>(segment->data + within), size}};
  }
  Bytes copy(size);
  for (std::uint64_t done = 0; done < size; ++segment) {
    const std::uint64_t from = offset + done - segment->offset;
    const std::uint64_t some = std::min(size - done, segment->bytes - from);
    std::memcpy(copy.data() + done, segment->data + from, some);
    done += some;
  }
  return raw_bytes(std::move(copy));
}

Bundle::Bundle(BundleSeq seq, const plugin::Instance& instance, plugin::MemoryPool& pool, std::uint64_t hard_bytes)
    : seq_(seq),
      instance_(instance),
      account_(std::make_shared<plugin::MemoryAccount>(&pool, split_memory(hard_bytes, 1).open_bundle_bytes_max,
                                                       hard_bytes, nullptr)),
      part_locks_(instance.work_parts()) {}

fanfold_partial* Bundle::partial() {
  const std::lock_guard lock(mutex_);
  if (partial_ == nullptr) partial_ = std::make_unique<plugin::Partial>(instance_, account_->memory());
  return partial_->handle();
}

void Bundle::free_partial() {
  const std::lock_guard lock(mutex_);
  partial_.reset();
}

void Bundle::add(const Ledger& ledger) {
  const std::lock_guard lock(mutex_);
  ledger_.merge(ledger);
}

Bytes Bundle::packed_ledger() const {
  const std::lock_guard lock(mutex_);
  return pack_ledger(ledger_);
}

Cause bundle_cause(Phase phase, BundleId bundle, std::uint32_t part, std::int32_t status,
                   const plugin::MemoryAccount& account) {
  Cause cause;
  cause.phase = phase;
  cause.bundle = bundle;
  cause.part = part;
  cause.kind = status == FANFOLD_EXHAUSTED ? CauseKind::kMemory : CauseKind::kJob;
  cause.message = plugin::take_failure_text(status);
  if (status == FANFOLD_EXHAUSTED && account.refused_bytes() != 0) {
    cause.message = "a bundle needs more memory than the worker has: " + std::to_string(account.refused_bytes()) +
                    " bytes were asked for, " + std::to_string(account.hard_bytes()) + " are allowed; raise --memory";
  }
  return cause;
}

MergeWork::MergeWork(LeaseId lease, std::unique_ptr<SlotPartial> partial, std::shared_ptr<Bundle> bundle,
                     PartialStore& store, BundleWorkplace workplace, ReportWork report)
    : SharedWork(bundle->instance().work_parts()),
      lease_(lease),
      right_(std::move(partial)),
      bundle_(std::move(bundle)),
      store_(store),
      workplace_(workplace),
      report_(std::move(report)) {}

void MergeWork::do_piece(std::uint32_t part, std::uint32_t slot) {
  {
    // After a failure nothing of this bundle will count.
    const std::lock_guard lock(mutex_);
    if (failed_) return;
  }
  SlotCell& cell = workplace_.page.cell(slot);
  const Instant begin = process::now();
  std::int32_t status = FANFOLD_OK;
  {
    // Another lease may be merging into the same part of the bundle.
    const std::lock_guard lock(bundle_->part_lock(part));
    cell.set_part(bundle_->seq(), part);
    cell.enter(Phase::kMerge);
    fanfold_partial* left = bundle_->partial();
    status =
        left == nullptr ? FANFOLD_EXHAUSTED : bundle_->instance().job().merge(left, right_->partial.handle(), part);
    cell.enter(Phase::kNone);
    cell.set_part({}, 0);
  }
  const std::int64_t spent = (process::now() - begin).nanoseconds;
  merge_ns_.fetch_add(spent, std::memory_order_relaxed);
  workplace_.clocks[slot].merge_ns.fetch_add(spent, std::memory_order_relaxed);
  if (status == FANFOLD_OK) return;
  Cause cause =
      bundle_cause(Phase::kMerge, {workplace_.page.incarnation(), bundle_->seq()}, part, status, *bundle_->account());
  const std::lock_guard lock(mutex_);
  if (!failed_) failed_ = std::move(cause);
}

void MergeWork::finish(std::uint32_t) {
  bundle_->add(right_->ledger);
  store_.give_back(std::move(right_));
  PartialMerged merged;
  merged.lease = lease_;
  merged.bundle = bundle_->seq();
  merged.merge = {merge_ns_.load(std::memory_order_relaxed)};
  merged.bundle_bytes = bundle_->account()->bytes();
  report_({std::move(merged), nullptr, std::move(failed_)});
}

}  // namespace fanfold::worker
