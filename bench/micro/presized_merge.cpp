// presized_merge.cpp: see presized_merge.h.
#include "bench/micro/presized_merge.h"

#include <fanfold/table.h>
#include <sys/mman.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <new>
#include <string_view>
#include <thread>
#include <utility>

namespace fanfold::bench {

// 24 bytes, so that a part's table stays in L2.
struct PresizedMerge::Slot {
  uint64_t hash;
  uint64_t place;  // of the key: its address above its length; 0: free; borrowed from the bundle that brought it first
  uint64_t count;

  static uint64_t place_of(const char* key, uint64_t length) { return reinterpret_cast<uint64_t>(key) << 16 | length; }
  std::string_view key() const { return {reinterpret_cast<const char*>(place >> 16), place & 0xffff}; }
};

// Memory on huge pages, kept for the next run.
class PresizedMerge::Mapping {
 public:
  explicit Mapping(size_t bytes) : bytes_(bytes) {
    data_ = mmap(nullptr, bytes_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (data_ == MAP_FAILED) throw std::bad_alloc();
    madvise(data_, bytes_, MADV_HUGEPAGE);
  }
  Mapping(const Mapping&) = delete;
  Mapping& operator=(const Mapping&) = delete;
  ~Mapping() { munmap(data_, bytes_); }
  void* data() { return data_; }

 private:
  size_t bytes_;
  void* data_;
};

namespace {

constexpr size_t kPrefetchAhead = 16;

struct Columns {
  size_t entries;
  const uint64_t* hashes;
  const uint32_t* lengths;
  const uint64_t* counts;
  const char* keys;
};

// The layout that table.h describes.
Columns columns_of(std::span<const uint8_t> part) {
  const auto* header = reinterpret_cast<const PackedHeader*>(part.data());
  const size_t entries = header->entries;
  const uint8_t* hashes = part.data() + sizeof(PackedHeader);
  const uint8_t* lengths = hashes + 8 * entries;
  const uint8_t* counts = lengths + (4 * entries + 7) / 8 * 8;
  return {entries, reinterpret_cast<const uint64_t*>(hashes), reinterpret_cast<const uint32_t*>(lengths),
          reinterpret_cast<const uint64_t*>(counts), reinterpret_cast<const char*>(counts + 8 * entries)};
}

// Four fifths full if no key were shared; a multiplication finds the slot, so that the size need not be a power of two.
size_t slots_for(size_t entries) {
  return entries + entries / 4 + 1;
}
size_t slot_of(uint64_t hash, size_t slots) {
  return (hash >> 5 & 0xffffffff) * slots >> 32;
}

// The first rows by count descending, then by key; the worst of them is in front.
class Top {
 public:
  explicit Top(size_t limit) : limit_(limit) {}
  void offer(uint64_t count, std::string_view key) {
    if (limit_ == 0 || count < least_) return;
    TallyRow row{count, std::string(key)};
    if (rows_.size() == limit_) {
      if (!before(row, rows_.front())) return;
      std::pop_heap(rows_.begin(), rows_.end(), before);
      rows_.pop_back();
    }
    rows_.push_back(std::move(row));
    std::push_heap(rows_.begin(), rows_.end(), before);
    if (rows_.size() == limit_) least_ = rows_.front().count;
  }
  std::vector<TallyRow> take_sorted() {
    std::sort(rows_.begin(), rows_.end(), before);
    return std::move(rows_);
  }

 private:
  static bool before(const TallyRow& a, const TallyRow& b) {
    return a.count != b.count ? a.count > b.count : a.key < b.key;
  }
  size_t limit_;
  uint64_t least_ = 1;
  std::vector<TallyRow> rows_;
};

}  // namespace

PresizedMerge::PresizedMerge(std::vector<BundleParts> bundles, Memory memory, unsigned threads)
    : bundles_(std::move(bundles)), threads_(threads), parts_(bundles_.front().size()), memory_(memory) {
  size_t slots_all = 0;
  size_t slots_max = 0;
  for (size_t part = 0; part < parts_; ++part) {
    size_t entries = 0;
    for (const BundleParts& bundle : bundles_) entries += columns_of(bundle[part]).entries;
    entries_.push_back(entries);
    slots_all += slots_for(entries);
    slots_max = std::max(slots_max, slots_for(entries));
  }
  if (memory == Memory::kEveryTable) {
    mappings_.push_back(std::make_unique<Mapping>(slots_all * sizeof(Slot)));
    auto* next = static_cast<Slot*>(mappings_.back()->data());
    for (size_t entries : entries_) {
      tables_.push_back(next);
      next += slots_for(entries);
    }
  } else {
    for (unsigned thread = 0; thread < threads; ++thread) {
      mappings_.push_back(std::make_unique<Mapping>(slots_max * sizeof(Slot)));
      tables_.push_back(static_cast<Slot*>(mappings_.back()->data()));
    }
  }
}

PresizedMerge::~PresizedMerge() = default;

MergeOutcome PresizedMerge::run(size_t limit) {
  std::atomic<size_t> next_part = 0;
  std::vector<MergeOutcome> outcomes(threads_);
  const auto work = [&](unsigned thread) {
    Top top(limit);
    uint64_t distinct = 0;
    for (;;) {
      const size_t part = next_part.fetch_add(1, std::memory_order_relaxed);
      if (part >= parts_) break;
      const size_t slots = slots_for(entries_[part]);
      Slot* table = tables_[memory_ == Memory::kEveryTable ? part : thread];
      std::memset(static_cast<void*>(table), 0, slots * sizeof(Slot));
      for (const BundleParts& bundle : bundles_) {
        const Columns columns = columns_of(bundle[part]);
        const char* key = columns.keys;
        for (size_t i = 0; i < columns.entries; ++i) {
          if (i + kPrefetchAhead < columns.entries) {
            __builtin_prefetch(&table[slot_of(columns.hashes[i + kPrefetchAhead], slots)], 1);
          }
          const uint64_t hash = columns.hashes[i];
          const uint64_t length = columns.lengths[i];
          for (size_t at = slot_of(hash, slots);; at = at + 1 == slots ? 0 : at + 1) {
            Slot& slot = table[at];
            if (slot.place == 0) {
              slot = {hash, Slot::place_of(key, length), columns.counts[i]};
              ++distinct;
              break;
            }
            if (slot.hash == hash && slot.key() == std::string_view(key, length)) {
              slot.count += columns.counts[i];
              break;
            }
          }
          key += length;
        }
      }
      for (size_t at = 0; at < slots; ++at) top.offer(table[at].count, table[at].key());
    }
    outcomes[thread] = {distinct, top.take_sorted()};
  };
  std::vector<std::thread> threads;
  for (unsigned thread = 1; thread < threads_; ++thread) threads.emplace_back(work, thread);
  work(0);
  for (std::thread& thread : threads) thread.join();

  MergeOutcome all;
  Top top(limit);
  for (const MergeOutcome& outcome : outcomes) {
    all.entries += outcome.entries;
    for (const TallyRow& row : outcome.top) top.offer(row.count, row.key);
  }
  all.top = top.take_sorted();
  return all;
}

}  // namespace fanfold::bench
