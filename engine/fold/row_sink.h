// row_sink.h: where finish() puts rows, at the gatherer or at a worker, and from where they leave in order.
// Many threads append batches, each through a Writer of its own; then order() sorts in parallel on TBB
// (in the caller's arena) and the rows are read back in batches. With a limit every writer keeps only
// its best rows and all share a cutoff, so that ten of twelve million rows cost next to nothing.
// Rows are copied in; nothing of the plugin's is kept.
#pragma once

#include <fanfold/abi.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

#include "engine/failure.h"
#include "engine/fold/row_order.h"
#include "engine/fold/row_store.h"
#include "engine/protocol/schema.h"

namespace fanfold {

class OrderedRows;

class RowSink {
  class Writer;

 public:
  // Rows are ordered and limited as the schema says. `memory` (null: the process's own heap) gives the
  // blocks rows are stored in and must outlive the sink and its OrderedRows; when it refuses, emit()
  // answers FANFOLD_EXHAUSTED.
  explicit RowSink(Schema schema, const fanfold_memory* memory = nullptr);
  ~RowSink();
  RowSink(const RowSink&) = delete;
  RowSink& operator=(const RowSink&) = delete;

  // A writer for one thread at a time, taken from those given back or made anew. Any thread.
  class Lent {
   public:
    Lent(Lent&& other) noexcept;
    Lent& operator=(Lent&&) = delete;
    ~Lent();  // gives it back
    // What a plugin's finish() is handed.
    [[nodiscard]] const fanfold_rows* rows() const;

   private:
    friend class RowSink;
    Lent(RowSink& sink, Writer& writer) : sink_(&sink), writer_(&writer) {}
    RowSink* sink_;
    Writer* writer_;
  };
  [[nodiscard]] Lent writer();

  [[nodiscard]] const Schema& schema() const { return schema_; }
  // Rows offered to emit() so far, those beyond the cutoff included.
  [[nodiscard]] std::uint64_t rows_emitted() const;
  // Bytes of blocks held for rows.
  [[nodiscard]] std::uint64_t bytes_held() const;
  // The first thing that went wrong in emit(), if anything did.
  [[nodiscard]] std::optional<Failure> failure() const;

  // Ends the appending and gives the rows in order, at most `limit` of them. Once; no writer may be
  // lent out. Fails with what went wrong in emit(), or when there is no memory to sort in.
  [[nodiscard]] Result<OrderedRows> order();

 private:
  friend class Writer;
  void fail(Failure failure);
  void tighten(std::uint64_t key);

  Schema schema_;
  RowOrder order_;
  std::shared_ptr<BlockMemory> memory_;
  // Shared by all writers: rows whose key is above cannot be among the wanted ones.
  std::atomic<std::uint64_t> key_cutoff_;
  // The same as a value of the first order column, for fanfold_rows.
  std::atomic<std::uint64_t> value_cutoff_;
  mutable std::mutex mutex_;  // guards the members below
  std::vector<std::unique_ptr<Writer>> writers_;
  std::vector<Writer*> idle_;
  std::optional<Failure> failure_;
};

// The rows in order. Owns them; reading does not change it.
class OrderedRows {
 public:
  OrderedRows(OrderedRows&&) noexcept = default;
  OrderedRows& operator=(OrderedRows&&) noexcept = default;

  [[nodiscard]] std::uint64_t rows() const { return rows_.size(); }
  // Calls `read` with batches of up to kBatchRowsMax rows, about kBatchBytesMax, in order, until it
  // fails; gives its failure. The batch is gone after the call.
  Status for_each_batch(const std::function<Status(const fanfold_batch&)>& read) const;

 private:
  friend class RowSink;
  OrderedRows(Schema schema, std::vector<RowStore> stores, RowEntries rows)
      : schema_(std::move(schema)), stores_(std::move(stores)), rows_(std::move(rows)) {}
  Schema schema_;
  std::vector<RowStore> stores_;
  RowEntries rows_;
};

}  // namespace fanfold
