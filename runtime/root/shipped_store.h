// shipped_store.h: where a fleet's root keeps the files that clients ship until their runs have ended: a file a run,
// without a name, written in the order the bytes come and read by workers a block at a time. Where a run ships its
// plugin, that comes first, and goes to the cache of plugins (runtime/plugin/plugin_cache.h), where it may be already.
// The work is its thread's (store_thread.h).
//
// Blocks are memory from the moment they are read until their worker has acknowledged them. There are kBlocksOutMax at
// most, and kBlocksOutOfReaderMax of one worker, so that one that hears nothing for a while keeps no other waiting.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "runtime/plugin/plugin_cache.h"
#include "runtime/root/store_thread.h"

namespace fanfold::root {

class ShippedStore {
 public:
  static constexpr std::uint32_t kBlocksOutMax = 128;  // 32 MiB
  static constexpr std::uint32_t kBlocksOutOfReaderMax = 16;

  // Without a cache no run may ship its plugin.
  ShippedStore(std::string folder, std::optional<plugin::PluginCache> plugins)
      : folder_(std::move(folder)), plugins_(std::move(plugins)) {}
  ~ShippedStore();
  ShippedStore(const ShippedStore&) = delete;
  ShippedStore& operator=(const ShippedStore&) = delete;

  // Each is answered; reads of one reader in the order asked, once there is a block for them.
  void begin(schedule::BeginShipped run);
  void store(schedule::StoreShipped bytes);
  void read(schedule::ReadShippedBlock block);
  // Not answered; reads of the run that wait are forgotten.
  void drop(RunId run);
  // Nobody is there any more to be answered.
  void forget_reader(IncarnationId reader) { readers_.erase(reader); }

  // PluginStored, ShippedBegun, ShippedStored, ShippedRead, StoreFailed. Begins reads for which there are blocks again.
  [[nodiscard]] std::vector<schedule::FleetEvent> take_answers();
  // Readable when there are answers, or blocks again.
  [[nodiscard]] int descriptor() const { return thread_.descriptor(); }
  [[nodiscard]] int blocks_descriptor() const { return blocks_->given_back.descriptor(); }

 private:
  // Blocks are given back by whichever thread lets go of the last piece of them, perhaps after the store has gone.
  struct Blocks {
    std::atomic<std::uint32_t> out = 0;
    transport::Waker given_back;
  };
  struct Reader {
    std::deque<schedule::ReadShippedBlock> waiting;
    std::shared_ptr<std::atomic<std::uint32_t>> out = std::make_shared<std::atomic<std::uint32_t>>(0);
  };
  struct File {
    int descriptor = -1;
    std::uint64_t size = 0;
    std::uint64_t plugin_bytes = 0;  // in front of what is in the file
    std::optional<plugin::PluginCache::Arrival> arriving;
    std::optional<plugin::PluginCache::Held> plugin;
    [[nodiscard]] std::size_t of_plugin(std::uint64_t offset, std::size_t bytes) const;
  };

  void begin_reads();
  [[nodiscard]] Reader* next_reader();
  void begin_read(Reader& reader);
  // The thread's.
  void do_begin(const schedule::BeginShipped& begin);
  void do_store(const schedule::StoreShipped& bytes);
  Status store_plugin(RunId run, File& file, std::uint64_t offset, ByteView bytes);
  Status store_files(File& file, std::uint64_t offset, ByteView bytes);
  void do_read(const schedule::ReadShippedBlock& block, std::shared_ptr<const void> held,
               std::shared_ptr<std::vector<std::byte>> room);
  void do_drop(RunId run);

  std::string folder_;
  std::shared_ptr<Blocks> blocks_ = std::make_shared<Blocks>();
  std::map<IncarnationId, Reader> readers_;
  IncarnationId turn_;                          // the reader that was last given a block
  std::optional<plugin::PluginCache> plugins_;  // the thread's
  std::map<RunId, File> files_;                 // likewise
  StoreThread thread_;                          // last: it uses what is above
};

}  // namespace fanfold::root
