// What the store of shipped bytes promises: bytes come back as they were sent, no more blocks are in memory than its
// bounds, whoever does not let go of them, and a disk that refuses is a sentence.
#include "runtime/root/shipped_store.h"

#include <gtest/gtest.h>
#include <poll.h>

#include <cstring>
#include <map>
#include <string>

#include "runtime/plugin/content_hash.h"
#include "tests/unit/runtime/files.h"

namespace fanfold::root {
namespace {

const RunId kRun{1, 1};
constexpr IncarnationId kAnn{1, 1};
constexpr IncarnationId kBob{2, 2};

RawBytes bytes_of(const std::string& text) {
  Bytes bytes(text.size());
  std::memcpy(bytes.data(), text.data(), text.size());
  return raw_bytes(std::move(bytes));
}

class Store {
 public:
  explicit Store(const std::string& folder) : store(folder, std::nullopt) {}
  Store(const std::string& folder, plugin::PluginCache plugins) : store(folder, std::move(plugins)) {}

  // Everything that is answered until it has been quiet for a moment that is longer than any of this takes.
  void settle(std::size_t answers_wanted) {
    while (answers_ < answers_wanted) {
      pollfd ready[] = {{store.descriptor(), POLLIN, 0}, {store.blocks_descriptor(), POLLIN, 0}};
      ASSERT_GT(poll(ready, 2, 30'000), 0) << answers_ << " answers";
      for (schedule::FleetEvent& event : store.take_answers()) take(event);
    }
  }
  void take(schedule::FleetEvent& event) {
    answers_ += 1;
    if (auto* stored = std::get_if<schedule::ShippedStored>(&event)) stored_bytes = stored->bytes;
    if (auto* failed = std::get_if<schedule::StoreFailed>(&event)) sentence = failed->sentence;
    if (auto* plugin = std::get_if<schedule::PluginStored>(&event)) plugin_path = plugin->path;
    if (auto* begun = std::get_if<schedule::ShippedBegun>(&event)) begun_at = begun->bytes;
    if (auto* read = std::get_if<schedule::ShippedRead>(&event)) blocks[read->reader].push_back(std::move(*read));
  }
  void read(IncarnationId reader, uint64_t offset, uint64_t bytes) {
    store.read({kRun, reader, ++ticket_, offset, bytes});
  }

  ShippedStore store;
  uint64_t stored_bytes = 0;
  std::string sentence;
  std::string plugin_path;
  std::optional<uint64_t> begun_at;
  std::map<IncarnationId, std::vector<schedule::ShippedRead>> blocks;

 private:
  std::size_t answers_ = 0;
  uint64_t ticket_ = 0;
};

TEST(ShippedStore, GivesBackWhatWasSentAndLeavesNoFile) {
  const TestFolder folder;
  Store store(folder.path());
  store.store.store({kRun, 0, bytes_of("abc")});
  store.store.store({kRun, 3, bytes_of("defg")});
  store.settle(2);
  EXPECT_EQ(store.stored_bytes, 7u);
  store.read(kAnn, 2, 3);
  store.settle(3);
  const ByteView view = store.blocks[kAnn].at(0).bytes.view;
  EXPECT_EQ(std::string(reinterpret_cast<const char*>(view.data()), view.size()), "cde");
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
}

TEST(ShippedStore, OneReaderThatHearsNothingKeepsNoOtherWaiting) {
  const TestFolder folder;
  Store store(folder.path());
  store.store.store({kRun, 0, bytes_of(std::string(1000, 'x'))});
  store.settle(1);
  for (int block = 0; block < 100; ++block) store.read(kAnn, 0, 1000);
  store.read(kBob, 0, 10);
  store.settle(1 + ShippedStore::kBlocksOutOfReaderMax + 1);
  EXPECT_EQ(store.blocks[kAnn].size(), ShippedStore::kBlocksOutOfReaderMax);
  EXPECT_EQ(store.blocks[kBob].size(), 1u);
  // As soon as it lets go of some, it gets others.
  store.blocks[kAnn].clear();
  store.settle(1 + 2 * ShippedStore::kBlocksOutOfReaderMax + 1);
  EXPECT_EQ(store.blocks[kAnn].size(), ShippedStore::kBlocksOutOfReaderMax);
}

TEST(ShippedStore, NoMoreBlocksAreInMemoryThanItsBoundAndAllReadersHaveTheirTurn) {
  const TestFolder folder;
  Store store(folder.path());
  store.store.store({kRun, 0, bytes_of("x")});
  store.settle(1);
  constexpr uint32_t kReaders = 3 * ShippedStore::kBlocksOutMax / ShippedStore::kBlocksOutOfReaderMax;
  for (int block = 0; block < 20; ++block) {
    for (uint64_t reader = 1; reader <= kReaders; ++reader) store.read({reader, reader}, 0, 1);
  }
  store.settle(1 + ShippedStore::kBlocksOutMax);
  std::size_t out = 0;
  for (const auto& [reader, blocks] : store.blocks) out += blocks.size();
  EXPECT_EQ(out, ShippedStore::kBlocksOutMax);
  EXPECT_EQ(store.blocks.size(), kReaders);
  // Those of a reader that is gone are forgotten.
  for (uint64_t reader = 2; reader <= kReaders; ++reader) store.store.forget_reader({reader, reader});
  for (auto& [reader, blocks] : store.blocks) blocks.clear();
  store.settle(1 + ShippedStore::kBlocksOutMax + 1);
  for (uint64_t reader = 2; reader <= kReaders; ++reader) {
    EXPECT_TRUE((store.blocks[IncarnationId{reader, reader}].empty()));
  }
}

TEST(ShippedStore, BlocksMayOutliveIt) {
  const TestFolder folder;
  schedule::ShippedRead kept;
  {
    Store store(folder.path());
    store.store.store({kRun, 0, bytes_of("abc")});
    store.read(kAnn, 0, 3);
    store.settle(2);
    kept = std::move(store.blocks[kAnn].at(0));
  }
  EXPECT_EQ(static_cast<char>(kept.bytes.view[2]), 'c');
}

TEST(ShippedStore, AFolderThatTakesNoFileIsASentence) {
  const TestFolder folder;
  Store store(folder.path() + "/missing");
  store.store.store({kRun, 0, bytes_of("abc")});
  store.settle(1);
  EXPECT_NE(store.sentence.find("/missing"), std::string::npos) << store.sentence;
  EXPECT_NE(store.sentence.find("--results"), std::string::npos) << store.sentence;
}

TEST(ShippedStore, WhatIsDroppedIsNotAnsweredAnyMore) {
  const TestFolder folder;
  Store store(folder.path());
  store.store.store({kRun, 0, bytes_of("abc")});
  store.settle(1);
  for (int block = 0; block < 100; ++block) store.read(kAnn, 0, 3);
  store.settle(1 + ShippedStore::kBlocksOutOfReaderMax);
  store.store.drop(kRun);
  store.blocks.clear();
  const RunId other{2, 2};
  store.store.store({other, 0, bytes_of("d")});
  store.settle(2 + ShippedStore::kBlocksOutOfReaderMax);
  EXPECT_TRUE(store.blocks.empty());
  EXPECT_EQ(store.stored_bytes, 1u);
}

// ---- plugins, which come first ------------------------------------------------------------------

struct PluginStore {
  PluginStore()
      : content(folder.write("plugin", std::string(1000, 'p'))),
        hash(*plugin::content_hash(content)),
        cache(folder.path() + "/cache") {}

  const TestFolder folder;
  const std::string content;
  const std::string hash;
  const std::string cache;
};

TEST(ShippedStore, KeepsAPluginByItsHashAndTheFilesBehindIt) {
  const PluginStore with;
  Store store(with.folder.path(), plugin::PluginCache::open(with.cache).value());
  store.store.begin({kRun, with.hash, 1000});
  // One block holds the end of the plugin and the beginning of the files.
  store.store.store({kRun, 0, bytes_of(std::string(600, 'p'))});
  store.store.store({kRun, 600, bytes_of(std::string(400, 'p') + "files")});
  store.settle(4);
  EXPECT_EQ(store.begun_at, std::optional<uint64_t>(0));
  EXPECT_EQ(store.plugin_path, with.cache + "/" + with.hash + ".so");
  EXPECT_EQ(store.stored_bytes, 1005u);
  store.read(kAnn, 998, 5);
  store.read(kAnn, 1001, 4);
  store.settle(6);
  const auto text = [&](std::size_t block) {
    const ByteView view = store.blocks[kAnn].at(block).bytes.view;
    return std::string(reinterpret_cast<const char*>(view.data()), view.size());
  };
  EXPECT_EQ(text(0), "ppfil");
  EXPECT_EQ(text(1), "iles");
  // Another run that ships it need not send it.
  const RunId other{2, 2};
  store.store.begin({other, with.hash, 1000});
  store.settle(8);
  EXPECT_EQ(store.begun_at, std::optional<uint64_t>(1000));
}

TEST(ShippedStore, APluginThatIsNotWhatWasAnnouncedIsNotKept) {
  const PluginStore with;
  Store store(with.folder.path(), plugin::PluginCache::open(with.cache).value());
  store.store.begin({kRun, with.hash, 1000});
  store.store.store({kRun, 0, bytes_of(std::string(999, 'p') + "q")});
  store.settle(2);
  EXPECT_NE(store.sentence.find(with.hash), std::string::npos) << store.sentence;
  EXPECT_TRUE(store.plugin_path.empty());
  EXPECT_TRUE(std::filesystem::is_empty(with.cache));
  // Nor one of another size than its content has.
  store.store.begin({RunId{2, 2}, with.hash, 1000});
  store.store.store({RunId{2, 2}, 0, bytes_of(std::string(1000, 'p'))});
  store.settle(5);
  store.sentence.clear();
  store.store.begin({RunId{3, 3}, with.hash, 7});
  store.settle(6);
  EXPECT_NE(store.sentence.find("1000 bytes"), std::string::npos) << store.sentence;
}

}  // namespace
}  // namespace fanfold::root
