// gatherer_process.h: the gatherer of one run, as the root's child: started, watched, and started again with the next
// life. What it was doing in the plugin when it died is read from memory that it shares.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "engine/protocol/message.h"
#include "runtime/log/log.h"
#include "runtime/process/child_process.h"
#include "runtime/root/fold_positions.h"
#include "runtime/transport/link_counts_page.h"

namespace fanfold::root {

struct GathererOptions {
  std::string root;                   // endpoint of the root
  std::string listen;                 // where it listens; empty: at a socket in the folder
  std::optional<int> listening = {};  // descriptor that listens there already; borrowed
  std::string announce;               // host at which workers connect, where that is not the one it listens at
  std::string folder;                 // of the run, for sockets; empty: none
  RunId run = {};                     // of a fleet's
  std::uint32_t threads = 1;
  std::uint64_t memory_bytes = 0;
  std::string kernels;
  std::vector<std::string> plugin_folders = {};
  std::string keys_folder = {};  // empty: links without keys
  log::Options log = {};
};

class GathererProcess {
 public:
  static Result<GathererProcess> make(GathererOptions options);

  // Kills the one before, if any. Why it could not be started, or nothing.
  std::optional<Cause> start(std::uint32_t life);
  // Why the present one has ended, once.
  std::optional<Cause> collect();
  // Ends it at once.
  void kill() { child_.reset(); }
  // Of a listener of TCP: what its links came to, of all lives together.
  [[nodiscard]] transport::LinkCounts link_counts() const;

  [[nodiscard]] std::uint32_t life() const { return life_; }
  // Readable when it has ended; nothing where none runs.
  [[nodiscard]] std::optional<int> descriptor() const {
    return child_ ? std::optional(child_->descriptor()) : std::nullopt;
  }

 private:
  GathererProcess(GathererOptions options, FoldPositions positions, std::optional<transport::LinkCountsPage> links)
      : options_(std::move(options)), positions_(std::move(positions)), links_(std::move(links)) {}

  GathererOptions options_;
  FoldPositions positions_;
  std::optional<transport::LinkCountsPage> links_;  // of this life
  transport::LinkCounts earlier_links_;
  std::optional<process::ChildProcess> child_;
  std::uint32_t life_ = 0;
};

}  // namespace fanfold::root
