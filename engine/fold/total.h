// total.h: a run's total at the gatherer: bundles validated, folded and finished, part by part in
// parallel on TBB. Bundles are kept packed as they came and merged as late as can be: finish() folds each
// part of all bundles into a presized table, emits its rows and frees it while it is warm. A bundle that
// is alone is finished straight from its packed columns. When too much is kept, compact() merges what is
// there into one packed bundle. A bundle of rows, which its worker has finished, is alone too: its rows are emitted.
//
// The order of bundles never shows: folds are exact and rows are ordered by their sink. One caller at a
// time; work runs in the arena given. The first failure wins and names phase, part and bundle.
#pragma once

#include <fanfold/abi.h>
#include <tbb/task_arena.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "engine/fold/fold_position.h"
#include "engine/fold/packed_bundle.h"
#include "engine/fold/row_sink.h"
#include "engine/protocol/message.h"

namespace fanfold {

// What went wrong, or nothing.
using FoldFault = std::optional<Cause>;

// The job that a total is made of. All borrowed.
struct FoldJob {
  const fanfold_job* job;
  const fanfold_instance* instance;
  const fanfold_memory* memory;
  Schema schema;
  // The sentence that goes with a status other than FANFOLD_OK, asked for on the thread that got it.
  std::function<std::string(std::int32_t)> failure_text;
};

class Total {
 public:
  // `positions`: one a thread of the arena.
  Total(FoldJob job, tbb::task_arena& arena, FoldPosition* positions);

  // Whether a bundle's parts are what the job packs; fills in extents, entries and bytes.
  FoldFault validate(PackedBundle& bundle);

  // Adds a validated bundle. From now on it counts.
  void accept(PackedBundle bundle);

  // Packed bytes kept, and how many bundles.
  [[nodiscard]] std::uint64_t bytes() const { return bytes_; }
  [[nodiscard]] std::size_t bundles() const { return bundles_.size(); }

  // Merges all that is kept into one bundle. Needs as much memory again as the outcome.
  FoldFault compact();

  // Emits every row, once. Nothing may be accepted afterwards.
  FoldFault finish(RowSink& rows);

 private:
  [[nodiscard]] std::uint32_t log2_parts() const;
  FoldFault validate_rows(PackedBundle& bundle);
  FoldFault emit_rows(const PackedBundle& bundle, RowSink& rows);
  // Runs body(part) for all parts in parallel; stops early after a failure.
  FoldFault for_parts(std::uint32_t count, const std::function<FoldFault(std::uint32_t)>& body);
  std::int32_t fold_part(fanfold_partial* total, std::uint32_t log2_parts, std::uint32_t part);
  FoldFault failed(std::int32_t status, Phase phase, std::uint32_t part) const;
  FoldPosition& position() const;
  void enter(Phase phase, std::uint32_t part, const BundleId& bundle) const;

  FoldJob job_;
  tbb::task_arena& arena_;
  FoldPosition* positions_;
  std::vector<PackedBundle> bundles_;
  std::uint64_t bytes_ = 0;
};

}  // namespace fanfold
