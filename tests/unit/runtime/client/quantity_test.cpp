// Sizes as users write them and as people read them.
#include "runtime/client/quantity.h"

#include <gtest/gtest.h>

#include <limits>

namespace fanfold {
namespace {

std::uint64_t size_of(std::string_view text) {
  const Result<std::uint64_t> size = parse_size(text, "--memory");
  return size ? *size : ~std::uint64_t{0};
}

TEST(Size, IsReadWithBinaryAndDecimalUnitsInAnyCase) {
  EXPECT_EQ(size_of("0"), 0U);
  EXPECT_EQ(size_of("512"), 512U);
  EXPECT_EQ(size_of("512B"), 512U);
  EXPECT_EQ(size_of("64KiB"), 65536U);
  EXPECT_EQ(size_of("4MiB"), 4194304U);
  EXPECT_EQ(size_of("1GB"), 1000000000U);
  EXPECT_EQ(size_of("1 GiB"), 1073741824U);
  EXPECT_EQ(size_of("2tib"), 2199023255552U);
  EXPECT_EQ(size_of("3kB"), 3000U);
  EXPECT_EQ(size_of("7Mb"), 7000000U);
  EXPECT_EQ(size_of("1.5GiB"), 1610612736U);
  EXPECT_EQ(size_of("0.1GB"), 100000000U);
  EXPECT_EQ(size_of("9223372036854775807"), 9223372036854775807U);
}

TEST(Size, IsRefusedWithASentenceThatNamesTheFlagAndSaysHowToWriteOne) {
  for (const char* text :
       {"", "GB", "-1", "+1", "1.5", "1.GB", "1e9", "4 apples", "4K", "10m", "1 G", "0x10", "9223372036854775808",
        "99999999TB", "10000000000000000000000000", "1.00000000000000000000001KB", " 1", "1KiBB"}) {
    const Result<std::uint64_t> size = parse_size(text, "--memory");
    ASSERT_FALSE(size) << text;
    EXPECT_EQ(size.failure().code, ExitCode::kUsage);
    EXPECT_EQ(size.failure().sentence.find("--memory is \""), 0U) << size.failure().sentence;
    EXPECT_NE(size.failure().sentence.find("64KiB"), std::string::npos);
  }
  EXPECT_NE(parse_size("4K", "--memory").failure().sentence.find("1000 or of 1024"), std::string::npos);
}

TEST(Size, IsPrintedWithThreeDigits) {
  EXPECT_EQ(human_bytes(0), "0 B");
  EXPECT_EQ(human_bytes(999), "999 B");
  EXPECT_EQ(human_bytes(1000), "1.00 kB");
  EXPECT_EQ(human_bytes(1304567890), "1.30 GB");
  EXPECT_EQ(human_bytes(99949), "99.9 kB");
  EXPECT_EQ(human_bytes(99951), "100 kB");
  EXPECT_EQ(human_bytes(999499), "999 kB");
  EXPECT_EQ(human_bytes(999600), "1.00 MB");
  EXPECT_EQ(human_bytes(std::numeric_limits<std::uint64_t>::max()), "18.4 EB");
}

TEST(Rate, IsPrintedWithThreeDigits) {
  EXPECT_EQ(human_rate(0), "0 B/s");
  EXPECT_EQ(human_rate(545.2e6), "545 MB/s");
  EXPECT_EQ(human_rate(2.2e9), "2.20 GB/s");
  EXPECT_EQ(human_rate(std::numeric_limits<double>::quiet_NaN()), "- B/s");
  EXPECT_EQ(human_rate(std::numeric_limits<double>::infinity()), "- B/s");
}

TEST(Time, IsPrintedInTheUnitThatFits) {
  EXPECT_EQ(human_seconds(0), "0 s");
  EXPECT_EQ(human_seconds(0.000412), "412 us");
  EXPECT_EQ(human_seconds(0.0251), "25.1 ms");
  EXPECT_EQ(human_seconds(0.9996), "1.00 s");
  EXPECT_EQ(human_seconds(12.34), "12.3 s");
  EXPECT_EQ(human_seconds(59.96), "1 min 00 s");
  EXPECT_EQ(human_seconds(123), "2 min 03 s");
  EXPECT_EQ(human_seconds(3720), "1 h 02 min");
  EXPECT_EQ(human_seconds(-1), "-");
  EXPECT_FALSE(human_seconds(1e300).empty());
}

TEST(Count, IsPrintedInGroupsOfThree) {
  EXPECT_EQ(human_count(0), "0");
  EXPECT_EQ(human_count(999), "999");
  EXPECT_EQ(human_count(1000), "1,000");
  EXPECT_EQ(human_count(12345678), "12,345,678");
}

TEST(Quantity, ReadsTimesAndNothingElse) {
  EXPECT_EQ(*parse_time("30", "--t"), seconds(30));
  EXPECT_EQ(*parse_time("30s", "--t"), seconds(30));
  EXPECT_EQ(*parse_time("500ms", "--t"), milliseconds(500));
  EXPECT_EQ(*parse_time("5m", "--t"), seconds(300));
  EXPECT_EQ(*parse_time("1h", "--t"), seconds(3600));
  for (const char* text : {"", "s", "-1s", "0", "1.5s", "1 s", "1d", "99999999999999999999s"}) {
    const Result<Duration> refused = parse_time(text, "--t");
    ASSERT_FALSE(refused.ok()) << text;
    EXPECT_EQ(refused.failure().code, ExitCode::kUsage);
    EXPECT_NE(refused.failure().sentence.find("--t"), std::string::npos);
  }
}

}  // namespace
}  // namespace fanfold
