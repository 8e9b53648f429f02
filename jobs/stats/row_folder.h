// row_folder.h: RowFolder, from batches of rows to groups: selects rows by --where, computes the arguments, judges what
// does not parse, makes keys, adds. One a call of map(); its vectors are reused from batch to batch.
#pragma once

#include <fanfold/shard.h>
#include <fanfold/slice.h>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "jobs/reader/delimited_reader.h"
#include "jobs/stats/batch_filter.h"
#include "jobs/stats/groups.h"
#include "jobs/stats/query.h"

namespace fanfold::stats {

enum class OnError : std::uint8_t {
  kFail,  // the run ends
  kSkip,  // the record is left out
  kNull,  // the value is null
};

class RowFolder {
 public:
  // `kernels` is what the host tells (abi.h).
  RowFolder(const Query& query, OnError on_error, std::uint32_t kernels, const Shard& shard, Groups& groups);

  // Columns of the batch as Query::columns().
  void add(const reader::RowBatch& batch);
  // A record that is no row.
  void malformed(std::uint64_t offset, std::string_view why);

  // Tells the shard how many records there were since the last call, and how many of them were passed over, wholly or
  // in a value.
  void report();

 private:
  void select(const reader::RowBatch& batch);
  void compute(const reader::RowBatch& batch);
  void compute_column(const reader::RowBatch& batch, std::size_t index);
  // The fields of a column in the selected rows.
  std::span<const Slice> fields_of(const reader::RowBatch& batch, std::uint32_t column);
  void compute_expression(const reader::RowBatch& batch, std::size_t index);
  void drop_faulty();
  void fold(const reader::RowBatch& batch);
  // What to do with a row in which a text is no number; the value is null unless the row is dropped.
  void judge(const reader::RowBatch& batch, std::size_t row, const Fault& fault);
  void refuse(std::uint64_t offset, const Fault& fault);

  const Query& query_;
  const OnError on_error_;
  const std::uint32_t kernels_;
  const bool null_is_number_;
  const Shard& shard_;
  Groups& groups_;

  std::optional<BatchFilter> filter_;        // of --where
  std::span<const std::uint32_t> selected_;  // rows of the batch
  std::vector<std::uint32_t> all_rows_;      // 0, 1, 2 ...
  std::vector<std::uint32_t> chosen_;        // where not all are selected
  std::vector<Slice> fields_;                // of the selected rows
  std::vector<bool> faulty_;                 // of the selected ones: a text is no number
  std::size_t faults_ = 0;                   // rows that are
  std::vector<bool> needs_text_;             // of each argument
  RowValues values_;
  std::deque<std::string> rendered_;  // texts of computed numbers
  std::vector<Slice> keys_;
  std::string key_bytes_;
  std::uint64_t records_ = 0;
  std::uint64_t skipped_ = 0;
};

}  // namespace fanfold::stats
