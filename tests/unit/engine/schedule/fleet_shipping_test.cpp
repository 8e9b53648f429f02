// fleet_shipping_test.cpp: runs whose files their clients send to the root, as its scheduler decides about them: when
// what may be sent, who reads it, and when it is let go.
#include <gtest/gtest.h>

#include "tests/unit/engine/schedule/fleet_harness.h"

namespace fanfold::schedule {
namespace {

constexpr uint64_t kBlock = 100;
const RunId kRun = FleetHarness::run_id(1);

FleetLimits shipping_limits() {
  FleetLimits limits = FleetHarness::default_limits();
  limits.ship_bytes_max = 10'000;
  limits.ship_window_bytes = 400;
  return limits;
}

RunSpecification shipped_file(uint64_t bytes, bool attached = false) {
  RunSpecification specification = FleetHarness::specification(1, attached);
  Source& file = specification.sources.at(0);
  file = Source{};
  file.name = "file";
  file.size = bytes;
  file.unit = 100;
  specification.ship = true;
  return specification;
}

struct ShippingFleet : FleetHarness {
  explicit ShippingFleet(FleetLimits limits = shipping_limits()) : FleetHarness(limits) {}

  void ship(IncarnationId client, uint64_t offset, uint64_t bytes, RunId run = kRun) {
    step(PeerSaid{client, ShipBytes{run, offset}, raw_bytes(Bytes(bytes))});
  }
  // Sends what is allowed, and so on, as a client does.
  void ship_all(IncarnationId client, uint64_t bytes) {
    for (uint64_t sent = 0; sent < bytes;) {
      for (const ShipCredit& credit : take<ShipCredit>(client)) allowed_ = std::max(allowed_, credit.allowed);
      ASSERT_GT(allowed_, sent);
      const uint64_t size = std::min(allowed_ - sent, kBlock);
      ship(client, sent, size);
      sent += size;
    }
  }
  uint64_t allowed_ = 0;
};

TEST(FleetShipping, ARunRunsOnceTheRootHasAllItsFiles) {
  ShippingFleet fleet;
  const IncarnationId node = fleet.join_node("a", 4);
  const IncarnationId client = fleet.join_client();
  fleet.said(client, Submit{kRun, shipped_file(1000)});
  EXPECT_EQ(fleet.take<RunAccepted>(client).at(0).stage, RunStage::kReceiving);
  EXPECT_EQ(fleet.take<ShipCredit>(client), (std::vector<ShipCredit>{{kRun, 0, 400}}));
  fleet.allowed_ = 400;
  EXPECT_EQ(fleet.record(1).stage, RunStage::kReceiving);
  EXPECT_TRUE(fleet.worker(node, 1).empty());
  fleet.ship_all(client, 1000);
  EXPECT_EQ(fleet.take<ShipCredit>(client).back(), (ShipCredit{kRun, 1000, 1000}));
  EXPECT_EQ(fleet.record(1).stage, RunStage::kRunning);
  const IncarnationId worker = fleet.worker(node, 1);
  ASSERT_FALSE(worker.empty());
  const Source source = fleet.take<OpenRun>(worker).at(0).sources.at(0);
  EXPECT_EQ(source.shipped_at, std::optional<uint64_t>(0));
  EXPECT_TRUE(source.path.empty());
}

TEST(FleetShipping, FilesLieOneAfterTheOtherAndRangesNeedNoPlace) {
  ShippingFleet fleet;
  const IncarnationId node = fleet.join_node("a", 4);
  const IncarnationId client = fleet.join_client();
  RunSpecification specification = shipped_file(30);
  specification.sources.push_back(FleetHarness::specification(5).sources.at(0));
  specification.sources.push_back(specification.sources.at(0));
  // What a client says of places is not asked.
  specification.sources.back().shipped_at = 7;
  fleet.said(client, Submit{kRun, specification});
  fleet.ship_all(client, 60);
  const OpenRun open = fleet.take<OpenRun>(fleet.worker(node, 1)).at(0);
  EXPECT_EQ(open.sources.at(0).shipped_at, std::optional<uint64_t>(0));
  EXPECT_EQ(open.sources.at(1).shipped_at, std::nullopt);
  EXPECT_EQ(open.sources.at(2).shipped_at, std::optional<uint64_t>(30));
  // Nor where nothing is shipped.
  specification.ship = false;
  for (Source& source : specification.sources) source.path = "/file";
  fleet.said(client, Submit{FleetHarness::run_id(2), specification});
  EXPECT_EQ(fleet.take<OpenRun>(fleet.worker(node, 2)).at(0).sources.at(2).shipped_at, std::nullopt);
}

TEST(FleetShipping, NothingToShipIsShippedAtOnce) {
  ShippingFleet fleet;
  const IncarnationId client = fleet.join_client();
  fleet.said(client, Submit{kRun, shipped_file(0)});
  EXPECT_EQ(fleet.take<RunAccepted>(client).at(0).stage, RunStage::kQueued);
}

TEST(FleetShipping, NoMoreIsAllowedThanAWindowAheadOfWhatIsOnDisk) {
  ShippingFleet fleet;
  fleet.stores_at_once = false;
  const IncarnationId client = fleet.join_client();
  fleet.said(client, Submit{kRun, shipped_file(1000)});
  EXPECT_EQ(fleet.take<ShipCredit>(client).at(0).allowed, 400u);
  for (uint64_t offset = 0; offset < 400; offset += kBlock) fleet.ship(client, offset, kBlock);
  EXPECT_TRUE(fleet.take<ShipCredit>(client).empty());
  fleet.step(ShippedStored{kRun, 50});
  EXPECT_TRUE(fleet.take<ShipCredit>(client).empty()) << "a word for so little is not worth it";
  fleet.step(ShippedStored{kRun, 200});
  EXPECT_EQ(fleet.take<ShipCredit>(client), (std::vector<ShipCredit>{{kRun, 400, 600}}));
}

TEST(FleetShipping, AClientThatSendsWhatItMayNotIsGivenUp) {
  for (const uint64_t bytes : {uint64_t{401}, uint64_t{kShippedBlockBytesMax + 1}}) {
    FleetLimits limits = shipping_limits();
    limits.ship_window_bytes = bytes == 401 ? 400 : 10'000'000;
    limits.ship_bytes_max = 10'000'000;
    ShippingFleet fleet(limits);
    const IncarnationId client = fleet.join_client();
    fleet.said(client, Submit{kRun, shipped_file(1'000'000, true)});
    fleet.ship(client, 0, bytes);
    EXPECT_FALSE(fleet.stored.contains(kRun));
    fleet.advance(seconds(6));
    EXPECT_EQ(fleet.record(1).stage, RunStage::kFailed);
  }
}

TEST(FleetShipping, BytesThatAreNotTheNextOnesChangeNothing) {
  ShippingFleet fleet;
  const IncarnationId client = fleet.join_client();
  const IncarnationId stranger = fleet.join_client();
  fleet.said(client, Submit{kRun, shipped_file(1000)});
  fleet.ship(stranger, 0, kBlock);
  fleet.ship(client, kBlock, kBlock);
  fleet.ship(client, 0, kBlock, FleetHarness::run_id(9));
  EXPECT_FALSE(fleet.stored.contains(kRun));
  fleet.ship(client, 0, kBlock);
  fleet.ship(client, 0, kBlock);
  EXPECT_EQ(fleet.stored.at(kRun), kBlock);
}

TEST(FleetShipping, AClientThatComesBackGoesOnWhereItWas) {
  ShippingFleet fleet;
  const IncarnationId client = fleet.join_client();
  fleet.said(client, Submit{kRun, shipped_file(1000)});
  fleet.ship(client, 0, kBlock);
  fleet.lose_client(client);
  fleet.advance(seconds(4));
  const IncarnationId again = fleet.join_client();
  fleet.said(again, Submit{kRun, shipped_file(1000)});
  EXPECT_EQ(fleet.take<RunAccepted>(again).at(0).stage, RunStage::kReceiving);
  EXPECT_EQ(fleet.take<ShipCredit>(again), (std::vector<ShipCredit>{{kRun, 100, 500}}));
  fleet.advance(seconds(4));
  EXPECT_EQ(fleet.record(1).stage, RunStage::kReceiving);
  fleet.ship(client, kBlock, kBlock);  // a late word of its earlier life
  EXPECT_EQ(fleet.stored.at(kRun), kBlock);
  fleet.ship(again, kBlock, kBlock);
  EXPECT_EQ(fleet.stored.at(kRun), 2 * kBlock);
}

TEST(FleetShipping, AClientThatDoesNotComeBackLeavesNothing) {
  for (const bool attached : {false, true}) {
    ShippingFleet fleet;
    const IncarnationId client = fleet.join_client();
    fleet.said(client, Submit{kRun, shipped_file(1000, attached)});
    fleet.ship(client, 0, kBlock);
    EXPECT_EQ(fleet.fleet().counts().shipped_bytes, 1000u);
    fleet.lose_client(client);
    ASSERT_TRUE(fleet.fleet().next_deadline().has_value());
    fleet.advance(seconds(6));
    EXPECT_EQ(fleet.record(1).stage, RunStage::kFailed);
    EXPECT_NE(fleet.record(1).sentence.find("its client is gone"), std::string::npos);
    EXPECT_TRUE(fleet.stored.empty());
    EXPECT_EQ(fleet.fleet().counts().shipped_bytes, 0u);
  }
}

TEST(FleetShipping, WhatWasShippedIsLetGoWhenTheRunEndsHoweverItEnds) {
  ShippingFleet fleet;
  const IncarnationId node = fleet.join_node("a", 4);
  const IncarnationId client = fleet.join_client();
  fleet.said(client, Submit{kRun, shipped_file(200)});
  fleet.ship_all(client, 200);
  EXPECT_EQ(fleet.stored.size(), 1u);
  fleet.said(client, CancelWanted{kRun, 0});
  EXPECT_TRUE(fleet.stored.empty());
  EXPECT_TRUE(fleet.worker(node, 1).empty());

  fleet.said(client, Submit{FleetHarness::run_id(2), shipped_file(200)});
  fleet.ship(client, 0, kBlock, FleetHarness::run_id(2));
  EXPECT_EQ(fleet.stored.size(), 1u);
  fleet.said(client, CancelWanted{FleetHarness::run_id(2), 0});
  EXPECT_TRUE(fleet.stored.empty());

  fleet.said(client, Submit{FleetHarness::run_id(3), shipped_file(200)});
  fleet.ship(client, 0, kBlock, FleetHarness::run_id(3));
  fleet.step(RootStopping{});
  EXPECT_TRUE(fleet.stored.empty());
  EXPECT_TRUE(fleet.fleet().quiet());
}

TEST(FleetShipping, ADiskThatTakesNoMoreEndsTheRunWithItsSentence) {
  ShippingFleet fleet;
  const IncarnationId client = fleet.join_client();
  fleet.said(client, Submit{kRun, shipped_file(1000)});
  fleet.watch(client, 1);
  fleet.store_fails = true;
  fleet.ship(client, 0, kBlock);
  const auto over = fleet.take<RunOver>(client);
  ASSERT_EQ(over.size(), 1u);
  EXPECT_EQ(over[0].exit_code, static_cast<uint32_t>(ExitCode::kInputOutput));
  EXPECT_EQ(over[0].sentence, "the disk is full");
  EXPECT_TRUE(fleet.stored.empty());
}

TEST(FleetShipping, NoMoreIsTakenThanItsBounds) {
  FleetLimits limits = shipping_limits();
  limits.ship_bytes_max = 1000;
  limits.shipped_max = 2;
  ShippingFleet fleet(limits);
  const IncarnationId client = fleet.join_client();
  const auto refusal = [&](uint64_t run, uint64_t bytes) {
    fleet.said(client, Submit{FleetHarness::run_id(run), shipped_file(bytes)});
    const auto refused = fleet.take<RunRefused>(client);
    return refused.empty() ? std::string() : std::to_string(refused[0].exit_code) + " " + refused[0].sentence;
  };
  EXPECT_NE(refusal(1, 1001).find("3 the files have 1001 bytes, this root takes 1000"), std::string::npos);
  EXPECT_EQ(refusal(1, 600), "");
  EXPECT_NE(refusal(2, 401).find("600 of the 1000"), std::string::npos);
  EXPECT_EQ(refusal(2, 300), "");
  EXPECT_NE(refusal(3, 1).find("taken by 2 runs"), std::string::npos);
  fleet.said(client, CancelWanted{FleetHarness::run_id(1), 0});
  EXPECT_EQ(refusal(3, 700), "");

  limits.ship_bytes_max = 0;
  ShippingFleet none(limits);
  const IncarnationId other = none.join_client();
  none.said(other, Submit{kRun, shipped_file(1)});
  EXPECT_NE(none.take<RunRefused>(other).at(0).sentence.find("takes no shipped files"), std::string::npos);
}

TEST(FleetShipping, AFewClientsSendAtOnceAndTheOthersAfterThem) {
  FleetLimits limits = shipping_limits();
  limits.shippers_max = 2;
  ShippingFleet fleet(limits);
  std::vector<IncarnationId> clients;
  for (uint64_t run = 1; run <= 3; ++run) {
    clients.push_back(fleet.join_client());
    fleet.said(clients.back(), Submit{FleetHarness::run_id(run), shipped_file(100)});
  }
  EXPECT_EQ(fleet.take<ShipCredit>(clients[1]).size(), 1u);
  EXPECT_TRUE(fleet.take<ShipCredit>(clients[2]).empty());
  // A client that is gone takes nobody's turn.
  fleet.lose_client(clients[0]);
  EXPECT_EQ(fleet.take<ShipCredit>(clients[2]).size(), 1u);
}

TEST(FleetShipping, ARunThatIsReceivedKeepsNoneBehindItWaiting) {
  FleetLimits limits = shipping_limits();
  limits.runs_max = 1;
  ShippingFleet fleet(limits);
  const IncarnationId node = fleet.join_node("a", 4);
  const IncarnationId client = fleet.join_client();
  fleet.said(client, Submit{kRun, shipped_file(1000)});
  fleet.submit(client, 2, 10);
  EXPECT_FALSE(fleet.worker(node, 2).empty());
}

struct ReadingFleet : ShippingFleet {
  ReadingFleet() {
    node = join_node("a", 1);
    slots_of["a"] = 1;
    const IncarnationId client = join_client();
    said(client, Submit{kRun, shipped_file(1000)});
    ship_all(client, 1000);
    reader = worker(node, 1);
  }
  IncarnationId node;
  IncarnationId reader;
};

TEST(FleetShipping, AWorkerReadsWhatWasShipped) {
  ReadingFleet fleet;
  fleet.said(fleet.reader, ReadShipped{kRun, 5, 900, 100});
  ASSERT_EQ(fleet.reads.size(), 1u);
  EXPECT_EQ(fleet.reads[0].offset, 900u);
  fleet.step(ShippedRead{kRun, fleet.reader, 5, raw_bytes(Bytes(100))});
  EXPECT_EQ(fleet.take<ShippedBlock>(fleet.reader), (std::vector<ShippedBlock>{{kRun, 5}}));
  // An answer to one that is gone is for nobody.
  fleet.said(fleet.reader, ReadShipped{kRun, 6, 0, 100});
  fleet.lose_node(fleet.node);
  fleet.step(ShippedRead{kRun, fleet.reader, 6, raw_bytes(Bytes(100))});
  EXPECT_TRUE(fleet.take<ShippedBlock>(fleet.reader).empty());
}

TEST(FleetShipping, AWorkerThatAsksForWhatIsNotThereOrForTooMuchIsGivenUp) {
  const std::vector<ReadShipped> wrong = {{kRun, 1, 901, 100},
                                          {kRun, 1, 0, 0},
                                          {kRun, 1, ~uint64_t{0}, 2},
                                          {kRun, 1, 0, kShippedBlockBytesMax + 1},
                                          {FleetHarness::run_id(2), 1, 0, 1}};
  for (const ReadShipped& one : wrong) {
    ReadingFleet fleet;
    ASSERT_FALSE(fleet.reader.empty());
    fleet.said(fleet.reader, one);
    EXPECT_TRUE(fleet.reads.empty());
    EXPECT_TRUE(fleet.workers().empty()) << one.offset;
  }
  ReadingFleet fleet;
  for (uint32_t ticket = 0; ticket < kShippedReadsPerSlotMax; ++ticket) {
    fleet.said(fleet.reader, ReadShipped{kRun, ticket, 0, 1});
  }
  EXPECT_EQ(fleet.reads.size(), kShippedReadsPerSlotMax);
  EXPECT_EQ(fleet.workers().size(), 1u);
  fleet.said(fleet.reader, ReadShipped{kRun, 9, 0, 1});
  EXPECT_TRUE(fleet.workers().empty());
}

// ---- plugins --------------------------------------------------------------------------------------

struct PluginFleet : ShippingFleet {
  static FleetLimits accepting() {
    FleetLimits limits = shipping_limits();
    limits.accept_plugins = true;
    return limits;
  }
  PluginFleet() : ShippingFleet(accepting()) {}

