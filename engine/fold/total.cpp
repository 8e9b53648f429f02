#include "engine/fold/total.h"

#include <algorithm>
#include <atomic>
#include <mutex>
#include <utility>

#include "engine/assertion.h"
#include "engine/fold/parallel.h"
#include "engine/protocol/finished_rows.h"

namespace fanfold {

namespace {

// Frees a partial of the plugin's at the end of a scope.
class HeldPartial {
 public:
  HeldPartial(const FoldJob& job) : job_(job), handle_(job.job->partial_new(job.instance, job.memory)) {}
  ~HeldPartial() {
    if (handle_ != nullptr) job_.job->partial_free(handle_);
  }
  HeldPartial(const HeldPartial&) = delete;
  HeldPartial& operator=(const HeldPartial&) = delete;
  [[nodiscard]] fanfold_partial* get() const { return handle_; }

 private:
  const FoldJob& job_;
  fanfold_partial* handle_;
};

}  // namespace

Total::Total(FoldJob job, tbb::task_arena& arena, FoldPosition* positions)
    : job_(std::move(job)), arena_(arena), positions_(positions) {}

FoldPosition& Total::position() const {
  return positions_[std::max(tbb::this_task_arena::current_thread_index(), 0)];
}

std::uint32_t Total::log2_parts() const {
  if ((job_.job->flags & FANFOLD_JOB_KEYED) == 0) return 0;
  std::uint64_t entries = 0;
  for (const PackedBundle& bundle : bundles_) {
    if (bundle.log2_parts != 0) return FANFOLD_LOG2_PARTS_MAX;
    entries += bundle.entries;
  }
  return entries < FANFOLD_ONE_PART_ENTRIES ? 0 : FANFOLD_LOG2_PARTS_MAX;
}

void Total::enter(Phase phase, std::uint32_t part, const BundleId& bundle) const {
  FoldPosition& at = position();
  at.bundle_seq.store(bundle.seq.value, std::memory_order_relaxed);
  at.worker_high.store(bundle.incarnation.high, std::memory_order_relaxed);
  at.worker_low.store(bundle.incarnation.low, std::memory_order_relaxed);
  at.part.store(part, std::memory_order_relaxed);
  at.phase.store(static_cast<std::uint32_t>(phase), std::memory_order_relaxed);
}

FoldFault Total::for_parts(std::uint32_t count, const std::function<FoldFault(std::uint32_t)>& body) {
  std::mutex mutex;
  FoldFault first;
  std::atomic<bool> failed = false;
  const auto run = [&](std::uint32_t part) {
    if (failed.load(std::memory_order_relaxed)) return;
    FoldFault fault = body(part);
    position().phase.store(static_cast<std::uint32_t>(Phase::kNone), std::memory_order_relaxed);
    if (!fault) return;
    const std::lock_guard lock(mutex);
    if (!failed.exchange(true)) first = std::move(fault);
  };
  arena_.execute([&] {
    if (count == 1) {
      run(0);
    } else {
      parallel_each(count, [&run](std::size_t part) { run(static_cast<std::uint32_t>(part)); });
    }
  });
  return first;
}

FoldFault Total::failed(std::int32_t status, Phase phase, std::uint32_t part) const {
  Cause cause;
  cause.kind = CauseKind::kJob;
  if (status == FANFOLD_EXHAUSTED) cause.kind = CauseKind::kMemory;
  if (status == FANFOLD_BAD_PARTIAL) cause.kind = CauseKind::kBadPartial;
  cause.phase = phase;
  cause.part = part;
  cause.message = job_.failure_text(status);
  const FoldPosition& at = position();
  const std::uint64_t seq = at.bundle_seq.load(std::memory_order_relaxed);
  if (phase != Phase::kFinish && seq != 0) cause.bundle = BundleId{{at.worker_high, at.worker_low}, {seq}};
  return cause;
}

FoldFault Total::validate(PackedBundle& bundle) {
  if (bundle.content == BundleContent::kRows) return validate_rows(bundle);
  bundle.extents.assign(bundle.parts.size(), fanfold_extent{0, 0, 0});
  FoldFault fault = for_parts(static_cast<std::uint32_t>(bundle.parts.size()), [&](std::uint32_t part) -> FoldFault {
    enter(Phase::kCheck, part, bundle.id);
    const std::int32_t checked = job_.job->check(job_.instance, &bundle.parts[part], &bundle.extents[part]);
    if (checked != FANFOLD_OK) return failed(checked, Phase::kCheck, part);
    return {};
  });
  bundle.entries = bundle.bytes = 0;
  for (const fanfold_extent& extent : bundle.extents) {
    bundle.entries += extent.entries;
    bundle.bytes += extent.packed_bytes;
  }
  return fault;
}

namespace {

std::span<const std::byte> bytes_of(const fanfold_packed& part) {
  return {reinterpret_cast<const std::byte*>(part.data), part.bytes};
}

FoldFault bad_rows(const PackedBundle& bundle, std::uint32_t part, std::string why) {
  Cause cause;
  cause.kind = CauseKind::kBadPartial;
  cause.phase = Phase::kCheck;
  cause.part = part;
  cause.bundle = bundle.id;
  cause.message = std::move(why);
  return cause;
}

}  // namespace

FoldFault Total::validate_rows(PackedBundle& bundle) {
  if (!bundles_.empty()) return bad_rows(bundle, 0, "finished rows came beside other bundles");
  std::atomic<std::uint64_t> rows = 0;
  FoldFault fault = for_parts(static_cast<std::uint32_t>(bundle.parts.size()), [&](std::uint32_t part) -> FoldFault {
    const Status read = read_finished(job_.schema, bytes_of(bundle.parts[part]), [&](const fanfold_batch& batch) {
      rows.fetch_add(batch.rows, std::memory_order_relaxed);
      return success();
    });
    if (!read) return bad_rows(bundle, part, read.failure().sentence);
    return {};
  });
  bundle.entries = rows;
  bundle.bytes = 0;
  for (const fanfold_packed& part : bundle.parts) bundle.bytes += part.bytes;
  return fault;
}

FoldFault Total::emit_rows(const PackedBundle& bundle, RowSink& rows) {
  return for_parts(static_cast<std::uint32_t>(bundle.parts.size()), [&](std::uint32_t part) -> FoldFault {
    const RowSink::Lent writer = rows.writer();
    const Status read =
        read_finished(job_.schema, bytes_of(bundle.parts[part]), [&](const fanfold_batch& batch) -> Status {
          if (writer.rows()->emit(writer.rows()->context, &batch) == FANFOLD_OK) return success();
          return rows.failure().value_or(Failure{ExitCode::kInternal, "rows were refused"});
        });
    if (read) return {};
    Cause cause;
    cause.kind = CauseKind::kJob;
    cause.phase = Phase::kFinish;
    cause.part = part;
    cause.message = read.failure().sentence;
    return cause;
  });
}

void Total::accept(PackedBundle bundle) {
  FANFOLD_ASSERT(bundles_.empty() ||
                     (bundle.content == BundleContent::kColumns && bundles_.front().content == BundleContent::kColumns),
                 "finished rows beside another bundle");
  bytes_ += bundle.bytes;
  bundles_.push_back(std::move(bundle));
}

std::int32_t Total::fold_part(fanfold_partial* total, std::uint32_t log2_parts, std::uint32_t part) {
  enter(Phase::kFold, part, {});
  // Presized for every entry of every bundle: too much where keys repeat, but only while one part lives.
  fanfold_extent expected{0, 0, 0};
  for (const PackedBundle& bundle : bundles_) {
    const bool fine = bundle.log2_parts == log2_parts;
    const fanfold_extent& extent = bundle.extents[fine ? part : 0];
    expected.entries += fine ? extent.entries : extent.entries >> log2_parts;
    expected.key_bytes += fine ? extent.key_bytes : extent.key_bytes >> log2_parts;
  }
  std::int32_t status = job_.job->reserve(total, log2_parts, part, &expected);
  for (const PackedBundle& bundle : bundles_) {
    if (status != FANFOLD_OK) break;
    enter(Phase::kFold, part, bundle.id);
    status = job_.job->fold(total, log2_parts, part, &bundle.parts[bundle.log2_parts == log2_parts ? part : 0]);
  }
  return status;
}

FoldFault Total::compact() {
  if (bundles_.size() < 2) return {};
  const HeldPartial total(job_);
  if (total.get() == nullptr) return failed(FANFOLD_EXHAUSTED, Phase::kFold, 0);
  const std::uint32_t log2 = log2_parts();
  const std::uint32_t count = 1U << log2;
  struct Buffer {
    const fanfold_memory* memory;
    std::uint8_t* data = nullptr;
    std::uint64_t bytes = 0;
    ~Buffer() {
      if (data != nullptr) memory->release(memory->context, data, bytes);
    }
  };
  auto buffers = std::make_shared<std::vector<Buffer>>(count, Buffer{job_.memory});
  PackedBundle merged;
  merged.log2_parts = log2;
  merged.parts.resize(count);
  merged.extents.resize(count);
  FoldFault fault = for_parts(count, [&](std::uint32_t part) -> FoldFault {
    std::int32_t result = fold_part(total.get(), log2, part);
    fanfold_extent& extent = merged.extents[part];
    if (result == FANFOLD_OK) result = job_.job->extent(total.get(), log2, part, &extent);
    if (result != FANFOLD_OK) return failed(result, Phase::kFold, part);
    Buffer& buffer = (*buffers)[part];
    buffer.data = static_cast<std::uint8_t*>(job_.memory->allocate(job_.memory->context, extent.packed_bytes));
    if (buffer.data == nullptr) return failed(FANFOLD_EXHAUSTED, Phase::kFold, part);
    buffer.bytes = extent.packed_bytes;
    result = job_.job->pack(total.get(), log2, part, buffer.data, buffer.bytes);
    if (result != FANFOLD_OK) return failed(result, Phase::kFold, part);
    job_.job->release_part(total.get(), log2, part);
    merged.parts[part] = {sizeof(fanfold_packed), log2, part, 0, buffer.data, buffer.bytes};
    return {};
  });
  if (fault) return fault;
  merged.owner = buffers;
  for (const fanfold_extent& extent : merged.extents) {
    merged.entries += extent.entries;
    merged.bytes += extent.packed_bytes;
  }
  bundles_.clear();
  bytes_ = 0;
  accept(std::move(merged));
  return {};
}

FoldFault Total::finish(RowSink& rows) {
  // A total without bundles is the identity: what its rows are, none perhaps, the job knows.
  if (bundles_.size() == 1) {
    const PackedBundle& only = bundles_.front();
    if (only.content == BundleContent::kRows) return emit_rows(only, rows);
    return for_parts(static_cast<std::uint32_t>(only.parts.size()), [&](std::uint32_t part) -> FoldFault {
      enter(Phase::kFinish, part, {});
      const RowSink::Lent writer = rows.writer();
      const std::int32_t status = job_.job->finish_packed(job_.instance, &only.parts[part], writer.rows());
      if (status != FANFOLD_OK) return failed(status, Phase::kFinish, part);
      return {};
    });
  }
  const HeldPartial total(job_);
  if (total.get() == nullptr) return failed(FANFOLD_EXHAUSTED, Phase::kFold, 0);
  const std::uint32_t log2 = log2_parts();
  return for_parts(1U << log2, [&](std::uint32_t part) -> FoldFault {
    std::int32_t status = fold_part(total.get(), log2, part);
    if (status != FANFOLD_OK) return failed(status, Phase::kFold, part);
    enter(Phase::kFinish, part, {});
    const RowSink::Lent writer = rows.writer();
    status = job_.job->finish(job_.instance, total.get(), log2, part, writer.rows());
    if (status != FANFOLD_OK) return failed(status, Phase::kFinish, part);
    job_.job->release_part(total.get(), log2, part);
    return {};
  });
}

}  // namespace fanfold
