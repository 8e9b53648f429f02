// What a shard reader promises: each record once, whole, in the shard that owns its first byte, whatever the
// cuts, the size of the buffer, and the delimiters.
#include "runtime/worker/reading/shard_reader.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <random>
#include <string>
#include <vector>

#include "tests/unit/runtime/files.h"

namespace fanfold {
namespace {

using Records = std::vector<std::string>;

ReadOptions with_delimiters(std::string_view bytes, ReadOptions options = {}) {
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    options.delimiters[byte / 8] = static_cast<uint8_t>(options.delimiters[byte / 8] | (1u << (byte % 8)));
  }
  return options;
}

// The definition, on the whole text: each record with its delimiter.
struct Placed {
  uint64_t offset = 0;
  std::string record;
};
std::vector<Placed> cut(std::string_view text, std::string_view delimiters) {
  std::vector<Placed> records;
  for (size_t begin = 0; begin < text.size();) {
    const size_t found = text.find_first_of(delimiters, begin);
    const size_t end = found == std::string_view::npos ? text.size() : found + 1;
    records.push_back({begin, std::string(text.substr(begin, end - begin))});
    begin = end;
  }
  return records;
}

// All that a shard delivers; blocks are checked against the ABI's words on the way.
std::string read_all(ShardReader& reader) {
  std::string text;
  uint64_t next_offset = 0;
  while (true) {
    fanfold_block block = {};
    block.size = sizeof block;
    Result<ReadOutcome> outcome = reader.next(block);
    if (!outcome.ok()) {
      ADD_FAILURE() << outcome.failure().sentence;
      return text;
    }
    if (*outcome == ReadOutcome::kEnd) {
      EXPECT_EQ(block.bytes, 0u);
      EXPECT_EQ(block.last, 1u);
      return text;
    }
    EXPECT_EQ(*outcome, ReadOutcome::kBlock);
    EXPECT_GT(block.bytes, 0u);
    if (!text.empty()) {
      EXPECT_EQ(block.offset, next_offset);
    }
    next_offset = block.offset + block.bytes;
    // The margins are readable: a sanitizer would stop here.
    volatile char seen = 0;
    for (size_t i = 0; i < kBlockMargin; ++i) seen = *(block.data - 1 - i);
    for (size_t i = 0; i < kBlockMargin; ++i) seen = *(block.data + block.bytes + i);
    static_cast<void>(seen);
    text.append(block.data, block.bytes);
    if (block.last != 0) {
      fanfold_block after = {};
      Result<ReadOutcome> end = reader.next(after);
      EXPECT_TRUE(end.ok() && *end == ReadOutcome::kEnd);
      return text;
    }
  }
}

Status open(ShardReader& reader, const Plan& plan, uint64_t index) {
  const ShardSlice slice = plan.shard(index);
  return reader.open(plan.sources()[slice.source], slice);
}

Plan plan_of(std::vector<Source> sources, uint64_t shard_bytes) {
  Result<Plan> plan = Plan::make(std::move(sources), {.shard_bytes = shard_bytes});
  EXPECT_TRUE(plan.ok());
  return std::move(plan).value();
}

std::string read_shard(ShardReader& reader, const Plan& plan, uint64_t index) {
  if (Status status = open(reader, plan, index); !status) {
    ADD_FAILURE() << status.failure().sentence;
    return {};
  }
  return read_all(reader);
}

// Every shard holds exactly the records that begin in it, read in order by one reader and shuffled by another.
void expect_each_record_once(const TestFolder& folder, const std::string& text, std::string_view delimiters,
                             uint64_t shard_bytes, uint64_t block_bytes, uint64_t seed) {
  const Plan plan = plan_of({planned(folder.write("text", text))}, shard_bytes);
  std::vector<std::string> expected(plan.shard_count());
  for (const Placed& placed : cut(text, delimiters)) expected[placed.offset / shard_bytes] += placed.record;

  ShardReader in_order(with_delimiters(delimiters, {.block_bytes = block_bytes}));
  for (uint64_t i = 0; i < plan.shard_count(); ++i)
    ASSERT_EQ(read_shard(in_order, plan, i), expected[i])
        << "shard " << i << " of " << shard_bytes << " bytes, blocks of " << block_bytes << ", seed " << seed;
  EXPECT_EQ(in_order.record_bytes(), text.size());
  EXPECT_EQ(in_order.stored_bytes(), text.size());

  std::vector<uint64_t> order(plan.shard_count());
  for (uint64_t i = 0; i < order.size(); ++i) order[i] = i;
  std::shuffle(order.begin(), order.end(), std::mt19937_64(seed));
  ShardReader shuffled(with_delimiters(delimiters, {.block_bytes = block_bytes}));
  for (const uint64_t i : order)
    ASSERT_EQ(read_shard(shuffled, plan, i), expected[i])
        << "shard " << i << " of " << shard_bytes << " bytes, blocks of " << block_bytes << ", seed " << seed;
}

TEST(ShardReader, GivesEachRecordOnceAtEveryCut) {
  const TestFolder folder;
  const std::string text = "one\ntwo words\n\n\nfive\r\nsix\n";
  for (uint64_t shard_bytes = 1; shard_bytes <= text.size() + 1; ++shard_bytes)
    for (const uint64_t block_bytes : {1, 2, 3, 5, 8, 64})
      expect_each_record_once(folder, text, "\n", shard_bytes, block_bytes, shard_bytes);
}

TEST(ShardReader, GivesEachRecordOnceForRandomTextsShardsBlocksAndDelimiters) {
  const TestFolder folder;
  constexpr std::string_view kAlphabet = "aab \n\t\r,";
  const std::vector<std::string> delimiter_sets = {"\n", " \t\n\v\f\r", ",", std::string(1, '\0'), "\xff\x80"};
  for (uint64_t seed = 0; seed < 300; ++seed) {
    std::mt19937_64 random(seed);
    const std::string& delimiters = delimiter_sets[random() % delimiter_sets.size()];
    const uint64_t rarity = uint64_t{1} << (random() % 8);  // records of a byte up to the whole text
    std::string text(1 + random() % 600, 'x');
    for (char& c : text)
      c = random() % rarity == 0 ? delimiters[random() % delimiters.size()] : kAlphabet[random() % kAlphabet.size()];
    expect_each_record_once(folder, text, delimiters, 1 + random() % 100, 1 + random() % 100, seed);
  }
}

TEST(ShardReader, GivesEachRecordOnceAcrossBlocksAndOverlapsOfRealSize) {
  const TestFolder folder;
  std::mt19937_64 random(1);
  std::string text;
  while (text.size() < 600'000) text += std::string(random() % (random() % 50 == 0 ? 20'000 : 90), 'r') + "\n";
  for (const uint64_t shard_bytes : {70'000, 4096, 65'536, 1'000'000})
    for (const uint64_t block_bytes : {4096, 65'536, 262'144})
      expect_each_record_once(folder, text, "\n", shard_bytes, block_bytes, 1);
}

