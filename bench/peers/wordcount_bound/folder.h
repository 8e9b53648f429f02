// folder.h: what one thread does when all text is read: the logs of whole partitions into a table, and the top of it.
// A partition is folded by one thread, in memory that it uses again for the next; only candidates for the top remain.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "counter.h"
#include "text.h"

namespace fanfold::bound {

struct Row {
  uint64_t count;
  std::string word;
  // Orders by count descending, then by word ascending.
  bool operator<(const Row& other) const { return count != other.count ? count > other.count : word < other.word; }
};

// The best `limit` rows of those offered.
class TopRows {
 public:
  explicit TopRows(size_t limit) : limit_(limit) {}
  // Below this a row cannot be among them; to be asked before a word is made.
  uint64_t count_min() const { return count_min_; }
  void offer(uint64_t count, std::string_view word);
  const std::vector<Row>& rows() const { return heap_; }

 private:
  size_t limit_;
  uint64_t count_min_ = 1;
  std::vector<Row> heap_;  // the worst row is in front
};

class Folder {
 public:
  Folder(const MappedText& text, size_t limit) : text_(text.data()), text_bytes_(text.size()), top_(limit) {}
  Folder(Folder&&) = delete;
  ~Folder();

  void fold_short(const std::vector<const Counter*>& counters, size_t partition);
  void fold_long(const std::vector<const Counter*>& counters, size_t partition);

  const std::vector<Row>& rows() const { return top_.rows(); }
  uint64_t distinct() const { return distinct_; }

 private:
  struct LongEntry {
    LongWord word;
    uint64_t count;
  };
  struct LongSlot {
    uint32_t tag;
    uint32_t entry;  // 0: free
  };

  // At least `bytes` of memory on huge pages, its first `zeroed` bytes zero.
  char* scratch(size_t bytes, size_t zeroed);
  std::string_view view(LongWord word) const;

  const char* text_;
  uint64_t text_bytes_;
  TopRows top_;
  uint64_t distinct_ = 0;
  char* scratch_ = nullptr;
  size_t scratch_bytes_ = 0;
};

}  // namespace fanfold::bound
