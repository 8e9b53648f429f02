// presized_merge.h: the merge of packed bundles written by hand, the yardstick of the engine's own: parts cut by the
// senders, hashes sent, tables presized from the counts in the headers, slots prefetched, two threads over the parts.
// It reads the very bytes that the engine folds, but knows one fold alone, the sum of 64-bit counts, and keys of less
// than 64 KiB.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace fanfold::bench {

struct TallyRow {
  uint64_t count = 0;
  std::string key;
  bool operator==(const TallyRow&) const = default;
};

struct MergeOutcome {
  uint64_t entries = 0;       // distinct keys
  std::vector<TallyRow> top;  // by count descending, then by key
};

// One bundle: its parts as Table packs them.
using BundleParts = std::vector<std::span<const uint8_t>>;

class PresizedMerge {
 public:
  enum class Memory {
    kEveryTable,  // all parts' tables are there in the end, a total to be used further
    kOneTable     // a thread's table is used again for its next part, once the top is taken from it
  };

  PresizedMerge(std::vector<BundleParts> bundles, Memory memory, unsigned threads);
  ~PresizedMerge();

  // Merges all bundles and gives the first `limit` rows. May be called again; memory is warm then.
  MergeOutcome run(size_t limit);

 private:
  struct Slot;
  class Mapping;

  std::vector<BundleParts> bundles_;
  unsigned threads_;
  size_t parts_;
  std::vector<size_t> entries_;                     // of each part, all bundles together
  std::vector<Slot*> tables_;                       // of each part, or of each thread
  std::vector<std::unique_ptr<Mapping>> mappings_;  // what they lie in
  Memory memory_;
};

}  // namespace fanfold::bench
