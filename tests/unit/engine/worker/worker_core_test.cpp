// worker_core_test.cpp: what one worker incarnation decides, one sentence a test.
#include "engine/worker/worker_core.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace fanfold::worker {
namespace {

constexpr RunId kRun{1, 1};
constexpr GathererAddress no_gatherer() {
  return {};
}
GathererAddress gatherer(uint64_t number) {
  return {{number, number}, "ipc://g" + std::to_string(number)};
}

LeaseGrant lease(uint64_t number, uint64_t begin, uint64_t end) {
  return {LeaseId{number}, {begin, end}, 1, false};
}

class WorkerHarness {
 public:
  explicit WorkerHarness(uint32_t slots = 1, uint64_t memory_bytes = uint64_t{1} << 30)
      : core_(hello(slots), Limits{}) {
    step(Started{});
    root(Welcome{});
    OpenRun open;
    open.run = kRun;
    open.memory_bytes = memory_bytes;
    root(open);
    step(JobOpened{kRun});
    actions.clear();
  }
  static Hello hello(uint32_t slots) {
    Hello hello;
    hello.name = "w";
    hello.slots = slots;
    return hello;
  }

  void step(Event event) {
    for (Action& action : core_.step(std::move(event), Instant{})) actions.push_back(std::move(action));
  }
  void root(Message message) { step(RootSaid{std::move(message)}); }
  void grant(std::vector<LeaseGrant> leases, GathererAddress to = no_gatherer()) {
    root(Grant{kRun, std::move(to), std::move(leases)});
  }
  void mapped(const LeaseGrant& grant, uint32_t slot = 0, std::optional<SmallPartial> small = {}) {
    LeaseMapped event;
    event.slot = slot;
    event.lease = grant.lease;
    event.actual_end = grant.shards.end;
    event.partial_bytes = 100;
    event.small = std::move(small);
    step(event);
  }
  void award(std::vector<LeaseId> leases) { root(Verdicts{kRun, std::move(leases), {}}); }
  void merged(const LeaseGrant& grant, uint64_t bundle, uint64_t bundle_bytes) {
    step(PartialMerged{grant.lease, BundleSeq{bundle}, microseconds(5), bundle_bytes});
  }
  void packed(uint64_t bundle, uint64_t bytes, BundleContent content = BundleContent::kColumns) {
    step(BundlePacked{BundleSeq{bundle}, content, 0, {PartExtent{1, 1, bytes}}, bytes, 7, {}});
  }
  // Maps, awards and merges a lease into bundle 1.
  void complete(const LeaseGrant& grant_of, uint64_t bundle = 1, uint64_t bundle_bytes = 100) {
    grant({grant_of});
    mapped(grant_of);
    award({grant_of.lease});
    merged(grant_of, bundle, bundle_bytes);
  }

  template <class T>
  std::vector<T> take() {
    std::vector<T> taken;
    std::vector<Action> rest;
    for (Action& action : actions) {
      if (auto* wanted = std::get_if<T>(&action)) {
        taken.push_back(std::move(*wanted));
      } else {
        rest.push_back(std::move(action));
      }
    }
    actions = std::move(rest);
    return taken;
  }
  template <class T>
  std::vector<T> told_root() {
    std::vector<T> told;
    for (SendToRoot& send : take<SendToRoot>()) {
      if (auto* wanted = std::get_if<T>(&send.message)) told.push_back(std::move(*wanted));
    }
    return told;
  }

  std::vector<Action> actions;
  WorkerCore& core() { return core_; }

