#include "engine/lived_time.h"

#include <gtest/gtest.h>

namespace fanfold {
namespace {

TEST(LivedTime, IsTheClocksWhileNothingStandsStill) {
  LivedTime lived(seconds(2));
  EXPECT_EQ(lived.at(Instant{} + seconds(100)), Instant{} + seconds(100));
  EXPECT_EQ(lived.at(Instant{} + seconds(101)), Instant{} + seconds(101));
  EXPECT_EQ(lived.at(Instant{} + seconds(103)), Instant{} + seconds(103));
  EXPECT_EQ(lived.on_clock(Instant{} + seconds(110)), Instant{} + seconds(110));
}

TEST(LivedTime, GrowsByOneStepOverAGapHoweverLong) {
  LivedTime lived(seconds(2));
  EXPECT_EQ(lived.at(Instant{} + seconds(100)), Instant{} + seconds(100));
  EXPECT_EQ(lived.at(Instant{} + seconds(400)), Instant{} + seconds(102));
  EXPECT_EQ(lived.at(Instant{} + seconds(400)), Instant{} + seconds(102));
  EXPECT_EQ(lived.at(Instant{} + seconds(401)), Instant{} + seconds(103));
}

TEST(LivedTime, SaysWhenADeadlineComesByTheClock) {
  LivedTime lived(seconds(2));
  (void)lived.at(Instant{} + seconds(100));
  (void)lived.at(Instant{} + seconds(400));
  EXPECT_EQ(lived.on_clock(Instant{} + seconds(107)), Instant{} + seconds(405));
  EXPECT_EQ(lived.on_clock(std::nullopt), std::nullopt);
}

}  // namespace
}  // namespace fanfold
