#include "engine/fold/row_sink.h"

#include <algorithm>
#include <new>
#include <string>
#include <utility>

#include "engine/assertion.h"
#include "engine/fold/parallel.h"
#include "engine/protocol/row_batch.h"

namespace fanfold {
namespace {

// Beyond this limit keeping only the best costs more than it saves: everything is kept, then sorted.
constexpr std::uint64_t kTopRowsMax = 1'000'000;
// A writer lets this many rows pile up above twice the limit before it throws the worst away.
constexpr std::uint64_t kPruneSlack = 1024;

Failure out_of_memory(std::uint64_t bytes_held) {
  return {ExitCode::kJobFailed, "the result rows do not fit the memory budget, " + std::to_string(bytes_held >> 20) +
                                    " MiB of them are held; raise --memory, or ask for fewer rows with --limit."};
}

}  // namespace

class RowSink::Writer {
 public:
  explicit Writer(RowSink& sink)
      : sink_(sink),
        limit_(sink.schema_.limit <= kTopRowsMax ? sink.schema_.limit : 0),
        kept_(sink.memory_),
        survivors_(sink.memory_) {
    rows_.size = sizeof rows_;
    rows_.has_cutoff = limit_ != 0 && sink.order_.has_integer_first() ? 1 : 0;
    rows_.context = this;
    rows_.emit = [](void* context, const fanfold_batch* batch) -> std::int32_t {
      auto* writer = static_cast<Writer*>(context);
      try {
        return writer->append(*batch);
      } catch (const std::bad_alloc&) {  // no exception crosses the boundary
        writer->sink_.fail(out_of_memory(writer->sink_.bytes_held()));
        return FANFOLD_EXHAUSTED;
      }
    };
    rows_.cutoff = reinterpret_cast<const std::uint64_t*>(&sink.value_cutoff_);
  }

  [[nodiscard]] const fanfold_rows* rows() const { return &rows_; }
  [[nodiscard]] std::uint64_t rows_emitted() const { return rows_emitted_.load(std::memory_order_relaxed); }
  [[nodiscard]] bool keeps_entries() const { return limit_ != 0; }
  [[nodiscard]] const std::vector<RowEntry>& entries() const { return entries_; }
  [[nodiscard]] RowStore& kept() { return kept_; }

 private:
  std::int32_t append(const fanfold_batch& batch) {
    if (Status checked = check_batch(sink_.schema_, batch); !checked) {
      sink_.fail(checked.failure());
      return FANFOLD_FAILED;
    }
    rows_emitted_.store(rows_emitted() + batch.rows, std::memory_order_relaxed);
    const RowLayout& layout = sink_.order_.layout();
    for (std::uint64_t row = 0; row < batch.rows; ++row) {
      std::uint64_t key = 0;
      if (limit_ != 0) {
        key = sink_.order_.key(batch, row);
        if (key > sink_.key_cutoff_.load(std::memory_order_relaxed)) continue;
      }
      const std::uint64_t row_bytes = layout.stored_bytes(batch, row);
      if (row_bytes > kRowBytesMax) {
        sink_.fail({ExitCode::kJobFailed, "the job gave a result row of " + std::to_string(row_bytes) +
                                              " bytes, the most is " + std::to_string(kRowBytesMax) +
                                              ". Let it answer in more and shorter rows."});
        return FANFOLD_FAILED;
      }
      std::byte* stored = kept_.append(row_bytes);
      if (stored == nullptr) {
        sink_.fail(out_of_memory(sink_.bytes_held()));
        return FANFOLD_EXHAUSTED;
      }
      layout.store(batch, row, row_bytes, stored);
      if (limit_ == 0) continue;
      const RowEntry entry{key, stored};
      if (worst_.row != nullptr && !sink_.order_.before(entry, worst_)) {
        kept_.take_back(row_bytes);
        continue;
      }
      entries_.push_back(entry);
      if (entries_.size() >= 2 * limit_ + kPruneSlack && !prune()) {
        sink_.fail(out_of_memory(sink_.bytes_held()));
        return FANFOLD_EXHAUSTED;
      }
    }
    return FANFOLD_OK;
  }

