#include "runtime/plugin/memory_pool.h"

#include <sys/mman.h>

#include <bit>
#include <cstdlib>
#include <cstring>

#include "engine/assertion.h"

namespace fanfold::plugin {

namespace {

constexpr std::uint64_t kHugePage = 2U << 20;
// Up to here malloc's, which rounds less: the parts of a small bundle are a few KiB each.
constexpr std::uint64_t kSmallBytesMax = 16U << 10;

// Maps `bytes` aligned to `alignment`, on huge pages where the kernel has them.
char* map_aligned(std::uint64_t bytes, std::uint64_t alignment) {
  void* mapped =
      mmap(nullptr, bytes + alignment, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (mapped == MAP_FAILED) return nullptr;
  char* const begin = static_cast<char*>(mapped);
  const auto address = reinterpret_cast<std::uintptr_t>(begin);
  const std::uint64_t before = (alignment - address % alignment) % alignment;
  if (before != 0) munmap(begin, before);
  if (alignment != before) munmap(begin + before + bytes, alignment - before);
  madvise(begin + before, bytes, MADV_HUGEPAGE);  // advice: without it all works, slower
  return begin + before;
}

unsigned order_of(std::uint64_t bytes) {
  return static_cast<unsigned>(std::bit_width(bytes - 1));
}

std::uint64_t whole_huge_pages(std::uint64_t bytes) {
  return (bytes + kHugePage - 1) / kHugePage * kHugePage;
}

// Large blocks of no power of two are bundles on their way, used once: rounding them up would waste up to
// half of a small budget.
constexpr std::uint64_t kPooledAnySizeMax = 4U << 20;

}  // namespace

bool MemoryPool::is_mapped_alone(std::uint64_t bytes) {
  return bytes > kRegionBytes || (bytes > kPooledAnySizeMax && !std::has_single_bit(bytes));
}

std::uint64_t MemoryPool::rounded(std::uint64_t bytes) {
  if (bytes <= kSmallBytesMax) return (bytes + 63) / 64 * 64;
  if (is_mapped_alone(bytes)) return whole_huge_pages(bytes);
  return std::uint64_t{1} << std::max(order_of(bytes), kMinOrder);
}

MemoryPool::~MemoryPool() {
  for (const auto& region : regions_) munmap(region->base, kRegionBytes);
}

MemoryPool::Region* MemoryPool::add_region() {
  char* base = map_aligned(kRegionBytes, kRegionBytes);
  if (base == nullptr) return nullptr;
  auto region = std::make_unique<Region>();
  region->base = base;
  region->pages = std::make_unique<Page[]>(kPages);
  push(*region, 0, kRegionOrder, false);
  regions_.push_back(std::move(region));
  return regions_.back().get();
}

void MemoryPool::push(Region& region, std::uint32_t page, unsigned order, bool dirty) {
  Page& block = region.pages[page];
  block = {static_cast<std::uint8_t>(order), true, dirty, 0, region.first_free[order]};
  if (block.next != 0) region.pages[block.next - 1].previous = page + 1;
  region.first_free[order] = page + 1;
}

void MemoryPool::unlink(Region& region, std::uint32_t page) {
  Page& block = region.pages[page];
  if (block.previous != 0) {
    region.pages[block.previous - 1].next = block.next;
  } else {
    region.first_free[block.order] = block.next;
  }
  if (block.next != 0) region.pages[block.next - 1].previous = block.previous;
  block.free = false;
}

void* MemoryPool::take(unsigned order, bool& dirty) {
  // The smallest block that fits, over all regions: large ones stay whole for large requests.
  Region* best = nullptr;
  unsigned best_order = kRegionOrder + 1;
  for (const auto& region : regions_) {
    for (unsigned at = order; at < best_order; ++at) {
      if (region->first_free[at] != 0) {
        best = region.get();
        best_order = at;
        break;
      }
    }
    if (best_order == order) break;
  }
  if (best == nullptr) {
    best = add_region();
    best_order = kRegionOrder;
    if (best == nullptr) return nullptr;
  }
  const std::uint32_t page = best->first_free[best_order] - 1;
  dirty = best->pages[page].dirty;
  unlink(*best, page);
  while (best_order > order) {
    --best_order;
    push(*best, page + (1U << (best_order - kMinOrder)), best_order, dirty);
  }
  best->pages[page].order = static_cast<std::uint8_t>(order);
  return best->base + (std::uint64_t{page} << kMinOrder);
}

void* MemoryPool::allocate(std::uint64_t bytes, bool zeroed) {
  if (bytes == 0) bytes = 1;
  if (bytes <= kSmallBytesMax) {
    void* block = std::aligned_alloc(64, rounded(bytes));
    if (block != nullptr && zeroed) std::memset(block, 0, bytes);
    return block;
  }
  if (is_mapped_alone(bytes)) return map_aligned(whole_huge_pages(bytes), kHugePage);
  bool dirty = false;
  void* block = nullptr;
  {
    const std::lock_guard lock(mutex_);
    block = take(std::max(order_of(bytes), kMinOrder), dirty);
  }
  if (block != nullptr && zeroed && dirty) std::memset(block, 0, bytes);
  return block;
}

void MemoryPool::release(void* block, std::uint64_t bytes) {
  if (block == nullptr) return;
  if (bytes == 0) bytes = 1;
  if (bytes <= kSmallBytesMax) {
    std::free(block);
    return;
  }
  if (is_mapped_alone(bytes)) {
    munmap(block, whole_huge_pages(bytes));
    return;
  }
  auto* const base = reinterpret_cast<char*>(reinterpret_cast<std::uintptr_t>(block) & ~(kRegionBytes - 1));
  auto page = static_cast<std::uint32_t>((static_cast<char*>(block) - base) >> kMinOrder);
  unsigned order = std::max(order_of(bytes), kMinOrder);
  const std::lock_guard lock(mutex_);
  Region* region = nullptr;
  for (const auto& candidate : regions_) {
    if (candidate->base == base) region = candidate.get();
  }
  FANFOLD_ASSERT(region != nullptr && region->pages[page].order == order && !region->pages[page].free,
                 "a block given back to a pool that did not give it out");
  while (order < kRegionOrder) {
    const std::uint32_t buddy = page ^ (1U << (order - kMinOrder));
    if (!region->pages[buddy].free || region->pages[buddy].order != order) break;
    unlink(*region, buddy);
    page &= ~(1U << (order - kMinOrder));
    ++order;
  }
  push(*region, page, order, true);
}

MemoryAccount::MemoryAccount(MemoryPool* pool, std::uint64_t soft_bytes, std::uint64_t hard_bytes, std::uint32_t* stop)
    : pool_(pool), soft_bytes_(soft_bytes), hard_bytes_(hard_bytes), stop_(stop) {
  memory_ = {
      sizeof(fanfold_memory),
      0,
      this,
      [](void* context, std::uint64_t bytes) { return static_cast<MemoryAccount*>(context)->allocate(bytes, false); },
      [](void* context, std::uint64_t bytes) { return static_cast<MemoryAccount*>(context)->allocate(bytes, true); },
      [](void* context, void* block, std::uint64_t bytes) {
        auto* account = static_cast<MemoryAccount*>(context);
        account->pool_->release(block, bytes);
        account->bytes_.fetch_sub(MemoryPool::rounded(bytes), std::memory_order_relaxed);
      },
      soft_bytes,
      [](void* context, std::int64_t bytes) {
        return std::int32_t{static_cast<MemoryAccount*>(context)->charge(bytes) ? FANFOLD_OK : FANFOLD_EXHAUSTED};
      }};
}

void* MemoryAccount::allocate(std::uint64_t bytes, bool zeroed) {
  const std::uint64_t charged = MemoryPool::rounded(bytes);
  const std::uint64_t total = bytes_.fetch_add(charged, std::memory_order_relaxed) + charged;
  void* block = total > hard_bytes_ ? nullptr : pool_->allocate(bytes, zeroed);
  if (block == nullptr) {
    bytes_.fetch_sub(charged, std::memory_order_relaxed);
    refused_bytes_.store(total, std::memory_order_relaxed);
    return nullptr;
  }
  stop_beyond_soft(total);
  return block;
}

bool MemoryAccount::charge(std::int64_t bytes) {
  const auto change = static_cast<std::uint64_t>(bytes);  // in two's complement
  const std::uint64_t total = bytes_.fetch_add(change, std::memory_order_relaxed) + change;
  if (bytes <= 0) return true;
  if (total > hard_bytes_) {
    bytes_.fetch_sub(change, std::memory_order_relaxed);
    refused_bytes_.store(total, std::memory_order_relaxed);
    return false;
  }
  stop_beyond_soft(total);
  return true;
}

void MemoryAccount::stop_beyond_soft(std::uint64_t total) {
  if (total <= soft_bytes_ || stop_ == nullptr) return;
  std::uint32_t go_on = FANFOLD_GO_ON;
  __atomic_compare_exchange_n(stop_, &go_on, std::uint32_t{FANFOLD_SEAL_SOON}, false, __ATOMIC_RELAXED,
                              __ATOMIC_RELAXED);
}

}  // namespace fanfold::plugin