TEST(ShardReader, DeliversTheLastRecordWithoutItsNewline) {
  const TestFolder folder;
  expect_each_record_once(folder, "one\ntwo", "\n", 3, 64, 0);
  expect_each_record_once(folder, "two", "\n", 1, 64, 0);
}

TEST(ShardReader, LeavesCarriageReturnsToTheJob) {
  const TestFolder folder;
  const Plan plan = plan_of({planned(folder.write("text", "a\r\nb\r\n"))}, 100);
  ShardReader reader({.wants_head = true});
  EXPECT_EQ(read_shard(reader, plan, 0), "a\r\nb\r\n");
  EXPECT_EQ(reader.head(), "a\r");
}

TEST(ShardReader, ReadsAcrossFilesAndEmptyFilesInOneLease) {
  const TestFolder folder;
  const Plan plan = plan_of({planned(folder.write("a", "1\n2\n3")), planned(folder.write("b", "")),
                             planned(folder.write("c", "4\n5\n")), planned(folder.write("d", "\n"))},
                            2);
  ShardReader reader({});
  reader.begin_lease();
  std::string text;
  for (uint64_t i = 0; i < plan.shard_count(); ++i) text += read_shard(reader, plan, i) + "|";
  EXPECT_EQ(text, "1\n|2\n|3|4\n|5\n|\n|");
  EXPECT_TRUE(reader.end_lease().ok());
}

