// What naming inputs promises: which files, in which order, under which names, and a sentence otherwise.
#include "runtime/client/input_expansion.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <zlib.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "runtime/worker/reading/shard_reader.h"
#include "tests/unit/runtime/files.h"

namespace fanfold {
namespace {

using Names = std::vector<std::string>;

// Names relative to the test's folder, which is the working folder meanwhile.
class Expanding : public testing::Test {
 protected:
  Expanding() : before_(std::filesystem::current_path()) { std::filesystem::current_path(folder_.path()); }
  ~Expanding() override { std::filesystem::current_path(before_); }

  static ExpandedInput expand(InputRequest request) {
    Result<ExpandedInput> expanded = expand_inputs(request);
    if (!expanded.ok()) {
      ADD_FAILURE() << expanded.failure().sentence;
      return {};
    }
    return std::move(expanded).value();
  }
  static Names names(const InputRequest& request) {
    Names names;
    for (const Source& source : expand(request).sources) names.push_back(source.name);
    return names;
  }
  static std::string failure(const InputRequest& request, ExitCode code = ExitCode::kInputOutput) {
    Result<ExpandedInput> expanded = expand_inputs(request);
    if (expanded.ok()) {
      ADD_FAILURE() << "no failure";
      return {};
    }
    EXPECT_EQ(expanded.failure().code, code);
    EXPECT_EQ(expanded.failure().sentence.find('\n'), std::string::npos);
    return expanded.failure().sentence;
  }
  void write(const std::string& name, std::string_view bytes = "x\n") { folder_.write(name, bytes); }

  // As a worker reads it.
  static std::string contents(const Source& source) {
    Result<Plan> plan = Plan::make({source}, {.shard_bytes = 1000});
    EXPECT_TRUE(plan.ok());
    ShardReader reader({});
    std::string text;
    for (uint64_t i = 0; i < plan->shard_count(); ++i) {
      Status status = reader.open(plan->sources()[0], plan->shard(i));
      if (!status) {
        ADD_FAILURE() << status.failure().sentence;
        return text;
      }
      fanfold_block block = {};
      while (true) {
        Result<ReadOutcome> outcome = reader.next(block);
        if (!outcome) {
          ADD_FAILURE() << outcome.failure().sentence;
          return text;
        }
        if (*outcome != ReadOutcome::kBlock) break;
        text.append(block.data, block.bytes);
      }
    }
    return text;
  }

  TestFolder folder_;

 private:
  std::filesystem::path before_;
};
#define EXPECT_PART(sentence, part) EXPECT_NE((sentence).find(part), std::string::npos) << (sentence)

// Standard input is another file for a while.
class StandardInput {
 public:
  explicit StandardInput(int file) : before_(::fcntl(0, F_DUPFD_CLOEXEC, 3)) {
    ::dup2(file, 0);
    ::close(file);
  }
  StandardInput(const StandardInput&) = delete;
  StandardInput& operator=(const StandardInput&) = delete;
  ~StandardInput() {
    if (before_ < 0) {
      ::close(0);
      return;
    }
    ::dup2(before_, 0);
    ::close(before_);
  }

