// memory.h: the accounted memory of a partial (abi.h's fanfold_memory) for C++: blocks, and arenas for
// bytes that live as long as their partial. Refused memory throws std::bad_alloc, which the adapter
// (job.hpp) turns into FANFOLD_EXHAUSTED.
#pragma once

#include <fanfold/abi.h>

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <new>

namespace fanfold {

// Memory for partials that no host accounts for: tests, and programs that use the SDK's types alone.
inline const fanfold_memory* unaccounted_memory() {
  static const fanfold_memory memory = {
      sizeof(fanfold_memory),
      0,
      nullptr,
      [](void*, std::uint64_t bytes) -> void* { return std::aligned_alloc(64, (bytes + 63) / 64 * 64); },
      [](void*, std::uint64_t bytes) -> void* {
        void* block = std::aligned_alloc(64, (bytes + 63) / 64 * 64);
        if (block != nullptr) std::memset(block, 0, bytes);
        return block;
      },
      [](void*, void* block, std::uint64_t) { std::free(block); },
      0,
      nullptr};
  return &memory;
}

inline void* allocate(const fanfold_memory* memory, std::uint64_t bytes) {
  void* block = memory->allocate(memory->context, bytes);
  if (block == nullptr) throw std::bad_alloc();
  return block;
}

inline void* allocate_zeroed(const fanfold_memory* memory, std::uint64_t bytes) {
  void* block = memory->allocate_zeroed(memory->context, bytes);
  if (block == nullptr) throw std::bad_alloc();
  return block;
}

inline void release(const fanfold_memory* memory, void* block, std::uint64_t bytes) {
  if (block != nullptr) memory->release(memory->context, block, bytes);
}

// Copies at least 16 bytes, most often less than a hundred: a call of memcpy costs as much as that.
inline void copy_some(char* to, const char* from, std::uint64_t bytes) {
  if (bytes > 128) {
    std::memcpy(to, from, bytes);
    return;
  }
  for (std::uint64_t at = 0; at + 16 < bytes; at += 16) std::memcpy(to + at, from + at, 16);
  std::memcpy(to + bytes - 16, from + bytes - 16, 16);
}

// Accounts for bytes that a partial holds outside of its blocks; fewer than none: given back.
inline void charge(const fanfold_memory* memory, std::int64_t bytes) {
  // An older host does not.
  if (bytes == 0 || !FANFOLD_HAS(memory, fanfold_memory, charge) || memory->charge == nullptr) return;
  if (memory->charge(memory->context, bytes) != FANFOLD_OK) throw std::bad_alloc();
}

// Hands out bytes from ever larger chunks (4 KiB to 2 MiB) and takes all of them back at once. Not
// thread-safe. rewind() keeps the chunks for the next use; free() gives them back.
class Arena {
 public:
  explicit Arena(const fanfold_memory* memory) : memory_(memory) {}
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;
  ~Arena() { free(); }

  // `alignment` is a power of two of at most 64.
  void* take(std::uint64_t bytes, std::uint64_t alignment) {
    std::uint64_t at = (used_ + alignment - 1) & ~(alignment - 1);
    if (current_ == nullptr || at + bytes > current_->bytes) {
      next_chunk(bytes);
      at = (sizeof(Chunk) + alignment - 1) & ~(alignment - 1);
    }
    used_ = at + bytes;
    return reinterpret_cast<char*>(current_) + at;
  }

  const char* copy(const char* bytes, std::uint64_t size) {
    char* to = static_cast<char*>(take(size, 1));
    std::memcpy(to, bytes, size);
    return to;
  }

  void rewind() {
    current_ = first_;
    used_ = sizeof(Chunk);
  }

  void free() {
    for (Chunk* chunk = first_; chunk != nullptr;) {
      Chunk* next = chunk->next;
      release(memory_, chunk, chunk->bytes);
      chunk = next;
    }
    first_ = current_ = nullptr;
  }

 private:
  struct alignas(64) Chunk {
    Chunk* next;
    std::uint64_t bytes;  // of the whole chunk, this header included
  };
  static constexpr std::uint64_t kFirstChunkBytes = 4096;
  static constexpr std::uint64_t kChunkBytesMax = 2U << 20;  // a huge page

  void next_chunk(std::uint64_t bytes_needed) {
    const std::uint64_t needed = bytes_needed + 2 * sizeof(Chunk);
    if (current_ != nullptr && current_->next != nullptr && current_->next->bytes >= needed) {
      current_ = current_->next;
      used_ = sizeof(Chunk);
      return;
    }
    std::uint64_t bytes = current_ == nullptr ? kFirstChunkBytes : current_->bytes * 2;
    if (bytes > kChunkBytesMax) bytes = kChunkBytesMax;
    while (bytes < needed) bytes *= 2;
    auto* chunk = new (allocate(memory_, bytes)) Chunk{nullptr, bytes};
    if (current_ == nullptr) {
      first_ = chunk;
    } else {
      chunk->next = current_->next;
      current_->next = chunk;
    }
    current_ = chunk;
    used_ = sizeof(Chunk);
  }

  const fanfold_memory* memory_;
  Chunk* first_ = nullptr;
  Chunk* current_ = nullptr;
  std::uint64_t used_ = 0;
};

}  // namespace fanfold
