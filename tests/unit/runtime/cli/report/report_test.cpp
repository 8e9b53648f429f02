// What a user sees of a run while it goes on and when it has ended.
#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string>

#include "runtime/cli/report/progress_bar.h"
#include "runtime/cli/report/summary_report.h"

namespace fanfold {
namespace {

class StringSink final : public ByteSink {
 public:
  Status write(std::string_view bytes) override {
    text += bytes;
    return success();
  }
  std::string text;
};

RunSummary some_summary() {
  RunSummary summary;
  summary.run_id = "00112233445566778899aabbccddeeff";
  summary.job = "wordcount";
  summary.bytes = 1'304'567'890;
  summary.records = 110'234'556;
  summary.rows = 10;
  summary.shards = 311;
  summary.leases = 24;
  summary.bundles = 1;
  summary.wall_seconds = 2.5;
  summary.slot_seconds = {4, 0.5, 0, 0.25, 0.05, 0.2};
  summary.processes = {{"root", 100, 20'000'000}, {"gatherer", 101, 300'000'000}, {"worker", 102, 400'000'000}};
  summary.machine = {2, 24'000'000'000, "avx2"};
  return summary;
}

TEST(Summary, TellsPeopleWhatWasDoneAndWhereTheTimeWent) {
  EXPECT_EQ(
      summary_text(some_summary()),
      "wordcount: 10 rows in 2.50 s\n"
      "  input    1.30 GB, 110,234,556 records, 522 MB/s\n"
      "  work     311 shards, 24 leases, 1 bundle, 0 retries\n"
      "  slots    read and map 4.00 s (80 %), seal and pack 500 ms (10 %), merge 250 ms (5 %), finish 50.0 ms (1 %), "
      "idle 200 ms (4 %)\n"
      "  memory   root 100 20.0 MB, gatherer 101 300 MB, worker 102 400 MB at peak\n"
      "  machine  2 cores, 24.0 GB, avx2 kernels\n");
}

TEST(Summary, SaysZeroForEmptyInput) {
  RunSummary summary;
  summary.job = "wordcount";
  summary.wall_seconds = 0.012;
  EXPECT_EQ(summary_text(summary),
            "wordcount: 0 rows in 12.0 ms\n"
            "  input    0 B, 0 records\n"
            "  work     0 shards, 0 leases, 0 bundles, 0 retries\n");
}

TEST(Summary, NamesWhatWentWrongOnTheWay) {
  RunSummary summary = some_summary();
  summary.retries = 1;
  summary.drops = 2;
  summary.skipped = 3;
  summary.coverage = 0.99999;
  summary.notes = {"one shard a file, for quoted line ends."};
  const std::string text = summary_text(summary);
  EXPECT_NE(text.find("(3 skipped)"), std::string::npos);
  EXPECT_NE(text.find("1 retry, 2 drops, coverage 99.99 %"), std::string::npos) << text;
  EXPECT_NE(text.find("  note     one shard a file"), std::string::npos);
  summary.exit_code = 4;
  EXPECT_EQ(summary_text(summary).find("wordcount: ended with exit code 4 after 2.50 s\n"), 0U);
}

TEST(Summary, AsJsonHasEveryFieldOfSchemaOne) {
  const auto json = nlohmann::json::parse(summary_json(some_summary()));
  EXPECT_EQ(json["schema"], 1);
  EXPECT_EQ(json["run_id"], "00112233445566778899aabbccddeeff");
  EXPECT_EQ(json["job"], "wordcount");
  EXPECT_EQ(json["bytes"], 1304567890U);
  EXPECT_EQ(json["records"], 110234556U);
  EXPECT_EQ(json["shards"], 311);
  EXPECT_EQ(json["leases"], 24);
  EXPECT_EQ(json["bundles"], 1);
  EXPECT_EQ(json["retries"], 0);
  EXPECT_EQ(json["drops"], 0);
  EXPECT_EQ(json["rows"], 10);
  EXPECT_EQ(json["skipped"], 0);
  EXPECT_EQ(json["coverage"], 1.0);
  EXPECT_EQ(json["exit_code"], 0);
  EXPECT_EQ(json["wall_seconds"], 2.5);
  double slots = 0;
  for (const char* phase : {"read_map", "seal_pack", "wire", "merge", "finish", "idle"}) {
    slots += json["slot_seconds"].at(phase).get<double>();
  }
  EXPECT_NEAR(slots, 5, 1e-9);
  EXPECT_EQ(json["processes"][2], (nlohmann::json{{"role", "worker"}, {"pid", 102}, {"peak_rss_bytes", 400000000}}));
  EXPECT_EQ(json["machine"], (nlohmann::json{{"cpus", 2}, {"memory_bytes", 24000000000U}, {"kernels", "avx2"}}));
  EXPECT_TRUE(json["notes"].empty());
}

TEST(Summary, AsJsonIsWrittenForAJobWhoseNameIsNotUtf8) {
  RunSummary summary = some_summary();
  summary.job = "\xff";
  EXPECT_FALSE(nlohmann::json::parse(summary_json(summary)).at("job").get<std::string>().empty());
}

TEST(Progress, IsABarOnlyOnATerminalThatCanEraseALine) {
  EXPECT_EQ(progress_style(false, true, "xterm"), ProgressStyle::kBar);
  EXPECT_EQ(progress_style(false, true, "dumb"), ProgressStyle::kLines);
  EXPECT_EQ(progress_style(false, true, nullptr), ProgressStyle::kLines);
  EXPECT_EQ(progress_style(false, false, "xterm"), ProgressStyle::kLines);
  EXPECT_EQ(progress_style(true, true, "xterm"), ProgressStyle::kNone);
}

TEST(Progress, ShowsABarWithShardsRateAndTimeLeftAndTakesItAway) {
  StringSink sink;
  {
    ProgressBar bar(sink, ProgressStyle::kBar, Instant{});
    bar.update({50, 200, 100'000'000, 400'000'000, false}, Instant{} + seconds(1));
    EXPECT_EQ(sink.text, "\r[=======>                     ]   25 %  50 of 200 shards, 100 MB/s, 3.00 s left\x1b[K")
        << sink.text;
    sink.text.clear();
  }
  EXPECT_EQ(sink.text, "\r\x1b[K");
}

TEST(Progress, OfAQuickRunShowsNothing) {
  StringSink sink;
  {
    ProgressBar bar(sink, ProgressStyle::kBar, Instant{});
    bar.update({1, 2, 1, 2, false}, Instant{} + milliseconds(200));
  }
  EXPECT_EQ(sink.text, "");
}

TEST(Progress, IsDrawnTenTimesASecondAtMost) {
  StringSink sink;
  ProgressBar bar(sink, ProgressStyle::kBar, Instant{});
  for (int i = 0; i < 1000; ++i) bar.update({1, 2, 1, 2, false}, Instant{} + milliseconds(1000 + i));
  EXPECT_EQ(std::count(sink.text.begin(), sink.text.end(), '\r'), 10);
}

TEST(Progress, FitsAnyTerminal) {
  for (unsigned columns = 0; columns < 200; ++columns) {
    StringSink sink;
    ProgressBar bar(sink, ProgressStyle::kBar, Instant{});
    bar.update({50, 200, 100'000'000, 400'000'000, false}, Instant{} + seconds(1), columns);
    const std::size_t shown = sink.text.size() - std::string("\r\x1b[K").size();
    EXPECT_LE(shown, columns == 0 ? 0 : columns - 1);
  }
}

TEST(Progress, FollowsTheRateOfTheLastSeconds) {
  StringSink sink;
  ProgressBar bar(sink, ProgressStyle::kBar, Instant{});
  std::uint64_t done = 0;
  for (int tenth = 1; tenth <= 200; ++tenth) {
    done += tenth <= 100 ? 100'000'000 : 1'000'000;  // 1 GB/s, then 10 MB/s
    sink.text.clear();
    bar.update({1, 2, done, 20'000'000'000, false}, Instant{} + milliseconds(100 * tenth));
  }
  EXPECT_NE(sink.text.find("10.0 MB/s"), std::string::npos) << sink.text;
}

TEST(Progress, ElsewhereIsALineEveryTenSeconds) {
  StringSink sink;
  ProgressBar bar(sink, ProgressStyle::kLines, Instant{});
  for (int second = 1; second <= 25; ++second) {
    bar.update({static_cast<std::uint64_t>(second), 100, 0, 0, false}, Instant{} + seconds(second));
  }
  bar.clear();
  EXPECT_EQ(sink.text,
            "fanfold: 10 %, 10 of 100 shards, 1 min 30 s left\nfanfold: 20 %, 20 of 100 shards, 1 min 20 s left\n");
}

TEST(Progress, SaysThatRowsAreBeingOrderedAndStandsEmptyRuns) {
  StringSink sink;
  ProgressBar bar(sink, ProgressStyle::kLines, Instant{});
  bar.update({200, 200, 5, 5, true}, Instant{} + seconds(10));
  bar.update({0, 0, 0, 0, false}, Instant{} + seconds(20));
  EXPECT_EQ(sink.text, "fanfold: 100 %, 200 of 200 shards, ordering the rows\nfanfold: 0 %, 0 of 0 shards\n");
}

TEST(Progress, SaysHowMuchIsSentAndCountsAnewWhenMappingBegins) {
  StringSink sink;
  ProgressBar bar(sink, ProgressStyle::kLines, Instant{});
  ProgressReading reading;
  reading.shipping = true;
  reading.bytes = 400'000'000;
  for (int second = 1; second <= 10; ++second) {
    reading.bytes_done += 10'000'000;
    bar.update(reading, Instant{} + seconds(second));
  }
  reading.shipping = false;
  reading.shards = 8;
  reading.bytes_done = 0;
  bar.update(reading, Instant{} + seconds(15));
  reading.shards_done = 1;
  reading.bytes_done = 50'000'000;
  bar.update(reading, Instant{} + seconds(20));
  EXPECT_EQ(sink.text,
            "fanfold: 25 %, 100 MB of 400 MB sent, 10.0 MB/s, 30.0 s left\n"
            "fanfold: 12 %, 1 of 8 shards, 10.0 MB/s, 35.0 s left\n");
}

TEST(Progress, IsSilentWhenQuiet) {
  StringSink sink;
  {
    ProgressBar bar(sink, ProgressStyle::kNone, Instant{});
    bar.update({1, 2, 1, 2, false}, Instant{} + seconds(100));
  }
  EXPECT_EQ(sink.text, "");
}

}  // namespace
}  // namespace fanfold
