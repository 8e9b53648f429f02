// reserved: declares a parameter with the name of an engine's flag, which no job may.
#include <cstdint>
#include <fanfold/job.hpp>

namespace {

struct Reserved {
  using Partial = fanfold::Count;

  std::int64_t limit = 0;
  std::int64_t other = 0;

  static void parameters(fanfold::Parameters<Reserved>& parameters) {
    parameters.integer("other", &Reserved::other, 0, 10, "A name that is free.");
    parameters.integer("limit", &Reserved::limit, 0, 10, "A name that is taken.");
  }
  void schema(fanfold::SchemaBuilder& schema) const { schema.column("shards", fanfold::Type::kUint64); }
  void map(const fanfold::Shard&, Partial& partial) const { partial.add(); }
  void finish(const Partial& partial, fanfold::Rows& rows) const { rows.add(partial.value()); }
};

}  // namespace

FANFOLD_JOB(Reserved, "reserved", "1.0.0", "Takes a name that is not its own.")
