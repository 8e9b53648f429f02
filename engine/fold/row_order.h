// row_order.h: the one complete order of a run's rows, and sorting by it in parallel (TBB).
// First the declared order, then all remaining columns ascending; rows that are still equal have the
// same bytes. Each type's order:
//   text      bytewise
//   int64, uint64  as integers
//   float64   -inf .. -0 < +0 .. +inf
//   decimal   as exact numbers (decimal_order.h); equal numbers written differently are told apart
//             bytewise after all other columns
// `descending` reverses that. Rows without a number to compare come last in either direction, so that a
// top ten never begins with them: NaN (and decimal text that is no number) after every value, a null
// after those.
#pragma once

#include <algorithm>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "engine/fold/row_store.h"
#include "engine/protocol/schema.h"

namespace fanfold {

// A row and a number that never falls along the order; equal keys say nothing.
struct RowEntry {
  std::uint64_t key = 0;
  const std::byte* row = nullptr;
};

// Entries in memory of the host's.
class RowEntries {
 public:
  RowEntries() = default;
  // Empty when memory refuses.
  [[nodiscard]] static std::optional<RowEntries> allocate(std::shared_ptr<BlockMemory> memory, std::uint64_t count);
  [[nodiscard]] std::span<RowEntry> span() const {
    return {reinterpret_cast<RowEntry*>(block_.data()), static_cast<std::size_t>(count_)};
  }
  [[nodiscard]] std::uint64_t size() const { return count_; }
  void truncate(std::uint64_t count) { count_ = std::min(count_, count); }

 private:
  RowBlock block_;
  std::uint64_t count_ = 0;
};

class RowOrder {
 public:
  explicit RowOrder(const Schema& schema);

  [[nodiscard]] const RowLayout& layout() const { return layout_; }

  // The key of the first order column.
  [[nodiscard]] std::uint64_t key(const std::byte* row) const { return key_at(row, {0, 0}); }
  [[nodiscard]] std::uint64_t key(const fanfold_batch& batch, std::uint64_t row) const;

  [[nodiscard]] std::strong_ordering compare(const std::byte* left, const std::byte* right) const {
    return compare_from(left, right, 0);
  }
  [[nodiscard]] bool before(const RowEntry& left, const RowEntry& right) const {
    return left.key != right.key ? left.key < right.key : compare(left.row, right.row) < 0;
  }

  // Sorts entries that carry their key(); the first `wanted` places are final, the rest may be in any
  // order behind them. Runs on the caller's arena.
  void sort(std::span<RowEntry> entries, std::uint64_t wanted) const;

  // Whether the first order column is an integer, and then the value a key stands for, and the loosest.
  [[nodiscard]] bool has_integer_first() const;
  [[nodiscard]] std::uint64_t value_of_key(std::uint64_t key) const;
  [[nodiscard]] std::uint64_t loosest_value() const { return value_of_key(~std::uint64_t{0}); }
  [[nodiscard]] std::uint64_t key_of_value(std::uint64_t value) const { return value_of_key(value); }

 private:
  struct Term {
    std::uint32_t column;
    bool descending;
    ColumnType type;
  };
  // What a sorting step looks at: eight bytes of a text from `offset` on, or a whole other value.
  struct Level {
    std::size_t term;
    std::uint64_t offset;
  };

  [[nodiscard]] std::uint64_t key_at(const std::byte* row, Level level) const;
  [[nodiscard]] std::strong_ordering compare_from(const std::byte* left, const std::byte* right,
                                                  std::size_t first_term) const;
  void sort_level(std::span<RowEntry> entries, std::uint64_t wanted, Level level, unsigned depth) const;
  void sort_run(std::span<RowEntry> run, std::uint64_t wanted, Level level, unsigned depth) const;
  void sort_by_comparing(std::span<RowEntry> entries, std::size_t first_term) const;

  RowLayout layout_;
  std::vector<Term> terms_;
  bool has_decimals_ = false;
};

}  // namespace fanfold