 private:
  WorkerCore core_;
};

TEST(Worker, SaysHelloFirst) {
  WorkerCore core(WorkerHarness::hello(2), Limits{});
  const auto actions = core.step(Started{}, Instant{});
  ASSERT_EQ(actions.size(), 1u);
  EXPECT_TRUE(std::holds_alternative<Hello>(std::get<SendToRoot>(actions[0]).message));
}

TEST(Worker, LeavesForGoodWhenItIsRefused) {
  WorkerCore core(WorkerHarness::hello(1), Limits{});
  (void)core.step(Started{}, Instant{});
  const auto actions = core.step(RootSaid{Refused{1, 2, "another protocol"}}, Instant{});
  ASSERT_EQ(actions.size(), 1u);
  EXPECT_FALSE(std::get<Leave>(actions[0]).begin_anew);
  EXPECT_EQ(std::get<Leave>(actions[0]).sentence, "another protocol");
}

TEST(Worker, BeginsAnewWhenToldToOrWhenTheRootIsLost) {
  for (const Event& event : {Event{RootSaid{StartAnew{}}}, Event{RootLost{"silent"}}}) {
    WorkerHarness worker;
    worker.grant({lease(1, 0, 10)});
    worker.actions.clear();
    worker.step(event);
    const auto leaves = worker.take<Leave>();
    ASSERT_EQ(leaves.size(), 1u);
    EXPECT_TRUE(leaves[0].begin_anew);
    worker.mapped(lease(1, 0, 10));
    EXPECT_TRUE(worker.actions.empty()) << "its words count for nothing any more";
  }
}

TEST(Worker, KeepsGrantsUntilTheJobIsOpen) {
  WorkerCore core(WorkerHarness::hello(1), Limits{});
  (void)core.step(Started{}, Instant{});
  (void)core.step(RootSaid{Welcome{}}, Instant{});
  OpenRun open;
  open.run = kRun;
  (void)core.step(RootSaid{open}, Instant{});
  EXPECT_TRUE(core.step(RootSaid{Grant{kRun, {}, {lease(1, 0, 10)}}}, Instant{}).empty());
  const auto actions = core.step(JobOpened{kRun}, Instant{});
  ASSERT_EQ(actions.size(), 1u);
  EXPECT_EQ(std::get<StartLease>(actions[0]).grant.lease, LeaseId{1});
}

TEST(Worker, FeedsEachSlotALeaseAndOneAhead) {
  WorkerHarness worker(2);
  worker.grant({lease(1, 0, 1), lease(2, 1, 2), lease(3, 2, 3), lease(4, 3, 4), lease(5, 4, 5)});
  const auto starts = worker.take<StartLease>();
  ASSERT_EQ(starts.size(), 4u);
  std::vector<uint32_t> slots;
  for (const StartLease& start : starts) slots.push_back(start.slot);
  EXPECT_EQ(slots, (std::vector<uint32_t>{0, 1, 0, 1}));
  worker.mapped(lease(2, 1, 2), 1);
  const auto next = worker.take<StartLease>();
  ASSERT_EQ(next.size(), 1u);
  EXPECT_EQ(next[0].slot, 1u);
  EXPECT_EQ(next[0].grant.lease, LeaseId{5});
}

TEST(Worker, GivesPartialsTheirShareOfTheMemory) {
  WorkerHarness worker(2, uint64_t{24} << 20);
  worker.grant({lease(1, 0, 1)});
  EXPECT_EQ(worker.take<StartLease>()[0].partial_bytes_max, uint64_t{1} << 20);
}

TEST(Worker, HoldsNoMorePartialsThanItsMemoryIsCutFor) {
  WorkerHarness worker(1);
  std::vector<LeaseGrant> leases;
  for (uint64_t i = 1; i <= 10; ++i) leases.push_back(lease(i, i, i + 1));
  worker.grant(leases);
  worker.mapped(leases[0]);
  worker.mapped(leases[1]);
  worker.mapped(leases[2]);
  // Three partials wait for their verdicts: nothing is started.
  EXPECT_EQ(worker.take<StartLease>().size(), 3u);
  worker.award({leases[0].lease});
  EXPECT_TRUE(worker.take<StartLease>().empty()) << "it is merged, not yet free";
  worker.merged(leases[0], 1, 100);
  EXPECT_EQ(worker.take<StartLease>().size(), 1u);
}

TEST(Worker, ReportsTheEndThatTheSlotChose) {
  WorkerHarness worker;
  worker.grant({lease(1, 10, 20)});
  LeaseMapped event;
  event.lease = {1};
  event.actual_end = 13;
  event.outcome = Outcome::kSealedEarlyMemory;
  event.records = 5;
  worker.step(event);
  const auto ended = worker.told_root<Ended>();
  ASSERT_EQ(ended.size(), 1u);
  EXPECT_EQ(ended[0].done, (Interval{10, 13}));
  EXPECT_EQ(ended[0].outcome, Outcome::kSealedEarlyMemory);
  EXPECT_EQ(ended[0].records, 5u);
}

TEST(Worker, FreesADroppedPartialAndMergesAnAwardedOne) {
  WorkerHarness worker;
  const auto first = lease(1, 0, 1);
  const auto second = lease(2, 1, 2);
  worker.grant({first, second});
  worker.mapped(first);
  worker.mapped(second);
  worker.root(Verdicts{kRun, {first.lease}, {second.lease}});
  const auto merges = worker.take<MergePartial>();
  ASSERT_EQ(merges.size(), 1u);
  EXPECT_EQ(merges[0].lease, first.lease);
  const auto frees = worker.take<FreePartial>();
  ASSERT_EQ(frees.size(), 1u);
  EXPECT_EQ(frees[0].lease, second.lease);
}

TEST(Worker, FreesASmallPartialOnceItIsAwarded) {
  WorkerHarness worker;
  LeaseGrant small = lease(1, 0, 1);
  small.send_small = true;
  worker.grant({small});
  worker.mapped(small, 0, SmallPartial{Bytes(5), 1});
  ASSERT_TRUE(worker.told_root<Ended>()[0].small.has_value());
  worker.award({small.lease});
  EXPECT_EQ(worker.take<FreePartial>().size(), 1u);
  EXPECT_TRUE(worker.take<MergePartial>().empty());
}

TEST(Worker, IgnoresASecondVerdictAboutALease) {
  WorkerHarness worker;
  worker.grant({lease(1, 0, 1)});
  worker.mapped(lease(1, 0, 1));
  worker.award({LeaseId{1}});
  worker.actions.clear();
  worker.award({LeaseId{1}});
  EXPECT_TRUE(worker.actions.empty());
  EXPECT_EQ(worker.core().counters().unexpected_messages, 1u);
}

TEST(Worker, ClosesABundleThatReachesItsBytesAndOpensAnother) {
  WorkerHarness worker(1, 4000);  // an open bundle may hold 1000 bytes
  worker.complete(lease(1, 0, 1), 1, 999);
  EXPECT_TRUE(worker.take<PackBundle>().empty());
  worker.complete(lease(2, 1, 2), 1, 1000);
  EXPECT_EQ(worker.take<PackBundle>().size(), 1u);
  worker.take<MergePartial>();
  worker.grant({lease(3, 2, 3)});
  worker.mapped(lease(3, 2, 3));
  worker.award({LeaseId{3}});
  EXPECT_EQ(worker.take<MergePartial>()[0].bundle, BundleSeq{2});
}

TEST(Worker, ClosesABundleWithAsManyLeasesAsAManifestMayName) {
  WorkerHarness worker;
  for (uint64_t i = 1; i < kLeasesPerBundleMax; ++i) worker.complete(lease(i, i, i + 1));
  EXPECT_TRUE(worker.take<PackBundle>().empty());
  worker.complete(lease(kLeasesPerBundleMax, 0, 1));
  EXPECT_EQ(worker.take<PackBundle>().size(), 1u);
}

TEST(Worker, PacksABundleOnlyWhenEverythingAwardedIsMerged) {
  WorkerHarness worker;
  const auto first = lease(1, 0, 1);
  worker.grant({first}, gatherer(9));
  worker.mapped(first);
  worker.award({first.lease});
  worker.root(Flush{kRun, gatherer(9), 1000});
  EXPECT_TRUE(worker.take<PackBundle>().empty());
  worker.merged(first, 1, 100);
  EXPECT_EQ(worker.take<PackBundle>().size(), 1u);
}

TEST(Worker, SendsABundleThatFitsTheFlushWithoutAsking) {
  WorkerHarness worker;
  worker.complete(lease(1, 0, 1));
  worker.root(Flush{kRun, gatherer(9), 1000});
  worker.actions.clear();
  worker.packed(1, 1000);
  const auto sends = worker.take<SendToGatherer>();
  ASSERT_EQ(sends.size(), 1u);
  const auto& offer = std::get<BundleOffer>(sends[0].message);
  EXPECT_EQ(offer.manifest, (Manifest{{LeaseId{1}, {0, 1}}}));
  EXPECT_EQ(offer.bytes, 1000u);
  EXPECT_EQ(worker.take<SendChunk>().size(), 1u);
  const auto told = worker.told_root<FlushWanted>();
  ASSERT_EQ(told.size(), 1u);
  EXPECT_EQ(told[0].sending_to, gatherer(9).incarnation);
}

TEST(Worker, FinishesTheBundleThatHoldsTheWholeRunAndOffersItsRows) {
  WorkerHarness worker;
  worker.complete(lease(1, 0, 1));
  worker.root(Flush{kRun, gatherer(9), 1000, true});
  const auto packs = worker.take<PackBundle>();
  ASSERT_EQ(packs.size(), 1u);
  EXPECT_TRUE(packs[0].finish);
  worker.packed(1, 64, BundleContent::kRows);
  const auto sends = worker.take<SendToGatherer>();
  EXPECT_EQ(std::get<BundleOffer>(sends.back().message).content, BundleContent::kRows);
}

TEST(Worker, DoesNotFinishABundleBesideWhichThereIsAnother) {
  WorkerHarness worker(1, 400);  // an open bundle of 100 bytes is closed
  worker.complete(lease(1, 0, 1), 1, 100);
  ASSERT_EQ(worker.take<PackBundle>().size(), 1u);
  worker.complete(lease(2, 1, 2), 2, 50);
  // The root could not know of the first when it said so.
  worker.root(Flush{kRun, gatherer(9), 1000, true});
  const auto packs = worker.take<PackBundle>();
  ASSERT_EQ(packs.size(), 1u);
  EXPECT_EQ(packs[0].bundle, BundleSeq{2});
  EXPECT_FALSE(packs[0].finish);
}

TEST(Worker, AsksForALargerBundleAndSendsItWhenGranted) {
  WorkerHarness worker;
  worker.complete(lease(1, 0, 1));
  worker.root(Flush{kRun, gatherer(9), 999});
  worker.packed(1, 1000);
  EXPECT_TRUE(worker.take<SendChunk>().empty());
  const auto told = worker.told_root<FlushWanted>();
  ASSERT_EQ(told.size(), 1u);
  EXPECT_TRUE(told[0].sending_to.empty());
  worker.root(FlushGranted{kRun, BundleSeq{1}, gatherer(9)});
  EXPECT_EQ(worker.take<SendChunk>().size(), 1u);
}

TEST(Worker, HasAtMostFourChunksInFlightUnasked) {
  WorkerHarness worker;
  worker.complete(lease(1, 0, 1));
  worker.root(Flush{kRun, gatherer(9), uint64_t{1} << 40});
  worker.packed(1, 6 * kChunkBytesMax + 10);
  auto chunks = worker.take<SendChunk>();
  ASSERT_EQ(chunks.size(), 4u);
  EXPECT_EQ(chunks[3].offset, 3 * kChunkBytesMax);
  worker.step(GathererSaid{gatherer(9).incarnation, ChunksWanted{kRun, BundleSeq{1}, 6, 1}});
  chunks = worker.take<SendChunk>();
  ASSERT_EQ(chunks.size(), 1u);
  EXPECT_EQ(chunks[0].size, 10u) << "the last one is short";
  worker.step(GathererSaid{gatherer(9).incarnation, ChunksWanted{kRun, BundleSeq{1}, 0, 1000}});
  EXPECT_EQ(worker.take<SendChunk>().size(), 4u) << "never more at once";
  worker.step(GathererSaid{gatherer(9).incarnation, ChunksWanted{kRun, BundleSeq{1}, 4'000'000'000u, 4}});
  EXPECT_TRUE(worker.take<SendChunk>().empty());
}

TEST(Worker, KeepsABundleUntilTheRootSaysItIsFolded) {
  WorkerHarness worker;
  worker.complete(lease(1, 0, 1));
  worker.root(Flush{kRun, gatherer(9), 1000});
  worker.packed(1, 100);
  EXPECT_TRUE(worker.take<FreeBundle>().empty());
  worker.root(BundleDone{kRun, BundleSeq{1}});
  EXPECT_EQ(worker.take<FreeBundle>().size(), 1u);
}

TEST(Worker, OffersAKeptBundleToTheNextGatherer) {
  WorkerHarness worker;
  worker.complete(lease(1, 0, 1));
  worker.root(Flush{kRun, gatherer(9), 1000});
  worker.packed(1, 100);
  worker.actions.clear();
  worker.root(FlushGranted{kRun, BundleSeq{1}, gatherer(10)});
  EXPECT_EQ(worker.take<ConnectGatherer>()[0].gatherer, gatherer(10));
  const auto sends = worker.take<SendToGatherer>();
  ASSERT_EQ(sends.size(), 2u);
  EXPECT_TRUE(std::holds_alternative<Hello>(sends[0].message)) << "a session begins with Hello";
  EXPECT_TRUE(std::holds_alternative<BundleOffer>(sends[1].message));
  EXPECT_EQ(worker.take<SendChunk>().size(), 1u);
}

TEST(Worker, IgnoresTheWordsOfAGathererThatIsGone) {
  WorkerHarness worker;
  worker.complete(lease(1, 0, 1));
  worker.root(Flush{kRun, gatherer(9), 1000});
  worker.packed(1, 100);
  worker.root(FlushGranted{kRun, BundleSeq{1}, gatherer(10)});
  worker.actions.clear();
  worker.step(GathererSaid{gatherer(9).incarnation, ChunksWanted{kRun, BundleSeq{1}, 0, 1}});
  EXPECT_TRUE(worker.actions.empty());
}

TEST(Worker, ConnectsToTheGathererWithTheGrantSoThatABundleNeedNotWait) {
  WorkerHarness worker;
  worker.grant({lease(1, 0, 1)}, gatherer(9));
  EXPECT_EQ(worker.take<ConnectGatherer>().size(), 1u);
  worker.grant({lease(2, 1, 2)}, gatherer(9));
  EXPECT_TRUE(worker.take<ConnectGatherer>().empty()) << "once";
}

TEST(Worker, StopsMappingWhileBundlesHoldHalfOfItsMemory) {
  WorkerHarness worker(1, 4000);
  worker.complete(lease(1, 0, 1), 1, 1000);
  worker.packed(1, 1500);
  worker.complete(lease(2, 1, 2), 2, 1000);
  worker.packed(2, 1500);
  worker.actions.clear();
  worker.grant({lease(3, 2, 3)});
  EXPECT_TRUE(worker.take<StartLease>().empty());
  worker.root(FlushGranted{kRun, BundleSeq{1}, gatherer(9)});
  worker.root(BundleDone{kRun, BundleSeq{1}});
  EXPECT_EQ(worker.take<StartLease>().size(), 1u);
}

TEST(Worker, NeverStartsLeasesBeyondItsQueue) {
  WorkerHarness worker;
  std::vector<LeaseGrant> leases;
  for (uint64_t i = 1; i <= 65; ++i) leases.push_back(lease(i, i, i + 1));
  worker.grant(leases);
  const auto ended = worker.told_root<Ended>();
  ASSERT_EQ(ended.size(), 1u);
  EXPECT_EQ(ended[0].lease, LeaseId{65});
  EXPECT_EQ(ended[0].outcome, Outcome::kNeverStarted);
}

TEST(Worker, ClosesTheRunOnceNoSlotWorksAndSaysGoodbye) {
  WorkerHarness worker(2);
  const auto first = lease(1, 0, 1);
  const auto second = lease(2, 1, 2);
  worker.grant({first, second, lease(3, 2, 3)});
  worker.actions.clear();
  worker.root(CancelRun{kRun});
  EXPECT_EQ(worker.take<CancelSlots>().size(), 1u);
  worker.mapped(first, 0);
  worker.mapped(second, 1);
  EXPECT_TRUE(worker.take<CloseJob>().empty());
  worker.mapped(lease(3, 2, 3), 0);
  EXPECT_EQ(worker.take<CloseJob>().size(), 1u);
  EXPECT_TRUE(worker.told_root<Ended>().empty());
  JobClosed closed;
  closed.goodbye.run = kRun;
  closed.goodbye.peak_rss_bytes = 5;
  worker.step(closed);
  EXPECT_EQ(worker.told_root<Goodbye>()[0].peak_rss_bytes, 5u);
}

TEST(Worker, OpensTheNextRunAfterItsGoodbye) {
  WorkerHarness worker;
  worker.root(CloseRun{kRun});
  worker.step(JobClosed{});
  OpenRun open;
  open.run = {2, 2};
  worker.actions.clear();
  worker.root(open);
  EXPECT_EQ(worker.take<OpenJob>().size(), 1u);
}

TEST(Worker, TellsTheRootWhenTheJobCannotBeOpened) {
  WorkerHarness worker;
  Cause cause;
  cause.kind = CauseKind::kUsage;
  worker.step(JobFailed{kRun, cause});
  EXPECT_EQ(worker.told_root<Failed>()[0].cause.kind, CauseKind::kUsage);
}

TEST(Worker, TellsTheRootOnceThatAJobDoesNotOpen) {
  WorkerCore core(WorkerHarness::hello(1), Limits{.job_open_max = seconds(30)});
  const Instant start{seconds(5).nanoseconds};
  (void)core.step(Started{}, start);
  (void)core.step(RootSaid{Welcome{}}, start);
  EXPECT_FALSE(core.next_deadline());
  OpenRun open;
  open.run = kRun;
  open.job = "sleepy";
  (void)core.step(RootSaid{open}, start);
  ASSERT_EQ(core.next_deadline(), start + seconds(30));
  EXPECT_TRUE(core.step(Tick{}, start + seconds(29)).empty());
  const std::vector<Action> actions = core.step(Tick{}, start + seconds(30));
  ASSERT_EQ(actions.size(), 1u);
  const auto& failed = std::get<Failed>(std::get<SendToRoot>(actions[0]).message);
  EXPECT_EQ(failed.cause.kind, CauseKind::kTimeout);
  EXPECT_EQ(failed.cause.phase, Phase::kOpen);
  EXPECT_NE(failed.cause.message.find("\"sleepy\" was not loaded and opened by worker \"w\" within 30 s"),
            std::string::npos)
      << failed.cause.message;
  EXPECT_FALSE(core.next_deadline());
  EXPECT_TRUE(core.step(Tick{}, start + seconds(90)).empty());
}

TEST(Worker, WaitsForNothingOnceItsJobIsOpen) {
  WorkerCore core(WorkerHarness::hello(1), Limits{});
  (void)core.step(Started{}, Instant{});
  (void)core.step(RootSaid{Welcome{}}, Instant{});
  OpenRun open;
  open.run = kRun;
  (void)core.step(RootSaid{open}, Instant{});
  (void)core.step(JobOpened{kRun}, Instant{});
  EXPECT_FALSE(core.next_deadline());
}

TEST(Worker, IgnoresWordsAboutAnotherRun) {
  WorkerHarness worker;
  worker.root(Grant{RunId{9, 9}, {}, {lease(1, 0, 1)}});
  worker.root(CancelRun{RunId{9, 9}});
  worker.root(Flush{RunId{9, 9}, gatherer(9), 1});
  EXPECT_TRUE(worker.actions.empty());
}

// ---- a share of its slots -------------------------------------------------------------------------

TEST(Worker, StartsLeasesOnItsFirstSoManySlotsOnly) {
  WorkerHarness worker(4);
  worker.root(SlotsAllowed{kRun, 2});
  std::vector<LeaseGrant> leases;
  for (uint64_t number = 1; number <= 8; ++number) leases.push_back(lease(number, number * 10, number * 10 + 10));
  worker.grant(leases);
  const auto started = worker.take<StartLease>();
  ASSERT_EQ(started.size(), 4u) << "one to map and one ahead, on two slots";
  for (const StartLease& start : started) EXPECT_LT(start.slot, 2u);
  worker.root(SlotsAllowed{kRun, 4});
  const auto more = worker.take<StartLease>();
  ASSERT_EQ(more.size(), 4u);
  for (const StartLease& start : more) EXPECT_GE(start.slot, 2u);
}

TEST(Worker, GivesBackWhatWaitsWhenItsShareShrinks) {
  WorkerHarness worker(2);
  std::vector<LeaseGrant> leases;
  for (uint64_t number = 1; number <= 6; ++number) leases.push_back(lease(number, number * 10, number * 10 + 10));
  worker.grant(leases);
  EXPECT_EQ(worker.take<StartLease>().size(), 4u);
  worker.root(SlotsAllowed{kRun, 0});
  const auto ended = worker.told_root<Ended>();
  ASSERT_EQ(ended.size(), 2u);
  for (const Ended& one : ended) {
    EXPECT_EQ(one.outcome, Outcome::kNeverStarted);
    EXPECT_TRUE(one.done.empty());
  }
  worker.mapped(leases[0]);
  worker.grant({lease(7, 100, 110)});
  EXPECT_TRUE(worker.take<StartLease>().empty()) << "no slot is its own";
  worker.root(SlotsAllowed{kRun, 1});
  EXPECT_EQ(worker.take<StartLease>().size(), 1u);
}

TEST(Worker, IgnoresTheShareOfAnotherRun) {
  WorkerHarness worker(2);
  worker.root(SlotsAllowed{RunId{9, 9}, 0});
  worker.grant({lease(1, 0, 10)});
  EXPECT_EQ(worker.take<StartLease>().size(), 1u);
}

}  // namespace
}  // namespace fanfold::worker
