// tally_job.cpp: the smallest keyed job: a count a key, the ten largest as rows. The merge benchmark links it and asks
// for it as the engine asks a plugin; it never maps.
#include <fanfold/job.hpp>
#include <string_view>

namespace {

struct Tally {
  using Partial = fanfold::Table<std::string_view, fanfold::Count>;

  void schema(fanfold::SchemaBuilder& schema) const {
    schema.column("key", fanfold::Type::kText, "the key")
        .column("count", fanfold::Type::kUint64, "the sum of its counts")
        .order_by("count", fanfold::Direction::kDescending)
        .order_by("key")
        .limit(10);
  }
  void map(const fanfold::Shard& /*shard*/, Partial& /*partial*/) const {}
  void finish(const Partial::Part& part, fanfold::Rows& rows) const {
    part.for_each([&](const auto& row) { rows.add(row.key, row.fold.value()); });
  }
};

}  // namespace

FANFOLD_JOB(Tally, "tally", "1.0.0", "Adds counts by key.")
