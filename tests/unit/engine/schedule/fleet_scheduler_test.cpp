// fleet_scheduler_test.cpp: what the root of a fleet decides, one sentence a test; and fleets drawn from a seed, in
// which nodes come, go and crash, gatherers are killed and clients vanish.
#include "engine/schedule/fleet_scheduler.h"

#include <gtest/gtest.h>

#include <random>

#include "tests/unit/engine/schedule/fleet_harness.h"

namespace fanfold::schedule {
namespace {

constexpr uint32_t kUsage = static_cast<uint32_t>(ExitCode::kUsage);

TEST(Fleet, RunsAJobOnItsNodesAndGivesItsRowsToWhoWatches) {
  FleetHarness fleet;
  fleet.join_node("a", 4);
  const IncarnationId client = fleet.join_client();
  EXPECT_EQ(fleet.take<Welcome>(client).size(), 1u);
  fleet.submit(client, 1, 100);
  EXPECT_EQ(fleet.take<RunAccepted>(client).size(), 1u);
  fleet.watch(client, 1);
  fleet.map_all();
  EXPECT_TRUE(fleet.every_shard_once(1));
  EXPECT_EQ(fleet.take<RunSchema>(client).size(), 1u);
  EXPECT_EQ(fleet.take<ResultBatch>(client).size(), 2u);
  const auto over = fleet.take<RunOver>(client);
  ASSERT_EQ(over.size(), 1u);
  EXPECT_EQ(over[0].exit_code, 0u);
  EXPECT_EQ(over[0].shards_folded, 100u);
  EXPECT_EQ(over[0].rows, 2u);
  EXPECT_TRUE(fleet.workers().empty()) << "its processes are stopped";
}

TEST(Fleet, GivesBatchesOnlyAsFarAsTheClientAllows) {
  FleetHarness fleet;
  fleet.join_node("a", 4);
  const IncarnationId client = fleet.join_client();
  fleet.submit(client, 1, 10);
  fleet.watch(client, 1, 0, 1);
  fleet.map_all();
  EXPECT_EQ(fleet.take<ResultBatch>(client).size(), 1u);
  EXPECT_TRUE(fleet.take<RunOver>(client).empty());
  fleet.said(client, ResultCredit{FleetHarness::run_id(1), 2});
  EXPECT_EQ(fleet.take<ResultBatch>(client).size(), 1u);
  EXPECT_EQ(fleet.take<RunOver>(client).size(), 1u);
  // Another one that has the first batch already.
  const IncarnationId other = fleet.join_client();
  fleet.watch(other, 1, 1);
  EXPECT_EQ(fleet.take<ResultBatch>(other), (std::vector<ResultBatch>{{FleetHarness::run_id(1), 1, 1}}));
  EXPECT_EQ(fleet.take<RunOver>(other).size(), 1u);
}

TEST(Fleet, ANodeThatJoinsInMidRunTakesPart) {
  FleetHarness fleet;
  const IncarnationId client = fleet.join_client();
  fleet.submit(client, 1, 1000);
  EXPECT_TRUE(fleet.workers().empty());
  const IncarnationId a = fleet.join_node("a", 4);
  EXPECT_TRUE(fleet.map_one(fleet.worker(a, 1)));
  const IncarnationId b = fleet.join_node("b", 4);
  EXPECT_TRUE(fleet.map_one(fleet.worker(b, 1)));
  fleet.map_all();
  EXPECT_TRUE(fleet.every_shard_once(1));
}

// ---- shares --------------------------------------------------------------------------------------

TEST(Fleet, DividesTheSlotsOfANodeAmongTheRuns) {
  FleetHarness fleet;
  const IncarnationId a = fleet.join_node("a", 4);
  const IncarnationId client = fleet.join_client();
  fleet.submit(client, 1, 1000);
  EXPECT_EQ(fleet.share(a, 1), 99u) << "alone it has them all, without a word";
  fleet.submit(client, 2, 1000);
  EXPECT_EQ(fleet.share(a, 1), 2u);
  EXPECT_EQ(fleet.share(a, 2), 2u);
  fleet.said(client, CancelWanted{FleetHarness::run_id(1), 2});
  EXPECT_EQ(fleet.share(a, 2), 4u);
}

TEST(Fleet, SlotsThatAreLeftOverGoRound) {
  FleetHarness fleet;
  fleet.slots_of = {{"a", 1}};
  const IncarnationId a = fleet.join_node("a", 1);
  const IncarnationId client = fleet.join_client();
  fleet.submit(client, 1, 1000);
  fleet.submit(client, 2, 1000);
  std::map<uint64_t, uint32_t> turns;
  for (int second = 0; second < 10; ++second) {
    EXPECT_EQ(std::min(fleet.share(a, 1), 1u) + std::min(fleet.share(a, 2), 1u), 1u);
    turns[1] += std::min(fleet.share(a, 1), 1u);
    turns[2] += std::min(fleet.share(a, 2), 1u);
    fleet.advance(milliseconds(1001));
  }
  EXPECT_EQ(turns[1], 5u);
  EXPECT_EQ(turns[2], 5u);
}

TEST(Fleet, ARunWithoutPendingShardsLeavesItsShareToTheOthers) {
  FleetHarness fleet;
  const IncarnationId a = fleet.join_node("a", 4);
  const IncarnationId client = fleet.join_client();
  fleet.submit(client, 1, 1000);
  fleet.submit(client, 2, 2);
  EXPECT_EQ(fleet.share(a, 2), 2u) << "it has two leases";
  ASSERT_TRUE(fleet.map_one(fleet.worker(a, 2)));
  EXPECT_EQ(fleet.share(a, 2), 1u);
  EXPECT_EQ(fleet.share(a, 1), 3u);
  fleet.map_all();
  EXPECT_TRUE(fleet.every_shard_once(1));
  EXPECT_TRUE(fleet.every_shard_once(2));
}

TEST(Fleet, QueuesMoreRunsThanMayRunAtOnce) {
  FleetLimits limits = FleetHarness::default_limits();
  limits.runs_max = 2;
  FleetHarness fleet(limits);
  const IncarnationId a = fleet.join_node("a", 4);
  const IncarnationId client = fleet.join_client();
  for (uint64_t run = 1; run <= 3; ++run) fleet.submit(client, run, 10);
  EXPECT_TRUE(fleet.worker(a, 3).empty());
  EXPECT_EQ(fleet.record(3).stage, RunStage::kQueued);
  fleet.watch(client, 3);
  EXPECT_EQ(fleet.take<RunProgress>(client).at(0).runs_ahead, 2u);
  fleet.said(client, CancelWanted{FleetHarness::run_id(1), 0});
  EXPECT_FALSE(fleet.worker(a, 3).empty());
  fleet.map_all();
  EXPECT_TRUE(fleet.every_shard_once(3));
}

// ---- submitting ----------------------------------------------------------------------------------

TEST(Fleet, TakesARunOnceHoweverOftenItIsSubmitted) {
  FleetHarness fleet;
  const IncarnationId client = fleet.join_client();
  fleet.submit(client, 1, 10);
  fleet.submit(client, 1, 10);
  EXPECT_EQ(fleet.take<RunAccepted>(client).size(), 2u);
  fleet.join_node("a", 4);
  fleet.map_all();
  fleet.submit(client, 1, 10);
  EXPECT_EQ(fleet.take<RunAccepted>(client).at(0).stage, RunStage::kDone);
  EXPECT_TRUE(fleet.workers().empty());
  // How long its client waits or stays does not make it another run.
  RunSpecification patient = FleetHarness::specification(10, true);
  patient.no_workers_max = seconds(7);
  fleet.said(client, Submit{FleetHarness::run_id(1), patient});
  EXPECT_EQ(fleet.take<RunAccepted>(client).size(), 1u);
}

TEST(Fleet, RefusesAnotherSpecificationUnderAnIdThatIsKnown) {
  FleetHarness fleet;
  const IncarnationId client = fleet.join_client();
  fleet.submit(client, 1, 10);
  fleet.said(client, Submit{FleetHarness::run_id(1), FleetHarness::specification(11)});
  const auto refused = fleet.take<RunRefused>(client);
  ASSERT_EQ(refused.size(), 1u);
  EXPECT_EQ(refused[0].exit_code, kUsage);
}

TEST(Fleet, RefusesAPlanThatCannotBe) {
  FleetHarness fleet;
  const IncarnationId client = fleet.join_client();
  RunSpecification broken = FleetHarness::specification(10);
  broken.sources[0].end = -5;
  fleet.said(client, Submit{FleetHarness::run_id(1), broken});
  EXPECT_EQ(fleet.take<RunRefused>(client).size(), 1u);
  EXPECT_EQ(fleet.record(1).run, RunId{});
}

TEST(Fleet, RefusesWhatNoMessageToItsWorkersCouldCarry) {
  FleetHarness fleet;
  const IncarnationId client = fleet.join_client();
  RunSpecification large = FleetHarness::specification(10);
  large.parameters.assign(140, Parameter{"p", std::string(kTextBytesMax, 'x')});
  fleet.said(client, Submit{FleetHarness::run_id(1), large});
  EXPECT_NE(fleet.take<RunRefused>(client).at(0).sentence.find("MiB"), std::string::npos);
  RunSpecification nameless = FleetHarness::specification(10);
  nameless.job = std::string(1000, 'x');
  fleet.said(client, Submit{FleetHarness::run_id(2), nameless});
  EXPECT_EQ(fleet.take<RunRefused>(client).size(), 1u);
}

TEST(Fleet, ForgetsAResultAfterItsTimeAndRemembersTheId) {
  FleetLimits limits = FleetHarness::default_limits();
  limits.result_ttl = seconds(60);
  FleetHarness fleet(limits);
  fleet.join_node("a", 4);
  const IncarnationId client = fleet.join_client();
  fleet.submit(client, 1, 10);
  fleet.map_all();
  EXPECT_EQ(fleet.kept.size(), 1u);
  fleet.advance(seconds(59));
  EXPECT_EQ(fleet.kept.size(), 1u);
  fleet.advance(seconds(2));
  EXPECT_TRUE(fleet.kept.empty());
  fleet.watch(client, 1);
  const auto refused = fleet.take<RunRefused>(client);
  ASSERT_EQ(refused.size(), 1u);
  EXPECT_NE(refused[0].sentence.find("expired"), std::string::npos);
  fleet.submit(client, 1, 10);
  EXPECT_NE(fleet.take<RunRefused>(client).at(0).sentence.find("expired"), std::string::npos);
  fleet.watch(client, 77);
  EXPECT_NE(fleet.take<RunRefused>(client).at(0).sentence.find("there is no run"), std::string::npos);
}

TEST(Fleet, KeepsNoMoreResultsAndIdsThanItsBounds) {
  FleetLimits limits = FleetHarness::default_limits();
  limits.ended_max = 3;
  limits.expired_max = 2;
  FleetHarness fleet(limits);
  fleet.join_node("a", 4);
  const IncarnationId client = fleet.join_client();
  for (uint64_t run = 1; run <= 10; ++run) {
    fleet.submit(client, run, 10);
    fleet.map_all();
  }
  EXPECT_EQ(fleet.kept.size(), 3u);
  fleet.watch(client, 7);
  EXPECT_NE(fleet.take<RunRefused>(client).at(0).sentence.find("expired"), std::string::npos);
  fleet.watch(client, 1);
  EXPECT_NE(fleet.take<RunRefused>(client).at(0).sentence.find("there is no run"), std::string::npos);
}

// ---- clients -------------------------------------------------------------------------------------

TEST(Fleet, CancelsAnAttachedRunWhenItsClientIsGoneForGood) {
  FleetHarness fleet;
  fleet.join_node("a", 4);
  const IncarnationId client = fleet.join_client();
  fleet.submit(client, 1, 1000, true);
  fleet.watch(client, 1);
  fleet.advance(seconds(60));
  fleet.lose_client(client);
  fleet.advance(seconds(4));
  EXPECT_EQ(fleet.record(1).stage, RunStage::kRunning) << "it may come back";
  const IncarnationId again = fleet.join_client();
  fleet.watch(again, 1);
  fleet.advance(seconds(60));
  EXPECT_EQ(fleet.record(1).stage, RunStage::kRunning);
  fleet.said(again, Goodbye{});
  fleet.advance(seconds(6));
  EXPECT_EQ(fleet.record(1).stage, RunStage::kFailed);
  EXPECT_TRUE(fleet.workers().empty());
}

TEST(Fleet, GoesOnWithASubmittedRunWhenItsClientIsGone) {
  FleetHarness fleet;
  fleet.join_node("a", 4);
  const IncarnationId client = fleet.join_client();
  fleet.submit(client, 1, 1000);
  fleet.watch(client, 1);
  fleet.lose_client(client);
  fleet.advance(seconds(60));
  fleet.map_all();
  EXPECT_EQ(fleet.record(1).stage, RunStage::kDone);
  EXPECT_TRUE(fleet.every_shard_once(1));
}

TEST(Fleet, TellsACancelledRunApartFromOneThatHadEnded) {
  FleetHarness fleet;
  fleet.join_node("a", 4);
  const IncarnationId client = fleet.join_client();
  fleet.submit(client, 1, 10);
  fleet.submit(client, 2, 1000);
  fleet.said(client, CancelWanted{FleetHarness::run_id(2), 15});
  EXPECT_EQ(fleet.record(2).exit_code, static_cast<uint32_t>(ExitCode::kTerminated));
  EXPECT_NE(fleet.record(2).sentence.find("user@host"), std::string::npos);
  fleet.map_all();
  fleet.said(client, CancelWanted{FleetHarness::run_id(1), 15});
  EXPECT_EQ(fleet.record(1).stage, RunStage::kDone);
}

TEST(Fleet, FailsARunThatFindsNoWorkersForSoLong) {
  FleetHarness fleet;
  const IncarnationId client = fleet.join_client();
  fleet.submit(client, 1, 10);
  fleet.watch(client, 1);
  fleet.advance(seconds(29));
  EXPECT_EQ(fleet.record(1).stage, RunStage::kRunning);
  fleet.advance(seconds(2));
  fleet.advance(seconds(2));
  const auto over = fleet.take<RunOver>(client);
  ASSERT_EQ(over.size(), 1u);
  EXPECT_EQ(over[0].exit_code, static_cast<uint32_t>(ExitCode::kNoFleet));
  EXPECT_NE(over[0].sentence.find("30 s"), std::string::npos);
}

// ---- nodes ---------------------------------------------------------------------------------------

TEST(Fleet, ANodeThatLeavesGetsNoMoreLeasesAndIsReleasedWhenItHoldsNothing) {
  FleetHarness fleet;
  const IncarnationId a = fleet.join_node("a", 4);
  const IncarnationId b = fleet.join_node("b", 4);
  const IncarnationId client = fleet.join_client();
  fleet.submit(client, 1, 1000);
  const IncarnationId leaving = fleet.worker(a, 1);
  ASSERT_TRUE(fleet.map_one(leaving));
  fleet.said(a, NodeLeaving{});
  EXPECT_EQ(fleet.share(a, 1), 0u);
  while (fleet.map_one(leaving)) {
  }
  EXPECT_EQ(fleet.take<NodeReleased>(a).size(), 1u);
  EXPECT_TRUE(fleet.worker(a, 1).empty());
  fleet.said(a, Goodbye{});
  EXPECT_TRUE(fleet.closed.contains(a));
  EXPECT_FALSE(fleet.worker(b, 1).empty());
  fleet.map_all();
  EXPECT_TRUE(fleet.every_shard_once(1));
  EXPECT_EQ(fleet.fleet().scheduler_of(FleetHarness::run_id(1)), nullptr);
}

TEST(Fleet, ANodeThatServesNoRunIsReleasedAtOnce) {
  FleetHarness fleet;
  const IncarnationId a = fleet.join_node("a", 4);
  fleet.said(a, NodeLeaving{});
  EXPECT_EQ(fleet.take<NodeReleased>(a).size(), 1u);
}

TEST(Fleet, TheWorkOfALostNodeIsDoneAgain) {
  FleetHarness fleet;
  const IncarnationId a = fleet.join_node("a", 4);
  fleet.join_node("b", 4);
  const IncarnationId client = fleet.join_client();
  fleet.submit(client, 1, 1000);
  ASSERT_TRUE(fleet.map_one(fleet.worker(a, 1)));
  fleet.lose_node(a);
  fleet.map_all();
  EXPECT_TRUE(fleet.every_shard_once(1));
}

TEST(Fleet, AWorkerThatEndsIsStartedAgainAndNotForEver) {
  FleetHarness fleet;
  const IncarnationId a = fleet.join_node("a", 4);
  const IncarnationId client = fleet.join_client();
  fleet.submit(client, 1, 1000);
  Cause killed;
  killed.kind = CauseKind::kSignal;
  killed.signal = 9;
  for (int death = 0; death < 4; ++death) {
    const IncarnationId before = fleet.worker(a, 1);
    fleet.said(a, WorkerEnded{FleetHarness::run_id(1), killed});
    if (fleet.record(1).stage == RunStage::kFailed) break;  // a lease was lost three times
    EXPECT_NE(fleet.worker(a, 1), before);
  }
  EXPECT_LE(fleet.take<StartWorker>(a).size(), 5u);
}

TEST(Fleet, TwoNodesOfOneNameAreToldApart) {
  FleetHarness fleet;
  fleet.join_node("same", 2);
  fleet.join_node("same", 2);
  const IncarnationId client = fleet.join_client();
  fleet.said(client, ListNodes{});
  const auto nodes = fleet.take<Nodes>(client);
  ASSERT_EQ(nodes.at(0).nodes.size(), 2u);
  EXPECT_EQ(nodes[0].nodes[0].name, "same");
  EXPECT_EQ(nodes[0].nodes[1].name, "same.2");
}

TEST(Fleet, RefusesMoreNodesThanItWasMadeFor) {
  FleetLimits limits = FleetHarness::default_limits();
  limits.nodes_max = 1;
  FleetHarness fleet(limits);
  fleet.join_node("a", 2);
  const IncarnationId b = fleet.join_node("b", 2);
  EXPECT_EQ(fleet.take<Refused>(b).size(), 1u);
}

TEST(Fleet, RefusesEveryRoleOfAnotherProtocolWithBothVersions) {
  for (const Role role : {Role::kNode, Role::kWorker, Role::kGatherer, Role::kClient}) {
    FleetHarness fleet;
    Hello hello;
    hello.protocol_version = kProtocolVersion + 3;
    hello.role = role;
    hello.name = "newer";
    fleet.said({5, 5}, hello);
    const auto refused = fleet.take<Refused>({5, 5});
    ASSERT_EQ(refused.size(), 1u);
    EXPECT_EQ(refused[0].protocol_version, kProtocolVersion);
    EXPECT_EQ(refused[0].peer_protocol_version, kProtocolVersion + 3);
    EXPECT_NE(refused[0].sentence.find(std::to_string(kProtocolVersion + 3)), std::string::npos);
    EXPECT_TRUE(fleet.take<Welcome>({5, 5}).empty());
  }
}

TEST(Fleet, RefusesAWorkerOfARunThatIsNotThere) {
  FleetHarness fleet;
  fleet.join_node("a", 4);
  Hello hello;
  hello.name = "a";
  hello.slots = 1;
  hello.run = FleetHarness::run_id(9);
  fleet.said({5, 5}, hello);
  EXPECT_EQ(fleet.take<Refused>({5, 5}).size(), 1u);
}

// ---- gatherers and results -------------------------------------------------------------------------

TEST(Fleet, AGathererThatTheJobCrashesFailsItsRunAndNoOther) {
  FleetHarness fleet;
  fleet.join_node("a", 4);
  const IncarnationId client = fleet.join_client();
  fleet.submit(client, 1, 100);
  fleet.submit(client, 2, 100);
  fleet.kill_gatherer(1, 11);
  EXPECT_EQ(fleet.record(1).stage, RunStage::kFailed);
  EXPECT_EQ(fleet.record(1).exit_code, static_cast<uint32_t>(ExitCode::kJobFailed));
  fleet.map_all();
  EXPECT_EQ(fleet.record(2).stage, RunStage::kDone);
  EXPECT_TRUE(fleet.every_shard_once(2));
}

TEST(Fleet, AKilledGathererIsReplacedAndItsWorkDoneAgain) {
  FleetHarness fleet;
  const IncarnationId a = fleet.join_node("a", 4);
  const IncarnationId client = fleet.join_client();
  fleet.submit(client, 1, 100);
  for (int lease = 0; lease < 5; ++lease) ASSERT_TRUE(fleet.map_one(fleet.worker(a, 1)));
  fleet.kill_gatherer(1, 9);
  fleet.map_all();
  EXPECT_TRUE(fleet.every_shard_once(1));
}

TEST(Fleet, ARunWhoseRowsCannotBeKeptFailsWithTheReason) {
  FleetHarness fleet;
  fleet.join_node("a", 4);
  fleet.store_fails = true;
  const IncarnationId client = fleet.join_client();
  fleet.submit(client, 1, 10);
  fleet.watch(client, 1);
  fleet.map_all();
  const auto over = fleet.take<RunOver>(client);
  ASSERT_EQ(over.size(), 1u);
  EXPECT_EQ(over[0].exit_code, static_cast<uint32_t>(ExitCode::kInputOutput));
  EXPECT_EQ(over[0].sentence, "the disk is full");
}

TEST(Fleet, ARootThatStopsTellsThoseWhoWatch) {
  FleetHarness fleet;
  fleet.join_node("a", 4);
  const IncarnationId client = fleet.join_client();
  fleet.submit(client, 1, 1000);
  fleet.watch(client, 1);
  fleet.step(RootStopping{});
  const auto over = fleet.take<RunOver>(client);
  ASSERT_EQ(over.size(), 1u);
  EXPECT_EQ(over[0].exit_code, static_cast<uint32_t>(ExitCode::kNoFleet));
  EXPECT_TRUE(fleet.fleet().quiet());
  fleet.submit(client, 2, 10);
  EXPECT_EQ(fleet.take<RunRefused>(client).size(), 1u);
}

// ---- whole fleets --------------------------------------------------------------------------------

// Several runs at once; nodes join, leave and crash; gatherers are killed; clients vanish. Whatever happens, a run
// that is done has every shard exactly once, and one that is not was cancelled or lost too often.
void live_through(uint64_t seed) {
  std::mt19937_64 random(seed);
  FleetLimits limits = FleetHarness::default_limits();
  limits.runs_max = 1 + random() % 4;
  // Crashes are drawn without end: what they cost is not the question here.
  limits.run.losses_per_lease_max = limits.run.gatherer_losses_max = ~uint32_t{0};
  FleetHarness fleet(limits);
  for (const char* name : {"a", "b", "c", "d", "e"}) fleet.slots_of[name] = 1 + random() % 5;
  std::map<std::string, IncarnationId> nodes;
  std::map<std::string, bool> leaving;
  std::vector<IncarnationId> clients{fleet.join_client()};
  const uint64_t runs = 2 + random() % 6;
  uint64_t submitted = 0;
  const auto join = [&](const std::string& name) {
    nodes[name] = fleet.join_node(name, fleet.slots_of[name]);
    leaving[name] = false;
  };
  for (int happening = 0; happening < 3000; ++happening) {
    switch (random() % 40) {
      case 0:
        if (submitted < runs) fleet.submit(clients.back(), ++submitted, 1 + random() % 400, random() % 4 == 0);
        if (random() % 2 == 0) fleet.watch(clients.back(), submitted);
        break;
      case 1: {
        const std::string name(1, static_cast<char>('a' + random() % 5));
        if (!nodes.contains(name)) join(name);
        break;
      }
      case 2:
        if (!nodes.empty() && random() % 4 == 0) {
          const auto node = std::next(nodes.begin(), static_cast<long>(random() % nodes.size()));
          fleet.lose_node(node->second);
          nodes.erase(node);
        }
        break;
      case 3:
        if (!nodes.empty() && random() % 4 == 0) {
          const auto node = std::next(nodes.begin(), static_cast<long>(random() % nodes.size()));
          if (!std::exchange(leaving[node->first], true)) fleet.said(node->second, NodeLeaving{});
        }
        break;
      case 4:
        if (submitted > 0 && random() % 8 == 0) {
          const uint64_t run = 1 + random() % submitted;
          const RootScheduler* scheduler = fleet.fleet().scheduler_of(FleetHarness::run_id(run));
          if (scheduler != nullptr && !scheduler->ended()) fleet.kill_gatherer(run, 9);
        }
        break;
      case 5:
        if (random() % 8 == 0) {
          fleet.lose_client(clients.back());
          clients.push_back(fleet.join_client());
        }
        break;
      case 6:
        fleet.advance(milliseconds(static_cast<int64_t>(random() % 1500)));
        break;
      default: {
        const auto workers = fleet.workers();
        if (!workers.empty()) (void)fleet.map_one(workers[random() % workers.size()]);
      }
    }
    for (auto node = nodes.begin(); node != nodes.end();) {
      const bool released = !fleet.take<NodeReleased>(node->second).empty();
      if (released) fleet.said(node->second, Goodbye{});
      node = released ? nodes.erase(node) : std::next(node);
    }
  }
  while (submitted < runs) fleet.submit(clients.back(), ++submitted, 1 + random() % 400);
  if (nodes.empty() || std::all_of(nodes.begin(), nodes.end(), [&](const auto& node) { return leaving[node.first]; })) {
    fleet.join_node("last", 4);
  }
  // Shares go round while there are more runs than slots.
  for (int turn = 0; turn < 500; ++turn) {
    fleet.map_all();
    fleet.advance(milliseconds(1001));
  }
  for (uint64_t run = 1; run <= runs; ++run) {
    const RunRecord record = fleet.record(run);
    if (record.stage == RunStage::kDone) {
      EXPECT_TRUE(fleet.every_shard_once(run)) << "run " << run << ", seed " << seed;
      EXPECT_EQ(record.shards_folded, record.shards) << "run " << run << ", seed " << seed;
    } else {
      EXPECT_EQ(record.stage, RunStage::kFailed) << "run " << run << ", seed " << seed;
      EXPECT_TRUE(record.attached || record.exit_code == static_cast<uint32_t>(ExitCode::kNoFleet))
          << "run " << run << ", seed " << seed << ": " << record.sentence;
    }
  }
}

TEST(Fleet, EveryRunOfEveryFleetHasEachShardOnce) {
  for (uint64_t seed = 1; seed <= 60; ++seed) live_through(seed);
}

}  // namespace
}  // namespace fanfold::schedule
