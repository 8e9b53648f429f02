// folder.cpp: see folder.h. The tables are presized from the number of records, so they never grow, and are at most
// four fifths full; with the partitions of words.h they stay in L2 for a text like the kernel's sources.
#include "folder.h"

#include <sys/mman.h>

#include <algorithm>
#include <bit>

namespace fanfold::bound {

namespace {

int log2_slots(size_t records) {
  return static_cast<int>(std::bit_width(records + records / 4));
}

}  // namespace

void TopRows::offer(uint64_t count, std::string_view word) {
  if (limit_ == 0 || count < count_min_) return;
  Row row{count, std::string(word)};
  if (heap_.size() == limit_) {
    if (!(row < heap_.front())) return;
    std::pop_heap(heap_.begin(), heap_.end());
    heap_.pop_back();
  }
  heap_.push_back(std::move(row));
  std::push_heap(heap_.begin(), heap_.end());
  if (heap_.size() == limit_) count_min_ = heap_.front().count;
}

Folder::~Folder() {
  if (scratch_ != nullptr) munmap(scratch_, scratch_bytes_);
}

char* Folder::scratch(size_t bytes, size_t zeroed) {
  if (bytes > scratch_bytes_) {
    if (scratch_ != nullptr) munmap(scratch_, scratch_bytes_);
    scratch_bytes_ = (bytes + bytes / 2 + 2 * kHugePageBytes) & ~(kHugePageBytes - 1);
    void* memory = mmap(nullptr, scratch_bytes_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) throw std::bad_alloc();
    scratch_ = static_cast<char*>(memory);
    madvise(scratch_, scratch_bytes_, MADV_HUGEPAGE);
  }
  std::memset(scratch_, 0, zeroed);
  return scratch_;
}

void Folder::fold_short(const std::vector<const Counter*>& counters, size_t partition) {
  struct Slot {
    ShortKey key;
    uint64_t count;  // 0: free
  };
  size_t records = 0;
  for (const Counter* counter : counters) records += counter->short_log().records_max(partition);
  if (records == 0) return;
  const size_t slots = size_t{1} << log2_slots(records);
  auto* table = reinterpret_cast<Slot*>(scratch(slots * sizeof(Slot), slots * sizeof(Slot)));
  const size_t mask = slots - 1;
  uint64_t distinct = 0;
  for (const Counter* counter : counters) {
    counter->short_log().for_each(partition, [&](const ShortRecord& record) {
      const ShortKey key{record.low, record.high & ~(uint64_t{15} << kShortWeightBits)};
      const uint64_t weight = short_weight(static_cast<uint32_t>(record.high >> kShortWeightBits));
      // The lowest bits chose the bucket of the hot table, the highest the partition: these are still evenly spread.
      for (size_t i = hash_of(key) >> 8 & mask;; i = (i + 1) & mask) {
        Slot& slot = table[i];
        if (slot.count == 0) {
          slot = {key, weight};
          ++distinct;
          return;
        }
        if (((slot.key.low ^ key.low) | (slot.key.high ^ key.high)) == 0) {
          slot.count += weight;
          return;
        }
      }
    });
  }
  distinct_ += distinct;
  for (size_t i = 0; i < slots; ++i) {
    if (table[i].count < top_.count_min()) continue;
    char word[sizeof(ShortKey)];
    std::memcpy(word, &table[i].key, sizeof(ShortKey));
    top_.offer(table[i].count, std::string_view(word, static_cast<uint8_t>(word[kShortBytesMax])));
  }
}

std::string_view Folder::view(LongWord word) const {
  const char* begin = text_ + word.position();
  if (word.bytes_known()) return {begin, word.bytes_clipped()};
  const char* end = begin;
  while (end < text_ + text_bytes_ && !MappedText::is_space(*end)) ++end;
  return {begin, static_cast<size_t>(end - begin)};
}

// A record whose tag is in the table is almost always that word again, but only the text can say so, and it lies
// anywhere: such records are put aside, the text of both is asked for, and a group later they are compared.
void Folder::fold_long(const std::vector<const Counter*>& counters, size_t partition) {
  struct Suspect {
    size_t slot;
    uint32_t tag;
    LongWord word;
    uint64_t weight;
  };
  constexpr size_t kGroup = 64;
  constexpr size_t kPrefetchBytesMax = 200;

  size_t records = 0;
  for (const Counter* counter : counters) records += counter->long_log().records_max(partition);
  if (records == 0) return;
  const size_t slots = size_t{1} << log2_slots(records);
  char* memory = scratch(slots * sizeof(LongSlot) + (records + 1) * sizeof(LongEntry), slots * sizeof(LongSlot));
  auto* table = reinterpret_cast<LongSlot*>(memory);
  auto* entries = reinterpret_cast<LongEntry*>(memory + slots * sizeof(LongSlot));
  const size_t mask = slots - 1;
  uint32_t distinct = 0;
  Suspect suspects[kGroup];
  size_t suspect_count = 0;

  const auto ask_for = [&](LongWord word) {
    const char* begin = text_ + word.position();
    __builtin_prefetch(begin);
    __builtin_prefetch(begin + std::min(word.bytes_clipped(), kPrefetchBytesMax));
  };
  const auto insert = [&](size_t slot, uint32_t tag, LongWord word, uint64_t weight) {
    entries[++distinct] = {word, weight};
    table[slot] = {tag, distinct};
  };
  const auto settle = [&] {
    for (size_t s = 0; s < suspect_count; ++s) {
      const Suspect& suspect = suspects[s];
      const std::string_view word = view(suspect.word);
      for (size_t i = suspect.slot;; i = (i + 1) & mask) {
        if (table[i].entry == 0) {
          insert(i, suspect.tag, suspect.word, suspect.weight);
          break;
        }
        if (table[i].tag != suspect.tag) continue;
        LongEntry& entry = entries[table[i].entry];
        const std::string_view other = view(entry.word);
        if (other.size() == word.size() && equal_long(other.data(), word.data(), word.size())) {
          entry.count += suspect.weight;
          break;
        }
      }
    }
    suspect_count = 0;
  };

  for (const Counter* counter : counters) {
    counter->long_log().for_each(partition, [&](const LongRecord& record) {
      const LongWord word = LongWord::unpack(record.word_low | uint64_t{record.word_high_weight & 0xffffff} << 32);
      const uint64_t weight = long_weight(record.word_high_weight >> 24);
      for (size_t i = record.tag >> 4 & mask;; i = (i + 1) & mask) {
        if (table[i].entry == 0) {
          insert(i, record.tag, word, weight);
          return;
        }
        if (table[i].tag == record.tag) {
          ask_for(word);
          ask_for(entries[table[i].entry].word);
          suspects[suspect_count++] = {i, record.tag, word, weight};
          if (suspect_count == kGroup) settle();
          return;
        }
      }
    });
  }
  settle();
  distinct_ += distinct;
  for (uint32_t i = 1; i <= distinct; ++i) {
    if (entries[i].count >= top_.count_min()) top_.offer(entries[i].count, view(entries[i].word));
  }
}

}  // namespace fanfold::bound
