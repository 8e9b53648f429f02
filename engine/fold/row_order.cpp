#include "engine/fold/row_order.h"

#include <algorithm>
#include <bit>
#include <optional>

#include "engine/fold/decimal_order.h"
#include "engine/fold/parallel.h"
#include "engine/protocol/row_batch.h"

namespace fanfold {
namespace {

constexpr std::uint64_t kSignBit = std::uint64_t{1} << 63;
constexpr std::uint64_t kNullKey = ~std::uint64_t{0};
// NaN; every other value of those types lies below.
constexpr std::uint64_t kUnorderedKey = kUnorderedDecimalKey;

// Sorting by comparison is as good below, and needs no second look at the rows.
constexpr std::size_t kSmallRun = 48;
// Below this many entries a parallel step costs more than it saves.
constexpr std::size_t kParallelEntries = 16 * 1024;
// Entries of equal runs handed to one task.
constexpr std::size_t kRunGrain = 32 * 1024;
// Levels of equal keys looked through before plain comparison takes over; bounds the recursion.
constexpr unsigned kDepthMax = 24;

std::uint64_t text_key(std::string_view text, std::uint64_t offset) {
  if (offset >= text.size()) return 0;
  std::uint64_t key = 0;
  std::memcpy(&key, text.data() + offset, std::min<std::size_t>(8, text.size() - offset));
  static_assert(std::endian::native == std::endian::little);
  return __builtin_bswap64(key);
}

// A number that orders as the doubles do, -0 below +0; above them all for NaN.
std::uint64_t double_key(std::uint64_t bits) {
  if ((bits & ~kSignBit) > 0x7ff0000000000000) return kUnorderedKey;
  return (bits & kSignBit) != 0 ? ~bits : bits | kSignBit;
}

std::uint64_t value_key(ColumnType type, bool descending, std::uint64_t word, std::string_view bytes,
                        std::uint64_t offset) {
  std::uint64_t key = 0;
  switch (type) {
    case ColumnType::kText:
      key = text_key(bytes, offset);
      break;
    case ColumnType::kInt64:
      key = word ^ kSignBit;
      break;
    case ColumnType::kUint64:
      key = word;
      break;
    case ColumnType::kFloat64:
      key = double_key(word);
      if (key == kUnorderedKey) return key;
      break;
    case ColumnType::kDecimal:
      key = decimal_key(bytes);
      if (key == kUnorderedKey) return key;
      break;
  }
  return descending ? ~key : key;
}

// Sorts by key alone, in place: entries are dealt into buckets by the leading bits in which their keys
// differ (American flag sort), the buckets sorted in parallel. Skewed keys, many ones and few large
// counts, cost a pass for each ten bits and no comparison.
void sort_by_key(std::span<RowEntry> entries) {
  constexpr unsigned kBucketBits = 10;
  constexpr std::size_t kBuckets = std::size_t{1} << kBucketBits;
  const auto by_key = [](const RowEntry& a, const RowEntry& b) { return a.key < b.key; };
  if (entries.size() < kParallelEntries) {
    std::sort(entries.begin(), entries.end(), by_key);
    return;
  }
  const auto [least, most] = std::minmax_element(entries.begin(), entries.end(), by_key);
  const std::uint64_t base = least->key;
  const auto width = static_cast<unsigned>(std::bit_width(most->key - base));
  if (width == 0) return;
  const unsigned shift = width > kBucketBits ? width - kBucketBits : 0;
  std::vector<std::size_t> ends(kBuckets, 0);
  for (const RowEntry& entry : entries) ++ends[(entry.key - base) >> shift];
  std::vector<std::size_t> next(kBuckets, 0);
  std::size_t sum = 0;
  for (std::size_t i = 0; i < kBuckets; ++i) {
    next[i] = sum;
    sum += ends[i];
    ends[i] = sum;
  }
  for (std::size_t bucket = 0; bucket < kBuckets; ++bucket) {
    while (next[bucket] != ends[bucket]) {
      RowEntry entry = entries[next[bucket]];
      std::size_t home = (entry.key - base) >> shift;
      while (home != bucket) {
        std::swap(entry, entries[next[home]++]);
        home = (entry.key - base) >> shift;
      }
      entries[next[bucket]++] = entry;
    }
  }
  if (shift == 0) return;
  parallel_each(kBuckets, [&](std::size_t bucket) {
    const std::size_t begin = bucket == 0 ? 0 : ends[bucket - 1];
    if (ends[bucket] - begin > 1) sort_by_key(entries.subspan(begin, ends[bucket] - begin));
  });
}

// In place; halves are told apart by selection, so that equal rows do not unbalance them.
template <class Before>
void parallel_sort(std::span<RowEntry> entries, const Before& before) {
  if (entries.size() < kParallelEntries) {
    std::sort(entries.begin(), entries.end(), before);
    return;
  }
  const std::size_t middle = entries.size() / 2;
  std::nth_element(entries.begin(), entries.begin() + static_cast<std::ptrdiff_t>(middle), entries.end(), before);
  parallel_both([&] { parallel_sort(entries.first(middle), before); },
                [&] { parallel_sort(entries.subspan(middle), before); });
}

}  // namespace

std::optional<RowEntries> RowEntries::allocate(std::shared_ptr<BlockMemory> memory, std::uint64_t count) {
  RowEntries entries;
  if (count == 0) return entries;
  const std::uint64_t bytes = count * sizeof(RowEntry);
  std::byte* data = memory->allocate(bytes);
  if (data == nullptr) return std::nullopt;
  entries.block_ = RowBlock(std::move(memory), data, bytes);
  entries.count_ = count;
  return entries;
}

RowOrder::RowOrder(const Schema& schema) : layout_(schema) {
  std::vector<bool> ordered(schema.columns.size(), false);
  for (const OrderTerm& term : schema.order) {
    terms_.push_back({term.column, term.descending, schema.columns[term.column].type});
    ordered[term.column] = true;
  }
  for (std::uint32_t i = 0; i < schema.columns.size(); ++i) {
    if (!ordered[i]) terms_.push_back({i, false, schema.columns[i].type});
    has_decimals_ |= schema.columns[i].type == ColumnType::kDecimal;
  }
}

std::uint64_t RowOrder::key_at(const std::byte* row, Level level) const {
  const Term& term = terms_[level.term];
  if (!layout_.present(row, term.column)) return kNullKey;
  return is_bytes(term.type) ? value_key(term.type, term.descending, 0, layout_.bytes(row, term.column), level.offset)
                             : value_key(term.type, term.descending, layout_.word(row, term.column), {}, 0);
}

std::uint64_t RowOrder::key(const fanfold_batch& batch, std::uint64_t row) const {
  const Term& term = terms_.front();
  const fanfold_column_data& column = batch.data[term.column];
  if (!is_present(column, row)) return kNullKey;
  return is_bytes(term.type) ? value_key(term.type, term.descending, 0, bytes_at(column, row), 0)
                             : value_key(term.type, term.descending, word_at(column, row), {}, 0);
}

std::strong_ordering RowOrder::compare_from(const std::byte* left, const std::byte* right,
                                            std::size_t first_term) const {
  for (std::size_t i = first_term; i < terms_.size(); ++i) {
    const Term& term = terms_[i];
    const bool present = layout_.present(left, term.column);
    if (present != layout_.present(right, term.column)) {
      return present ? std::strong_ordering::less : std::strong_ordering::greater;
    }
    if (!present) continue;
    int order = 0;
    if (term.type == ColumnType::kText) {
      order = layout_.bytes(left, term.column).compare(layout_.bytes(right, term.column));
    } else if (term.type == ColumnType::kDecimal) {
      const std::string_view a = layout_.bytes(left, term.column);
      const std::string_view b = layout_.bytes(right, term.column);
      const std::weak_ordering by_value = compare_decimals(a, b);
      // NaN stays last, whatever the direction.
      if (by_value != 0 && term.descending && (is_unordered_decimal(a) || is_unordered_decimal(b))) {
        return by_value < 0 ? std::strong_ordering::less : std::strong_ordering::greater;
      }
      order = by_value < 0 ? -1 : by_value > 0 ? 1 : 0;
    } else {
      // The direction is in the key already.
      const std::uint64_t a = value_key(term.type, term.descending, layout_.word(left, term.column), {}, 0);
      const std::uint64_t b = value_key(term.type, term.descending, layout_.word(right, term.column), {}, 0);
      if (a != b) return a <=> b;
      continue;
    }
    if (order != 0) return (order < 0) != term.descending ? std::strong_ordering::less : std::strong_ordering::greater;
  }
  if (has_decimals_) {
    for (std::size_t i = 0; i < layout_.columns(); ++i) {
      if (layout_.type(i) != ColumnType::kDecimal || !layout_.present(left, i)) continue;
      const int order = layout_.bytes(left, i).compare(layout_.bytes(right, i));
      if (order != 0) return order < 0 ? std::strong_ordering::less : std::strong_ordering::greater;
    }
  }
  return std::strong_ordering::equal;
}

void RowOrder::sort(std::span<RowEntry> entries, std::uint64_t wanted) const {
  sort_level(entries, wanted, {0, 0}, 0);
}

// Entries carry the keys of `level` and are equal in all levels before it: sorts by key, then each run
// of equal keys by what comes after. Keys are looked at where they lie; rows are touched once a level.
void RowOrder::sort_level(std::span<RowEntry> entries, std::uint64_t wanted, Level level, unsigned depth) const {
  if (entries.size() < 2 || wanted == 0) return;
  wanted = std::min<std::uint64_t>(wanted, entries.size());
  sort_by_key(entries);
  // Tasks get whole runs: each begins at the first run that starts in its grain.
  const auto run_start = [&](std::size_t at) {
    while (at < entries.size() && at != 0 && entries[at].key == entries[at - 1].key) ++at;
    return at;
  };
  std::vector<std::size_t> starts{0};
  while (starts.back() < wanted) {
    const std::size_t next = run_start(std::min(entries.size(), starts.back() + kRunGrain));
    starts.push_back(next);
  }
  const auto sort_runs = [&](std::size_t begin, std::size_t end) {
    while (begin < end && begin < wanted) {
      std::size_t stop = begin + 1;
      while (stop < end && entries[stop].key == entries[begin].key) ++stop;
      sort_run(entries.subspan(begin, stop - begin), wanted - begin, level, depth);
      begin = stop;
    }
  };
  if (starts.size() == 2) {
    sort_runs(starts[0], starts[1]);
  } else {
    parallel_each(starts.size() - 1, [&](std::size_t i) { sort_runs(starts[i], starts[i + 1]); });
  }
}

// A run has equal keys of `level`.
void RowOrder::sort_run(std::span<RowEntry> run, std::uint64_t wanted, Level level, unsigned depth) const {
  if (run.size() < 2) return;
  const Term& term = terms_[level.term];
  if (run.size() <= kSmallRun || depth == kDepthMax || term.type == ColumnType::kDecimal) {
    return sort_by_comparing(run, level.term);
  }
  // Equal keys are equal numbers (or NaNs), or eight equal bytes of text, where there are so many. Only the
  // highest key is shared: by nulls, and by one value of some types.
  bool all_null = false;
  if (run.front().key == kNullKey) {
    const auto is_null = [&](const RowEntry& entry) { return !layout_.present(entry.row, term.column); };
    all_null = std::all_of(run.begin(), run.end(), is_null);
    if (!all_null && std::any_of(run.begin(), run.end(), is_null)) return sort_by_comparing(run, level.term);
  }
  Level next{level.term + 1, 0};
  if (term.type == ColumnType::kText && !all_null) {
    const std::uint64_t end = level.offset + 8;
    bool same_length = true;
    bool all_reach = true;
    const std::size_t length = layout_.bytes(run.front().row, term.column).size();
    for (const RowEntry& entry : run) {
      const std::size_t bytes = layout_.bytes(entry.row, term.column).size();
      same_length &= bytes == length;
      all_reach &= bytes >= end;
    }
    if (same_length && length <= end) {
      // The whole text is equal; on to the next column.
    } else if (all_reach) {
      next = {level.term, end};
    } else {
      return sort_by_comparing(run, level.term);  // bytes of zero against no bytes
    }
  }
  if (next.term == terms_.size()) {
    if (has_decimals_) sort_by_comparing(run, next.term);
    return;
  }
  const auto refine = [&](std::size_t begin, std::size_t end) {
    constexpr std::size_t kAhead = 16;
    for (std::size_t i = begin; i < end; ++i) {
      if (i + kAhead < end) __builtin_prefetch(run[i + kAhead].row);
      run[i].key = key_at(run[i].row, next);
    }
  };
  if (run.size() < kParallelEntries) {
    refine(0, run.size());
  } else {
    parallel_pieces(run.size(), kRunGrain, refine);
  }
  sort_level(run, wanted, next, depth + 1);
}

void RowOrder::sort_by_comparing(std::span<RowEntry> entries, std::size_t first_term) const {
  const auto before = [this, first_term](const RowEntry& a, const RowEntry& b) {
    return compare_from(a.row, b.row, first_term) < 0;
  };
  parallel_sort(entries, before);
}

bool RowOrder::has_integer_first() const {
  return terms_.front().type == ColumnType::kInt64 || terms_.front().type == ColumnType::kUint64;
}

// Its own inverse: complements and a flipped sign bit.
std::uint64_t RowOrder::value_of_key(std::uint64_t key) const {
  const Term& term = terms_.front();
  const std::uint64_t directed = term.descending ? ~key : key;
  return term.type == ColumnType::kInt64 ? directed ^ kSignBit : directed;
}

}  // namespace fanfold
