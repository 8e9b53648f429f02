// Shipped bytes as a slot reads them, from a root that is played: what it is asked for, in what order and how much of
// it at once, and that a wait ends.
#include "runtime/worker/reading/shipped_reader.h"

#include <gtest/gtest.h>

#include <cstring>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "engine/protocol/limits.h"
#include "runtime/worker/reading/shard_reader.h"
#include "tests/unit/runtime/files.h"

namespace fanfold {
namespace {

// Answers at once.
class PlayedRoot {
 public:
  explicit PlayedRoot(std::string shipped) : shipped_(std::move(shipped)) {}

  ShippedBlocks& blocks() { return blocks_; }
  std::vector<BlockRequest> asked;
  [[nodiscard]] uint64_t bytes_asked() const {
    uint64_t bytes = 0;
    for (const BlockRequest& request : asked) bytes += request.bytes;
    return bytes;
  }

 private:
  void answer(const BlockRequest& request) {
    asked.push_back(request);
    Bytes block(request.bytes);
    std::memcpy(block.data(), shipped_.data() + request.offset, request.bytes);
    EXPECT_TRUE(blocks_.deliver(request.ticket, raw_bytes(std::move(block))));
  }
  std::string shipped_;
  ShippedBlocks blocks_{[this](BlockRequest request) { answer(request); }};
};

std::string some_bytes(size_t bytes, uint64_t seed = 1) {
  std::mt19937_64 random(seed);
  std::string text(bytes, '\0');
  for (char& c : text) c = static_cast<char>('a' + random() % 16);
  return text;
}

TEST(ShippedReader, ReadsAnyPieceInAnyOrder) {
  const std::string text = some_bytes(3'000'000);
  PlayedRoot root(text);
  ShippedReader reader(root.blocks());
  std::mt19937_64 random(7);
  for (int turn = 0; turn < 500; ++turn) {
    const uint64_t begin = random() % text.size();
    const uint64_t end = begin + random() % (text.size() - begin);
    if (turn % 3 == 0) reader.expect(begin, end);
    for (uint64_t at = begin; at < end && at < begin + 600'000;) {
      const auto bytes = static_cast<size_t>(std::min<uint64_t>(end - at, 1 + random() % 300'000));
      std::string piece(bytes, '\0');
      ASSERT_TRUE(reader.read_at(at, piece.data(), bytes));
      ASSERT_TRUE(piece == text.substr(at, bytes)) << at;
      at += bytes;
    }
  }
}

TEST(ShippedReader, AsksForEachByteOnceWhereItIsReadInOrder) {
  const std::string text = some_bytes(2'000'000);
  PlayedRoot root(text);
  ShippedReader reader(root.blocks());
  reader.expect(1000, 1'900'000);
  std::string piece(10'000, '\0');
  for (uint64_t at = 1000; at + piece.size() <= 1'900'000; at += piece.size()) {
    ASSERT_TRUE(reader.read_at(at, piece.data(), piece.size()));
  }
  EXPECT_EQ(root.bytes_asked(), 1'900'000u - 1000u);
  for (const BlockRequest& request : root.asked) EXPECT_LE(request.bytes, kShippedBlockBytesMax);
}

TEST(ShippedReader, AsksForTheNextBlockBeforeItIsWantedAndForNoMore) {
  const std::string text = some_bytes(2'000'000);
  PlayedRoot root(text);
  ShippedReader reader(root.blocks());
  reader.expect(0, text.size());
  char byte = 0;
  ASSERT_TRUE(reader.read_at(0, &byte, 1));
  EXPECT_EQ(root.asked.size(), kShippedReadsPerSlotMax);
  ASSERT_TRUE(reader.read_at(1, &byte, 1));
  EXPECT_EQ(root.asked.size(), kShippedReadsPerSlotMax + 1);
}

TEST(ShippedReader, AsksForNothingAheadThatIsNotExpected) {
  PlayedRoot root(some_bytes(2'000'000));
  ShippedReader reader(root.blocks());
  reader.expect(1'000'000, 1'000'100);
  std::string piece(100, '\0');
  ASSERT_TRUE(reader.read_at(0, piece.data(), piece.size()));
  ASSERT_TRUE(reader.read_at(1'000'000, piece.data(), piece.size()));
  EXPECT_EQ(root.bytes_asked(), 200u);
}

TEST(ShippedReader, AWaitEndsWhenItIsCancelled) {
  ShippedBlocks blocks([](BlockRequest) {});
  ShippedReader reader(blocks);
  char byte = 0;
  bool read = true;
  std::thread slot([&] { read = reader.read_at(0, &byte, 1); });
  blocks.cancel();
  slot.join();
  EXPECT_FALSE(read);
  EXPECT_FALSE(reader.read_at(0, &byte, 1)) << "and so does every later one";
}

TEST(ShippedBlocks, AnAnswerOfAnotherSizeOrToNobodyIsDropped) {
  uint64_t ticket = 0;
  ShippedBlocks blocks([&](BlockRequest request) { ticket = request.ticket; });
  EXPECT_FALSE(blocks.deliver(1, raw_bytes(Bytes(10))));
  const uint64_t asked = blocks.ask(0, 10);
  EXPECT_EQ(asked, ticket);
  EXPECT_FALSE(blocks.deliver(ticket, raw_bytes(Bytes(9))));
  EXPECT_TRUE(blocks.deliver(ticket, raw_bytes(Bytes(10))));
  EXPECT_FALSE(blocks.deliver(ticket, raw_bytes(Bytes(10))));
  EXPECT_EQ(blocks.wait(ticket)->view.size(), 10u);
}

// ---- shards of shipped sources ----------------------------------------------------------------

// All records of a plan, read by one slot in leases of so many shards.
std::string read_in_leases(const Plan& plan, const ReadOptions& options, uint64_t shards) {
  ShardReader reader(options);
  std::string text;
  for (uint64_t begin = 0; begin < plan.shard_count(); begin += shards) {
    const uint64_t end = std::min(begin + shards, plan.shard_count());
    reader.begin_lease();
    for (uint64_t index = begin; index < end; ++index) {
      const ShardSlice slice = plan.shard(index);
      EXPECT_TRUE(reader.open(plan.sources()[slice.source], slice, plan.shard(end - 1).end).ok());
      for (fanfold_block block = {}; block.last == 0;) {
        block.size = sizeof block;
        const Result<ReadOutcome> outcome = reader.next(block);
        if (!outcome) {
          ADD_FAILURE() << outcome.failure().sentence;
          return text;
        }
        text.append(block.data, block.bytes);
      }
    }
    EXPECT_TRUE(reader.end_lease().ok());
  }
  return text;
}

TEST(ShippedReader, AShardReaderReadsShippedSourcesAsItReadsFiles) {
  std::mt19937_64 random(3);
  std::string text;
  while (text.size() < 1'500'000) text += some_bytes(random() % 200, random()) + "\n";
  PlayedRoot root("in front of it " + text);
  ShippedReader reader(root.blocks());
  ReadOptions options;
  options.wants_head = true;
  options.shipped = &reader;
  for (const uint64_t shard_bytes : {5'000, 70'000, 300'000, 2'000'000}) {
    Source source;
    source.name = "text";
    source.size = text.size();
    Result<Plan> plan = Plan::make({source}, {.shard_bytes = shard_bytes, .shipped_from = 15});
    ASSERT_TRUE(plan.ok());
    EXPECT_TRUE(read_in_leases(*plan, options, 3) == text) << shard_bytes;
  }
}

TEST(ShippedReader, WhatALeaseReadsIsHardlyMoreThanWhatItHolds) {
  std::string text;
  while (text.size() < 4'000'000) text += "a line of some length\n";
  PlayedRoot root(text);
  ShippedReader reader(root.blocks());
  ReadOptions options;
  options.shipped = &reader;
  Source source;
  source.name = "text";
  source.size = text.size();
  Result<Plan> plan = Plan::make({source}, {.shard_bytes = 100'000, .shipped_from = 0});
  ASSERT_TRUE(plan.ok());
  EXPECT_TRUE(read_in_leases(*plan, options, 4) == text);
  EXPECT_LT(root.bytes_asked(), text.size() + text.size() / 20);
}

TEST(ShippedReader, ACancelledWaitIsNoFailureOfTheInput) {
  std::uint32_t stop = FANFOLD_CANCEL;
  ShippedBlocks blocks([](BlockRequest) {});
  blocks.cancel();
  ShippedReader shipped(blocks);
  ReadOptions options;
  options.shipped = &shipped;
  options.stop = &stop;
  options.wants_head = true;
  Source source;
  source.name = "text";
  source.size = 100;
  Result<Plan> plan = Plan::make({source}, {.shipped_from = 0});
  ASSERT_TRUE(plan.ok());
  ShardReader reader(options);
  EXPECT_TRUE(reader.open(plan->sources()[0], plan->shard(0)).ok());
  fanfold_block block = {};
  block.size = sizeof block;
  const Result<ReadOutcome> outcome = reader.next(block);
  ASSERT_TRUE(outcome.ok());
  EXPECT_EQ(*outcome, ReadOutcome::kStopped);
}

}  // namespace
}  // namespace fanfold
