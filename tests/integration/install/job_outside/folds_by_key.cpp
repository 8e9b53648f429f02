// folds_by_key.cpp: every fold, one row a key.
#include <fanfold/table.h>

#include <fanfold/job.hpp>
#include <string_view>

#include "every_fold.h"

namespace {

struct FoldsByKey {
  using Partial = fanfold::Table<std::string_view, outside::EveryFold::Fold>;

  void schema(fanfold::SchemaBuilder& schema) const {
    schema.column("key", fanfold::Type::kText);
    outside::EveryFold::columns(schema);
    schema.order_by("key");
  }
  void map(const fanfold::Shard& shard, Partial& partial) const {
    shard.for_each_record([&](std::string_view line, std::uint64_t offset) {
      if (!outside::EveryFold::add(
              line, shard.source(), offset, [&](std::string_view key) -> auto& { return partial[key]; })) {
        shard.bad_record(offset, "this is no line of six fields");
      }
    });
  }
  void finish(const Partial::Part& part, fanfold::Rows& rows) const {
    part.for_each([&](const auto& row) {
      outside::EveryFold::read(row.fold, [&](const auto&... cells) { rows.add(row.key, cells...); });
    });
  }
};

}  // namespace

FANFOLD_JOB(FoldsByKey, "folds-by-key", "1.0.0", "Every fold of the SDK by key.")
