// Records of the log, as they reach standard error.
#include "runtime/log/log.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <sstream>

#include "engine/quoted.h"

namespace fanfold::log {
namespace {

using Json = nlohmann::json;

// What is written while `say` runs.
template <class Say>
std::string said(Say&& say) {
  testing::internal::CaptureStderr();
  say();
  return testing::internal::GetCapturedStderr();
}

std::string said_as(Format format, std::string_view sentence, const Fields& fields = {}, const Fields& context = {}) {
  return said([&] { Log({format, Severity::kDebug}, "worker", "w1", context).info(sentence, fields); });
}

// Of "2026-11-26T03:03:13.042Z".
bool is_time(const std::string& text) {
  constexpr std::string_view kShape = "0000-00-00T00:00:00.000Z";
  if (text.size() != kShape.size()) return false;
  return std::equal(text.begin(), text.end(), kShape.begin(),
                    [](char c, char shape) { return shape == '0' ? c >= '0' && c <= '9' : c == shape; });
}

TEST(Log, WritesPlainSentencesForAnEmbeddedRun) {
  EXPECT_EQ(said_as(Format::kPlain, "something happened", {{"run", "0a"}}), "fanfold: something happened\n");
}

TEST(Log, WritesTextWithTimeLevelRoleAndTheFieldsThatTheSentenceDoesNotHave) {
  const std::string line = said_as(Format::kText, "run 0a ends",
                                   {{"run", "0a"}, {"node", "w\"1"}, {"slots", std::uint64_t{4}}}, {{"life", "2"}});
  EXPECT_TRUE(is_time(line.substr(0, 24))) << line;
  EXPECT_EQ(line.substr(24), " info worker: run 0a ends  node=\"w\\\"1\"  slots=4  life=\"2\"\n");
}

TEST(Log, WritesJsonWithEveryField) {
  const Json record = Json::parse(
      said_as(Format::kJson, "run 0a ends", {{"run", "0a"}, {"slots", std::uint64_t{4}}}, {{"node", "w1"}}));
  EXPECT_TRUE(is_time(record.at("time"))) << record;
  EXPECT_EQ(record.at("level"), "info");
  EXPECT_EQ(record.at("role"), "worker");
  EXPECT_EQ(record.at("name"), "w1");
  EXPECT_EQ(record.at("pid"), getpid());
  EXPECT_EQ(record.at("message"), "run 0a ends");
  EXPECT_EQ(record.at("run"), "0a");
  EXPECT_EQ(record.at("slots"), 4);
  EXPECT_EQ(record.at("node"), "w1");
}

TEST(Log, CannotBeBrokenOrSteeredByWhatItIsTold) {
  std::string hostile;
  for (int byte = 0; byte < 256; ++byte) hostile += static_cast<char>(byte);
  hostile += "\"}{\"level\":\"error\"%v%l{}{0}";
  for (const Format format : {Format::kPlain, Format::kText, Format::kJson}) {
    const std::string line = said_as(format, hostile, {{"node", hostile}}, {{"run", hostile + "x"}});
    EXPECT_EQ(std::count(line.begin(), line.end(), '\n'), 1) << line;
    EXPECT_EQ(line.back(), '\n');
    EXPECT_TRUE(std::none_of(line.begin(), line.end() - 1,
                             [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }) ||
                format == Format::kJson);
    if (format == Format::kJson) {
      EXPECT_EQ(Json::parse(line).at("level"), "info");
    }
  }
}

TEST(Log, LeavesOutWhatIsBelowItsLevel) {
  constexpr std::array kAll = {Severity::kDebug, Severity::kInfo, Severity::kWarning, Severity::kError};
  for (const Severity least : kAll) {
    for (const Severity severity : kAll) {
      const std::string line = said([&] { Log({Format::kText, least}, "root", "r").write(severity, "x"); });
      EXPECT_EQ(line.empty(), severity < least);
    }
  }
}

TEST(Log, CutsALineThatAPipeWouldNotTakeAtOnce) {
  std::string umlauts;
  for (int at = 0; at < 10'000; ++at) umlauts += "\u00fc";
  for (const std::string& sentence : {std::string(100'000, 'x'), std::string(100'000, '\x01'), umlauts}) {
    for (const Format format : {Format::kPlain, Format::kText, Format::kJson}) {
      const std::string line = said_as(format, sentence, {{"run", "0a"}});
      EXPECT_LE(line.size(), kLineBytesMax);
      EXPECT_GT(line.size(), kLineBytesMax / 8);
      EXPECT_NE(line.find("..."), std::string::npos);
      if (format == Format::kJson) {
        EXPECT_EQ(Json::parse(line).at("run"), "0a");
      }
      EXPECT_EQ(line.find("\ufffd"), std::string::npos) << "a character was cut";
    }
  }
}

TEST(Log, OfSeveralProcessesDoesNotMixItsLines) {
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  constexpr int kProcesses = 4;
  constexpr int kLines = 200;
  for (int process = 0; process < kProcesses; ++process) {
    if (fork() != 0) continue;
    dup2(ends[1], STDERR_FILENO);
    close(ends[0]);
    const Log log({Format::kJson, Severity::kInfo}, "worker", std::string(1, static_cast<char>('a' + process)));
    for (int line = 0; line < kLines; ++line) log.info(std::string(3000, static_cast<char>('a' + process)));
    _exit(0);
  }
  close(ends[1]);
  std::string all;
  char piece[65536];
  for (ssize_t got = 0; (got = read(ends[0], piece, sizeof piece)) > 0;)
    all.append(piece, static_cast<std::size_t>(got));
  close(ends[0]);
  for (int process = 0; process < kProcesses; ++process) wait(nullptr);
  std::istringstream lines(all);
  int count = 0;
  for (std::string line; std::getline(lines, line); ++count) {
    const Json record = Json::parse(line, nullptr, false);
    ASSERT_FALSE(record.is_discarded()) << line;
    EXPECT_EQ(record.at("message").get<std::string>(), std::string(3000, record.at("name").get<std::string>()[0]));
  }
  EXPECT_EQ(count, kProcesses * kLines);
}

TEST(Log, TellsChildrenItsOptionsInAWord) {
  for (const char* format : {"text", "json"}) {
    for (const char* level : {"debug", "info", "warning", "error"}) {
      Options options;
      ASSERT_TRUE(parse_format(format, options));
      ASSERT_TRUE(parse_level(level, options));
      const Options again = from_word(to_word(options));
      EXPECT_EQ(again.format, options.format);
      EXPECT_EQ(again.least, options.least);
    }
  }
  EXPECT_EQ(from_word("").format, Format::kPlain);
  EXPECT_EQ(from_word(to_word({})).format, Format::kPlain);
}

TEST(Log, RefusesFormatsAndLevelsThatThereAreNot) {
  Options options;
  for (const char* wrong : {"", "xml", "JSON", "plain"}) {
    const Status status = parse_format(wrong, options);
    ASSERT_FALSE(status) << wrong;
    EXPECT_EQ(status.failure().code, ExitCode::kUsage);
    EXPECT_NE(status.failure().sentence.find("--log-format takes text or json, not " + quoted(wrong)),
              std::string::npos);
  }
  for (const char* wrong : {"", "warn", "INFO", "0"}) EXPECT_FALSE(parse_level(wrong, options)) << wrong;
}

}  // namespace
}  // namespace fanfold::log
