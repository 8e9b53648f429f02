// What a cache of shipped plugins promises: nothing is in it that is not what its name says, nobody else may enter it,
// and what is in use stays.
#include "runtime/plugin/plugin_cache.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <string>
#include <vector>

#include "runtime/plugin/content_hash.h"
#include "tests/unit/runtime/files.h"

namespace fanfold::plugin {
namespace {

namespace fs = std::filesystem;

class Cached {
 public:
  Cached() : cache(*PluginCache::open(folder.path() + "/cache")) {}

  std::string hash_of(const std::string& content) { return *content_hash(folder.write("content", content)); }
  Result<PluginCache::Held> put(const std::string& hash, const std::string& content) {
    Result<PluginCache::Arrival> arrival = cache.begin(hash);
    if (!arrival) return arrival.failure();
    // In two pieces, the last one first.
    const std::size_t half = content.size() / 2;
    const ByteView bytes(reinterpret_cast<const std::byte*>(content.data()), content.size());
    if (Status written = arrival->write(half, bytes.subspan(half)); !written) return written.failure();
    if (Status written = arrival->write(0, bytes.first(half)); !written) return written.failure();
    return arrival->finish();
  }
  [[nodiscard]] std::size_t files() const {
    return static_cast<std::size_t>(std::distance(fs::directory_iterator(folder.path() + "/cache"), {}));
  }
  [[nodiscard]] std::string path_of(const std::string& hash) const { return folder.path() + "/cache/" + hash + ".so"; }