TEST(ShardReader, GivesTheHeadOfTheSourceToEveryShardOfIt) {
  const TestFolder folder;
  const std::string long_head(10'000, 'h');
  const Plan plan =
      plan_of({planned(folder.write("a", "name,size\n1,2\n3,4\n")), planned(folder.write("b", long_head + "\nx\n")),
               planned(folder.write("c", "lonely")), planned(folder.write("d", "\nx"))},
              9);
  ShardReader reader({.block_bytes = 7, .wants_head = true});
  for (uint64_t i = plan.shard_count(); i-- > 0;) {
    ASSERT_TRUE(open(reader, plan, i).ok());
    const std::vector<std::string> heads = {"name,size", long_head, "lonely", ""};
    ASSERT_EQ(reader.head(), heads[plan.shard(i).source]);
  }
}

TEST(ShardReader, ReadsALineOf50MegabytesAmongManyShards) {
  const TestFolder folder;
  const size_t line_bytes = 50'000'000;
  std::string text = "first\n";
  text.append(line_bytes, 'x');
  text += "\nlast\n";
  const Plan plan = plan_of({planned(folder.write("text", text))}, uint64_t{1} << 20);
  ShardReader reader({});
  EXPECT_EQ(read_shard(reader, plan, 0).size(), 6 + line_bytes + 1);
  for (uint64_t i = 1; i + 1 < plan.shard_count(); ++i) ASSERT_EQ(read_shard(reader, plan, i), "");
  EXPECT_EQ(read_shard(reader, plan, plan.shard_count() - 1), "last\n");
  ShardReader other({});
  EXPECT_EQ(read_shard(other, plan, 20), "");
}

TEST(ShardReader, TakesARecordOfTheGreatestLengthAndRefusesOneByteMore) {
  const TestFolder folder;
  for (const uint64_t most : {1, 10, 100}) {
    for (const uint64_t block_bytes : {1, 7, 64, 1000}) {
      for (const char* tail : {"\n", "", "\nafter\n"}) {
        const std::string before = "a\n";
        const ReadOptions options = {.record_bytes_max = most, .block_bytes = block_bytes, .wants_head = true};
        if (most >= 10 || std::string_view(tail) != "\nafter\n") {
          const Plan fits = plan_of({planned(folder.write("fits", before + std::string(most, 'x') + tail))}, 1000);
          ShardReader reader(options);
          EXPECT_EQ(read_shard(reader, fits, 0), before + std::string(most, 'x') + tail);
        }
        const Plan exceeds = plan_of({planned(folder.write("long", before + std::string(most + 1, 'x') + tail))}, 1000);
        ShardReader reader(options);
        ASSERT_TRUE(open(reader, exceeds, 0).ok());
        Result<ReadOutcome> outcome = ReadOutcome::kBlock;
        fanfold_block block = {};
        while (outcome.ok() && *outcome == ReadOutcome::kBlock) outcome = reader.next(block);
        ASSERT_FALSE(outcome.ok()) << most << " " << block_bytes << " " << tail;
        EXPECT_EQ(outcome.failure().code, ExitCode::kInputOutput);
        EXPECT_NE(outcome.failure().sentence.find("\"long\": the record at byte 2 is longer than " +
                                                  std::to_string(most) + " bytes"),
                  std::string::npos)
            << outcome.failure().sentence;
      }
    }
  }
}

TEST(ShardReader, RefusesAHeadThatIsLongerThanARecordMayBe) {
  const TestFolder folder;
  const Plan plan = plan_of({planned(folder.write("text", std::string(50, 'x') + "\ny\n"))}, 60);
  ShardReader reader({.record_bytes_max = 49, .wants_head = true});
  const Status status = open(reader, plan, 0);
  ASSERT_FALSE(status.ok());
  EXPECT_NE(status.failure().sentence.find("record at byte 0"), std::string::npos);
}

TEST(ShardReader, StopsBetweenTwoReadsWhenTheStopWordSaysCancel) {
  const TestFolder folder;
  const Plan plan = plan_of({planned(folder.write("text", "1\n2\n3\n4\n"))}, 100);
  uint32_t stop = FANFOLD_GO_ON;
  ShardReader reader({.block_bytes = 2, .stop = &stop});
  ASSERT_TRUE(open(reader, plan, 0).ok());
  fanfold_block block = {};
  EXPECT_EQ(ShardReader::next_block(&reader, &block), FANFOLD_OK);
  stop = FANFOLD_SEAL_SOON;
  EXPECT_EQ(ShardReader::next_block(&reader, &block), FANFOLD_OK);
  stop = FANFOLD_CANCEL;
  EXPECT_EQ(ShardReader::next_block(&reader, &block), FANFOLD_STOPPED);
}

TEST(ShardReader, TellsTheJobOfBadInputAndKeepsTheReason) {
  const TestFolder folder;
  const Plan plan = plan_of({planned(folder.write("text", "1\n234\n"))}, 100);
  ShardReader reader({.record_bytes_max = 2});
  ASSERT_TRUE(open(reader, plan, 0).ok());
  fanfold_block block = {};
  int32_t status = FANFOLD_OK;
  while (status == FANFOLD_OK) status = ShardReader::next_block(&reader, &block);
  EXPECT_EQ(status, FANFOLD_BAD_INPUT);
  ASSERT_TRUE(reader.failure().has_value());
  EXPECT_EQ(reader.failure()->code, ExitCode::kInputOutput);
  // The next shard starts afresh.
  ASSERT_TRUE(open(reader, plan, 0).ok());
  EXPECT_FALSE(reader.failure().has_value());
  EXPECT_EQ(ShardReader::next_block(&reader, &block), FANFOLD_OK);
}

TEST(ShardReader, FindsAFileThatChangedBetweenTwoLeases) {
  const TestFolder folder;
  const std::string path = folder.write("log", "1\n2\n");
  const Plan plan = plan_of({planned(path)}, 2);
  ShardReader reader({});
  reader.begin_lease();
  EXPECT_EQ(read_shard(reader, plan, 0), "1\n");
  EXPECT_TRUE(reader.end_lease().ok());
  folder.rewrite("log", "1\n2\n3\n");
  reader.begin_lease();
  const Status status = open(reader, plan, 1);
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.failure().code, ExitCode::kInputOutput);
}

