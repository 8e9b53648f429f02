// bundle_finisher.cpp: a bundle that holds its whole run becomes rows where it lies: each part is finished and
// freed while it is warm, by all slots, and only rows travel. With a limit a sink keeps the best of them.
#include <algorithm>
#include <deque>
#include <string>
#include <utility>

#include "engine/fold/row_sink.h"
#include "engine/protocol/finished_rows.h"
#include "engine/protocol/row_batch.h"
#include "runtime/plugin/bundle_checksum.h"
#include "runtime/worker/bundle.h"
#include "runtime/worker/bundle_calls.h"

namespace fanfold::worker {

namespace {

using plugin::padded_part;

// Parts that one slot finishes at a time, and whose rows lie in one segment.
constexpr std::uint32_t kPartsPerPiece = 8;

// So many rows wanted are chosen here, by one slot at last; of more all travel, and the gatherer chooses.
constexpr std::uint64_t kChosenRowsMax = 65'536;

// A part's rows, packed as they are emitted; what they occupy is charged to the bundle's account.
class PartRows {
 public:
  PartRows(const Schema& schema, plugin::MemoryAccount& account) : schema_(schema), account_(account) {}
  ~PartRows() { (void)account_.charge(-charged_); }
  PartRows(const PartRows&) = delete;
  PartRows& operator=(const PartRows&) = delete;

  [[nodiscard]] const std::vector<std::byte>& bytes() const { return bytes_; }
  [[nodiscard]] std::uint64_t rows() const { return rows_; }
  // Why rows were refused, if they were.
  [[nodiscard]] const std::optional<Failure>& failure() const { return failure_; }

  // For a plugin to emit into.
  [[nodiscard]] fanfold_rows sink() { return {sizeof(fanfold_rows), 0, this, emit, nullptr}; }

  // Of a sound batch. False: refused.
  bool append(const fanfold_batch& batch) {
    append_finished(bytes_, schema_, batch);
    rows_ += batch.rows;
    const auto grown = static_cast<std::int64_t>(bytes_.capacity()) - charged_;
    if (!account_.charge(grown)) {
      failure_ = out_of_memory();
      return false;
    }
    charged_ += grown;
    return true;
  }

 private:
  [[nodiscard]] Failure out_of_memory() const {
    return {ExitCode::kJobFailed, "the result rows do not fit the memory of the worker, " +
                                      std::to_string(account_.bytes() >> 20) + " of " +
                                      std::to_string(account_.hard_bytes() >> 20) +
                                      " MiB are taken; raise --memory, or ask for fewer rows with --limit."};
  }
  static std::int32_t emit(void* context, const fanfold_batch* batch) {
    auto& part = *static_cast<PartRows*>(context);
    try {
      if (Status checked = check_batch(part.schema_, *batch); !checked) {
        part.failure_ = checked.failure();
        return FANFOLD_FAILED;
      }
      return part.append(*batch) ? FANFOLD_OK : FANFOLD_EXHAUSTED;
    } catch (const std::bad_alloc&) {  // no exception crosses the boundary
      part.failure_ = part.out_of_memory();
      return FANFOLD_EXHAUSTED;
    }
  }

  const Schema& schema_;
  plugin::MemoryAccount& account_;
  std::vector<std::byte> bytes_;
  std::uint64_t rows_ = 0;
  std::int64_t charged_ = 0;
  std::optional<Failure> failure_;
};

class FinishParts : public SharedWork {
 public:
  FinishParts(std::shared_ptr<Bundle> bundle, const Schema& schema, BundleWorkplace workplace, ReportWork report)
      : SharedWork(pieces_of(*bundle)),
        calls_(std::move(bundle), workplace),
        report_(std::move(report)),
        schema_(schema),
        best_(schema, calls_.bundle().account()->memory()),
        log2_parts_(calls_.bundle().instance().keyed() ? FANFOLD_LOG2_PARTS_MAX : 0),
        extents_(std::size_t{1} << log2_parts_),
        checksums_(extents_.size(), plugin::part_checksum(nullptr, 0)),
        packed_(std::make_shared<PackedBytes>(calls_.bundle().account())) {
    packed_->segments.resize(pieces());
  }

 private:
  static std::uint32_t pieces_of(const Bundle& bundle) {
    return bundle.instance().keyed() ? (1U << FANFOLD_LOG2_PARTS_MAX) / kPartsPerPiece : 1;
  }
  [[nodiscard]] bool limited() const { return schema_.limit != 0 && schema_.limit <= kChosenRowsMax; }
  [[nodiscard]] plugin::MemoryAccount& account() const { return *calls_.bundle().account(); }

  void do_piece(std::uint32_t piece, std::uint32_t slot) override {
    if (calls_.has_failed()) return;
    const SlotTimer timer(calls_.workplace().clocks[slot].finish_ns);
    const std::uint32_t first = piece * kPartsPerPiece;
    const auto end = std::min<std::uint32_t>(first + kPartsPerPiece, static_cast<std::uint32_t>(extents_.size()));
    if (limited()) {
      const RowSink::Lent writer = best_.writer();
      for (std::uint32_t part = first; part < end; ++part) {
        if (!finish_part(slot, part, writer.rows(), [this] { return best_.failure(); })) return;
      }
      return;
    }
    std::deque<PartRows> parts;
    for (std::uint32_t part = first; part < end; ++part) {
      PartRows& rows = parts.emplace_back(schema_, account());
      const fanfold_rows sink = rows.sink();
      if (!finish_part(slot, part, &sink, [&rows] { return rows.failure(); })) return;
    }
    keep(slot, piece, first, parts);
  }

