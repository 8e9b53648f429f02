// record_log.h: what falls out of a hot table: small records, appended to one list of chunks per hash partition.
// Nothing is looked up while a thread reads text. When all have read, a partition's records are folded together in
// a table that fits the L2 cache; so a word that is evicted costs one streamed write and one streamed read.
#pragma once

#include <sys/mman.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <new>
#include <vector>

namespace fanfold::bound {

constexpr size_t kHugePageBytes = size_t{2} << 20;

// Address space for the worst case, taken from the front: only what is written becomes memory, in huge pages.
class Arena {
 public:
  explicit Arena(size_t bytes) : bytes_(bytes + kHugePageBytes) {
    base_ = mmap(nullptr, bytes_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (base_ == MAP_FAILED) throw std::bad_alloc();
    const auto address = reinterpret_cast<uintptr_t>(base_);
    next_ = static_cast<char*>(base_) + (-address & (kHugePageBytes - 1));
    // Refused where there are no huge pages; small ones do, at about twice the time.
    madvise(next_, bytes, MADV_HUGEPAGE);
  }
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;
  ~Arena() { munmap(base_, bytes_); }

  // Zeroed memory; the caller has given the arena's size so that it suffices. `bytes` keeps the alignment of what
  // follows.
  char* take(size_t bytes) {
    char* taken = next_;
    next_ += bytes;
    return taken;
  }

 private:
  size_t bytes_;
  void* base_;
  char* next_;
};

// Lists of fixed-size records in chunks. A chunk begins at a multiple of its size, so a write position that is one
// says "full" by itself, and a partition's whole state while writing is one pointer.
template <class Record>
class RecordLog {
 public:
  static constexpr size_t kChunkBytes = 4096;

  RecordLog(Arena& arena, int log2_partitions)
      : arena_(&arena), write_(size_t{1} << log2_partitions), first_(size_t{1} << log2_partitions) {}

  // What a log over `text_bytes` of text can need, when a record stands for at least `word_bytes` of it.
  static size_t bytes_max(size_t text_bytes, size_t word_bytes, int log2_partitions) {
    const size_t records = text_bytes / word_bytes + 1;
    return (records / kRecords + 1 + (size_t{1} << log2_partitions)) * kChunkBytes;
  }

  void append(size_t partition, const Record& record) {
    char* write = write_[partition];
    if ((reinterpret_cast<uintptr_t>(write) & (kChunkBytes - 1)) == 0) [[unlikely]] {
      write = begin_chunk(partition, write);
    }
    std::memcpy(write, &record, sizeof(Record));
    char* next = write + sizeof(Record);
    write_[partition] = next;
    // The next cache line is asked for one line ahead: a thousand lists are written in turn, and each first write to
    // a line would otherwise wait for memory.
    if (((reinterpret_cast<uintptr_t>(write) ^ reinterpret_cast<uintptr_t>(next)) & kLineBytes) != 0) {
      __builtin_prefetch(next + kLineBytes, 1);
    }
  }

  // An upper bound, exact to a chunk.
  size_t records_max(size_t partition) const {
    size_t records = 0;
    for (const Chunk* chunk = first_[partition]; chunk != nullptr; chunk = chunk->next) records += kRecords;
    return records;
  }

  template <class Visit>
  void for_each(size_t partition, Visit&& visit) const {
    for (const Chunk* chunk = first_[partition]; chunk != nullptr; chunk = chunk->next) {
      const char* end = write_[partition];
      if (chunk->next != nullptr) {
        end = reinterpret_cast<const char*>(chunk) + kChunkBytes;
        // The hardware's prefetcher stops where a chunk ends.
        for (size_t line = 0; line < 8; ++line) {
          __builtin_prefetch(reinterpret_cast<const char*>(chunk->next) + line * kLineBytes);
        }
      }
      for (const char* read = reinterpret_cast<const char*>(chunk + 1); read < end; read += sizeof(Record)) {
        Record record;
        std::memcpy(&record, read, sizeof(Record));
        visit(record);
      }
    }
  }

 private:
  static constexpr uintptr_t kLineBytes = 64;
  struct alignas(16) Chunk {
    Chunk* next;
  };
  static constexpr size_t kRecords = (kChunkBytes - sizeof(Chunk)) / sizeof(Record);
  static_assert(sizeof(Chunk) + kRecords * sizeof(Record) == kChunkBytes, "a full chunk ends where the next begins");

  [[gnu::noinline]] char* begin_chunk(size_t partition, char* end_of_last) {
    auto* chunk = new (arena_->take(kChunkBytes)) Chunk{nullptr};
    if (end_of_last == nullptr) {
      first_[partition] = chunk;
    } else {
      reinterpret_cast<Chunk*>(end_of_last - kChunkBytes)->next = chunk;
    }
    return reinterpret_cast<char*>(chunk + 1);
  }

  Arena* arena_;
  std::vector<char*> write_;
  std::vector<Chunk*> first_;
};

}  // namespace fanfold::bound
