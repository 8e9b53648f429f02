// noop: does nothing with its shards, which is what the engine itself costs. Answers one row: how many
// shards were mapped.
#include <cstdint>
#include <fanfold/job.hpp>

namespace {

struct Noop {
  using Partial = fanfold::Count;

  void schema(fanfold::SchemaBuilder& schema) const {
    schema.column("shards", fanfold::Type::kUint64, "how many were mapped");
  }
  void map(const fanfold::Shard&, Partial& partial) const { partial.add(); }
  void finish(const Partial& partial, fanfold::Rows& rows) const { rows.add(partial.value()); }
};

}  // namespace

FANFOLD_JOB(Noop, "noop", "1.0.0", "Does nothing with its shards, and counts them.")
