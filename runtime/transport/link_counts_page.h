// link_counts_page.h: the link counts of a process in memory that it shares with its parent: a gatherer has no
// endpoints of its own, so its root tells what it counts. What was counted outlives the process.
#pragma once

#include <atomic>

#include "engine/failure.h"
#include "runtime/transport/link_counts.h"

namespace fanfold::transport {

class LinkCountsPage {
 public:
  // Of the parent; exit 1 where there is no memory.
  static Result<LinkCountsPage> make();
  // Of the child: of the descriptor that it was given.
  static LinkCountsPage attach(int descriptor);
  LinkCountsPage(LinkCountsPage&& other) noexcept;
  LinkCountsPage& operator=(LinkCountsPage&&) = delete;
  ~LinkCountsPage();

  [[nodiscard]] int descriptor() const { return descriptor_; }
  // Each count is whole; together they may be of two moments.
  void write(const LinkCounts& counts);
  [[nodiscard]] LinkCounts read() const;

 private:
  struct Memory {
    std::array<std::atomic<std::uint64_t>, kLinkEvents> of;
  };
  LinkCountsPage(int descriptor, Memory* memory) : descriptor_(descriptor), memory_(memory) {}
  int descriptor_;
  Memory* memory_;
};

}  // namespace fanfold::transport
