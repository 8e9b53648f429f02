// Results appear whole or not at all, and nothing is left behind.
#include "runtime/cli/output/output_file.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>
#include <vector>

namespace fanfold {
namespace {

namespace fs = std::filesystem;

class OutputFileTest : public testing::Test {
 protected:
  OutputFileTest() {
    char name[] = "/tmp/fanfold-output-XXXXXX";
    folder_ = ::mkdtemp(name);
    ::signal(SIGPIPE, SIG_IGN);
  }
  ~OutputFileTest() override { fs::remove_all(folder_); }

  [[nodiscard]] std::string path(const std::string& name) const { return (folder_ / name).string(); }
  void put(const std::string& name, const std::string& text) const { std::ofstream(folder_ / name) << text; }
  [[nodiscard]] std::string text_of(const std::string& name) const {
    std::ostringstream text;
    text << std::ifstream(folder_ / name).rdbuf();
    return text.str();
  }
  [[nodiscard]] std::vector<std::string> names() const {
    std::vector<std::string> found;
    for (const auto& entry : fs::directory_iterator(folder_)) found.push_back(entry.path().filename());
    std::sort(found.begin(), found.end());
    return found;
  }
  [[nodiscard]] FileIdentity identity_of(const std::string& name) const {
    struct stat status {};
    EXPECT_EQ(::stat(path(name).c_str(), &status), 0);
    return {status.st_dev, status.st_ino};
  }
  [[nodiscard]] mode_t mode_of(const std::string& name) const {
    struct stat status {};
    EXPECT_EQ(::stat(path(name).c_str(), &status), 0);
    return status.st_mode & 07777;
  }