 private:
  int before_;
};

int pipe_with(std::string_view bytes) {  // at most what a pipe holds
  int ends[2] = {};
  EXPECT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  EXPECT_EQ(::write(ends[1], bytes.data(), bytes.size()), static_cast<ssize_t>(bytes.size()));
  ::close(ends[1]);
  return ends[0];
}

std::string gzip(std::string_view text) {
  z_stream stream = {};
  EXPECT_EQ(deflateInit2(&stream, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
  std::string packed(text.size() + 1000, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(packed.data());
  stream.avail_out = static_cast<uInt>(packed.size());
  EXPECT_EQ(deflate(&stream, Z_FINISH), Z_STREAM_END);
  packed.resize(stream.total_out);
  deflateEnd(&stream);
  return packed;
}

using Inputs = Expanding;

TEST_F(Inputs, KeepTheOrderNamedAndCountTwiceWhatIsNamedTwice) {
  write("b");
  write("a");
  EXPECT_EQ(names({.inputs = {"b", "a", "b"}}), (Names{"b", "a", "b"}));
}

TEST_F(Inputs, HaveTheNameTheUserGaveAndAnAbsolutePath) {
  write("logs/a", "abc");
  const ExpandedInput expanded = expand({.inputs = {"logs/a", folder_.path() + "/logs/a"}});
  ASSERT_EQ(expanded.sources.size(), 2u);
  const Source& source = expanded.sources[0];
  EXPECT_EQ(source.name, "logs/a");
  EXPECT_EQ(source.path, std::filesystem::current_path().string() + "/logs/a");
  EXPECT_EQ(source.size, 3u);
  EXPECT_EQ(source.kind, SourceKind::kBytes);
  EXPECT_EQ(expanded.sources[1].path, folder_.path() + "/logs/a");
  EXPECT_EQ(source.mtime_ns, planned(folder_.path() + "/logs/a").mtime_ns);
}

TEST_F(Inputs, OfAFolderAreItsFilesSortedBytewiseHiddenOnesIncluded) {
  for (const char* name : {"d/b", "d/.hidden", "d/a/z", "d/a.txt", "d/a/.git/config", "d/B", "d/\xff", "d/\xc3\xa4"})
    write(name);
  EXPECT_EQ(names({.inputs = {"d"}}),
            (Names{"d/.hidden", "d/B", "d/a.txt", "d/a/.git/config", "d/a/z", "d/b", "d/\xc3\xa4", "d/\xff"}));
  EXPECT_EQ(names({.inputs = {"d/a/"}}), (Names{"d/a/.git/config", "d/a/z"}));
  EXPECT_EQ(names({.inputs = {"."}})[0], "./d/.hidden");
}

TEST_F(Inputs, OfAFolderLeaveOutSymbolicLinksPipesAndSockets) {
  write("d/file");
  write("elsewhere/other");
  std::filesystem::create_symlink("file", "d/link");
  std::filesystem::create_directory_symlink("../elsewhere", "d/folder-link");
  std::filesystem::create_directory_symlink(".", "d/loop");
  ASSERT_EQ(::mkfifo("d/pipe", 0600), 0);
  EXPECT_EQ(names({.inputs = {"d"}}), (Names{"d/file"}));
}

TEST_F(Inputs, FollowSymbolicLinksThatAreNamed) {
  write("d/file");
  std::filesystem::create_symlink("d/file", "link");
  std::filesystem::create_directory_symlink("d", "folder-link");
  EXPECT_EQ(names({.inputs = {"link", "folder-link"}}), (Names{"link", "folder-link/file"}));
  std::filesystem::create_symlink("nowhere", "broken");
  EXPECT_PART(failure({.inputs = {"broken"}}), "\"broken\" as input: it is a symbolic link to what does not exist");
}

TEST_F(Inputs, OfAGlobAreItsMatchesSortedBytewise) {
  for (const char* name : {"b.log", "a.log", ".hidden.log", "c.txt", "sub/d.log"}) write(name);
  EXPECT_EQ(names({.inputs = {"*.log", "?.t[x]t", "s*"}}), (Names{"a.log", "b.log", "c.txt", "sub/d.log"}));
  EXPECT_EQ(names({.inputs = {"*/*.log"}}), (Names{"sub/d.log"}));
}

TEST_F(Inputs, AnExistingPathWinsOverAGlob) {
  write("a*");
  write("ab");
  EXPECT_EQ(names({.inputs = {"a*"}}), (Names{"a*"}));
  write("[x]");
  EXPECT_EQ(names({.inputs = {"[x]"}}), (Names{"[x]"}));
}

TEST_F(Inputs, TakeNamesOfAnyBytes) {
  for (const char* name : {"a b", "new\nline", "\xff\xfe", "-dash", "-"}) write(name);
  EXPECT_EQ(names({.inputs = {"a b", "new\nline", "\xff\xfe", "-dash", "./-"}}),
            (Names{"a b", "new\nline", "\xff\xfe", "-dash", "./-"}));
  EXPECT_PART(failure({.inputs = {"no\nsuch"}}), "\"no\\nsuch\"");
}

TEST_F(Inputs, ThatAreEmptyFilesStayInThePlan) {
  write("empty", "");
  const ExpandedInput expanded = expand({.inputs = {"empty"}});
  ASSERT_EQ(expanded.sources.size(), 1u);
  EXPECT_EQ(expanded.sources[0].size, 0u);
  EXPECT_TRUE(expanded.kept.empty());
}

TEST_F(Inputs, ThatAreMissingAreASentenceThatNamesThem) {
  EXPECT_PART(failure({.inputs = {"nothing"}}), "cannot use \"nothing\" as input: there is no such file");
  EXPECT_PART(failure({.inputs = {"*.nothing"}}), "\"*.nothing\" as input: there is no such file, and as a pattern");
  EXPECT_PART(failure({.inputs = {""}}), "\"\"");
  write("file");
  EXPECT_PART(failure({.inputs = {"file/inside"}}), "\"file/inside\" as input: Not a directory");
  EXPECT_PART(failure({.inputs = {std::string(5000, 'n')}}), "File name too long");
}

TEST_F(Inputs, OfAFolderWithoutFilesAreASentence) {
  std::filesystem::create_directories("d/e/f");
  EXPECT_PART(failure({.inputs = {"d"}}), "the folder \"d\" as input: there is no file in it");
  std::filesystem::create_symlink("nowhere", "d/link");
  EXPECT_PART(failure({.inputs = {"d"}}), "name those to be read");
}

TEST_F(Inputs, ThatMayNotBeReadAreASentence) {
  write("d/secret");
  std::filesystem::create_directories("locked/inside");
  ASSERT_EQ(::chmod("d/secret", 0), 0);
  ASSERT_EQ(::chmod("locked", 0), 0);
  ASSERT_EQ(::chmod(folder_.path().c_str(), 0755), 0);
  // Root may read everything, so it is nobody for a moment.
  const uid_t user = ::geteuid();
  if (user == 0) {
    ASSERT_EQ(::seteuid(65534), 0);
  }
  EXPECT_PART(failure({.inputs = {"d/secret"}}),
              "cannot use \"d/secret\" as input: Permission denied. Make it readable");
  EXPECT_PART(failure({.inputs = {"d"}}), "\"d/secret\"");
  EXPECT_PART(failure({.inputs = {"locked"}}), "the folder \"locked\" as input: Permission denied");
  ASSERT_EQ(::seteuid(user), 0);
  ASSERT_EQ(::chmod("locked", 0700), 0);
}

TEST_F(Inputs, ThatAreSocketsAreASentence) {
  const int listener = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  std::snprintf(address.sun_path, sizeof address.sun_path, "%s", "socket");
  ASSERT_EQ(::bind(listener, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  EXPECT_PART(failure({.inputs = {"socket"}}), "it is a socket");
  ::close(listener);
}

TEST_F(Inputs, ThatAreRangesAreSourcesWithoutFiles) {
  const ExpandedInput expanded = expand({.inputs = {"range:-3..4"}});
  ASSERT_EQ(expanded.sources.size(), 1u);
  EXPECT_EQ(expanded.sources[0].kind, SourceKind::kRange);
  EXPECT_EQ(expanded.sources[0].begin, -3);
  EXPECT_EQ(expanded.sources[0].end, 4);
  EXPECT_PART(failure({.inputs = {"range:4..3"}}, ExitCode::kUsage), "ends before it begins");
  write("range:1..2");
  EXPECT_EQ(expand({.inputs = {"./range:1..2"}}).sources[0].kind, SourceKind::kBytes);
}

TEST_F(Inputs, ThatAreCompressedAreStreamsByTheirSuffix) {
  write("a.gz", gzip("one\ntwo\n"));
  write("b.zst", "\x28\xb5\x2f\xfd....");
  write("c.zst", "\x50\x2a\x4d\x18....");
  write("magic-alone", gzip("x"));
  const ExpandedInput expanded = expand({.inputs = {"a.gz", "b.zst", "c.zst", "magic-alone"}});
  ASSERT_EQ(expanded.sources.size(), 4u);
  EXPECT_EQ(expanded.sources[0].kind, SourceKind::kStream);
  EXPECT_EQ(expanded.sources[0].compression, Compression::kGzip);
  EXPECT_EQ(contents(expanded.sources[0]), "one\ntwo\n");
  EXPECT_EQ(expanded.sources[1].compression, Compression::kZstd);
  EXPECT_EQ(expanded.sources[2].compression, Compression::kZstd);
  EXPECT_EQ(expanded.sources[3].kind, SourceKind::kBytes);
}

TEST_F(Inputs, WhoseSuffixLiesAreASentence) {
  write("a.gz", "plain text");
  write("b.zst", gzip("x"));
  write("empty.gz", "");
  EXPECT_PART(failure({.inputs = {"a.gz"}}), "cannot use \"a.gz\" as input: its name says gzip, but");
  EXPECT_PART(failure({.inputs = {"b.zst"}}), "its name says zstd, but");
  EXPECT_PART(failure({.inputs = {"empty.gz"}}), "its name says gzip, but");
}

using Spooling = Expanding;

TEST_F(Spooling, KeepsStandardInputFromAPipeForWorkersToRead) {
  const StandardInput input(pipe_with("one\ntwo\nthree"));
  const ExpandedInput expanded = expand({.inputs = {"-"}});
  ASSERT_EQ(expanded.sources.size(), 1u);
  EXPECT_EQ(expanded.sources[0].name, "-");
  EXPECT_EQ(expanded.sources[0].kind, SourceKind::kBytes);
  EXPECT_EQ(expanded.bytes_spooled, 13u);
  EXPECT_EQ(contents(expanded.sources[0]), "one\ntwo\nthree");
}

TEST_F(Spooling, CountsStandardInputTwiceWhereItIsNamedTwice) {
  const StandardInput input(pipe_with("one\n"));
  const ExpandedInput expanded = expand({.inputs = {"-", "-"}});
  ASSERT_EQ(expanded.sources.size(), 2u);
  EXPECT_EQ(contents(expanded.sources[0]), "one\n");
  EXPECT_EQ(contents(expanded.sources[1]), "one\n");
  EXPECT_EQ(expanded.bytes_spooled, 4u);
}

TEST_F(Spooling, IsNotNeededForAFileRedirectedIntoStandardInput) {
  write("file", "one\ntwo\n");
  const StandardInput input(::open("file", O_RDONLY | O_CLOEXEC));
  const ExpandedInput expanded = expand({.inputs = {"-"}});
  ASSERT_EQ(expanded.sources.size(), 1u);
  EXPECT_EQ(expanded.bytes_spooled, 0u);
  EXPECT_EQ(contents(expanded.sources[0]), "one\ntwo\n");
}

TEST_F(Spooling, BeginsWhereTheShellLeftTheFileRedirectedIntoStandardInput) {
  write("file", "one\ntwo\n");
  const int file = ::open("file", O_RDONLY | O_CLOEXEC);
  ASSERT_EQ(::lseek(file, 4, SEEK_SET), 4);
  const StandardInput input(file);
  EXPECT_EQ(contents(expand({.inputs = {"-"}}).sources.at(0)), "two\n");
}

TEST_F(Spooling, OfAnEmptyStandardInputIsAnEmptySource) {
  const StandardInput input(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  const ExpandedInput expanded = expand({.inputs = {"-"}});
  ASSERT_EQ(expanded.sources.size(), 1u);
  EXPECT_EQ(expanded.sources[0].size, 0u);
}

TEST_F(Spooling, KnowsACompressedStreamByItsFirstBytes) {
  const StandardInput input(pipe_with(gzip("one\ntwo\n")));
  const ExpandedInput expanded = expand({.inputs = {"-"}});
  ASSERT_EQ(expanded.sources.size(), 1u);
  EXPECT_EQ(expanded.sources[0].kind, SourceKind::kStream);
  EXPECT_EQ(contents(expanded.sources[0]), "one\ntwo\n");
}

TEST_F(Spooling, TakesNamedPipesAndWaitsForTheirWriter) {
  ASSERT_EQ(::mkfifo("pipe", 0600), 0);
  std::string text;
  while (text.size() < 300'000) text += "a line through a pipe\n";
  std::thread writer([&] { std::ofstream("pipe", std::ios::binary) << text; });
  const ExpandedInput expanded = expand({.inputs = {"pipe"}});
  writer.join();
  ASSERT_EQ(expanded.sources.size(), 1u);
  EXPECT_EQ(expanded.sources[0].name, "pipe");
  EXPECT_TRUE(contents(expanded.sources[0]) == text);
}

TEST_F(Spooling, TakesFilesOfProcWhoseSizeIsToldAsZero) {
  const ExpandedInput expanded = expand({.inputs = {"/proc/version", "/proc/self/status"}});
  ASSERT_EQ(expanded.sources.size(), 2u);
  EXPECT_EQ(expanded.sources[0].name, "/proc/version");
  EXPECT_EQ(contents(expanded.sources[0]).substr(0, 5), "Linux");
  EXPECT_GT(expanded.bytes_spooled, 0u);
}

TEST_F(Spooling, KeepsFilesThatOnlyThisProcessCanName) {
  write("file", "one\n");
  const int file = ::open("file", O_RDONLY | O_CLOEXEC);
  const std::string name = "/dev/fd/" + std::to_string(file);
  const ExpandedInput expanded = expand({.inputs = {name}});
  ::close(file);
  ASSERT_EQ(expanded.sources.size(), 1u);
  EXPECT_EQ(expanded.sources[0].name, name);
  EXPECT_EQ(contents(expanded.sources[0]), "one\n");
  EXPECT_EQ(expanded.bytes_spooled, 0u);
}

TEST_F(Spooling, LeavesNoNameBehind) {
  std::filesystem::create_directory("spools");
  const StandardInput input(pipe_with("one\n"));
  const ExpandedInput expanded = expand({.inputs = {"-"}, .spool = {.folder = "spools"}});
  EXPECT_EQ(contents(expanded.sources.at(0)), "one\n");
  EXPECT_TRUE(std::filesystem::is_empty("spools"));
  // Nor does a child process inherit it.
  for (const FileDescriptor& kept : expanded.kept) EXPECT_NE(::fcntl(kept.number(), F_GETFD) & FD_CLOEXEC, 0);
}

TEST_F(Spooling, OfAStreamWithoutEndStopsAtItsBound) {
  const std::string sentence = failure({.inputs = {"/dev/zero"}, .spool = {.bytes_max = 1'000'000}});
  EXPECT_PART(sentence, "\"/dev/zero\"");
  EXPECT_PART(sentence, "longer than the 1000000 bytes allowed");
  const StandardInput input(pipe_with("12345"));
  EXPECT_EQ(expand({.inputs = {"-"}, .spool = {.bytes_max = 5}}).bytes_spooled, 5u);
}

TEST_F(Spooling, WithoutRoomIsASentence) {
  // A limit on the size of files stands in for a full disk.
  rlimit before = {};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  rlimit tight = before;
  tight.rlim_cur = 100'000;
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &tight), 0);
  const std::string sentence = failure({.inputs = {"/dev/zero"}, .spool = {.bytes_max = 1'000'000}});
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &before), 0);
  std::signal(SIGXFSZ, handler);
  EXPECT_PART(sentence, "there is no room after 100000 bytes. Set TMPDIR");
}

TEST_F(Spooling, IntoAFolderThatCannotBeWrittenIsASentence) {
  const StandardInput input(pipe_with("one\n"));
  const std::string sentence = failure({.inputs = {"-"}, .spool = {.folder = "nowhere"}});
  EXPECT_PART(sentence, "cannot keep a copy of standard input in \"nowhere\": No such file or directory. Set TMPDIR");
}

TEST_F(Spooling, EndsWhenItIsStopped) {
  ASSERT_EQ(::mkfifo("pipe", 0600), 0);
  int asked = 0;
  const auto stopped = [&] { return ++asked > 3; };
  failure({.inputs = {"pipe"}, .spool = {.stopped = stopped}}, ExitCode::kInterrupted);
  asked = 0;
  failure({.inputs = {"/dev/zero"}, .spool = {.stopped = stopped}}, ExitCode::kInterrupted);
  for (const char* name : {"d/a", "d/b", "d/c", "d/d"}) write(name);
  asked = 0;
  failure({.inputs = {"d"}, .spool = {.stopped = stopped}}, ExitCode::kInterrupted);
}

using FilesFrom = Expanding;

TEST_F(FilesFrom, NamesOnePathALineTakenLiterally) {
  for (const char* name : {"a", "b c", "star*", "-", "range:1..2", "d/e"}) write(name);
  write("list", "a\nb c\n\nstar*\n-\nrange:1..2\nd\na");
  EXPECT_EQ(names({.inputs = {"b c"}, .files_from = "list"}),
            (Names{"b c", "a", "b c", "star*", "-", "range:1..2", "d/e", "a"}));
}

TEST_F(FilesFrom, TakesZeroBytesBetweenNamesOfAnyBytes) {
  for (const char* name : {"a", "new\nline", "\xff"}) write(name);
  write("list", std::string("new\nline\0\xff\0a\0", 13));
  EXPECT_EQ(names({.files_from = "list", .files_from_zero = true}), (Names{"new\nline", "\xff", "a"}));
}

TEST_F(FilesFrom, ReadsStandardInput) {
  write("a");
  const StandardInput input(pipe_with("a\na\n"));
  EXPECT_EQ(names({.files_from = "-"}), (Names{"a", "a"}));
}

TEST_F(FilesFrom, TakesAListFarBeyondTheShellsLimit) {
  write("some file with a name that is not short");
  std::string list;
  for (int i = 0; i < 30'000; ++i) list += "some file with a name that is not short\n";
  write("list", list);
  EXPECT_EQ(names({.files_from = "list"}).size(), 30'000u);
}

TEST_F(FilesFrom, AnEmptyListIsAnEmptyInput) {
  write("list", "\n\n");
  EXPECT_TRUE(names({.files_from = "list"}).empty());
}

TEST_F(FilesFrom, NamesTheEntryThatCannotBeUsed) {
  write("a");
  write("list", "a\nmissing\n");
  EXPECT_PART(failure({.files_from = "list"}), "\"missing\", entry 2 of the list of files \"list\",");
  write("zeros", std::string("a\0a\0", 4));
  EXPECT_PART(failure({.files_from = "zeros"}), "entry 1 has a zero byte in it. Write one path a line");
  write("huge", std::string(10'000, 'x'));
  EXPECT_PART(failure({.files_from = "huge"}), "entry 1 is longer than any path");
  EXPECT_PART(failure({.files_from = "nowhere"}), "cannot read the list of files \"nowhere\": No such file");
  EXPECT_PART(failure({.files_from = "."}), "cannot read the list of files \".\": Is a directory");
}

TEST_F(FilesFrom, CannotShareStandardInputWithAnInput) {
  const StandardInput input(pipe_with("a\n"));
  EXPECT_PART(failure({.inputs = {"-"}, .files_from = "-"}, ExitCode::kUsage), "both an input and the list");
}

using Output = Expanding;

TEST_F(Output, ThatIsAlsoAnInputIsRefused) {
  write("a");
  write("b");
  std::filesystem::create_hard_link("a", "also-a");
  std::filesystem::create_symlink("a", "link-to-a");
  const std::vector<Source> sources = expand({.inputs = {"b", "a", "range:0..3"}}).sources;
  for (const char* output : {"a", "./a", "also-a", "link-to-a"}) {
    const Status status = check_output_is_no_input(output, sources);
    ASSERT_FALSE(status.ok()) << output;
    EXPECT_EQ(status.failure().code, ExitCode::kUsage);
    EXPECT_PART(status.failure().sentence, "is also the input \"a\"");
  }
  EXPECT_TRUE(check_output_is_no_input("new", sources).ok());
  EXPECT_TRUE(check_output_is_no_input("/dev/null", sources).ok());
}

}  // namespace
}  // namespace fanfold
