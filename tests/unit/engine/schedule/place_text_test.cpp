// place_text_test.cpp: the input that a failure belongs to, as a person reads it.
#include "engine/schedule/place_text.h"

#include <gtest/gtest.h>

namespace fanfold::schedule {
namespace {

Plan two_files_and_a_range() {
  std::vector<Source> sources = {{.kind = SourceKind::kBytes, .name = "a.txt", .path = "/a", .size = 250},
                                 {.kind = SourceKind::kBytes, .name = "b\n.txt", .path = "/b", .size = 100},
                                 {.kind = SourceKind::kRange, .name = "range:-5..5", .begin = -5, .end = 5}};
  return Plan::make(sources, {.shard_bytes = 100, .shard_items = 4, .slots = 1}).value();
}

TEST(PlaceText, NamesTheBytesOrIntegersOfShards) {
  const Plan plan = two_files_and_a_range();
  EXPECT_EQ(input_text(plan, {1, 2}), "bytes 100 to 200 of \"a.txt\"");
  EXPECT_EQ(input_text(plan, {0, 3}), "bytes 0 to 250 of \"a.txt\"");
  EXPECT_EQ(input_text(plan, {4, 6}), "integers -5 to 3 of \"range:-5..5\"");
  EXPECT_EQ(input_text(plan, {2, 4}), "bytes 200 and on of \"a.txt\" up to bytes 0 to 100 of \"b\\n.txt\"");
}

TEST(PlaceText, NamesTheShardOfTheCulpritAndTheLeaseBehindMapping) {
  const Plan plan = two_files_and_a_range();
  Cause cause;
  cause.phase = Phase::kMap;
  cause.shard = 1;
  // Another slot was mapping too, but it is known who did it.
  const std::vector<Suspect> suspects = {{.slot = 0, .lease = {1}, .shard = 1}, {.slot = 1, .lease = {2}, .shard = 3}};
  EXPECT_EQ(place_text(cause, suspects, Interval{0, 3}, plan), " while mapping bytes 100 to 200 of \"a.txt\"");
  cause.phase = Phase::kMerge;
  EXPECT_EQ(place_text(cause, suspects, Interval{0, 3}, plan),
            " while merging the partial of bytes 0 to 250 of \"a.txt\"");
}

TEST(PlaceText, NamesEverySuspectWhereNobodyIsKnownToBeIt) {
  const Plan plan = two_files_and_a_range();
  const std::vector<Suspect> suspects = {{.slot = 0, .lease = {1}, .shard = 1}, {.slot = 1, .lease = {2}, .shard = 3}};
  EXPECT_EQ(place_text(Cause{}, suspects, std::nullopt, plan),
            " while mapping bytes 100 to 200 of \"a.txt\", or bytes 0 to 100 of \"b\\n.txt\"");
}

TEST(PlaceText, IsEmptyWhereAPhaseSaysAll) {
  Cause cause;
  cause.phase = Phase::kMerge;
  cause.part = 7;
  // Slots that map meanwhile have nothing to do with it.
  EXPECT_EQ(place_text(cause, {{.slot = 0, .lease = {1}, .shard = 1}}, std::nullopt, two_files_and_a_range()), "");
}

}  // namespace
}  // namespace fanfold::schedule
