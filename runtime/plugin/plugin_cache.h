// plugin_cache.h: plugins that clients have shipped, as root and workers keep them: HASH.so, by the hash of the
// content, in a folder that this user alone may enter. A file gets its name when all of it is there and has that hash,
// and is looked at again whenever it is to be used. What is not in use goes, the least recently used first, when there
// is more than kBytesMax or kFilesMax of it.
//
// Several processes may share a folder: who uses a file holds a lock on it. Not thread-safe.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "engine/failure.h"
#include "engine/protocol/bytes.h"

namespace fanfold::plugin {

class PluginCache {
 public:
  static constexpr std::uint64_t kBytesMax = std::uint64_t{1} << 30;
  static constexpr std::size_t kFilesMax = 64;

  // Makes the folder, mode 0700, where there is none. Empty: one of its own in TMPDIR, which goes with the last copy of
  // the cache. Exit 3 when the folder cannot be used, or others may enter it.
  static Result<PluginCache> open(std::string folder);

  // A plugin that is there, and stays as long as this lives.
  class Held {
   public:
    Held(std::string path, int descriptor) : path_(std::move(path)), descriptor_(descriptor) {}
    Held(Held&& other) noexcept;
    Held& operator=(Held&& other) noexcept;
    ~Held();
    [[nodiscard]] const std::string& path() const { return path_; }
    [[nodiscard]] int descriptor() const { return descriptor_; }  // to be read
    [[nodiscard]] std::uint64_t bytes() const;

   private:
    std::string path_;
    int descriptor_;
  };
  // The plugin whose content has this hash now. One that is damaged is removed.
  [[nodiscard]] std::optional<Held> find(const std::string& hash) const;

  // A plugin on its way here; what has not finished leaves nothing.
  class Arrival {
   public:
    Arrival(Arrival&& other) noexcept;
    Arrival& operator=(Arrival&& other) noexcept;
    ~Arrival();
    // Exit 3 when the disk takes no more.
    Status write(std::uint64_t offset, ByteView bytes);
    // Exit 2, with both hashes, when the content has another one.
    Result<Held> finish();

   private:
    friend class PluginCache;
    Arrival(const PluginCache& cache, std::string hash, std::string path, int descriptor)
        : folder_(cache.folder_), hash_(std::move(hash)), path_(std::move(path)), descriptor_(descriptor) {}
    std::string folder_;
    std::string hash_;
    std::string path_;  // empty: finished
    int descriptor_;
  };
  // `hash` as content_hash() writes it.
  [[nodiscard]] Result<Arrival> begin(const std::string& hash) const;

  // Removes what is too much and not in use.
  void trim() const;

 private:
  explicit PluginCache(std::string folder) : folder_(std::move(folder)) {}
  std::string folder_;
  std::shared_ptr<const void> private_folder_;  // removes it
};

}  // namespace fanfold::plugin