  const TestFolder folder;
  PluginCache cache;
};

TEST(PluginCache, KeepsAPluginByTheHashOfItsContent) {
  Cached cached;
  const std::string hash = cached.hash_of("plugin");
  EXPECT_FALSE(cached.cache.find(hash).has_value());
  const Result<PluginCache::Held> held = cached.put(hash, "plugin");
  ASSERT_TRUE(held.ok()) << held.failure().sentence;
  EXPECT_EQ(held->path(), cached.path_of(hash));
  EXPECT_EQ(held->bytes(), 6u);
  EXPECT_EQ(*content_hash(held->path()), hash);
  struct stat status {};
  ASSERT_EQ(stat(held->path().c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777U, 0600U);
  EXPECT_TRUE(cached.cache.find(hash).has_value());
  EXPECT_EQ(cached.files(), 1u);
}

TEST(PluginCache, RefusesAnotherContentThanWasAnnouncedWithBothHashes) {
  Cached cached;
  const std::string hash = cached.hash_of("plugin");
  const Result<PluginCache::Held> held = cached.put(hash, "plugim");
  ASSERT_FALSE(held.ok());
  EXPECT_EQ(held.failure().code, ExitCode::kUsage);
  EXPECT_NE(held.failure().sentence.find(hash), std::string::npos);
  EXPECT_NE(held.failure().sentence.find(cached.hash_of("plugim")), std::string::npos);
  EXPECT_EQ(cached.files(), 0u);
}

TEST(PluginCache, RemovesWhatWasDamaged) {
  Cached cached;
  const std::string hash = cached.hash_of("plugin");
  ASSERT_TRUE(cached.put(hash, "plugin").ok());
  cached.folder.rewrite("cache/" + hash + ".so", "pluGin");
  EXPECT_FALSE(cached.cache.find(hash).has_value());
  EXPECT_EQ(cached.files(), 0u);
}

TEST(PluginCache, TakesNothingButAHashForAName) {
  const Cached cached;
  for (const char* name :
       {"", "../x", "0123", "0123456789abcdef0123456789abcdeg", "0123456789ABCDEF0123456789ABCDEF"}) {
    EXPECT_FALSE(cached.cache.begin(name).ok()) << name;
    EXPECT_FALSE(cached.cache.find(name).has_value()) << name;
  }
}

TEST(PluginCache, WhatDoesNotFinishLeavesNothing) {
  Cached cached;
  const std::string hash = cached.hash_of("plugin");
  {
    Result<PluginCache::Arrival> arrival = cached.cache.begin(hash);
    ASSERT_TRUE(arrival.ok());
    EXPECT_EQ(cached.files(), 1u);
    // Another process that begins takes it for nobody's only when it is.
    ASSERT_TRUE(PluginCache::open(cached.folder.path() + "/cache").ok());
    EXPECT_EQ(cached.files(), 1u);
  }
  EXPECT_EQ(cached.files(), 0u);
  cached.folder.write("cache/.arriving-abcdef", "of a process that was killed");
  ASSERT_TRUE(PluginCache::open(cached.folder.path() + "/cache").ok());
  EXPECT_EQ(cached.files(), 0u);
}

TEST(PluginCache, RemovesTheLeastRecentlyUsedThatIsNotInUse) {
  Cached cached;
  std::vector<std::string> hashes;
  for (std::size_t number = 0; number < PluginCache::kFilesMax + 3; ++number) {
    const std::string content = "plugin " + std::to_string(number);
    hashes.push_back(cached.hash_of(content));
    ASSERT_TRUE(cached.put(hashes.back(), content).ok());
    const timespec used[] = {{0, UTIME_OMIT}, {static_cast<time_t>(1000 + number), 0}};
    ASSERT_EQ(utimensat(AT_FDCWD, cached.path_of(hashes.back()).c_str(), used, 0), 0);
  }
  const auto in_use = cached.cache.find(hashes[0]);
  ASSERT_TRUE(in_use.has_value());
  const timespec used[] = {{0, UTIME_OMIT}, {1, 0}};
  ASSERT_EQ(utimensat(AT_FDCWD, in_use->path().c_str(), used, 0), 0);
  cached.cache.trim();
  EXPECT_EQ(cached.files(), PluginCache::kFilesMax);
  EXPECT_TRUE(fs::exists(cached.path_of(hashes[0])));
  for (std::size_t number = 1; number <= 3; ++number) EXPECT_FALSE(fs::exists(cached.path_of(hashes[number])));
  EXPECT_TRUE(fs::exists(cached.path_of(hashes[4])));
  // To use one is to have used it last.
  ASSERT_TRUE(cached.cache.find(hashes[4]).has_value());
  ASSERT_TRUE(cached.put(hashes[1], "plugin 1").ok());
  cached.cache.trim();
  EXPECT_TRUE(fs::exists(cached.path_of(hashes[4])));
  EXPECT_FALSE(fs::exists(cached.path_of(hashes[5])));
}

TEST(PluginCache, RefusesAFolderThatOthersMayEnterOrThatIsNone) {
  const TestFolder folder;
  fs::create_directory(folder.path() + "/open");
  fs::permissions(folder.path() + "/open", fs::perms(0755));
  fs::create_directory(folder.path() + "/own");
  fs::permissions(folder.path() + "/own", fs::perms(0700));
  fs::create_directory_symlink(folder.path() + "/own", folder.path() + "/link");
  const std::string file = folder.write("file", "");
  for (const std::string& wrong :
       {folder.path() + "/open", folder.path() + "/link", file, folder.path() + "/no/such"}) {
    const Result<PluginCache> cache = PluginCache::open(wrong);
    ASSERT_FALSE(cache.ok()) << wrong;
    EXPECT_EQ(cache.failure().code, ExitCode::kInputOutput);
    EXPECT_NE(cache.failure().sentence.find(wrong), std::string::npos) << cache.failure().sentence;
  }
  EXPECT_TRUE(PluginCache::open(folder.path() + "/own").ok());
}

TEST(PluginCache, OneOfItsOwnGoesWithIt) {
  const TestFolder folder;
  const char* const before = std::getenv("TMPDIR");
  const std::string kept = before != nullptr ? before : "";
  setenv("TMPDIR", folder.path().c_str(), 1);
  {
    const Result<PluginCache> cache = PluginCache::open("");
    ASSERT_TRUE(cache.ok());
    const auto made = fs::directory_iterator(folder.path())->path();
    EXPECT_EQ(fs::status(made).permissions(), fs::perms(0700));
    ASSERT_TRUE(cache->begin(std::string(32, '0')).ok());
  }
  before != nullptr ? setenv("TMPDIR", kept.c_str(), 1) : unsetenv("TMPDIR");
  EXPECT_TRUE(fs::is_empty(folder.path()));
}

}  // namespace
}  // namespace fanfold::plugin
