// bundle_calls.h: callbacks of the job over the parts of one bundle, from any slot: the slot's page says which
// phase, bundle and part it is in, should the callback crash, and the first failure is kept.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>

#include "engine/protocol/message.h"
#include "runtime/process/clock.h"
#include "runtime/worker/bundle.h"

namespace fanfold::worker {

class BundleCalls {
 public:
  BundleCalls(std::shared_ptr<Bundle> bundle, BundleWorkplace workplace)
      : bundle_(std::move(bundle)), workplace_(workplace) {}

  [[nodiscard]] Bundle& bundle() const { return *bundle_; }
  [[nodiscard]] const BundleWorkplace& workplace() const { return workplace_; }

  [[nodiscard]] bool has_failed() {
    const std::lock_guard lock(mutex_);
    return failed_.has_value();
  }
  [[nodiscard]] std::optional<Cause> take_failure() {
    const std::lock_guard lock(mutex_);
    return std::exchange(failed_, std::nullopt);
  }
  void fail(Cause cause) {
    const std::lock_guard lock(mutex_);
    if (!failed_) failed_ = std::move(cause);
  }

  // Runs one callback, which answers a status, over one part. False: it failed.
  template <class Callback>
  bool call(Phase phase, std::uint32_t slot, std::uint32_t part, Callback&& callback) {
    SlotCell& cell = workplace_.page.cell(slot);
    cell.set_part(bundle_->seq(), part);
    cell.enter(phase);
    const std::int32_t status = callback();
    cell.enter(Phase::kNone);
    cell.set_part({}, 0);
    if (status == FANFOLD_OK) return true;
    fail(bundle_cause(phase, {workplace_.page.incarnation(), bundle_->seq()}, part, status, *bundle_->account()));
    return false;
  }

 private:
  std::shared_ptr<Bundle> bundle_;
  BundleWorkplace workplace_;
  std::mutex mutex_;  // guards failed_
  std::optional<Cause> failed_;
};

// Adds the time of a scope to one of a slot's clocks.
class SlotTimer {
 public:
  explicit SlotTimer(std::atomic<std::int64_t>& clock_ns) : clock_ns_(clock_ns), begin_(process::now()) {}
  ~SlotTimer() { clock_ns_.fetch_add((process::now() - begin_).nanoseconds, std::memory_order_relaxed); }
  SlotTimer(const SlotTimer&) = delete;
  SlotTimer& operator=(const SlotTimer&) = delete;

 private:
  std::atomic<std::int64_t>& clock_ns_;
  Instant begin_;
};

}  // namespace fanfold::worker
