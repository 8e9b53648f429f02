// root_scheduler_test.cpp: what the root decides, one sentence a test.
#include "tests/unit/engine/schedule/root_harness.h"

namespace fanfold::schedule {
namespace {

using Intervals = std::vector<Interval>;

// ---- joining and granting -----------------------------------------------------------------------

TEST(Scheduler, StartsAGathererWithTheRun) {
  RootHarness root{{.shards = 1}};
  EXPECT_EQ(root.gatherer_life, 1u);
}

TEST(Scheduler, WelcomesAWorkerOpensTheRunAndGrantsInOneTurn) {
  RootHarness root{{.shards = 1}};
  root.join(1);
  ASSERT_EQ(root.sent(1).size(), 3u);
  EXPECT_STREQ(name_of(root.sent(1)[0]), "Welcome");
  EXPECT_STREQ(name_of(root.sent(1)[1]), "OpenRun");
  EXPECT_EQ(shards_of(root.grants(1)), (Intervals{{0, 1}}));
}

TEST(Scheduler, RefusesAnotherProtocolVersionAndSaysBoth) {
  RootHarness root{{.shards = 1}};
  Hello hello;
  hello.protocol_version = kProtocolVersion + 1;
  hello.slots = 1;
  root.said(1, hello);
  const auto refusals = root.take<Refused>(1);
  ASSERT_EQ(refusals.size(), 1u);
  EXPECT_EQ(refusals[0].protocol_version, kProtocolVersion);
  EXPECT_EQ(refusals[0].peer_protocol_version, kProtocolVersion + 1);
  EXPECT_TRUE(root.grants(1).empty());
}

TEST(Scheduler, RefusesAWorkerWithoutSlotsOrWithAbsurdlyMany) {
  RootHarness root{{.shards = 1}};
  root.join(1, 0);
  root.join(2, 1'000'000);
  EXPECT_EQ(root.take<Refused>(1).size(), 1u);
  EXPECT_EQ(root.take<Refused>(2).size(), 1u);
}

TEST(Scheduler, SharesASmallInputAmongTheWorkersThatAreThere) {
  Limits limits = RootHarness::default_limits();
  RootHarness root{{.shards = 4}, limits};
  root.join(1);
  const auto first = root.grants(1);
  EXPECT_EQ(first.size(), 3u) << "a slot has one lease to map and two ahead";
  root.join(2);
  EXPECT_EQ(root.grants(2).size(), 1u);
}

TEST(Scheduler, KeepsEverySlotFedButNoMore) {
  RootHarness root{{.shards = 1000}};
  root.join(1, 2);
  const auto leases = root.grants(1);
  EXPECT_EQ(leases.size(), 2u * 3u);
  root.end_lease(1, leases[0]);
  EXPECT_EQ(root.grants(1).size(), 1u);
}

TEST(Scheduler, GivesTheTailOfALeaseThatEndedEarlyToPendingAgain) {
  RootHarness root{{.shards = 8, .shard_bytes = 1 << 20}};
  root.join(1);
  const auto leases = root.grants(1);
  ASSERT_GE(leases[0].shards.size(), 2u);
  root.end_lease(1, leases[0], leases[0].shards.begin + 1);
  const auto verdicts = root.take<Verdicts>(1);
  ASSERT_EQ(verdicts.size(), 1u);
  EXPECT_EQ(verdicts[0].awarded, std::vector<LeaseId>{leases[0].lease});
  const auto next = root.grants(1);
  ASSERT_FALSE(next.empty());
  EXPECT_EQ(next[0].shards.begin, leases[0].shards.begin + 1);
}

TEST(Scheduler, PutsBackALeaseThatWasNeverStarted) {
  RootHarness root{{.shards = 1}};
  root.join(1);
  const auto leases = root.grants(1);
  Ended ended;
  ended.run = RootHarness::kRun;
  ended.lease = leases[0].lease;
  ended.done = {0, 0};
  ended.outcome = Outcome::kNeverStarted;
  root.said(1, ended);
  const auto again = root.grants(1);
  EXPECT_EQ(shards_of(again), (Intervals{{0, 1}}));
  EXPECT_NE(again[0].lease, leases[0].lease) << "a lease id is never used twice";
  EXPECT_EQ(again[0].attempt, 1u) << "it was no loss";
}

// ---- awards -------------------------------------------------------------------------------------

TEST(Scheduler, AwardsALeaseOnce) {
  RootHarness root{{.shards = 2}};
  root.join(1);
  const auto leases = root.grants(1);
  root.end_lease(1, leases[0]);
  EXPECT_EQ(root.take<Verdicts>(1)[0].awarded, std::vector<LeaseId>{leases[0].lease});
  root.end_lease(1, leases[0]);
  const auto again = root.take<Verdicts>(1);
  ASSERT_EQ(again.size(), 1u);
  EXPECT_TRUE(again[0].awarded.empty());
  EXPECT_EQ(again[0].dropped, std::vector<LeaseId>{leases[0].lease});
  EXPECT_EQ(root.scheduler().statistics().drops, 1u);
}

TEST(Scheduler, DropsAnEndedOfALeaseThatIsAnothersToEnd) {
  RootHarness root{{.shards = 6}};
  root.join(1);
  root.join(2);
  const auto leases = root.grants(1);
  root.end_lease(2, leases[0]);
  const auto verdicts = root.take<Verdicts>(2);
  ASSERT_EQ(verdicts.size(), 1u);
  EXPECT_TRUE(verdicts[0].awarded.empty());
  root.end_lease(1, leases[0]);
  EXPECT_EQ(root.take<Verdicts>(1)[0].awarded, std::vector<LeaseId>{leases[0].lease});
}

TEST(Scheduler, AwardsTheWholeReportedIntervalOrFencesItsSender) {
  RootHarness root{{.shards = 2}};
  root.join(1);
  const auto leases = root.grants(1);
  LeaseGrant beyond = leases[0];
  beyond.shards.end += 1;
  root.end_lease(1, beyond);
  EXPECT_TRUE(root.fenced(1));
  EXPECT_EQ(root.scheduler().statistics().protocol_errors, 1u);
  EXPECT_EQ(root.scheduler().leases()->pending().size(), 2u);
}

TEST(Scheduler, FencesAWorkerThatEndsLeasesWithNothingDoneForEver) {
  RootHarness root{{.shards = 1}};
  root.join(1);
  const auto leases = root.grants(1);
  root.end_lease(1, leases[0], leases[0].shards.begin);
  EXPECT_TRUE(root.fenced(1));
}

TEST(Scheduler, CoalescesTheVerdictsAndGrantsOfATurn) {
  RootHarness root{{.shards = 100}};
  root.join(1);
  const auto leases = root.grants(1);
  root.sent(1).clear();
  root.end_lease(1, leases[0]);
  EXPECT_EQ(root.sent(1).size(), 2u);
}

// ---- silence and fencing ------------------------------------------------------------------------

TEST(Scheduler, GrantsTheLeaseOfASilentWorkerToAnother) {
  RootHarness root{{.shards = 1}};
  root.join(1);
  root.join(2);
  ASSERT_EQ(shards_of(root.grants(1)), (Intervals{{0, 1}}));
  root.silent(1);
  const auto leases = root.grants(2);
  ASSERT_EQ(shards_of(leases), (Intervals{{0, 1}}));
  EXPECT_EQ(leases[0].attempt, 2u);
  EXPECT_TRUE(root.fenced(1));
}

TEST(Scheduler, AnswersTheLateEndedOfAFencedIncarnationWithStartAnewAndCountsIt) {
  RootHarness root{{.shards = 1}};
  root.join(1);
  root.join(2);
  const auto leases = root.grants(1);
  root.silent(1);
  root.end_lease(1, leases[0]);
  EXPECT_EQ(root.take<StartAnew>(1).size(), 1u);
  EXPECT_TRUE(root.take<Verdicts>(1).empty());
  EXPECT_EQ(root.scheduler().statistics().late_words, 1u);
  EXPECT_EQ(root.scheduler().leases()->shards_in(LeaseState::kLeased), 1u) << "the other's lease stands";
}

TEST(Scheduler, NeverTakesAFencedIncarnationBack) {
  RootHarness root{{.shards = 1}};
  root.join(1);
  root.silent(1);
  root.sent(1).clear();
  root.join(1);
  EXPECT_EQ(root.take<StartAnew>(1).size(), 1u);
  EXPECT_TRUE(root.grants(1).empty());
}

TEST(Scheduler, LearnsOfALossFromTheObituaryInTheNextHello) {
  RootHarness root{{.shards = 1}};
  root.join(1);
  ASSERT_EQ(root.grants(1).size(), 1u);
  Obituary obituary;
  obituary.incarnation = RootHarness::id(1);
  obituary.cause = RootHarness::killed();
  root.join(2, 1, obituary);
  EXPECT_TRUE(root.fenced(1));
  EXPECT_EQ(root.grants(2).size(), 1u);
  EXPECT_EQ(root.scheduler().statistics().workers_lost, 1u);
}

TEST(Scheduler, LosesEveryIncarnationOfANodeThatIsGone) {
  RootHarness root{{.shards = 1}};
  root.join(1);
  root.step(NodeLost{"w1", RootHarness::killed()});
  EXPECT_TRUE(root.fenced(1));
}

TEST(Scheduler, PutsBackAwardedWorkThatIsNotFoldedWhenItsWorkerIsLost) {
  RootHarness root{{.shards = 1}};
  root.join_gatherer();
  root.join(1);
  root.map_all(1);
  root.silent(1);
  EXPECT_EQ(root.scheduler().leases()->pending().size(), 1u);
  EXPECT_EQ(root.take<ForgetWorker>(RootHarness::kGatherer).size(), 1u);
}

TEST(Scheduler, KeepsWhatTheGathererHoldsWholeWhenItsWorkerIsLost) {
  RootHarness root{{.shards = 1}};
  root.join_gatherer();
  root.join(1);
  const auto leases = root.map_all(1);
  root.stage(1, 1, leases);
  ASSERT_EQ(root.take<FoldBundle>(RootHarness::kGatherer).size(), 1u);
  root.silent(1);
  EXPECT_EQ(root.scheduler().leases()->shards_in(LeaseState::kFolding), 1u);
  root.fold(1, 1);
  EXPECT_EQ(root.scheduler().leases()->folded().size(), 1u);
  EXPECT_EQ(root.take<Finish>(RootHarness::kGatherer).size(), 1u);
}

TEST(Scheduler, FencesAPeerThatSaysWhatItsRoleNeverSays) {
  RootHarness root{{.shards = 1}};
  root.join(1);
  root.said(1, Finished{});
  EXPECT_TRUE(root.fenced(1));
  EXPECT_EQ(root.scheduler().statistics().protocol_errors, 1u);
}

TEST(Scheduler, DoesAgainWhatWasLostForWantOfMemoryAndNamesPeakAndLimitWhenItIsLostThreeTimes) {
  RootHarness root{{.shards = 1, .shard_bytes = 100}};
  for (uint64_t worker = 1; worker <= 3; ++worker) {
    root.join(worker);
    ASSERT_EQ(root.grants(worker).size(), 1u);
    ASSERT_TRUE(root.ended.empty());
    Cause cause;
    cause.kind = CauseKind::kOutOfMemory;
    cause.message = "in a container or machine that has 160 MiB";
    cause.peak_rss_bytes = uint64_t{140} << 20;
    root.lost(worker, cause);
  }
  root.advance(seconds(2));
  ASSERT_EQ(root.ended.size(), 1u);
  EXPECT_EQ(root.ended[0].code, ExitCode::kJobFailed);
  EXPECT_NE(
      root.ended[0].sentence.find("ran out of memory and was killed by the kernel, having held 140 MiB at most in a "
                                  "container or machine that has 160 MiB"),
      std::string::npos)
      << root.ended[0].sentence;
}

// ---- too many losses ----------------------------------------------------------------------------

TEST(Scheduler, FailsTheRunWhenALeaseIsLostThreeTimes) {
  RootHarness root{{.shards = 1, .shard_bytes = 100}};
  for (uint64_t worker = 1; worker <= 3; ++worker) {
    root.join(worker);
    ASSERT_EQ(root.grants(worker).size(), 1u);
    ASSERT_TRUE(root.ended.empty());
    Cause cause = RootHarness::killed();
    cause.peak_rss_bytes = uint64_t{300} << 20;
    root.lost(worker, cause);
  }
  root.advance(seconds(2));
  ASSERT_EQ(root.ended.size(), 1u);
  EXPECT_EQ(root.ended[0].code, ExitCode::kJobFailed);
  for (const char* part : {"bytes 0 to 100 of \"data.txt\"", "3 times", "signal 9 (KILL)", "300 MiB"}) {
    EXPECT_NE(root.ended[0].sentence.find(part), std::string::npos) << root.ended[0].sentence;
  }
}

TEST(Scheduler, FailsTheRunAtOnceWhenTheJobCrashes) {
  RootHarness root{{.shards = 4, .shard_bytes = 100}};
  root.join(1);
  const auto leases = root.grants(1);
  Obituary obituary;
  obituary.incarnation = RootHarness::id(1);
  obituary.cause = RootHarness::killed(11);
  obituary.suspects = {
      {.slot = 0, .lease = leases[0].lease, .shard = leases[0].shards.begin + 1, .phase = Phase::kMap}};
  root.join(2, 1, obituary);
  root.advance(seconds(2));
  ASSERT_EQ(root.ended.size(), 1u);
  EXPECT_EQ(root.ended[0].code, ExitCode::kJobFailed);
  EXPECT_EQ(root.ended[0].shards, leases[0].shards);
  EXPECT_NE(root.ended[0].sentence.find("signal 11 (SEGV) while mapping bytes 100 to 200 of \"data.txt\""),
            std::string::npos)
      << root.ended[0].sentence;
}

TEST(Scheduler, FailsTheRunWhenAWorkerCrashesBeforeItsHello) {
  RootHarness root{{.shards = 4}};
  Obituary obituary;
  obituary.incarnation = RootHarness::id(1);
  obituary.cause = RootHarness::killed(11);
  obituary.cause.phase = Phase::kLoad;
  root.join(2, 1, obituary);
  root.advance(seconds(2));
  ASSERT_EQ(root.ended.size(), 1u);
  EXPECT_NE(root.ended[0].sentence.find("while the job was loaded"), std::string::npos) << root.ended[0].sentence;
}

TEST(Scheduler, FailsTheRunWithTheSentenceOfALeaseThatFailed) {
  RootHarness root{{.shards = 1}};
  root.join(1);
  const auto leases = root.grants(1);
  Ended ended;
  ended.run = RootHarness::kRun;
  ended.lease = leases[0].lease;
  ended.outcome = Outcome::kFailed;
  ended.cause = Cause{};
  ended.cause->kind = CauseKind::kInput;
  ended.cause->message = "cannot open \"x\".";
  root.said(1, ended);
  EXPECT_EQ(root.take<CancelRun>(1).size(), 1u);
  root.said(1, Goodbye{RootHarness::kRun, 1, 77, {}});
  ASSERT_EQ(root.ended.size(), 1u) << "all have said goodbye: nothing is waited for";
  EXPECT_EQ(root.ended[0].code, ExitCode::kInputOutput);
  EXPECT_EQ(root.ended[0].sentence, "cannot open \"x\".");
  ASSERT_EQ(root.ended[0].statistics.processes.size(), 1u);
  EXPECT_EQ(root.ended[0].statistics.processes[0].peak_rss_bytes, 77u);
}

// ---- bundles ------------------------------------------------------------------------------------

TEST(Scheduler, FlushesAWorkerWhenNothingMoreWillComeToIt) {
  RootHarness root{{.shards = 2}};
  root.join_gatherer();
  root.join(1);
  const auto leases = root.grants(1);
  ASSERT_EQ(leases.size(), 2u);
  root.end_lease(1, leases[0]);
  EXPECT_TRUE(root.take<Flush>(1).empty());
  root.end_lease(1, leases[1]);
  const auto flushes = root.take<Flush>(1);
  ASSERT_EQ(flushes.size(), 1u);
  EXPECT_EQ(flushes[0].gatherer.address, "ipc://g1000");
  EXPECT_GE(flushes[0].bytes_granted, 2000u) << "what its partials held fits, so no round trip is needed";
}

TEST(Scheduler, HasTheWorkerThatHoldsTheWholeRunFinishIt) {
  RootHarness root{{.shards = 4}};
  root.join_gatherer();
  root.join(1);
  const auto leases = root.map_all(1);
  const auto flushes = root.take<Flush>(1);
  ASSERT_EQ(flushes.size(), 1u);
  EXPECT_TRUE(flushes[0].finish);
  Staged staged = RootHarness::staged(1, 1, leases);
  staged.content = BundleContent::kRows;
  root.said(RootHarness::kGatherer, staged);
  EXPECT_EQ(root.take<FoldBundle>(RootHarness::kGatherer).size(), 1u);
}

TEST(Scheduler, HasNobodyFinishWhatAnotherWorkerOrAnEarlierBundleHasAPartOf) {
  RootHarness shared{{.shards = 6}};
  shared.join_gatherer();
  shared.join(1);
  shared.join(2);
  shared.map_all(1);
  shared.map_all(2);
  shared.map_all(1);
  for (const uint64_t worker : {1, 2}) {
    for (const Flush& flush : shared.take<Flush>(worker)) EXPECT_FALSE(flush.finish) << worker;
  }

  RootHarness early{{.shards = 40}};
  early.join_gatherer();
  early.join(1);
  const auto first = early.grants(1);
  early.end_lease(1, first[0]);
  early.stage(1, 1, {first[0]});
  for (std::size_t i = 1; i < first.size(); ++i) early.end_lease(1, first[i]);
  early.map_all(1);
  const auto flushes = early.take<Flush>(1);
  ASSERT_FALSE(flushes.empty());
  for (const Flush& flush : flushes) EXPECT_FALSE(flush.finish);
}

TEST(Scheduler, RejectsRowsThatAreNotTheWholeRun) {
  RootHarness root{{.shards = 40}};
  root.join_gatherer();
  root.join(1);
  const auto leases = root.grants(1);
  root.end_lease(1, leases[0]);
  Staged staged = RootHarness::staged(1, 1, {leases[0]});
  staged.content = BundleContent::kRows;
  root.said(RootHarness::kGatherer, staged);
  EXPECT_EQ(root.take<RejectBundle>(RootHarness::kGatherer).size(), 1u);
  EXPECT_TRUE(root.take<FoldBundle>(RootHarness::kGatherer).empty());
  EXPECT_TRUE(root.fenced(1));
}

TEST(Scheduler, FlushesOnlyOnceTheGathererHasOpenedTheRun) {
  RootHarness root{{.shards = 1}};
  root.join(1);
  root.map_all(1);
  EXPECT_TRUE(root.take<Flush>(1).empty());
  root.join_gatherer();
  EXPECT_EQ(root.take<Flush>(1).size(), 1u);
}

TEST(Scheduler, RejectsABundleWithALeaseThatWasNotAwarded) {
  RootHarness root{{.shards = 2}};
  root.join_gatherer();
  root.join(1);
  const auto leases = root.grants(1);
  root.end_lease(1, leases[0]);
  root.said(RootHarness::kGatherer, RootHarness::staged(1, 1, leases));
  EXPECT_EQ(root.take<RejectBundle>(RootHarness::kGatherer).size(), 1u);
  EXPECT_TRUE(root.take<FoldBundle>(RootHarness::kGatherer).empty());
  EXPECT_TRUE(root.fenced(1));
  EXPECT_EQ(root.scheduler().leases()->pending().size(), 2u);
}

TEST(Scheduler, RejectsABundleOfAnIncarnationThatWasGivenUp) {
  RootHarness root{{.shards = 1}};
  root.join_gatherer();
  root.join(1);
  const auto leases = root.map_all(1);
  root.silent(1);
  root.said(RootHarness::kGatherer, RootHarness::staged(1, 1, leases));
  EXPECT_EQ(root.take<RejectBundle>(RootHarness::kGatherer).size(), 1u);
  EXPECT_EQ(root.scheduler().statistics().bundles_rejected, 1u);
}

TEST(Scheduler, RejectsABundleWithTheLeaseOfAnotherWorker) {
  RootHarness root{{.shards = 6}};
  root.join_gatherer();
  root.join(1);
  root.join(2);
  const auto first = root.grants(1);
  const auto second = root.grants(2);
  root.end_lease(1, first[0]);
  root.end_lease(2, second[0]);
  root.said(RootHarness::kGatherer, RootHarness::staged(1, 1, {first[0], second[0]}));
  EXPECT_EQ(root.take<RejectBundle>(RootHarness::kGatherer).size(), 1u);
  EXPECT_TRUE(root.fenced(1));
  EXPECT_FALSE(root.fenced(2));
}

TEST(Scheduler, RejectsABundleThatNamesALeaseTwice) {
  RootHarness root{{.shards = 1}};
  root.join_gatherer();
  root.join(1);
  const auto leases = root.map_all(1);
  root.said(RootHarness::kGatherer, RootHarness::staged(1, 1, {leases[0], leases[0]}));
  EXPECT_EQ(root.take<RejectBundle>(RootHarness::kGatherer).size(), 1u);
}

TEST(Scheduler, RejectsABundleThatNamesOtherShardsThanWereAwarded) {
  RootHarness root{{.shards = 2}};
  root.join_gatherer();
  root.join(1);
  auto leases = root.map_all(1);
  leases[0].shards.end += 1;
  root.said(RootHarness::kGatherer, RootHarness::staged(1, 1, {leases[0]}));
  EXPECT_EQ(root.take<RejectBundle>(RootHarness::kGatherer).size(), 1u);
}

TEST(Scheduler, RejectsALeaseInASecondBundle) {
  RootHarness root{{.shards = 1}};
  root.join_gatherer();
  root.join(1);
  const auto leases = root.map_all(1);
  root.stage(1, 1, leases);
  ASSERT_EQ(root.take<FoldBundle>(RootHarness::kGatherer).size(), 1u);
  root.said(RootHarness::kGatherer, RootHarness::staged(1, 2, leases));
  EXPECT_EQ(root.take<RejectBundle>(RootHarness::kGatherer).size(), 1u);
}

TEST(Scheduler, TellsTheWorkerWhenItsBundleIsFoldedSoThatItMayFreeIt) {
  RootHarness root{{.shards = 1}};
  root.join_gatherer();
  root.join(1);
  root.stage(1, 1, root.map_all(1));
  EXPECT_TRUE(root.take<BundleDone>(1).empty());
  root.fold(1, 1);
  EXPECT_EQ(root.take<BundleDone>(1).size(), 1u);
}

TEST(Scheduler, TakesAStagedBundleWhoseAnnouncementComesLater) {
  RootHarness root{{.shards = 1}};
  root.join_gatherer();
  root.join(1);
  const auto leases = root.map_all(1);
  root.said(RootHarness::kGatherer, RootHarness::staged(1, 1, leases));
  EXPECT_EQ(root.take<FoldBundle>(RootHarness::kGatherer).size(), 1u);
  root.fold(1, 1);
  root.said(1, FlushWanted{RootHarness::kRun, BundleSeq{1}, 1000, 1, RootHarness::id(RootHarness::kGatherer)});
  EXPECT_FALSE(root.fenced(1));
  EXPECT_TRUE(root.take<FlushGranted>(1).empty());
  root.advance(seconds(600));
  EXPECT_FALSE(root.fenced(1)) << "nothing of that bundle is waited for";
}

TEST(Scheduler, GrantsBundlesWholeAndOneMayAlwaysProceed) {
  Limits limits = RootHarness::default_limits();
  limits.gatherer_bytes_in_flight_max = 1000;
  RootHarness root{{.shards = 100}, limits};
  root.join_gatherer();
  root.join(1);
  const auto leases = root.grants(1);
  for (int i = 0; i < 3; ++i) root.end_lease(1, leases[static_cast<std::size_t>(i)]);
  root.said(1, FlushWanted{RootHarness::kRun, BundleSeq{1}, 5000, 1, {}});
  EXPECT_EQ(root.take<FlushGranted>(1).size(), 1u) << "larger than the budget, but alone";
  root.said(1, FlushWanted{RootHarness::kRun, BundleSeq{2}, 10, 1, {}});
  EXPECT_TRUE(root.take<FlushGranted>(1).empty());
  root.said(RootHarness::kGatherer, RootHarness::staged(1, 1, {leases[0]}));
  root.fold(1, 1);
  EXPECT_EQ(root.take<FlushGranted>(1).size(), 1u);
}

TEST(Scheduler, GivesUpAWorkerWhoseGrantedBundleNeverReachesTheGatherer) {
  RootHarness root{{.shards = 1}};
  root.join_gatherer();
  root.join(1);
  root.map_all(1);
  root.said(1, FlushWanted{RootHarness::kRun, BundleSeq{1}, 1000, 1, RootHarness::id(RootHarness::kGatherer)});
  ASSERT_TRUE(root.scheduler().next_deadline().has_value());
  root.advance(seconds(59));
  EXPECT_FALSE(root.fenced(1));
  root.advance(seconds(2));
  EXPECT_TRUE(root.fenced(1));
  EXPECT_EQ(root.scheduler().leases()->pending().size(), 1u);
}

TEST(Scheduler, FencesTheWorkerOfABundleThatIsNoBundle) {
  RootHarness root{{.shards = 1}};
  root.join_gatherer();
  root.join(1);
  root.map_all(1);
  Cause cause;
  cause.kind = CauseKind::kBadPartial;
  root.said(RootHarness::kGatherer, BundleFailed{RootHarness::kRun, {RootHarness::id(1), BundleSeq{1}}, cause});
  EXPECT_TRUE(root.fenced(1));
  EXPECT_EQ(root.scheduler().leases()->pending().size(), 1u);
}

TEST(Scheduler, FlushesByTimeOnlyWhereToldTo) {
  for (const bool by_time : {false, true}) {
    Limits limits = RootHarness::default_limits();
    limits.flush_by_time = by_time;
    RootHarness root{{.shards = 100}, limits};
    root.join_gatherer();
    root.join(1);
    root.end_lease(1, root.grants(1)[0]);
    root.advance(milliseconds(1900));
    EXPECT_TRUE(root.take<Flush>(1).empty());
    root.advance(milliseconds(200));
    EXPECT_EQ(root.take<Flush>(1).size(), by_time ? 1u : 0u);
  }
}

TEST(Scheduler, BoundsTheBundlesThatAWorkerMayAnnounce) {
  RootHarness root{{.shards = 1}};
  root.join(1);
  for (uint64_t seq = 1; seq <= kBundlesPerWorkerMax; ++seq) {
    root.said(1, FlushWanted{RootHarness::kRun, BundleSeq{seq}, 1, 1, {}});
  }
  EXPECT_FALSE(root.fenced(1));
  root.said(1, FlushWanted{RootHarness::kRun, BundleSeq{kBundlesPerWorkerMax + 1}, 1, 1, {}});
  EXPECT_TRUE(root.fenced(1));
}

// ---- small partials -----------------------------------------------------------------------------

Ended small_ended(const LeaseGrant& lease) {
  Ended ended;
  ended.run = RootHarness::kRun;
  ended.lease = lease.lease;
  ended.done = lease.shards;
  ended.small = SmallPartial{Bytes(10), 1};
  return ended;
}

TEST(Scheduler, AsksForSmallPartialsInARunOfFewLeasesOnly) {
  Limits limits;
  limits.small_leases_max = 4;
  RootHarness few{{.shards = 4}, limits};
  few.join(1);
  EXPECT_TRUE(few.grants(1)[0].send_small);
  RootHarness many{{.shards = 5}, limits};
  many.join(1);
  EXPECT_FALSE(many.grants(1)[0].send_small);
}

TEST(Scheduler, AwardsAndFoldsASmallPartialInOneStep) {
  RootHarness root{{.shards = 1}, Limits{}};
  root.join_gatherer();
  root.join(1);
  const auto leases = root.grants(1);
  root.said(1, small_ended(leases[0]));
  EXPECT_EQ(root.take<Verdicts>(1)[0].awarded, std::vector<LeaseId>{leases[0].lease});
  const auto folds = root.take<FoldSmall>(RootHarness::kGatherer);
  ASSERT_EQ(folds.size(), 1u);
  EXPECT_EQ(folds[0].partials[0].partial.packed, Bytes(10)) << "passed on unread";
  EXPECT_TRUE(root.take<Flush>(1).empty());
  root.said(RootHarness::kGatherer, SmallFolded{RootHarness::kRun, {leases[0].lease}, {}});
  EXPECT_EQ(root.take<Finish>(RootHarness::kGatherer).size(), 1u);
}

TEST(Scheduler, KeepsSmallPartialsForAGathererThatIsStillStarting) {
  RootHarness root{{.shards = 1}, Limits{}};
  root.join(1);
  root.said(1, small_ended(root.grants(1)[0]));
  root.silent(1);
  EXPECT_TRUE(root.scheduler().leases()->pending().empty()) << "it is with the root, not with its worker";
  root.join_gatherer();
  EXPECT_EQ(root.take<FoldSmall>(RootHarness::kGatherer).size(), 1u);
}

TEST(Scheduler, MapsAgainWhatTheGathererFoundInvalid) {
  RootHarness root{{.shards = 1}, Limits{}};
  root.join_gatherer();
  root.join(1);
  const auto leases = root.grants(1);
  root.said(1, small_ended(leases[0]));
  root.said(RootHarness::kGatherer, SmallFolded{RootHarness::kRun, {}, {leases[0].lease}});
  const auto again = root.grants(1);
  ASSERT_EQ(again.size(), 1u);
  EXPECT_EQ(again[0].attempt, 2u);
}

TEST(Scheduler, FencesTheSenderOfASmallPartialBeyondItsBound) {
  RootHarness root{{.shards = 2}, Limits{}};
  root.join(1);
  Ended ended = small_ended(root.grants(1)[0]);
  ended.small->packed.resize(kSmallPartialBytesMax + 1);
  root.said(1, ended);
  EXPECT_TRUE(root.fenced(1));
  root.join(2);
  ended = small_ended(root.grants(2)[0]);
  ended.small->ledger.resize(kLedgerBytesMax + 1);
  root.said(2, ended);
  EXPECT_TRUE(root.fenced(2));
}

// ---- the gatherer's losses ----------------------------------------------------------------------

TEST(Scheduler, StartsAnotherGathererAndMapsAgainWhatTheFirstHadFolded) {
  RootHarness root{{.shards = 20}};
  root.join_gatherer();
  root.join(1);
  const auto leases = root.grants(1);
  root.end_lease(1, leases[0]);
  root.stage(1, 1, {leases[0]});
  root.fold(1, 1);
  ASSERT_EQ(root.scheduler().leases()->folded().size(), 1u);
  root.step(GathererDied{1, RootHarness::killed()});
  EXPECT_EQ(root.gatherer_life, 2u);
  EXPECT_EQ(root.scheduler().leases()->folded().size(), 0u);
  EXPECT_TRUE(root.fenced(RootHarness::kGatherer));
}

TEST(Scheduler, OffersBundlesThatWorkersStillKeepToTheNextGatherer) {
  RootHarness root{{.shards = 1}};
  root.join_gatherer();
  root.join(1);
  const auto leases = root.map_all(1);
  root.stage(1, 1, leases);
  root.step(GathererDied{1, RootHarness::killed()});
  EXPECT_EQ(root.scheduler().leases()->shards_in(LeaseState::kAwarded), 1u);
  EXPECT_TRUE(root.take<FlushGranted>(1).empty());
  root.join_gatherer(2000);
  const auto granted = root.take<FlushGranted>(1);
  ASSERT_EQ(granted.size(), 1u);
  EXPECT_EQ(granted[0].gatherer.address, "ipc://g2000");
}

TEST(Scheduler, GrantsAnewABundleThatWasSentToAGathererThatIsGone) {
  RootHarness root{{.shards = 1}};
  root.join_gatherer();
  root.join(1);
  root.map_all(1);
  root.step(GathererDied{1, RootHarness::killed()});
  root.join_gatherer(2000);
  root.take<FlushGranted>(1);
  root.said(1, FlushWanted{RootHarness::kRun, BundleSeq{1}, 1000, 1, RootHarness::id(RootHarness::kGatherer)});
  EXPECT_EQ(root.take<FlushGranted>(1).size(), 1u);
}

TEST(Scheduler, IgnoresTheWordsOfAGathererThatIsGone) {
  RootHarness root{{.shards = 1}};
  root.join_gatherer();
  root.join(1);
  root.stage(1, 1, root.map_all(1));
  root.step(GathererDied{1, RootHarness::killed()});
  root.fold(1, 1);
  EXPECT_EQ(root.scheduler().leases()->folded().size(), 0u);
  EXPECT_EQ(root.take<StartAnew>(RootHarness::kGatherer).size(), 1u);
}

TEST(Scheduler, FailsTheRunAtTheThirdLossOfAGatherer) {
  RootHarness root{{.shards = 1}};
  for (uint32_t life = 1; life <= 3; ++life) {
    ASSERT_TRUE(root.ended.empty());
    root.step(GathererDied{life, RootHarness::killed()});
  }
  root.advance(seconds(2));
  ASSERT_EQ(root.ended.size(), 1u);
  EXPECT_EQ(root.ended[0].code, ExitCode::kJobFailed);
}

TEST(Scheduler, CountsTheDeathOfAGathererOnce) {
  RootHarness root{{.shards = 1}};
  root.join_gatherer();
  root.silent(RootHarness::kGatherer);
  root.step(GathererDied{1, RootHarness::killed()});
  EXPECT_EQ(root.gatherer_life, 2u);
  EXPECT_EQ(root.scheduler().statistics().gatherers_lost, 1u);
}

TEST(Scheduler, FailsTheRunWithPhaseAndPartWhenTheJobCrashesInTheGatherer) {
  RootHarness root{{.shards = 1}};
  root.join_gatherer();
  Cause cause = RootHarness::killed(11);
  cause.phase = Phase::kFold;
  cause.part = 5;
  cause.bundle = BundleId{RootHarness::id(1), BundleSeq{3}};
  root.step(GathererDied{1, cause});
  root.advance(seconds(2));
  ASSERT_EQ(root.ended.size(), 1u);
  for (const char* part : {"SEGV", "while folding a bundle", "part 5", "bundle 3"}) {
    EXPECT_NE(root.ended[0].sentence.find(part), std::string::npos) << root.ended[0].sentence;
  }
}

TEST(Scheduler, FailsTheRunWhenTheGathererDoesNotOpenTheJob) {
  RootHarness root{{.shards = 1}};
  root.join(1);
  root.advance(seconds(29));
  EXPECT_TRUE(root.take<CancelRun>(1).empty());
  root.advance(seconds(1));
  EXPECT_EQ(root.take<CancelRun>(1).size(), 1u);
}

TEST(Scheduler, RefusesAGathererThatNobodyAskedFor) {
  RootHarness root{{.shards = 1}};
  root.join_gatherer();
  Hello hello;
  hello.role = Role::kGatherer;
  root.said(2000, hello);
  EXPECT_EQ(root.take<Refused>(2000).size(), 1u);
}

// ---- no workers ---------------------------------------------------------------------------------

TEST(Scheduler, FailsARunThatNoWorkerJoins) {
  RootHarness root{{.shards = 1}};
  root.join_gatherer();
  EXPECT_EQ(root.scheduler().next_deadline(), Instant{1} + seconds(30));
  root.advance(seconds(30));
  root.said(RootHarness::kGatherer, Goodbye{RootHarness::kRun, 1, 1, {}});
  ASSERT_EQ(root.ended.size(), 1u);
  EXPECT_EQ(root.ended[0].code, ExitCode::kNoFleet);
  EXPECT_NE(root.ended[0].sentence.find("no worker joined within 30 s"), std::string::npos);
}

TEST(Scheduler, FailsARunWhoseWorkersAreAllLostAndNoneComes) {
  RootHarness root{{.shards = 1}};
  root.join_gatherer();
  root.join(1);
  root.advance(seconds(100));
  root.silent(1);
  root.advance(seconds(29));
  ASSERT_TRUE(root.ended.empty());
  root.advance(seconds(1));
  root.said(RootHarness::kGatherer, Goodbye{RootHarness::kRun, 1, 1, {}});
  ASSERT_EQ(root.ended.size(), 1u);
  EXPECT_EQ(root.ended[0].code, ExitCode::kNoFleet);
  EXPECT_NE(root.ended[0].sentence.find("all workers were lost"), std::string::npos);
}

TEST(Scheduler, GoesOnWhenAWorkerJoinsInTime) {
  RootHarness root{{.shards = 1}};
  root.join_gatherer();
  root.advance(seconds(29));
  root.join(1);
  root.advance(seconds(100));
  EXPECT_TRUE(root.ended.empty());
  EXPECT_TRUE(root.take<CancelRun>(1).empty());
}

TEST(Scheduler, FailsAtOnceWhenNobodyIsLeftWhoCouldBecomeAWorker) {
  RootHarness root{{.shards = 1}};
  root.join(1);
  root.step(NoMoreWorkers{"the worker process could not be started."});
  EXPECT_TRUE(root.take<CancelRun>(1).empty()) << "one is still here";
  root.silent(1);
  root.advance(seconds(2));
  ASSERT_EQ(root.ended.size(), 1u);
  EXPECT_EQ(root.ended[0].code, ExitCode::kNoFleet);
  EXPECT_EQ(root.ended[0].sentence, "the worker process could not be started.");
}

// ---- the end ------------------------------------------------------------------------------------

TEST(Scheduler, AnswersAnEmptyInputWithoutAnyWorker) {
  RootHarness root{{.shards = 0}};
  root.join_gatherer();
  EXPECT_EQ(root.take<Finish>(RootHarness::kGatherer).size(), 1u);
}

TEST(Scheduler, DeliversBatchesInOrderGivesCreditAndEndsWithStatistics) {
  Limits limits = RootHarness::default_limits();
  limits.result_batches_ahead = 2;
  RootHarness root{{.shards = 1}, limits};
  root.join_gatherer();
  root.join(1);
  root.stage(1, 1, root.map_all(1));
  root.fold(1, 1);
  const auto finish = root.take<Finish>(RootHarness::kGatherer);
  ASSERT_EQ(finish.size(), 1u);
  EXPECT_EQ(finish[0].result_batches_allowed, 2u);
  root.said(RootHarness::kGatherer, ResultBatch{RootHarness::kRun, 0, 10});
  root.said(RootHarness::kGatherer, ResultBatch{RootHarness::kRun, 1, 10});
  EXPECT_EQ(root.delivered, (std::vector<uint64_t>{0, 1}));
  root.step(ResultConsumed{1});
  EXPECT_EQ(root.take<ResultCredit>(RootHarness::kGatherer)[0].result_batches_allowed, 3u);
  Finished finished;
  finished.run = RootHarness::kRun;
  finished.batches = 2;
  finished.rows = 20;
  root.said(RootHarness::kGatherer, finished);
  EXPECT_EQ(root.take<CloseRun>(1).size(), 1u);
  EXPECT_EQ(root.take<CloseRun>(RootHarness::kGatherer).size(), 1u);
  EXPECT_TRUE(root.ended.empty());
  root.said(1, Goodbye{RootHarness::kRun, 1, 100, {}});
  root.said(RootHarness::kGatherer, Goodbye{RootHarness::kRun, 2, 200, {}});
  ASSERT_EQ(root.ended.size(), 1u);
  EXPECT_EQ(root.ended[0].code, ExitCode::kDone);
  EXPECT_EQ(root.ended[0].rows, 20u);
  EXPECT_EQ(root.ended[0].shards_folded, 1u);
  EXPECT_EQ(root.ended[0].statistics.bundles, 1u);
  EXPECT_EQ(root.ended[0].statistics.leases, 1u);
  EXPECT_EQ(root.ended[0].statistics.processes.size(), 2u);
}

TEST(Scheduler, TellsOnceOfAProcessThatSaidGoodbyeAndLeftBeforeTheOthers) {
  RootHarness root{{.shards = 1}};
  root.join_gatherer();
  root.join(1);
  root.join(2);
  root.step(CancelRequested{});
  root.said(RootHarness::kGatherer, Goodbye{RootHarness::kRun, 2, 200, {}});
  root.step(GathererDied{1, Cause{}});
  root.said(1, Goodbye{RootHarness::kRun, 1, 100, {}});
  root.lost(1, Cause{});
  EXPECT_TRUE(root.ended.empty()) << "the other worker has something to say";
  root.said(2, Goodbye{RootHarness::kRun, 1, 100, {}});
  ASSERT_EQ(root.ended.size(), 1u);
  const RunStatistics& told = root.ended[0].statistics;
  EXPECT_EQ(told.processes.size(), 3u);
  EXPECT_EQ(told.gatherers_lost, 0u);
  EXPECT_EQ(told.workers_lost, 0u);
}

TEST(Scheduler, WaitsForAGoodbyeOnlySoLong) {
  RootHarness root{{.shards = 1}};
  root.join(1);
  root.step(CancelRequested{});
  EXPECT_TRUE(root.ended.empty());
  EXPECT_EQ(root.scheduler().next_deadline(), Instant{1} + seconds(1));
  root.advance(seconds(1));
  ASSERT_EQ(root.ended.size(), 1u);
  EXPECT_TRUE(root.fenced(1)) << "it still holds something of the run";
  ASSERT_EQ(root.ended[0].statistics.processes.size(), 1u);
  EXPECT_TRUE(root.ended[0].statistics.processes[0].lost);
}

TEST(Scheduler, CancelsAtAnyTimeWithTheSignalsExitCode) {
  for (const auto& [signal, code] : {std::pair{2, ExitCode::kInterrupted}, std::pair{15, ExitCode::kTerminated}}) {
    RootHarness root{{.shards = 1}};
    root.join(1);
    Cause cause;
    cause.kind = CauseKind::kCancelled;
    cause.signal = signal;
    root.step(CancelRequested{cause});
    EXPECT_EQ(root.take<CancelRun>(1).size(), 1u);
    root.said(1, Goodbye{RootHarness::kRun, 1, 1, {}});
    ASSERT_EQ(root.ended.size(), 1u);
    EXPECT_EQ(root.ended[0].code, code);
  }
}

TEST(Scheduler, RunsAnotherRunWithTheSameWorkers) {
  RootHarness root{{.shards = 0}};
  root.join_gatherer();
  root.join(1);
  Finished finished;
  finished.run = RootHarness::kRun;
  root.said(RootHarness::kGatherer, finished);
  root.said(1, Goodbye{RootHarness::kRun, 1, 1, {}});
  root.said(RootHarness::kGatherer, Goodbye{RootHarness::kRun, 1, 1, {}});
  ASSERT_EQ(root.ended.size(), 1u);
  root.sent(1).clear();
  RunSubmitted next;
  next.for_workers.run = next.for_gatherer.run = RunId{2, 2};
  Source range;
  range.kind = SourceKind::kRange;
  range.end = 1;
  range.unit = 1;
  next.plan = std::move(Plan::make({range}, PlanOptions{})).value();
  root.step(std::move(next));
  EXPECT_EQ(root.take<OpenRun>(1).size(), 1u);
  EXPECT_EQ(root.grants(1).size(), 1u);
}

// ---- shares of a fleet --------------------------------------------------------------------------

TEST(Scheduler, GivesCreditByTheSlotsThatAreTheRunsShare) {
  RootHarness root{{.shards = 1000}};
  root.step(ShareSet{"w1", 1});
  root.join(1, 4);
  EXPECT_EQ(root.take<SlotsAllowed>(1), (std::vector<SlotsAllowed>{{RootHarness::kRun, 1}}));
  EXPECT_EQ(root.grants(1).size(), 3u) << "one lease to map and two ahead, on one slot of four";
  root.step(ShareSet{"w1", 2});
  EXPECT_EQ(root.take<SlotsAllowed>(1), (std::vector<SlotsAllowed>{{RootHarness::kRun, 2}}));
  EXPECT_EQ(root.grants(1).size(), 3u);
  root.step(ShareSet{"w1", 2});
  EXPECT_TRUE(root.take<SlotsAllowed>(1).empty()) << "it knows";
  root.step(ShareSet{"w1", 100});
  EXPECT_EQ(root.take<SlotsAllowed>(1), (std::vector<SlotsAllowed>{{RootHarness::kRun, 4}})) << "what it has at most";
}

TEST(Scheduler, GrantsNothingToAWorkerWithoutAShareAndLetsItFlush) {
  RootHarness root{{.shards = 1000}};
  root.join_gatherer();
  root.join(1);
  const auto leases = root.grants(1);
  root.step(ShareSet{"w1", 0});
  EXPECT_FALSE(root.scheduler().holds_nothing("w1"));
  EXPECT_EQ(root.scheduler().leases_at("w1"), leases.size());
  for (const LeaseGrant& lease : leases) root.end_lease(1, lease);
  EXPECT_TRUE(root.grants(1).empty());
  EXPECT_TRUE(root.scheduler().has_pending());
  EXPECT_EQ(root.take<Flush>(1).size(), 1u) << "though there is work left";
  root.stage(1, 1, leases);
  root.fold(1, 1);
  EXPECT_TRUE(root.scheduler().holds_nothing("w1"));
  root.step(ShareSet{"w1", 1});
  EXPECT_EQ(root.grants(1).size(), 3u);
}

TEST(Scheduler, LetsAWorkerThatHoldsNothingGoWithoutALoss) {
  RootHarness root{{.shards = 1000}};
  root.join_gatherer();
  root.step(ShareSet{"w1", 0});
  root.join(1);
  root.join(2);
  root.step(WorkersReleased{"w1"});
  EXPECT_TRUE(root.fenced(1));
  EXPECT_EQ(root.scheduler().statistics().workers_lost, 0u);
  EXPECT_EQ(root.scheduler().progress().workers, 1u);
  EXPECT_EQ(root.take<ForgetWorker>(RootHarness::kGatherer).size(), 1u);
}

TEST(Scheduler, TellsAWorkerTheMemoryOfItsOwnNode) {
  RootHarness root{{.shards = 10}};
  Hello hello;
  hello.name = "w1";
  hello.slots = 1;
  hello.memory_bytes = 12345;
  root.said(1, hello);
  EXPECT_EQ(root.take<OpenRun>(1)[0].memory_bytes, 12345u);
}

}  // namespace
}  // namespace fanfold::schedule
