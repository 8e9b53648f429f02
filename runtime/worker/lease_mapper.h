// lease_mapper.h: maps the shards of one lease into a partial: the loop that calls the job, for worker slots
// and for the sequential twin. One a slot and run; it keeps the slot's reader. One thread.
//
// A lease ends early, after a whole shard, when the stop word says so; it fails with its first failing
// shard, and then what is in the partial counts for nothing.
#pragma once

#include <fanfold/abi.h>

#include <cstdint>
#include <optional>
#include <string>

#include "engine/plan/plan.h"
#include "engine/protocol/message.h"
#include "runtime/plugin/memory_pool.h"
#include "runtime/plugin/plugin.h"
#include "runtime/worker/reading/shard_reader.h"
#include "runtime/worker/slot_page.h"

namespace fanfold::worker {

// The same for a shard in every attempt, on every machine, in every run.
[[nodiscard]] constexpr std::uint64_t shard_seed(std::uint64_t index) {
  // Two rounds of multiply and xor-shift, so that neighbouring shards share no pattern.
  std::uint64_t mixed = (index + 0x9e3779b97f4a7c15U) * 0xbf58476d1ce4e5b9U;
  mixed = (mixed ^ (mixed >> 29)) * 0x94d049bb133111ebU;
  return mixed ^ (mixed >> 32);
}

struct Mapped {
  std::uint64_t actual_end = 0;  // == the lease's begin: nothing in the partial counts
  Outcome outcome = Outcome::kDone;
  std::optional<Cause> cause = {};
  std::uint64_t records = 0;
  std::uint64_t skipped = 0;  // of these
  std::uint64_t bytes = 0;    // of records, decompressed
};

class LeaseMapper {
 public:
  // `cell` and `stop` are the slot's. options.stop is set here; delimiters and head come from the job.
  LeaseMapper(const plugin::Instance& instance, const Plan& plan, ReadOptions options, SlotCell& cell,
              std::uint32_t& stop);
  LeaseMapper(const LeaseMapper&) = delete;
  LeaseMapper& operator=(const LeaseMapper&) = delete;

  // `account` is the partial's, for what is said when it is refused memory. The cell keeps the lease until
  // the caller ends it there.
  Mapped map(LeaseId lease, Interval shards, plugin::Partial& partial, const plugin::MemoryAccount& account);

 private:
  // The shards of one source, from `index` on. Both return where they stopped; not OK leaves status_.
  std::uint64_t map_range(const Source& source, const ShardSlice& first, std::uint64_t index, Interval shards,
                          fanfold_partial* partial);
  std::uint64_t map_bytes(const Source& source, const ShardSlice& slice, std::uint64_t index, Interval shards,
                          fanfold_partial* partial);
  [[nodiscard]] bool must_stop(std::uint64_t index, Interval shards) const;
  [[nodiscard]] Cause cause_of(std::uint64_t index, const plugin::MemoryAccount& account);

  static std::int32_t next_block(void* context, fanfold_block* block);
  static std::int32_t bad_record(void* context, std::uint64_t offset, const char* text, std::uint64_t text_size);
  static void count_records(void* context, std::uint64_t records);
  static void count_skipped(void* context, std::uint64_t records);

  const plugin::Instance& instance_;
  const Plan& plan_;
  ReadOptions options_;
  SlotCell& cell_;
  std::uint32_t& stop_;
  ShardReader reader_;
  fanfold_shard shard_{};

  // Of the lease being mapped.
  std::int32_t status_ = FANFOLD_OK;
  std::uint64_t records_ = 0;
  std::uint64_t skipped_ = 0;
  std::optional<Failure> input_failure_;
  struct BadRecord {
    std::uint64_t offset;
    std::string text;
  };
  std::optional<BadRecord> bad_record_;
};

// Where the clause of a failure that reading or the plugin's host put into words belongs.
[[nodiscard]] CauseKind cause_kind_of(ExitCode code);

}  // namespace fanfold::worker
