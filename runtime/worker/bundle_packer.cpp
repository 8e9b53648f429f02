// bundle_packer.cpp: a merged bundle becomes packed bytes, in two rounds over its parts that all slots
// share: measure, then pack and hash each part while it is warm and free its table.
#include <algorithm>
#include <utility>

#include "runtime/plugin/bundle_checksum.h"
#include "runtime/worker/bundle.h"
#include "runtime/worker/bundle_calls.h"

namespace fanfold::worker {

namespace {

using plugin::padded_part;

// A huge page: several parts each, and a size the pool finds again among what tables leave behind.
constexpr std::uint64_t kSegmentBytes = std::uint64_t{2} << 20;
// Measuring folds a part: so many of them a piece.
constexpr std::uint32_t kMeasuredPerPiece = 8;

// What both rounds work on.
struct Packing {
  Packing(std::shared_ptr<Bundle> bundle, BundleWorkplace workplace, ReportWork told)
      : calls(std::move(bundle), workplace), report(std::move(told)) {}

  BundleCalls calls;
  ReportWork report;
  fanfold_partial* partial = nullptr;
  std::uint32_t log2_parts = 0;
  std::vector<fanfold_extent> extents;
  std::vector<std::uint64_t> checksums;
  std::shared_ptr<PackedBytes> packed;
  std::vector<std::uint32_t> first_parts;  // of each segment, and behind the last

  [[nodiscard]] const fanfold_job& job() const { return calls.bundle().instance().job(); }
  [[nodiscard]] std::atomic<std::int64_t>& clock(std::uint32_t slot) const {
    return calls.workplace().clocks[slot].seal_pack_ns;
  }

  void tell() {
    BundlePacked done;
    done.bundle = calls.bundle().seq();
    done.log2_parts = log2_parts;
    for (const fanfold_extent& extent : extents) {
      done.parts.push_back({extent.entries, extent.key_bytes, extent.packed_bytes});
    }
    done.bytes = packed == nullptr ? 0 : packed->bytes;
    done.checksum = plugin::bundle_checksum(checksums);
    done.ledger = calls.bundle().packed_ledger();
    report({std::move(done), std::move(packed), calls.take_failure()});
  }
};

// Second round. A piece is a segment.
class PackSegments : public SharedWork {
 public:
  explicit PackSegments(std::shared_ptr<Packing> packing)
      : SharedWork(static_cast<std::uint32_t>(packing->packed->segments.size())), packing_(std::move(packing)) {}

 private:
  void do_piece(std::uint32_t piece, std::uint32_t slot) override {
    Packing& all = *packing_;
    if (all.calls.has_failed()) return;
    const SlotTimer timer(all.clock(slot));
    PackedBytes::Segment& segment = all.packed->segments[piece];
    const std::uint32_t first = all.first_parts[piece];
    if (segment.bytes != 0 && !all.calls.call(Phase::kPack, slot, first, [&] {
          return all.packed->allocate(segment) ? FANFOLD_OK : FANFOLD_EXHAUSTED;
        })) {
      return;
    }
    const fanfold_job& job = all.job();
    std::uint8_t* at = segment.data;
    for (std::uint32_t part = first; part < all.first_parts[piece + 1]; ++part) {
      const std::uint64_t bytes = all.extents[part].packed_bytes;
      if (!all.calls.call(Phase::kPack, slot, part,
                          [&] { return job.pack(all.partial, all.log2_parts, part, at, bytes); }))
        return;
      all.checksums[part] = plugin::part_checksum(at, bytes);
      if (padded_part(bytes) != bytes) std::fill(at + bytes, at + padded_part(bytes), std::uint8_t{0});
      at += padded_part(bytes);
      // Its table becomes the memory of the segments to come.
      all.calls.call(Phase::kPack, slot, part, [&] {
        job.release_part(all.partial, all.log2_parts, part);
        return FANFOLD_OK;
      });
    }
  }

  void finish(std::uint32_t slot) override {
    {
      const SlotTimer timer(packing_->clock(slot));
      packing_->calls.bundle().free_partial();
    }
    packing_->tell();
  }

  std::shared_ptr<Packing> packing_;
};

// First round. A piece is some parts.
class MeasureParts : public SharedWork {
 public:
  explicit MeasureParts(std::shared_ptr<Packing> packing)
      : SharedWork(static_cast<std::uint32_t>((packing->extents.size() + kMeasuredPerPiece - 1) / kMeasuredPerPiece)),
        packing_(std::move(packing)) {}

 private:
  void do_piece(std::uint32_t piece, std::uint32_t slot) override {
    const auto end =
        std::min<std::uint32_t>((piece + 1) * kMeasuredPerPiece, static_cast<std::uint32_t>(packing_->extents.size()));
    for (std::uint32_t part = piece * kMeasuredPerPiece; part < end; ++part) measure(part, slot);
  }

  void measure(std::uint32_t part, std::uint32_t slot) {
    Packing& all = *packing_;
    if (all.calls.has_failed()) return;
    const SlotTimer timer(all.clock(slot));
    all.calls.call(Phase::kPack, slot, part, [&]() -> std::int32_t {
      fanfold_partial* partial = all.calls.bundle().partial();
      if (partial == nullptr) return FANFOLD_EXHAUSTED;
      return all.job().extent(partial, all.log2_parts, part, &all.extents[part]);
    });
  }

  void finish(std::uint32_t slot) override {
    Packing& all = *packing_;
    if (all.calls.has_failed()) return all.tell();
    all.partial = all.calls.bundle().partial();
    std::uint64_t entries = 0;
    for (const fanfold_extent& extent : all.extents) entries += extent.entries;
    if (all.log2_parts != 0 && entries < FANFOLD_ONE_PART_ENTRIES) {
      // Small: packed as one part, which is measured anew.
      all.log2_parts = 0;
      all.extents.assign(1, fanfold_extent{0, 0, 0});
      measure(0, slot);
      if (all.calls.has_failed()) return all.tell();
    }
    all.checksums.assign(all.extents.size(), 0);
    lay_out();
    all.calls.workplace().slots.share(std::make_shared<PackSegments>(packing_));
  }

  // Whole parts in order, as many as fit a segment and one at least.
  void lay_out() {
    Packing& all = *packing_;
    all.packed = std::make_shared<PackedBytes>(all.calls.bundle().account());
    auto& segments = all.packed->segments;
    std::uint64_t offset = 0;
    for (std::uint32_t part = 0; part < all.extents.size(); ++part) {
      const std::uint64_t bytes = padded_part(all.extents[part].packed_bytes);
      if (segments.empty() || segments.back().bytes + bytes > kSegmentBytes) {
        segments.push_back({offset, 0, nullptr});
        all.first_parts.push_back(part);
      }
      segments.back().bytes += bytes;
      offset += bytes;
    }
    all.first_parts.push_back(static_cast<std::uint32_t>(all.extents.size()));
    all.packed->bytes = offset;
  }

  std::shared_ptr<Packing> packing_;
};

}  // namespace

std::shared_ptr<SharedWork> pack_work(std::shared_ptr<Bundle> bundle, BundleWorkplace workplace, ReportWork report) {
  const std::uint32_t log2_parts = bundle->instance().keyed() ? FANFOLD_LOG2_PARTS_MAX : 0;
  auto packing = std::make_shared<Packing>(std::move(bundle), workplace, std::move(report));
  packing->log2_parts = log2_parts;
  packing->extents.assign(std::size_t{1} << log2_parts, fanfold_extent{0, 0, 0});
  return std::make_shared<MeasureParts>(std::move(packing));
}

}  // namespace fanfold::worker
