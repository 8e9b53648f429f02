// What an input file promises: it is the planned one, or a sentence says what became of it.
#include "runtime/worker/reading/input_file.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>

#include "tests/unit/runtime/files.h"

namespace fanfold {
namespace {

void set_mtime(const std::string& path, int64_t seconds) {
  const timespec times[2] = {{.tv_sec = seconds, .tv_nsec = 0}, {.tv_sec = seconds, .tv_nsec = 0}};
  ASSERT_EQ(::utimensat(AT_FDCWD, path.c_str(), times, 0), 0);
}

void expect_failure(const Source& source, std::string_view part, bool allow_growth = false) {
  const Result<InputFile> file = InputFile::open(source, {}, allow_growth);
  ASSERT_FALSE(file.ok()) << part;
  EXPECT_EQ(file.failure().code, ExitCode::kInputOutput);
  EXPECT_NE(file.failure().sentence.find(part), std::string::npos) << file.failure().sentence;
  EXPECT_NE(file.failure().sentence.find(source.name), std::string::npos) << file.failure().sentence;
}

TEST(InputFile, ThatShrankAfterPlanningNamesBothSizes) {
  const TestFolder folder;
  const Source source = planned(folder.write("march.csv", "0123456789"));
  folder.write("march.csv", "0123");
  expect_failure(source, "cannot read \"march.csv\": it has 4 bytes, 10 were planned. The file shrank after planning");
  expect_failure(source, "shrank", true);
}

TEST(InputFile, ThatGrewAfterPlanningIsRefusedUnlessGrowthIsAllowed) {
  const TestFolder folder;
  const Source source = planned(folder.write("a.log", "0123"));
  folder.write("a.log", "0123456");
  expect_failure(source, "The file grew after planning");
  EXPECT_TRUE(InputFile::open(source, {}, true).ok());
}

TEST(InputFile, ThatVanishedAfterPlanningIsASentence) {
  const TestFolder folder;
  const std::string path = folder.write("a.log", "0123");
  const Source source = planned(path);
  std::filesystem::remove(path);
  expect_failure(source, "vanished after planning");
}

TEST(InputFile, ThatWasRewrittenWithTheSameSizeIsFoundByItsTime) {
  const TestFolder folder;
  const std::string path = folder.write("a.log", "0123");
  set_mtime(path, 1'000'000);
  const Source source = planned(path);
  EXPECT_TRUE(InputFile::open(source, {}, false).ok());
  set_mtime(path, 1'000'001);
  expect_failure(source, "replaced after planning");
}

TEST(InputFile, ThatBecameAPipeNeitherBlocksNorPasses) {
  const TestFolder folder;
  const std::string path = folder.write("a.log", "0123");
  const Source source = planned(path);
  std::filesystem::remove(path);
  ASSERT_EQ(::mkfifo(path.c_str(), 0600), 0);
  expect_failure(source, "no regular file any more");
  std::filesystem::remove(path);
  std::filesystem::create_directory(path);
  expect_failure(source, "no regular file any more");
}

TEST(InputFile, ThatMayNotBeReadSaysSo) {
  const TestFolder folder;
  const std::string path = folder.write("a.log", "0123");
  const Source source = planned(path);
  ASSERT_EQ(::chmod(path.c_str(), 0), 0);
  // Root may read everything, so it is nobody for a moment.
  const uid_t user = ::geteuid();
  if (user == 0) {
    ASSERT_EQ(::seteuid(65534), 0);
  }
  expect_failure(source, "Let the user that runs the worker read it");
  ASSERT_EQ(::seteuid(user), 0);
}

TEST(InputFile, NamesWithControlBytesDoNotBreakTheSentence) {
  const TestFolder folder;
  const std::string path = folder.write("a\nb\x1b[31m\"c", "0123");
  const Source source = planned(path);
  std::filesystem::remove(path);
  const Result<InputFile> file = InputFile::open(source, {}, false);
  ASSERT_FALSE(file.ok());
  EXPECT_NE(file.failure().sentence.find(R"(a\nb\x1b[31m\"c)"), std::string::npos);
  EXPECT_EQ(file.failure().sentence.find('\n'), std::string::npos);
}

TEST(PathMap, ReplacesWholeComponentsAtTheFront) {
  const std::vector<PathMapping> mappings = {{"/data/logs", "/mnt/l"}, {"/data", "/mnt/d/"}, {"/home/", "/h"}};
  EXPECT_EQ(map_path("/data/logs/a", mappings), "/mnt/l/a");
  EXPECT_EQ(map_path("/data/logs2/a", mappings), "/mnt/d/logs2/a");
  EXPECT_EQ(map_path("/database/a", mappings), "/database/a");
  EXPECT_EQ(map_path("/data/logs", mappings), "/mnt/l");
  EXPECT_EQ(map_path("/home/x", mappings), "/h/x");
  EXPECT_EQ(map_path("/x", {{"/", "/root"}}), "/root/x");
}

TEST(PathMap, LeadsAWorkerToItsOwnMount) {
  const TestFolder folder;
  Source source = planned(folder.write("here/a", "0123"));
  source.path = "/nowhere/there/a";
  EXPECT_FALSE(InputFile::open(source, {}, false).ok());
  EXPECT_TRUE(InputFile::open(source, {{"/nowhere/there", folder.path() + "/here"}}, false).ok());
}

}  // namespace
}  // namespace fanfold