  fs::path folder_;
};

TEST_F(OutputFileTest, AppearsOnlyWhenCommitted) {
  auto file = OutputFile::open(path("new.csv"), {});
  ASSERT_TRUE(file);
  ASSERT_TRUE((*file)->write("a,b\n"));
  EXPECT_TRUE((*file)->is_regular());
  EXPECT_FALSE(fs::exists(path("new.csv")));
  ASSERT_TRUE((*file)->commit());
  EXPECT_EQ(text_of("new.csv"), "a,b\n");
  EXPECT_EQ(names(), std::vector<std::string>{"new.csv"});
}

TEST_F(OutputFileTest, LeavesTheOldFileAndNothingElseWhenNotCommitted) {
  put("old.csv", "old");
  {
    auto file = OutputFile::open(path("old.csv"), {});
    ASSERT_TRUE(file);
    ASSERT_TRUE((*file)->write("new"));
  }
  EXPECT_EQ(text_of("old.csv"), "old");
  EXPECT_EQ(names(), std::vector<std::string>{"old.csv"});
}

TEST_F(OutputFileTest, ReplacesAnExistingFileAndKeepsItsMode) {
  put("old.csv", "a much longer text than the new one");
  ASSERT_EQ(::chmod(path("old.csv").c_str(), 0640), 0);
  auto file = OutputFile::open(path("old.csv"), {});
  ASSERT_TRUE(file);
  ASSERT_TRUE((*file)->write("new"));
  ASSERT_TRUE((*file)->commit());
  EXPECT_EQ(text_of("old.csv"), "new");
  EXPECT_EQ(mode_of("old.csv"), 0640U);
  EXPECT_EQ(names(), std::vector<std::string>{"old.csv"});
}

TEST_F(OutputFileTest, GetsTheModeOfAnyNewFile) {
  const mode_t before = ::umask(027);
  auto file = OutputFile::open(path("new.csv"), {});
  ASSERT_TRUE(file);
  ASSERT_TRUE((*file)->commit());
  ::umask(before);
  EXPECT_EQ(mode_of("new.csv"), 0640U);
}

TEST_F(OutputFileTest, ReplacesTheTargetOfALinkAndKeepsTheLink) {
  fs::create_directory(path("sub"));
  put("sub/target.csv", "old");
  fs::create_symlink("sub/target.csv", path("link.csv"));
  fs::create_symlink("link.csv", path("second.csv"));
  auto file = OutputFile::open(path("second.csv"), {});
  ASSERT_TRUE(file);
  ASSERT_TRUE((*file)->write("new"));
  ASSERT_TRUE((*file)->commit());
  EXPECT_TRUE(fs::is_symlink(path("second.csv")));
  EXPECT_TRUE(fs::is_symlink(path("link.csv")));
  EXPECT_FALSE(fs::is_symlink(path("sub/target.csv")));
  EXPECT_EQ(text_of("sub/target.csv"), "new");
}

TEST_F(OutputFileTest, MakesTheMissingTargetOfALink) {
  fs::create_symlink("target.csv", path("link.csv"));
  auto file = OutputFile::open(path("link.csv"), {});
  ASSERT_TRUE(file);
  ASSERT_TRUE((*file)->write("new"));
  ASSERT_TRUE((*file)->commit());
  EXPECT_EQ(text_of("target.csv"), "new");
  EXPECT_TRUE(fs::is_symlink(path("link.csv")));
}

TEST_F(OutputFileTest, IsRefusedWhenItIsAlsoAnInputByAnyName) {
  put("data.txt", "text");
  fs::create_symlink("data.txt", path("link.txt"));
  fs::create_hard_link(path("data.txt"), path("hard.txt"));
  const FileIdentity inputs[] = {identity_of("data.txt")};
  for (const char* name : {"data.txt", "link.txt", "hard.txt"}) {
    const auto file = OutputFile::open(path(name), inputs);
    ASSERT_FALSE(file) << name;
    EXPECT_EQ(file.failure().code, ExitCode::kInputOutput);
    EXPECT_NE(file.failure().sentence.find("also an input"), std::string::npos);
  }
  EXPECT_EQ(text_of("data.txt"), "text");
}

TEST_F(OutputFileTest, IsRefusedWithASentenceWhereNothingCanBeWritten) {
  put("file", "");
  fs::create_symlink("circle", path("circle"));
  for (const std::string& name :
       {path(""), path("missing/out.csv"), path("file/out.csv"), path("circle"), std::string("/proc/out.csv")}) {
    const auto file = OutputFile::open(name, {});
    ASSERT_FALSE(file) << name;
    EXPECT_EQ(file.failure().code, ExitCode::kInputOutput) << name;
    EXPECT_EQ(file.failure().sentence.find("cannot write \""), 0U) << file.failure().sentence;
    EXPECT_EQ(file.failure().sentence.back(), '.');
  }
}

TEST_F(OutputFileTest, IsRefusedWhereTheUserMayNotWrite) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root, to become another user";
  put("read_only.csv", "old");
  ASSERT_EQ(::chmod(path("read_only.csv").c_str(), 0444), 0);
  ASSERT_EQ(::chmod(folder_.c_str(), 0777), 0);
  fs::create_directory(path("closed"));
  ASSERT_EQ(::chmod(path("closed").c_str(), 0755), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    if (::seteuid(65534) != 0) ::_exit(9);
    const auto read_only = OutputFile::open(path("read_only.csv"), {});
    const auto closed = OutputFile::open(path("closed/new.csv"), {});
    ::_exit(!read_only && read_only.failure().code == ExitCode::kInputOutput && !closed &&
                    closed.failure().code == ExitCode::kInputOutput
                ? 0
                : 1);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  EXPECT_EQ(text_of("read_only.csv"), "old");
}

TEST_F(OutputFileTest, IntoADeviceIsWrittenInPlace) {
  auto file = OutputFile::open("/dev/null", {});
  ASSERT_TRUE(file);
  EXPECT_FALSE((*file)->is_regular());
  EXPECT_TRUE((*file)->write("text"));
  EXPECT_TRUE((*file)->commit());
  struct stat status {};
  ASSERT_EQ(::stat("/dev/null", &status), 0);
  EXPECT_TRUE(S_ISCHR(status.st_mode));
}

TEST_F(OutputFileTest, ThatIsFullSaysSoWithExitThree) {
  auto file = OutputFile::open("/dev/full", {});
  ASSERT_TRUE(file);
  const Status status = (*file)->write("text");
  ASSERT_FALSE(status);
  EXPECT_EQ(status.failure().code, ExitCode::kInputOutput);
  EXPECT_EQ(status.failure().sentence,
            "cannot write \"/dev/full\": No space left on device; free some space there, or name another file.");
  EXPECT_FALSE((*file)->reader_gone());
  EXPECT_FALSE((*file)->commit());
}

TEST_F(OutputFileTest, LeavesNoPartWhenTheDiskIsFull) {
  put("old.csv", "old");
  const pid_t child = ::fork();
  if (child == 0) {
    ::signal(SIGXFSZ, SIG_IGN);  // the limit on file sizes stands for a full disk
    const rlimit limit{100000, 100000};
    if (::setrlimit(RLIMIT_FSIZE, &limit) != 0) ::_exit(9);
    auto file = OutputFile::open(path("old.csv"), {});
    if (!file) ::_exit(8);
    const Status status = (*file)->write(std::string(200000, 'x'));
    const bool refused = !status && status.failure().code == ExitCode::kInputOutput && !(*file)->commit();
    file->reset();
    ::_exit(refused ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  EXPECT_EQ(text_of("old.csv"), "old");
  EXPECT_EQ(names(), std::vector<std::string>{"old.csv"});
}

TEST_F(OutputFileTest, LeavesNothingBehindWhenTheProcessIsKilled) {
  const int hidden = ::open(folder_.c_str(), O_TMPFILE | O_WRONLY, 0600);
  if (hidden < 0) GTEST_SKIP() << "/tmp has no files without names here";
  ::close(hidden);
  put("old.csv", "old");
  int ready[2];
  ASSERT_EQ(::pipe(ready), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    auto file = OutputFile::open(path("old.csv"), {});
    if (!file || !(*file)->write("half")) ::_exit(1);
    if (::write(ready[1], "x", 1) != 1) ::_exit(1);
    ::pause();
  }
  char byte = 0;
  ASSERT_EQ(::read(ready[0], &byte, 1), 1);
  ASSERT_EQ(::kill(child, SIGKILL), 0);
  ASSERT_EQ(::waitpid(child, nullptr, 0), child);
  ::close(ready[0]);
  ::close(ready[1]);
  EXPECT_EQ(text_of("old.csv"), "old");
  EXPECT_EQ(names(), std::vector<std::string>{"old.csv"});
}

TEST_F(OutputFileTest, IsAsWholeUnderAHiddenNameWhereFilesNeedOne) {
  put("old.csv", "old");
  {
    auto file = OutputFile::open(path("old.csv"), {}, nullptr, Unfinished::kHiddenName);
    ASSERT_TRUE(file);
    ASSERT_TRUE((*file)->write("lost"));
    EXPECT_EQ(names().size(), 2U);
    EXPECT_EQ(names()[0].find(".old.csv.fanfold-"), 0U);
  }
  EXPECT_EQ(text_of("old.csv"), "old");
  EXPECT_EQ(names(), std::vector<std::string>{"old.csv"});
  auto file = OutputFile::open(path("old.csv"), {}, nullptr, Unfinished::kHiddenName);
  ASSERT_TRUE(file);
  ASSERT_TRUE((*file)->write("new"));
  ASSERT_TRUE((*file)->commit());
  EXPECT_EQ(text_of("old.csv"), "new");
  EXPECT_EQ(names(), std::vector<std::string>{"old.csv"});
}

TEST_F(OutputFileTest, UnderAHiddenNameIsRemovedByASignalsHandler) {
  auto file = OutputFile::open(path("new.csv"), {}, nullptr, Unfinished::kHiddenName);
  ASSERT_TRUE(file);
  EXPECT_EQ(names().size(), 1U);
  OutputFile::remove_unfinished();
  EXPECT_TRUE(names().empty());
}

TEST_F(OutputFileTest, IntoAPipeIsReadAtItsOtherEnd) {
  ASSERT_EQ(::mkfifo(path("pipe").c_str(), 0600), 0);
  std::string got;
  std::thread reader([&] {
    std::ostringstream text;
    text << std::ifstream(path("pipe")).rdbuf();
    got = text.str();
  });
  const std::string sent(1'000'000, 'x');
  const std::atomic<bool> cancelled{false};
  {
    auto file = OutputFile::open(path("pipe"), {}, &cancelled);
    ASSERT_TRUE(file);
    EXPECT_TRUE((*file)->write(sent));
    EXPECT_TRUE((*file)->commit());
  }
  reader.join();
  EXPECT_EQ(got, sent);
}

TEST_F(OutputFileTest, WhoseReaderHasGoneSaysThatNobodyReads) {
  ASSERT_EQ(::mkfifo(path("pipe").c_str(), 0600), 0);
  const int reader = ::open(path("pipe").c_str(), O_RDONLY | O_NONBLOCK);
  ASSERT_GE(reader, 0);
  auto file = OutputFile::open(path("pipe"), {});
  ASSERT_TRUE(file);
  EXPECT_TRUE((*file)->write("one"));
  ::close(reader);
  EXPECT_FALSE((*file)->write("two"));
  EXPECT_TRUE((*file)->reader_gone());
}

TEST_F(OutputFileTest, StopsWaitingForAPipeWhenCancelled) {
  ASSERT_EQ(::mkfifo(path("pipe").c_str(), 0600), 0);
  std::atomic<bool> cancelled{true};
  const auto unread = OutputFile::open(path("pipe"), {}, &cancelled);  // nobody opens the other end
  ASSERT_FALSE(unread);
  EXPECT_EQ(unread.failure().code, ExitCode::kInterrupted);

  const int reader = ::open(path("pipe").c_str(), O_RDONLY | O_NONBLOCK);  // opens it but never reads
  ASSERT_GE(reader, 0);
  cancelled = false;
  auto file = OutputFile::open(path("pipe"), {}, &cancelled);
  ASSERT_TRUE(file);
  std::thread signal([&] {
    ::usleep(50'000);
    cancelled = true;
  });
  const Status stuck = (*file)->write(std::string(1'000'000, 'x'));
  signal.join();
  ASSERT_FALSE(stuck);
  EXPECT_EQ(stuck.failure().code, ExitCode::kInterrupted);
  ::close(reader);
}

TEST_F(OutputFileTest, BeginsAnewWhereNothingIsOutYet) {
  auto file = OutputFile::open(path("new.csv"), {});
  ASSERT_TRUE(file);
  ASSERT_TRUE((*file)->write("the first attempt"));
  ASSERT_TRUE((*file)->restart());
  ASSERT_TRUE((*file)->write("second"));
  ASSERT_TRUE((*file)->commit());
  EXPECT_EQ(text_of("new.csv"), "second");

  auto device = OutputFile::open("/dev/null", {});
  ASSERT_TRUE(device);
  EXPECT_TRUE((*device)->restart());
  ASSERT_TRUE((*device)->write("out"));
  EXPECT_FALSE((*device)->restart());
}

TEST_F(OutputFileTest, OnStandardOutputIsRefusedWhenThatIsAnInput) {
  put("data.txt", "text");
  const FileIdentity inputs[] = {identity_of("data.txt")};
  const int saved = ::dup(STDOUT_FILENO);
  const int opened = ::open(path("data.txt").c_str(), O_WRONLY | O_APPEND);
  std::fflush(stdout);
  ASSERT_EQ(::dup2(opened, STDOUT_FILENO), STDOUT_FILENO);
  const auto refused = OutputFile::open("-", inputs);
  const auto taken = OutputFile::standard_output({});
  ::dup2(saved, STDOUT_FILENO);
  ::close(saved);
  ::close(opened);
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.failure().sentence.find("standard output is also an input"), std::string::npos);
  EXPECT_TRUE(taken);
}

}  // namespace
}  // namespace fanfold
