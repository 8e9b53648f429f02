// bundle_stage_test.cpp: what the gatherer decides about bundles, one sentence a test.
#include "engine/fold/bundle_stage.h"

#include <gtest/gtest.h>

namespace fanfold::staging {
namespace {

constexpr RunId kRun{1, 1};
IncarnationId id(uint64_t worker) {
  return {worker, worker};
}

class StageHarness {
 public:
  StageHarness() : stage_(hello(), Limits{}) {
    step(Started{});
    root(Welcome{});
    OpenRun open;
    open.run = kRun;
    root(open);
    step(JobOpened{kRun, 0, {}});
    greet(1);
    actions.clear();
  }
  static Hello hello() {
    Hello hello;
    hello.role = Role::kGatherer;
    return hello;
  }
  void step(Event event) {
    for (Action& action : stage_.step(std::move(event), now)) actions.push_back(std::move(action));
  }
  void root(Message message) { step(RootSaid{std::move(message)}); }
  void worker(uint64_t from, Message message, RawBytes raw = {}) {
    step(WorkerSaid{id(from), std::move(message), std::move(raw)});
  }
  void greet(uint64_t from) {
    Hello hello;
    hello.slots = 1;
    worker(from, hello);
  }
  static BundleOffer offer(uint64_t seq, uint64_t bytes) {
    BundleOffer offer;
    offer.run = kRun;
    offer.seq = {seq};
    offer.manifest = {{LeaseId{seq}, {seq, seq + 1}}};
    offer.parts = {{5, 10, bytes}};
    offer.bytes = bytes;
    return offer;
  }
  void chunk(uint64_t from, uint64_t seq, uint32_t index, std::size_t size) {
    worker(from, Chunk{kRun, BundleSeq{seq}, index}, raw_bytes(Bytes(size)));
  }
  // Whole, valid and told to the root.
  void stage(uint64_t from, uint64_t seq) {
    worker(from, offer(seq, 64));
    chunk(from, seq, 0, 64);
    step(BundleValidated{{id(from), {seq}}, {}});
  }
  void advance(Duration span) {
    now = now + span;
    step(Tick{});
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
  std::vector<std::pair<uint32_t, uint32_t>> chunks_wanted() {
    std::vector<std::pair<uint32_t, uint32_t>> wanted;
    for (const SendToWorker& send : take<SendToWorker>()) {
      if (const auto* chunks = std::get_if<ChunksWanted>(&send.message))
        wanted.emplace_back(chunks->first, chunks->count);
    }
    return wanted;
  }

  Instant now{1};
  std::vector<Action> actions;
  BundleStage& stage_machine() { return stage_; }

 private:
  BundleStage stage_;
};

constexpr std::size_t kMiB = kChunkBytesMax;
using Wanted = std::vector<std::pair<uint32_t, uint32_t>>;

TEST(BundleStage, SaysWhatTheRunWillAnswerOnceItsJobIsOpen) {
  BundleStage stage(StageHarness::hello(), Limits{});
  (void)stage.step(Started{}, Instant{});
  (void)stage.step(RootSaid{Welcome{}}, Instant{});
  OpenRun open;
  open.run = kRun;
  EXPECT_TRUE(std::holds_alternative<OpenJob>(stage.step(RootSaid{open}, Instant{})[0]));
  const auto actions = stage.step(JobOpened{kRun, 3, Bytes(4)}, Instant{});
  const auto opened = std::get<RunOpened>(std::get<SendToRoot>(actions.at(0)).message);
  EXPECT_EQ(opened.job_flags, 3u);
  EXPECT_EQ(opened.schema.size(), 4u);
}

TEST(BundleStage, RefusesAWorkerOfAnotherProtocol) {
  StageHarness gatherer;
  Hello hello;
  hello.protocol_version = kProtocolVersion + 1;
  gatherer.worker(2, hello);
  const auto sends = gatherer.take<SendToWorker>();
  ASSERT_EQ(sends.size(), 1u);
  EXPECT_TRUE(std::holds_alternative<Refused>(sends[0].message));
  gatherer.worker(2, StageHarness::offer(1, 64));
  EXPECT_TRUE(gatherer.actions.empty());
}

TEST(BundleStage, ValidatesABundleWhenItIsHereWhole) {
  StageHarness gatherer;
  gatherer.worker(1, StageHarness::offer(1, kMiB + 64));
  EXPECT_EQ(gatherer.take<ReceiveBundle>().size(), 1u);
  gatherer.chunk(1, 1, 1, 64);
  EXPECT_EQ(gatherer.take<StoreChunk>()[0].offset, kMiB);
  EXPECT_TRUE(gatherer.take<ValidateBundle>().empty());
  gatherer.chunk(1, 1, 0, kMiB);
  EXPECT_EQ(gatherer.take<ValidateBundle>().size(), 1u);
}

TEST(BundleStage, TellsTheRootOnlyOfValidBundles) {
  StageHarness gatherer;
  gatherer.stage(1, 1);
  const auto staged = gatherer.told_root<Staged>();
  ASSERT_EQ(staged.size(), 1u);
  EXPECT_EQ(staged[0].entries, 5u);
  EXPECT_EQ(staged[0].manifest.size(), 1u);
  gatherer.worker(1, StageHarness::offer(2, 64));
  gatherer.chunk(1, 2, 0, 64);
  gatherer.actions.clear();
  Cause cause;
  cause.kind = CauseKind::kBadPartial;
  gatherer.step(BundleValidated{{id(1), {2}}, cause});
  EXPECT_EQ(gatherer.take<FreeBundle>().size(), 1u);
  EXPECT_EQ(gatherer.told_root<BundleFailed>().size(), 1u);
}

TEST(BundleStage, AsksForTheNextChunkWithEachOneThatComes) {
  StageHarness gatherer;
  gatherer.worker(1, StageHarness::offer(1, 6 * kMiB));
  EXPECT_EQ(gatherer.chunks_wanted(), Wanted{}) << "the first four come unasked";
  gatherer.chunk(1, 1, 0, kMiB);
  EXPECT_EQ(gatherer.chunks_wanted(), (Wanted{{4, 1}}));
  gatherer.chunk(1, 1, 1, kMiB);
  EXPECT_EQ(gatherer.chunks_wanted(), (Wanted{{5, 1}}));
  gatherer.chunk(1, 1, 2, kMiB);
  EXPECT_EQ(gatherer.chunks_wanted(), Wanted{}) << "all have been asked for";
}

TEST(BundleStage, AsksAgainForWhatIsMissing) {
  StageHarness gatherer;
  gatherer.worker(1, StageHarness::offer(1, 8 * kMiB));
  gatherer.chunk(1, 1, 1, kMiB);
  gatherer.chunks_wanted();
  ASSERT_EQ(gatherer.stage_machine().next_deadline(), gatherer.now + milliseconds(500));
  gatherer.advance(milliseconds(499));
  EXPECT_EQ(gatherer.chunks_wanted(), Wanted{});
  gatherer.advance(milliseconds(1));
  EXPECT_EQ(gatherer.chunks_wanted(), (Wanted{{0, 1}, {2, 3}}));
  gatherer.advance(milliseconds(500));
  EXPECT_EQ(gatherer.chunks_wanted(), (Wanted{{0, 1}, {2, 3}}));
}

TEST(BundleStage, GivesUpABundleThatStopsComing) {
  StageHarness gatherer;
  gatherer.worker(1, StageHarness::offer(1, 2 * kMiB));
  gatherer.chunk(1, 1, 0, kMiB);
  gatherer.advance(seconds(30));
  EXPECT_EQ(gatherer.take<FreeBundle>().size(), 1u);
  const auto failed = gatherer.told_root<BundleFailed>();
  ASSERT_EQ(failed.size(), 1u);
  EXPECT_EQ(failed[0].cause.kind, CauseKind::kLostLink);
  gatherer.actions.clear();
  gatherer.chunk(1, 1, 1, kMiB);
  EXPECT_TRUE(gatherer.actions.empty());
}

TEST(BundleStage, IgnoresChunksThatAreRepeatedUnknownOrOfTheWrongSize) {
  StageHarness gatherer;
  gatherer.worker(1, StageHarness::offer(1, 2 * kMiB));
  gatherer.chunk(1, 1, 0, kMiB);
  gatherer.actions.clear();
  gatherer.chunk(1, 1, 0, kMiB);
  gatherer.chunk(1, 1, 1, kMiB - 1);
  gatherer.chunk(1, 1, 2, kMiB);
  gatherer.chunk(1, 9, 0, kMiB);
  gatherer.worker(1, Chunk{RunId{9, 9}, BundleSeq{1}, 1}, raw_bytes(Bytes(kMiB)));
  EXPECT_TRUE(gatherer.actions.empty());
  EXPECT_EQ(gatherer.stage_machine().counters().chunks_repeated, 1u);
  EXPECT_EQ(gatherer.stage_machine().counters().chunks_unwanted, 4u);
}

TEST(BundleStage, RefusesOffersWhoseNumbersDoNotFitTogether) {
  const auto refused = [](const BundleOffer& offer) {
    StageHarness gatherer;
    gatherer.worker(1, offer);
    return gatherer.take<ReceiveBundle>().empty() && gatherer.told_root<BundleFailed>().size() == 1;
  };
  EXPECT_FALSE(refused(StageHarness::offer(1, 64)));
  BundleOffer offer = StageHarness::offer(1, 64);
  offer.manifest.clear();
  EXPECT_TRUE(refused(offer)) << "no lease";
  offer = StageHarness::offer(1, 64);
  offer.bytes = 128;
  EXPECT_TRUE(refused(offer)) << "more bytes than parts";
  offer = StageHarness::offer(1, 64);
  offer.log2_parts = 1;
  EXPECT_TRUE(refused(offer)) << "a part is missing";
  offer = StageHarness::offer(1, 64);
  offer.log2_parts = 60;
  EXPECT_TRUE(refused(offer)) << "absurdly many parts";
  offer = StageHarness::offer(1, 64);
  offer.log2_parts = 1;
  offer.parts = {{1, 1, ~uint64_t{0} - 10}, {1, 1, 74}};
  EXPECT_TRUE(refused(offer)) << "sums that overflow";
  offer = StageHarness::offer(1, 64);
  offer.manifest[0].shards = {5, 5};
  EXPECT_TRUE(refused(offer)) << "an empty lease";
  EXPECT_TRUE(refused(StageHarness::offer(1, uint64_t{1} << 41))) << "beyond any bundle";
}

TEST(BundleStage, FoldsOnlyWhatTheRootAcceptsAndFreesWhatItRejects) {
  StageHarness gatherer;
  gatherer.stage(1, 1);
  gatherer.stage(1, 2);
  gatherer.actions.clear();
  gatherer.root(RejectBundle{kRun, {id(1), {1}}});
  EXPECT_EQ(gatherer.take<FreeBundle>().size(), 1u);
  EXPECT_TRUE(gatherer.take<FoldStaged>().empty());
  gatherer.root(FoldBundle{kRun, {id(1), {2}}});
  EXPECT_EQ(gatherer.take<FoldStaged>().size(), 1u);
  gatherer.step(BundleFolded{{id(1), {2}}});
  EXPECT_EQ(gatherer.told_root<Folded>().size(), 1u);
}

TEST(BundleStage, FoldsOneAfterTheOtherInTheOrderSaid) {
  StageHarness gatherer;
  gatherer.stage(1, 1);
  gatherer.stage(1, 2);
  gatherer.root(FoldBundle{kRun, {id(1), {2}}});
  gatherer.root(FoldSmall{kRun, {SmallFold{LeaseId{7}, {}}}});
  gatherer.root(FoldBundle{kRun, {id(1), {1}}});
  gatherer.take<SendToRoot>();
  EXPECT_EQ(gatherer.take<FoldStaged>()[0].bundle.seq, BundleSeq{2});
  EXPECT_TRUE(gatherer.take<FoldSmallPartials>().empty());
  gatherer.step(BundleFolded{{id(1), {2}}});
  EXPECT_EQ(gatherer.take<FoldSmallPartials>().size(), 1u);
  gatherer.step(SmallPartialsFolded{{LeaseId{7}}, {}});
  EXPECT_EQ(gatherer.take<FoldStaged>()[0].bundle.seq, BundleSeq{1});
}

TEST(BundleStage, NeverFoldsABundleTwice) {
  StageHarness gatherer;
  gatherer.stage(1, 1);
  gatherer.root(FoldBundle{kRun, {id(1), {1}}});
  gatherer.root(FoldBundle{kRun, {id(1), {1}}});
  EXPECT_EQ(gatherer.take<FoldStaged>().size(), 1u);
  gatherer.step(BundleFolded{{id(1), {1}}});
  EXPECT_TRUE(gatherer.take<FoldStaged>().empty());
  EXPECT_EQ(gatherer.stage_machine().counters().unexpected_messages, 1u);
}

TEST(BundleStage, ForgetsAFencedWorkerButNotWhatIsBeingFolded) {
  StageHarness gatherer;
  gatherer.stage(1, 1);
  gatherer.root(FoldBundle{kRun, {id(1), {1}}});
  gatherer.stage(1, 2);
  gatherer.worker(1, StageHarness::offer(3, 64));
  gatherer.chunk(1, 3, 0, 64);  // being validated
  gatherer.worker(1, StageHarness::offer(4, 64));
  gatherer.actions.clear();
  gatherer.root(ForgetWorker{id(1)});
  EXPECT_EQ(gatherer.take<FreeBundle>().size(), 2u) << "the staged one and the one being received";
  gatherer.step(BundleValidated{{id(1), {3}}, {}});
  EXPECT_EQ(gatherer.take<FreeBundle>().size(), 1u);
  EXPECT_TRUE(gatherer.told_root<Staged>().empty());
  gatherer.step(BundleFolded{{id(1), {1}}});
  EXPECT_EQ(gatherer.told_root<Folded>().size(), 1u);
  gatherer.actions.clear();
  gatherer.greet(1);
  gatherer.worker(1, StageHarness::offer(5, 64));
  EXPECT_TRUE(gatherer.actions.empty()) << "it is not let in again";
}

TEST(BundleStage, FinishesAndPassesOnCredit) {
  StageHarness gatherer;
  gatherer.root(Finish{kRun, 8});
  EXPECT_EQ(gatherer.take<FinishRun>()[0].result_batches_allowed, 8u);
  gatherer.root(ResultCredit{kRun, 9});
  EXPECT_EQ(gatherer.take<AllowBatches>()[0].result_batches_allowed, 9u);
  Finished finished;
  finished.run = kRun;
  finished.rows = 5;
  gatherer.step(RunFinished{finished});
  EXPECT_EQ(gatherer.told_root<Finished>()[0].rows, 5u);
}

TEST(BundleStage, ClosesAtAnyTimeAndSaysGoodbye) {
  StageHarness gatherer;
  gatherer.stage(1, 1);
  gatherer.root(FoldBundle{kRun, {id(1), {1}}});
  gatherer.root(CancelRun{kRun});
  EXPECT_EQ(gatherer.take<CloseJob>().size(), 1u);
  gatherer.actions.clear();
  gatherer.step(BundleFolded{{id(1), {1}}});
  EXPECT_TRUE(gatherer.actions.empty()) << "nobody waits for it";
  gatherer.step(JobClosed{});
  EXPECT_EQ(gatherer.told_root<Goodbye>().size(), 1u);
}

TEST(BundleStage, LeavesWhenItIsGivenUpBecauseItsTotalIsVoid) {
  for (const Event& event : {Event{RootSaid{StartAnew{}}}, Event{RootLost{"silent"}}}) {
    StageHarness gatherer;
    gatherer.step(event);
    EXPECT_EQ(gatherer.take<Leave>().size(), 1u);
    gatherer.stage(1, 1);
    EXPECT_TRUE(gatherer.actions.empty());
  }
}

TEST(BundleStage, TellsTheRootWhatFailedInTheJob) {
  StageHarness gatherer;
  Cause cause;
  cause.kind = CauseKind::kOverflow;
  gatherer.step(WorkFailed{kRun, cause});
  EXPECT_EQ(gatherer.told_root<Failed>()[0].cause.kind, CauseKind::kOverflow);
}

}  // namespace
}  // namespace fanfold::staging