  static RunSpecification shipping_plugin(uint64_t bytes) {
    RunSpecification specification = FleetHarness::specification(100);
    specification.plugin_hash = std::string(32, 'a');
    specification.plugin_bytes = bytes;
    return specification;
  }
  IncarnationId join_accepting(const std::string& name) {
    accepts_plugins = true;
    const IncarnationId node = join_node(name, 4);
    accepts_plugins = false;
    return node;
  }
  // The store has so many of its bytes already.
  void begin(uint64_t bytes, RunId run = kRun) {
    ASSERT_EQ(begun.size(), 1u);
    EXPECT_EQ(begun[0].run, run);
    begun.clear();
    step(ShippedBegun{run, bytes});
  }
};

TEST(FleetShipping, APluginIsSentFirstAndGivenToItsGathererAndToNodesThatAcceptIt) {
  PluginFleet fleet;
  const IncarnationId open = fleet.join_accepting("open");
  const IncarnationId strict = fleet.join_node("strict", 4);
  const IncarnationId client = fleet.join_client();
  RunSpecification specification = shipped_file(200);
  specification.plugin_hash = std::string(32, 'a');
  specification.plugin_bytes = 300;
  fleet.said(client, Submit{kRun, specification});
  EXPECT_TRUE(fleet.take<ShipCredit>(client).empty()) << "the store is asked first";
  fleet.begin(0);
  fleet.step(PluginStored{kRun, "/cache/a.so"});
  fleet.ship_all(client, 500);
  const auto started = fleet.take<StartWorker>(open);
  ASSERT_EQ(started.size(), 1u);
  EXPECT_EQ(started[0].shipped_plugin, std::string(32, 'a'));
  EXPECT_EQ(started[0].plugin_bytes, 300u);
  EXPECT_TRUE(fleet.take<StartWorker>(strict).empty());
  EXPECT_EQ(fleet.opened_gatherers.at(kRun).plugin_path, "/cache/a.so");
  const OpenRun at_worker = fleet.take<OpenRun>(fleet.worker(open, 1)).at(0);
  EXPECT_EQ(at_worker.plugin_path, "");
  EXPECT_EQ(at_worker.sources.at(0).shipped_at, std::optional<uint64_t>(300)) << "the files lie behind it";
  // What a node may read is the plugin.
  fleet.said(open, ReadShipped{kRun, 1, 200, 100});
  ASSERT_EQ(fleet.reads.size(), 1u);
  fleet.step(ShippedRead{kRun, open, 1, raw_bytes(Bytes(100))});
  EXPECT_EQ(fleet.take<ShippedBlock>(open).size(), 1u);
  fleet.said(open, ReadShipped{kRun, 2, 201, 100});
  EXPECT_EQ(fleet.reads.size(), 1u);
  EXPECT_EQ(fleet.fleet().counts().nodes, 1u) << "one that asks for more is given up";
}

TEST(FleetShipping, APluginThatTheRootHasIsNotSentAgain) {
  PluginFleet fleet;
  const IncarnationId node = fleet.join_accepting("open");
  const IncarnationId client = fleet.join_client();
  fleet.submit(client, 1, 100, PluginFleet::shipping_plugin(300));
  EXPECT_EQ(fleet.take<RunAccepted>(client).at(0).stage, RunStage::kReceiving);
  fleet.step(PluginStored{kRun, "/cache/a.so"});
  fleet.begin(300);
  EXPECT_EQ(fleet.take<ShipCredit>(client), (std::vector<ShipCredit>{{kRun, 300, 300}}));
  EXPECT_FALSE(fleet.worker(node, 1).empty());
  fleet.map_all();
  EXPECT_TRUE(fleet.every_shard_once(1));
}

TEST(FleetShipping, APluginIsRefusedWhereItIsNotAcceptedOrIsNone) {
  ShippingFleet closed;
  const IncarnationId client = closed.join_client();
  closed.said(client, Submit{kRun, PluginFleet::shipping_plugin(300)});
  EXPECT_NE(closed.take<RunRefused>(client).at(0).sentence.find("--accept-plugins"), std::string::npos);

  PluginFleet fleet;
  const IncarnationId other = fleet.join_client();
  RunSpecification wrong = PluginFleet::shipping_plugin(300);
  wrong.plugin_hash = "../../etc/passwd";
  fleet.said(other, Submit{kRun, wrong});
  EXPECT_NE(fleet.take<RunRefused>(other).at(0).sentence.find("no hash"), std::string::npos);
  fleet.said(other, Submit{kRun, PluginFleet::shipping_plugin(kPluginBytesMax + 1)});
  EXPECT_NE(fleet.take<RunRefused>(other).at(0).sentence.find("bytes"), std::string::npos);
  fleet.said(other, Submit{kRun, PluginFleet::shipping_plugin(kPluginBytesMax)});
  EXPECT_TRUE(fleet.take<RunRefused>(other).empty());
}

TEST(FleetShipping, ARunWhosePluginNobodyAcceptsSaysWhoDoesNot) {
  PluginFleet fleet;
  fleet.join_node("strict", 4);
  const IncarnationId client = fleet.join_client();
  fleet.said(client, Submit{kRun, PluginFleet::shipping_plugin(300)});
  fleet.begin(300);
  fleet.watch(client, 1);
  fleet.advance(seconds(31));
  fleet.advance(seconds(2));
  const auto over = fleet.take<RunOver>(client);
  ASSERT_EQ(over.size(), 1u);
  EXPECT_EQ(over[0].exit_code, static_cast<uint32_t>(ExitCode::kNoFleet));
  EXPECT_NE(over[0].sentence.find("\"strict\""), std::string::npos) << over[0].sentence;
  EXPECT_NE(over[0].sentence.find("--accept-plugins"), std::string::npos) << over[0].sentence;
}

TEST(FleetShipping, ANodeWithoutPartInARunGivesItsSlotsToTheOthers) {
  PluginFleet fleet;
  const IncarnationId open = fleet.join_accepting("open");
  const IncarnationId strict = fleet.join_node("strict", 4);
  const IncarnationId client = fleet.join_client();
  fleet.said(client, Submit{kRun, PluginFleet::shipping_plugin(300)});
  fleet.begin(300);
  fleet.submit(client, 2, 1000);
  EXPECT_EQ(fleet.share(open, 1), 2u);
  EXPECT_EQ(fleet.share(open, 2), 2u);
  EXPECT_EQ(fleet.share(strict, 2), 99u) << "it has them all, without a word";
}

TEST(FleetShipping, APluginThatIsNotWhatWasAnnouncedEndsItsRun) {
  PluginFleet fleet;
  const IncarnationId client = fleet.join_client();
  fleet.said(client, Submit{kRun, PluginFleet::shipping_plugin(300)});
  fleet.begin(0);
  fleet.watch(client, 1);
  fleet.step(StoreFailed{kRun, "two hashes", ExitCode::kUsage});
  const auto over = fleet.take<RunOver>(client);
  ASSERT_EQ(over.size(), 1u);
  EXPECT_EQ(over[0].exit_code, static_cast<uint32_t>(ExitCode::kUsage));
  EXPECT_EQ(over[0].sentence, "two hashes");
}

}  // namespace
}  // namespace fanfold::schedule
