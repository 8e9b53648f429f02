// memory_pool.h: the memory of partials: one pool a process, on huge pages, that keeps what is given back
// warm for the next use; and accounts over it, one a partial, which raise a stop word at a soft limit and
// refuse at a hard one. Thread-safe.
//
// Blocks of 32 KiB to 64 MiB are powers of two split from regions by the buddy method (Knowlton 1965), so
// that what tables leave behind as they grow joins up again; smaller ones are malloc's, larger ones and large
// ones of other sizes mmap's.
// Fresh pages are known to be zero and never cleared twice: first touch is the largest cost of a table.
#pragma once

#include <fanfold/abi.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

namespace fanfold::plugin {

class MemoryPool {
 public:
  MemoryPool() = default;
  ~MemoryPool();
  MemoryPool(const MemoryPool&) = delete;
  MemoryPool& operator=(const MemoryPool&) = delete;

  // 64-byte aligned; from 2 MiB on, aligned to 2 MiB. Null when the system refuses.
  void* allocate(std::uint64_t bytes, bool zeroed);
  void release(void* block, std::uint64_t bytes);

  // What the pool really sets aside for a block of so many bytes.
  static std::uint64_t rounded(std::uint64_t bytes);

 private:
  static constexpr unsigned kMinOrder = 12;     // 4 KiB, a page
  static constexpr unsigned kRegionOrder = 26;  // 64 MiB
  static constexpr std::uint64_t kRegionBytes = std::uint64_t{1} << kRegionOrder;
  static constexpr std::uint32_t kPages = 1U << (kRegionOrder - kMinOrder);

  struct Page {  // of the first page of a block
    std::uint8_t order = 0;
    bool free = false;
    bool dirty = false;
    std::uint32_t previous = 0;  // in its free list: page number + 1, or 0
    std::uint32_t next = 0;
  };
  struct Region {
    char* base = nullptr;
    std::unique_ptr<Page[]> pages;
    std::array<std::uint32_t, kRegionOrder + 1> first_free{};  // page number + 1, or 0
  };

  static bool is_mapped_alone(std::uint64_t bytes);
  Region* add_region();
  static void push(Region& region, std::uint32_t page, unsigned order, bool dirty);
  static void unlink(Region& region, std::uint32_t page);
  void* take(unsigned order, bool& dirty);

  std::mutex mutex_;
  std::vector<std::unique_ptr<Region>> regions_;
};

// The memory of one partial, as the plugin sees it (`memory()`).
class MemoryAccount {
 public:
  // `stop`, if given, is set to FANFOLD_SEAL_SOON once more than `soft_bytes` are in use; allocations
  // that would pass `hard_bytes` are refused. Neither is owned.
  MemoryAccount(MemoryPool* pool, std::uint64_t soft_bytes, std::uint64_t hard_bytes, std::uint32_t* stop);
  MemoryAccount(const MemoryAccount&) = delete;
  MemoryAccount& operator=(const MemoryAccount&) = delete;

  [[nodiscard]] const fanfold_memory* memory() const { return &memory_; }
  [[nodiscard]] std::uint64_t bytes() const { return bytes_.load(std::memory_order_relaxed); }
  [[nodiscard]] std::uint64_t refused_bytes() const { return refused_bytes_.load(std::memory_order_relaxed); }
  [[nodiscard]] std::uint64_t soft_bytes() const { return soft_bytes_; }
  [[nodiscard]] std::uint64_t hard_bytes() const { return hard_bytes_; }

  // Counts bytes that are held elsewhere, or no longer (fewer than none); false: refused, and not counted.
  [[nodiscard]] bool charge(std::int64_t bytes);

 private:
  void* allocate(std::uint64_t bytes, bool zeroed);
  void stop_beyond_soft(std::uint64_t total);

  MemoryPool* pool_;
  std::uint64_t soft_bytes_;
  std::uint64_t hard_bytes_;
  std::uint32_t* stop_;
  std::atomic<std::uint64_t> bytes_ = 0;
  std::atomic<std::uint64_t> refused_bytes_ = 0;  // the total that was asked for when memory was refused
  fanfold_memory memory_;
};

}  // namespace fanfold::plugin
