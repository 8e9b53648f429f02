// groups.h: Groups, the partial of `stats`: a table from keys to runs, of the run size that the query's layout needs.
// It has the face of a Table, as job.hpp asks of a partial of the job's own; every call sets the layout.
#pragma once

#include <fanfold/abi.h>
#include <fanfold/rows.h>
#include <fanfold/slice.h>
#include <fanfold/table.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

#include "jobs/stats/query.h"
#include "jobs/stats/row_values.h"

namespace fanfold::stats {

// A group's states may take so many bytes.
inline constexpr std::size_t kRunBytesMax = 1008;

// A table of runs of one size, behind one call a batch or part.
class GroupTable {
 public:
  virtual ~GroupTable() = default;
  // Adds rows to the groups of their keys, which lie in `text` (16 bytes behind each may be read).
  virtual void add(const Query& query, const char* text, std::span<const Slice> keys, const RowValues& values) = 0;
  // Adds rows to the only group there is, that of no keys.
  virtual void add_to_one(const Query& query, std::size_t rows, const RowValues& values) = 0;
  virtual fanfold_extent seal() = 0;
  virtual void reset() = 0;
  virtual void merge(GroupTable& right, unsigned work_part) = 0;
  [[nodiscard]] virtual fanfold_extent extent(unsigned log2_parts, unsigned part) = 0;
  virtual void pack(unsigned log2_parts, unsigned part, std::uint8_t* out) = 0;
  [[nodiscard]] virtual bool check(unsigned log2_parts, unsigned part, std::span<const std::uint8_t> bytes,
                                   fanfold_extent* extent) const = 0;
  virtual void reserve(unsigned log2_parts, unsigned part, const fanfold_extent& extent) = 0;
  [[nodiscard]] virtual bool fold(unsigned log2_parts, unsigned part, unsigned packed_log2_parts,
                                  std::span<const std::uint8_t> bytes) = 0;
  virtual void release_part(unsigned log2_parts, unsigned part) = 0;
  // Tells how many rows were emitted.
  virtual std::uint64_t emit(const Query& query, unsigned log2_parts, unsigned part, Rows& rows) = 0;
  virtual std::uint64_t emit_packed(const Query& query, std::span<const std::uint8_t> bytes, Rows& rows) const = 0;
  virtual void digest(std::span<const std::uint8_t> bytes, std::uint64_t digest[2]) const = 0;

  // The layout has at most kRunBytesMax bytes.
  static std::unique_ptr<GroupTable> make(const Layout& layout, const fanfold_memory* memory);
};

class Groups {
 public:
  Groups(const Query& query, const fanfold_memory* memory)
      : query_(&query), table_(GroupTable::make(query.layout(), memory)) {}
  Groups(Groups&&) = delete;
  ~Groups() {
    const LayoutScope scope(query_->layout());
    table_.reset();
  }

  void add(const char* text, std::span<const Slice> keys, const RowValues& values) {
    const LayoutScope scope(query_->layout());
    table_->add(*query_, text, keys, values);
  }
  void add_to_one(std::size_t rows, const RowValues& values) {
    const LayoutScope scope(query_->layout());
    table_->add_to_one(*query_, rows, values);
  }

  // ---- what a keyed partial has (job.hpp) ----

  static constexpr bool keyed = true;

  fanfold_extent seal() {
    const LayoutScope scope(query_->layout());
    return table_->seal();
  }
  void reset() {
    const LayoutScope scope(query_->layout());
    table_->reset();
  }
  void merge(Groups& right, unsigned work_part) {
    const LayoutScope scope(query_->layout());
    table_->merge(*right.table_, work_part);
  }
  [[nodiscard]] fanfold_extent extent(unsigned log2_parts, unsigned part) {
    const LayoutScope scope(query_->layout());
    return table_->extent(log2_parts, part);
  }
  void pack(unsigned log2_parts, unsigned part, std::uint8_t* out) {
    const LayoutScope scope(query_->layout());
    table_->pack(log2_parts, part, out);
  }
  void reserve(unsigned log2_parts, unsigned part, const fanfold_extent& extent) {
    const LayoutScope scope(query_->layout());
    table_->reserve(log2_parts, part, extent);
  }
  [[nodiscard]] bool fold(unsigned log2_parts, unsigned part, unsigned packed_log2_parts,
                          std::span<const std::uint8_t> bytes) {
    const LayoutScope scope(query_->layout());
    return table_->fold(log2_parts, part, packed_log2_parts, bytes);
  }
  void release_part(unsigned log2_parts, unsigned part) {
    const LayoutScope scope(query_->layout());
    table_->release_part(log2_parts, part);
  }
  [[nodiscard]] bool check(unsigned log2_parts, unsigned part, std::span<const std::uint8_t> bytes,
                           fanfold_extent* extent) const {
    const LayoutScope scope(query_->layout());
    return table_->check(log2_parts, part, bytes, extent);
  }
  void digest(std::span<const std::uint8_t> bytes, std::uint64_t digest[2]) const {
    const LayoutScope scope(query_->layout());
    table_->digest(bytes, digest);
  }

  // One part of a total, or packed bytes that check() has passed.
  class Part {
   public:
    // Emits the rows; tells how many there were.
    std::uint64_t emit(Rows& rows) const {
      const LayoutScope scope(groups_->query_->layout());
      const Query& query = *groups_->query_;
      return packed_.empty() ? groups_->table_->emit(query, log2_parts_, part_, rows)
                             : groups_->table_->emit_packed(query, packed_, rows);
    }
    [[nodiscard]] unsigned log2_parts() const { return log2_parts_; }
    [[nodiscard]] unsigned number() const { return part_; }

   private:
    friend class Groups;
    Part(const Groups* groups, unsigned log2_parts, unsigned part, std::span<const std::uint8_t> packed)
        : groups_(groups), log2_parts_(log2_parts), part_(part), packed_(packed) {}
    const Groups* groups_;
    unsigned log2_parts_;
    unsigned part_;
    std::span<const std::uint8_t> packed_;
  };
  [[nodiscard]] Part part(unsigned log2_parts, unsigned part) const { return {this, log2_parts, part, {}}; }
  [[nodiscard]] Part packed_part(unsigned log2_parts, unsigned part, std::span<const std::uint8_t> bytes) const {
    return {this, log2_parts, part, bytes};
  }

 private:
  const Query* query_;
  std::unique_ptr<GroupTable> table_;
};

}  // namespace fanfold::stats
