#include <fanfold/ledger.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "tests/unit/engine/sdk/sharding.h"

namespace fanfold {
namespace {

Ledger random_ledger(std::uint64_t seed) {
  Random random(seed);
  Ledger ledger;
  ledger.add_records(below(random, 1000), below(random, 100000));
  ledger.add_skipped(below(random, 3));
  for (std::size_t n = below(random, 25); n > 0; --n) {
    ledger.add_error(below(random, 2), below(random, 9), std::string(below(random, 3), 'e'));
  }
  return ledger;
}

TEST(Ledger, CountsRecordsBytesAndSkipsOnce) {
  Ledger ledger;
  ledger.add_records(10, 1234);
  ledger.add_skipped();
  Ledger other;
  other.add_records(5, 66);
  other.add_skipped(2);
  ledger.merge(other);
  EXPECT_EQ(ledger.records(), 15U);
  EXPECT_EQ(ledger.bytes(), 1300U);
  EXPECT_EQ(ledger.skipped(), 3U);
  EXPECT_EQ(ledger.error_count(), 0U);
}

TEST(Ledger, KeepsTheFirstErrorsByPlaceInAnyOrderOfMerging) {
  Random random(1);
  for (int i = 0; i < 50; ++i) {
    std::vector<LedgerError> errors(below(random, 60));
    for (LedgerError& error : errors) {
      error = {below(random, 3), below(random, 40), "bad " + std::to_string(below(random, 3))};
    }
    const auto ledger = fold_in_any_shards<Ledger>(random, errors, [](Ledger& fold, const LedgerError& error) {
      fold.add_error(error.source, error.offset, error.text);
    });
    EXPECT_EQ(ledger.error_count(), errors.size());
    std::sort(errors.begin(), errors.end());
    errors.resize(std::min(errors.size(), Ledger::kErrorsMax));
    EXPECT_EQ(ledger.errors(), errors);
  }
}

TEST(Ledger, CutsLongTextsBeforeItComparesThem) {
  const std::string same(Ledger::kErrorTextBytesMax, 'x');
  Ledger one;
  one.add_error(0, 0, same + "a");
  Ledger two;
  two.add_error(0, 0, same + "b");
  EXPECT_EQ(packed_bytes_of(one), packed_bytes_of(two));
  EXPECT_EQ(one.errors()[0].text, same);
}

TEST(Ledger, KeepsTheLaw) {
  EXPECT_EQ(check_law(random_ledger).value_or(""), "");
}

TEST(Ledger, SurvivesHostileBytes) {
  Random random(5);
  survives_hostile_bytes<Ledger>(
      random, random_ledger, [](const Ledger& ledger) { static_cast<void>(ledger.records()); }, 20000);
}

}  // namespace
}  // namespace fanfold
