#include "jobs/stats/query.h"

#include <fanfold/parameters.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace fanfold::stats {
namespace {

std::vector<std::string> columns_of(const QueryTexts& texts) {
  SchemaBuilder schema;
  Query(texts).declare(schema);
  std::vector<std::string> names;
  for (const SchemaBuilder::Column& column : schema.columns()) names.push_back(column.name);
  return names;
}
std::string refusal(const QueryTexts& texts) {
  try {
    const Query query(texts);
    return "accepted";
  } catch (const UsageError& error) {
    return error.sentence;
  }
}

TEST(Query, NamesResultColumnsAsTheyAreAskedFor) {
  EXPECT_EQ(
      columns_of({.by = "b, `a c`", .aggregates = "count(), Sum( x*2 ), mean(x) as m, p99.5(x), quantile(x,0.5)"}),
      (std::vector<std::string>{"b", "a c", "count", "sum(x * 2)", "m", "p99.5(x)", "quantile(x, 0.5)"}));
  EXPECT_EQ(columns_of({.aggregates = "count(*) as `n of rows`"}), (std::vector<std::string>{"n of rows"}));
  EXPECT_EQ(columns_of({.by = "k", .aggregates = ""}), (std::vector<std::string>{"k"}));
}

TEST(Query, SharesTheStatesOfAggregatesOverOneExpression) {
  EXPECT_EQ(Query({.aggregates = "sum(x), mean(x), count(x)"}).layout().bytes(), sizeof(NumberMoments));
  EXPECT_EQ(Query({.aggregates = "min(x), mean(x), max(x), sum(x), count(x)"}).layout().bytes(), sizeof(NumberColumn));
  EXPECT_EQ(Query({.aggregates = "min(x), max(x)"}).layout().bytes(), sizeof(Least) + sizeof(Greatest));
  EXPECT_EQ(Query({.aggregates = "median(x), p99(x), quantile(x, 0.1)"}).layout().bytes(), sizeof(Quantiles));
  EXPECT_EQ(Query({.aggregates = "distinct(x), mode(x)"}).layout().bytes(), sizeof(TextTally));
}

TEST(Query, OrdersByNamesAndByCalls) {
  SchemaBuilder schema;
  Query({.by = "k", .aggregates = "count(), sum(x) as s", .order_by = "count desc, sum(x), k asc"}).declare(schema);
  ASSERT_EQ(schema.order().size(), 3U);
  EXPECT_EQ(schema.order()[0].column, 1U);
  EXPECT_EQ(schema.order()[0].descending, 1U);
  EXPECT_EQ(schema.order()[1].column, 2U);
  EXPECT_EQ(schema.order()[2].column, 0U);
}

TEST(Query, RefusesWhatItCannotAnswerWithThePlace) {
  EXPECT_TRUE(
      refusal({.aggregates = "count(), foo(x)"})
          .starts_with("--agg \"count(), foo(x)\", character 10: there is no aggregate foo; there are count, sum"));
  EXPECT_EQ(refusal({.aggregates = "sum()"}),
            "--agg \"sum()\", character 5: a column, a number or a text is expected here, not )");
  EXPECT_EQ(refusal({.aggregates = "quantile(x)"}),
            "--agg \"quantile(x)\", character 11: a comma and the rank, from 0 to 1, is expected here, not )");
  EXPECT_EQ(refusal({.aggregates = "quantile(x, 1.5)"}),
            "--agg \"quantile(x, 1.5)\", character 13: a rank is a number from 0 to 1");
  EXPECT_EQ(refusal({.aggregates = "count(), count()"}),
            "--agg \"count(), count()\", character 10: there are two result columns count; name one of them with `as`");
  EXPECT_EQ(
      refusal({.by = "a b"}),
      "--by \"a b\", character 3: a comma or the end (a name of several words stands in `backquotes`) is expected "
      "here, not b");
  EXPECT_EQ(refusal({.by = "a,a"}), "--by \"a,a\", character 3: the key a is named twice");
  EXPECT_EQ(refusal({.by = "a", .order_by = "b"}),
            "--order-by \"b\", character 1: there is no such result column; there are a, count");
  EXPECT_EQ(refusal({.aggregates = ""}), "there is nothing to compute; give --agg or --by");
  EXPECT_TRUE(refusal({.aggregates = "p100.5(x)"}).starts_with("--agg \"p100.5(x)\", character 1: there is no"));
  EXPECT_EQ(refusal({.aggregates = "sum(\"x\")"}),
            "--agg \"sum(\"x\")\", character 5: sum takes numbers, and this is a text; a column's name stands in "
            "`backquotes` or bare");
  EXPECT_EQ(refusal({.where = "x between 1 and 2"}),
            "--where \"x between 1 and 2\", character 3: a comparison (=, <, in, is null, =~ and the like) is expected "
            "here, not between");
  EXPECT_EQ(
      refusal({.where = "t = true"}),
      "--where \"t = true\", character 5: this is a condition where a value is expected; compare a field with the "
      "text, \"true\"");
}

}  // namespace
}  // namespace fanfold::stats