TEST(ShardReader, FindsAFileThatChangedWhileItWasRead) {
  const TestFolder folder;
  const Plan plan = plan_of({planned(folder.write("log", "1\n2\n")), planned(folder.write("other", "3\n"))}, 2);
  ShardReader reader({});
  EXPECT_EQ(read_shard(reader, plan, 0), "1\n");
  folder.rewrite("log", "1\n2\n3\n");
  EXPECT_FALSE(reader.end_lease().ok());
  // The same when the lease goes on to another file.
  const Plan again = plan_of({planned(folder.write("log", "1\n2\n")), planned(folder.write("other", "3\n"))}, 2);
  ShardReader second({});
  EXPECT_EQ(read_shard(second, again, 1), "2\n");
  folder.rewrite("log", "1\n2\n3\n");
  EXPECT_FALSE(open(second, again, 2).ok());
}

TEST(ShardReader, ReadsThePlannedSizeOfAGrowingLogWhereAllowed) {
  const TestFolder folder;
  const std::string path = folder.write("log", "1\n2\n3");
  const Plan plan = plan_of({planned(path)}, 2);
  folder.rewrite("log", "1\n2\n3\n4\n");
  ShardReader reader({.allow_growth = true});
  std::string text;
  for (uint64_t i = 0; i < plan.shard_count(); ++i) text += read_shard(reader, plan, i);
  EXPECT_EQ(text, "1\n2\n3");
  EXPECT_TRUE(reader.end_lease().ok());
}

TEST(ShardReader, TellsWhenAFileShrankInTheMidstOfALease) {
  const TestFolder folder;
  const std::string path = folder.write("log", std::string(100'000, 'x') + "\n" + std::string(100'000, 'y') + "\n");
  const Plan plan = plan_of({planned(path)}, 300'000);
  ShardReader reader({.block_bytes = 1000});
  ASSERT_TRUE(open(reader, plan, 0).ok());
  std::filesystem::resize_file(path, 50'000);
  fanfold_block block = {};
  const Result<ReadOutcome> outcome = reader.next(block);
  ASSERT_FALSE(outcome.ok());
  EXPECT_NE(outcome.failure().sentence.find("shrank"), std::string::npos);
}

}  // namespace
}  // namespace fanfold
