// folds_of_all.cpp: every fold, one row of everything: a job whose partial is a fold and no table.
#include <fanfold/job.hpp>
#include <string_view>

#include "every_fold.h"

namespace {

struct FoldsOfAll {
  using Partial = outside::EveryFold::Fold;

  void schema(fanfold::SchemaBuilder& schema) const { outside::EveryFold::columns(schema); }
  void map(const fanfold::Shard& shard, Partial& partial) const {
    shard.for_each_record([&](std::string_view line, std::uint64_t offset) {
      if (!outside::EveryFold::add(
              line, shard.source(), offset, [&](std::string_view) -> auto& { return partial; })) {
        shard.bad_record(offset, "this is no line of six fields");
      }
    });
  }
  void finish(const Partial& partial, fanfold::Rows& rows) const {
    outside::EveryFold::read(partial, [&](const auto&... cells) { rows.add(cells...); });
  }
};

}  // namespace

FANFOLD_JOB(FoldsOfAll, "folds-of-all", "1.0.0", "Every fold of the SDK over all lines.")