  // `refusal`: why the rows were refused, if they were; that explains more than the status the job gives back,
  // and counts whatever that is: a row that was refused is missing.
  template <class Refusal>
  bool finish_part(std::uint32_t slot, std::uint32_t part, const fanfold_rows* rows, const Refusal& refusal) {
    const fanfold_job& job = calls_.bundle().instance().job();
    return calls_.call(Phase::kFinish, slot, part, [&]() -> std::int32_t {
      fanfold_partial* partial = calls_.bundle().partial();
      if (partial == nullptr) return FANFOLD_EXHAUSTED;
      const std::int32_t status = job.finish(calls_.bundle().instance().handle(), partial, log2_parts_, part, rows);
      if (const std::optional<Failure> why = refusal()) {
        refuse(part, *why, status == FANFOLD_EXHAUSTED ? CauseKind::kMemory : CauseKind::kJob);
        return status == FANFOLD_OK ? FANFOLD_FAILED : status;
      }
      if (status == FANFOLD_OK) job.release_part(partial, log2_parts_, part);
      return status;
    });
  }

  void refuse(std::uint32_t part, const Failure& failure, CauseKind kind = CauseKind::kJob) {
    Cause cause;
    cause.kind = kind;
    cause.phase = Phase::kFinish;
    cause.part = part;
    cause.message = failure.sentence;
    calls_.fail(std::move(cause));
  }

  // The rows of parts that follow each other become a segment.
  void keep(std::uint32_t slot, std::uint32_t piece, std::uint32_t first, const std::deque<PartRows>& parts) {
    PackedBytes::Segment& segment = packed_->segments[piece];
    for (const PartRows& rows : parts) segment.bytes += padded_part(rows.bytes().size());
    if (segment.bytes == 0) return;
    if (!calls_.call(Phase::kFinish, slot, first,
                     [&] { return packed_->allocate(segment) ? FANFOLD_OK : FANFOLD_EXHAUSTED; })) {
      return;
    }
    std::uint8_t* at = segment.data;
    std::uint32_t part = first;
    for (const PartRows& rows : parts) {
      const std::vector<std::byte>& bytes = rows.bytes();
      extents_[part] = {rows.rows(), 0, bytes.size()};
      checksums_[part] = plugin::part_checksum(bytes.data(), bytes.size());
      std::copy_n(reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size(), at);
      std::fill(at + bytes.size(), at + padded_part(bytes.size()), std::uint8_t{0});
      at += padded_part(bytes.size());
      ++part;
    }
  }

  void finish(std::uint32_t slot) override {
    {
      const SlotTimer timer(calls_.workplace().clocks[slot].finish_ns);
      calls_.bundle().free_partial();
      if (limited() && !calls_.has_failed()) keep_best(slot);
      if (!calls_.has_failed()) keep_something(slot);
      std::erase_if(packed_->segments, [](const PackedBytes::Segment& segment) { return segment.bytes == 0; });
      for (PackedBytes::Segment& segment : packed_->segments) {
        segment.offset = packed_->bytes;
        packed_->bytes += segment.bytes;
      }
    }
    BundlePacked done;
    done.bundle = calls_.bundle().seq();
    done.content = BundleContent::kRows;
    done.log2_parts = log2_parts_;
    done.parts.reserve(extents_.size());
    for (const PartExtent& extent : extents_) done.parts.push_back(extent);
    done.bytes = packed_->bytes;
    done.checksum = plugin::bundle_checksum(checksums_);
    done.ledger = calls_.bundle().packed_ledger();
    std::optional<Cause> failed = calls_.take_failure();
    report_({std::move(done), failed ? nullptr : std::move(packed_), std::move(failed)});
  }

  // The rows wanted, in one part.
  void keep_best(std::uint32_t slot) {
    const Result<OrderedRows> rows = best_.order();
    if (!rows) return refuse(0, rows.failure());
    log2_parts_ = 0;
    extents_.resize(1);
    checksums_.resize(1);
    std::deque<PartRows> part;
    PartRows& best = part.emplace_back(schema_, account());
    const Status packed = rows->for_each_batch([&best](const fanfold_batch& batch) -> Status {
      if (best.append(batch)) return success();
      return *best.failure();
    });
    if (!packed) return refuse(0, packed.failure(), CauseKind::kMemory);
    keep(slot, 0, 0, part);
  }

  // A bundle has bytes: without a row it is an empty batch.
  void keep_something(std::uint32_t slot) {
    const auto& segments = packed_->segments;
    if (std::any_of(segments.begin(), segments.end(), [](const auto& segment) { return segment.bytes != 0; })) return;
    std::deque<PartRows> none;
    const fanfold_batch batch{sizeof(fanfold_batch), static_cast<std::uint32_t>(schema_.columns.size()), 0, nullptr};
    if (PartRows& empty = none.emplace_back(schema_, account()); !empty.append(batch)) {
      return refuse(0, *empty.failure(), CauseKind::kMemory);
    }
    keep(slot, 0, 0, none);
  }

  BundleCalls calls_;
  ReportWork report_;
  const Schema& schema_;
  RowSink best_;
  std::uint32_t log2_parts_;
  std::vector<PartExtent> extents_;
  std::vector<std::uint64_t> checksums_;
  std::shared_ptr<PackedBytes> packed_;
};

}  // namespace

std::shared_ptr<SharedWork> finish_work(std::shared_ptr<Bundle> bundle, const Schema& schema, BundleWorkplace workplace,
                                        ReportWork report) {
  return std::make_shared<FinishParts>(std::move(bundle), schema, workplace, std::move(report));
}

}  // namespace fanfold::worker
