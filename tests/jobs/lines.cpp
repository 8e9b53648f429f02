// lines: the lines of its input, one behind the other, in one row: a partial that is no table and holds all
// its memory itself.
#include <fanfold/concat.h>

#include <fanfold/job.hpp>

namespace {

struct Lines {
  using Partial = fanfold::Concat;

  void schema(fanfold::SchemaBuilder& schema) const {
    schema.column("text", fanfold::Type::kText, "all lines, without their ends");
  }
  void map(const fanfold::Shard& shard, Partial& partial) const {
    shard.for_each_record(
        [&](std::string_view line, std::uint64_t offset) { partial.add(shard.source(), offset, line); });
  }
  void finish(const Partial& partial, fanfold::Rows& rows) const { rows.add(partial.value()); }
};

}  // namespace

FANFOLD_JOB(Lines, "lines", "1.0.0", "Joins lines.")
