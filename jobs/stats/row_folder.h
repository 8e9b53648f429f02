// row_folder.h: RowFolder, from batches of rows to groups: selects rows by --where, computes the arguments, judges what
// does not parse, makes keys, adds. One a call of map(); its vectors are reused from batch to batch.
#pragma once

#include <fanfold/shard.h>
#include <fanfold/slice.h>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "jobs/reader/delimited_reader.h"
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
  RowFolder(const Query& query, OnError on_error, const Shard& shard, Groups& groups);

  // Columns of the batch as Query::columns().
  void add(const reader::RowBatch& batch);
  // A record that is no row.
  void malformed(std::uint64_t offset, std::string_view why);

  // Rows added or judged, since the last call.
  [[nodiscard]] std::uint64_t take_records();

 private:
  void select(const reader::RowBatch& batch);
  void compute(const reader::RowBatch& batch);
  void compute_column(const reader::RowBatch& batch, std::size_t index);
  void compute_expression(const reader::RowBatch& batch, std::size_t index);
  void drop_marked();
  void fold(const reader::RowBatch& batch);
  // What to do with a row in which a text is no number; the value is null unless the row is dropped.
  void judge(const reader::RowBatch& batch, std::size_t row, const Fault& fault);
  void refuse(std::uint64_t offset, const Fault& fault);

  const Query& query_;
  const OnError on_error_;
  const Shard& shard_;
  Groups& groups_;

  std::vector<std::uint32_t> selected_;  // rows of the batch
  std::vector<bool> dropped_;            // of the selected ones
  bool any_dropped_ = false;
  std::vector<bool> needs_text_;  // of each argument
  RowValues values_;
  std::deque<std::string> rendered_;  // texts of computed numbers
  std::vector<Slice> keys_;
  std::string key_bytes_;
  std::uint64_t records_ = 0;
};

}  // namespace fanfold::stats