  // Keeps the best `limit_` rows, copied together, and tells the others how bad the worst of them is.
  [[nodiscard]] bool prune() {
    const auto last = entries_.begin() + static_cast<std::ptrdiff_t>(limit_ - 1);
    std::nth_element(entries_.begin(), last, entries_.end(),
                     [this](const RowEntry& a, const RowEntry& b) { return sink_.order_.before(a, b); });
    entries_.resize(limit_);
    for (RowEntry& entry : entries_) {
      const std::uint64_t row_bytes = RowLayout::row_bytes(entry.row);
      std::byte* copy = survivors_.append(row_bytes);
      if (copy == nullptr) return false;
      std::memcpy(copy, entry.row, row_bytes);
      entry.row = copy;
    }
    kept_.clear();
    std::swap(kept_, survivors_);
    worst_ = entries_.back();
    sink_.tighten(worst_.key);
    return true;
  }

  RowSink& sink_;
  std::uint64_t limit_;  // 0: everything is kept
  fanfold_rows rows_{};
  std::atomic<std::uint64_t> rows_emitted_{0};
  RowStore kept_;
  RowStore survivors_;  // empty between prunes; its blocks stay warm
  std::vector<RowEntry> entries_;
  RowEntry worst_;  // of the limit_ best so far
};

RowSink::RowSink(Schema schema, const fanfold_memory* memory)
    : schema_(std::move(schema)),
      order_(schema_),
      memory_(std::make_shared<BlockMemory>(memory)),
      key_cutoff_(~std::uint64_t{0}),
      value_cutoff_(order_.loosest_value()) {
  static_assert(sizeof(std::atomic<std::uint64_t>) == sizeof(std::uint64_t));
}

RowSink::~RowSink() = default;

RowSink::Lent::Lent(Lent&& other) noexcept : sink_(other.sink_), writer_(std::exchange(other.writer_, nullptr)) {}

RowSink::Lent::~Lent() {
  if (writer_ == nullptr) return;
  const std::lock_guard lock(sink_->mutex_);
  sink_->idle_.push_back(writer_);
}

const fanfold_rows* RowSink::Lent::rows() const {
  return writer_->rows();
}

RowSink::Lent RowSink::writer() {
  const std::lock_guard lock(mutex_);
  if (idle_.empty()) {
    writers_.push_back(std::make_unique<Writer>(*this));
    idle_.reserve(writers_.size());  // giving back must not fail
    return {*this, *writers_.back()};
  }
  Writer* writer = idle_.back();
  idle_.pop_back();
  return {*this, *writer};
}

std::uint64_t RowSink::rows_emitted() const {
  const std::lock_guard lock(mutex_);
  std::uint64_t rows = 0;
  for (const auto& writer : writers_) rows += writer->rows_emitted();
  return rows;
}

std::uint64_t RowSink::bytes_held() const {
  return memory_->bytes_held();
}

std::optional<Failure> RowSink::failure() const {
  const std::lock_guard lock(mutex_);
  return failure_;
}

void RowSink::fail(Failure failure) {
  const std::lock_guard lock(mutex_);
  if (!failure_) failure_ = std::move(failure);
}

// A writer holds `limit` rows with keys up to `key`: no row above it is among the wanted ones.
void RowSink::tighten(std::uint64_t key) {
  std::uint64_t known = key_cutoff_.load(std::memory_order_relaxed);
  while (key < known && !key_cutoff_.compare_exchange_weak(known, key, std::memory_order_relaxed)) {
  }
  if (!order_.has_integer_first()) return;
  // The highest key is a null's as well as a value's; then the value says nothing.
  if (key == ~std::uint64_t{0}) return;
  std::uint64_t value = value_cutoff_.load(std::memory_order_relaxed);
  while (key < order_.key_of_value(value) &&
         !value_cutoff_.compare_exchange_weak(value, order_.value_of_key(key), std::memory_order_relaxed)) {
  }
}

Result<OrderedRows> RowSink::order() {
  const std::lock_guard lock(mutex_);
  FANFOLD_ASSERT(idle_.size() == writers_.size(), "rows are ordered while a writer is lent out");
  if (failure_) return *failure_;
  const bool has_entries = !writers_.empty() && writers_.front()->keeps_entries();
  const std::uint64_t cutoff = key_cutoff_.load(std::memory_order_relaxed);

  // Where each block's rows go in the array of entries, so that blocks are walked in parallel.
  struct Piece {
    const RowStore::Filled* block;
    std::uint64_t first;
  };
  std::vector<Piece> pieces;
  std::uint64_t count = 0;
  for (const auto& writer : writers_) {
    if (has_entries) {
      count +=
          static_cast<std::uint64_t>(std::count_if(writer->entries().begin(), writer->entries().end(),
                                                   [cutoff](const RowEntry& entry) { return entry.key <= cutoff; }));
    } else {
      for (const RowStore::Filled& filled : writer->kept().blocks()) {
        pieces.push_back({&filled, count});
        count += filled.rows;
      }
    }
  }
  std::optional<RowEntries> entries = RowEntries::allocate(memory_, count);
  if (!entries) return out_of_memory(memory_->bytes_held());
  const std::span<RowEntry> all = entries->span();
  if (has_entries) {
    auto out = all.begin();
    for (const auto& writer : writers_) {
      out = std::copy_if(writer->entries().begin(), writer->entries().end(), out,
                         [cutoff](const RowEntry& entry) { return entry.key <= cutoff; });
    }
  } else {
    parallel_each(pieces.size(), [&](std::size_t i) {
      const std::byte* row = pieces[i].block->block.data();
      const std::byte* end = row + pieces[i].block->used_bytes;
      for (auto out = all.begin() + static_cast<std::ptrdiff_t>(pieces[i].first); row != end;
           row += RowLayout::row_bytes(row), ++out) {
        *out = {order_.key(row), row};
      }
    });
  }
  const std::uint64_t wanted = schema_.limit == 0 ? count : std::min(count, schema_.limit);
  order_.sort(all, wanted);
  entries->truncate(wanted);

  std::vector<RowStore> stores;
  for (const auto& writer : writers_) stores.push_back(std::move(writer->kept()));
  idle_.clear();
  writers_.clear();
  return OrderedRows(schema_, std::move(stores), std::move(*entries));
}

Status OrderedRows::for_each_batch(const std::function<Status(const fanfold_batch&)>& read) const {
  struct ColumnBuffers {
    std::vector<std::uint64_t> words;
    std::vector<std::int32_t> offsets;
    std::vector<char> bytes;
    std::vector<std::uint8_t> validity;
  };
  const RowLayout layout(schema_);
  const std::size_t columns = layout.columns();
  std::vector<ColumnBuffers> buffers(columns);
  std::vector<fanfold_column_data> data(columns);
  std::vector<const std::byte*> rows;
  const std::span<const RowEntry> entries = rows_.span();

  for (std::size_t begin = 0; begin < entries.size(); begin += rows.size()) {
    rows.clear();
    for (std::uint64_t bytes = 0; rows.size() < kBatchRowsMax && bytes < kBatchBytesMax;) {
      const std::size_t at = begin + rows.size();
      if (at == entries.size()) break;
      // Rows lie anywhere: each costs a cache miss unless it is asked for in time.
      constexpr std::size_t kAhead = 32;
      if (at + kAhead < entries.size()) __builtin_prefetch(entries[at + kAhead].row);
      bytes += RowLayout::row_bytes(entries[at].row);
      rows.push_back(entries[at].row);
    }
    // Column by column from here on: the batch's rows are in the cache.
    for (std::size_t i = 0; i < columns; ++i) {
      ColumnBuffers& column = buffers[i];
      column.validity.assign((rows.size() + 7) / 8, 0);
      std::size_t present = 0;
      for (std::size_t row = 0; row < rows.size(); ++row) {
        const unsigned bit = layout.present(rows[row], i) ? 1 : 0;
        column.validity[row / 8] = static_cast<std::uint8_t>(column.validity[row / 8] | bit << (row % 8));
        present += bit;
      }
      if (is_bytes(layout.type(i))) {
        column.offsets.resize(rows.size() + 1);
        std::size_t size = 0;
        for (std::size_t row = 0; row < rows.size(); ++row) {
          column.offsets[row] = static_cast<std::int32_t>(size);
          size += layout.bytes(rows[row], i).size();  // a null has none
        }
        column.offsets[rows.size()] = static_cast<std::int32_t>(size);
        column.bytes.resize(size);
        for (std::size_t row = 0; row < rows.size(); ++row) {
          const std::string_view bytes = layout.bytes(rows[row], i);
          std::copy(bytes.begin(), bytes.end(), column.bytes.begin() + column.offsets[row]);
        }
        data[i] = {column.bytes.data(), column.offsets.data(), nullptr};
      } else {
        column.words.resize(rows.size());
        for (std::size_t row = 0; row < rows.size(); ++row) column.words[row] = layout.word(rows[row], i);
        data[i] = {column.words.data(), nullptr, nullptr};
      }
      if (present != rows.size()) data[i].validity = column.validity.data();
    }
    const fanfold_batch batch{sizeof batch, static_cast<std::uint32_t>(columns), rows.size(), data.data()};
    if (Status status = read(batch); !status) return status;
  }
  return success();
}

}  // namespace fanfold
