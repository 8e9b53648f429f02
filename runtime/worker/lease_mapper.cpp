// lease_mapper.cpp: the loop over a lease's shards. Ranges have a loop of their own: an empty shard costs
// tens of nanoseconds, so nothing is looked up, allocated or asked of a clock between two of them.
#include "runtime/worker/lease_mapper.h"

#include <algorithm>
#include <utility>

#include "runtime/worker/reading/line_number.h"

namespace fanfold::worker {

namespace {

constexpr std::size_t kBadRecordTextBytesMax = 4096;

ReadOptions for_job(ReadOptions options, const plugin::Instance& instance, const std::uint32_t* stop) {
  options.delimiters = instance.schema().delimiters;
  options.wants_head = instance.needs_head();
  options.stop = stop;
  return options;
}

}  // namespace

CauseKind cause_kind_of(ExitCode code) {
  switch (code) {
    case ExitCode::kUsage:
      return CauseKind::kUsage;
    case ExitCode::kInputOutput:
      return CauseKind::kInput;
    case ExitCode::kJobFailed:
      return CauseKind::kJob;
    default:
      return CauseKind::kInternal;
  }
}

LeaseMapper::LeaseMapper(const plugin::Instance& instance, const Plan& plan, ReadOptions options, SlotCell& cell,
                         std::uint32_t& stop)
    : instance_(instance),
      plan_(plan),
      options_(for_job(std::move(options), instance, &stop)),
      cell_(cell),
      stop_(stop),
      reader_(options_) {
  shard_.size = sizeof shard_;
  shard_.role = FANFOLD_ROLE_MAIN;
  shard_.context = this;
  shard_.next_block = next_block;
  shard_.stop = &stop_;
  shard_.position = &cell_.position;
  shard_.bad_record = bad_record;
  shard_.count_records = count_records;
  shard_.count_skipped = count_skipped;
}

Mapped LeaseMapper::map(LeaseId lease, Interval shards, plugin::Partial& partial,
                        const plugin::MemoryAccount& account) {
  // What an earlier lease's partial asked for does not concern this one; a cancel stays.
  std::uint32_t seal_soon = FANFOLD_SEAL_SOON;
  __atomic_compare_exchange_n(&stop_, &seal_soon, std::uint32_t{FANFOLD_GO_ON}, false, __ATOMIC_RELAXED,
                              __ATOMIC_RELAXED);
  cell_.set_shard(shards.begin);
  cell_.set_lease(lease);
  cell_.enter(Phase::kMap);
  status_ = FANFOLD_OK;
  records_ = 0;
  skipped_ = 0;
  input_failure_.reset();
  bad_record_.reset();
  const std::uint64_t bytes_before = reader_.record_bytes();
  reader_.begin_lease();

  std::uint64_t index = shards.begin;
  while (index < shards.end && status_ == FANFOLD_OK && !must_stop(index, shards)) {
    const ShardSlice slice = plan_.shard(index);
    const Source& source = plan_.sources()[slice.source];
    shard_.source = slice.source;
    shard_.name = {source.name.data(), source.name.size()};
    index = source.kind == SourceKind::kRange ? map_range(source, slice, index, shards, partial.handle())
                                              : map_bytes(source, slice, index, shards, partial.handle());
  }
  Mapped mapped;
  if (status_ == FANFOLD_OK) {
    // A file that changed under the lease shows now.
    if (Status status = reader_.end_lease(); !status) {
      input_failure_ = status.failure();
      status_ = FANFOLD_BAD_INPUT;
      index = index > shards.begin ? index - 1 : index;
    }
  } else {
    // The failure is known; whatever else is wrong with the file would not explain it better.
    [[maybe_unused]] const Status ignored = reader_.end_lease();
  }
  mapped.records = records_;
  mapped.skipped = skipped_;
  mapped.bytes = reader_.record_bytes() - bytes_before;
  const bool cancelled = __atomic_load_n(&stop_, __ATOMIC_RELAXED) == FANFOLD_CANCEL;
  if (cancelled && (status_ == FANFOLD_OK || status_ == FANFOLD_STOPPED)) {
    mapped.outcome = Outcome::kDrained;
    mapped.actual_end = shards.begin;
  } else if (status_ != FANFOLD_OK) {
    mapped.outcome = Outcome::kFailed;
    mapped.actual_end = shards.begin;
    mapped.cause = cause_of(index, account);
  } else {
    mapped.outcome = index == shards.end ? Outcome::kDone : Outcome::kSealedEarlyMemory;
    mapped.actual_end = index;
  }
  return mapped;
}

bool LeaseMapper::must_stop(std::uint64_t index, Interval shards) const {
  const std::uint32_t stop = __atomic_load_n(&stop_, __ATOMIC_RELAXED);
  // One shard at least, or a partial that is full from the start would never let the run go on.
  return stop != FANFOLD_GO_ON && (stop == FANFOLD_CANCEL || index != shards.begin);
}

std::uint64_t LeaseMapper::map_range(const Source& source, const ShardSlice& first, std::uint64_t index,
                                     Interval shards, fanfold_partial* partial) {
  const auto map = instance_.job().map;
  const fanfold_instance* instance = instance_.handle();
  // Two's complement throughout: distances within the source fit 64 bits without a sign.
  const auto source_begin = static_cast<std::uint64_t>(source.begin);
  const auto source_end = static_cast<std::uint64_t>(source.end);
  const std::uint64_t left = shard_count_of(source) - (first.begin - source_begin) / source.unit;
  const std::uint64_t end = index + std::min(shards.end - index, left);
  shard_.kind = FANFOLD_SHARD_RANGE;
  shard_.head = {nullptr, 0};
  std::uint64_t begin = first.begin;
  for (; index < end; ++index) {
    if (must_stop(index, shards)) [[unlikely]]
      return index;
    cell_.set_shard(index);
    shard_.index = index;
    shard_.seed = shard_seed(index);
    shard_.begin = begin;
    begin = source_end - begin > source.unit ? begin + source.unit : source_end;
    shard_.end = begin;
    status_ = map(instance, &shard_, partial);
    if (status_ != FANFOLD_OK || bad_record_) [[unlikely]] {
      if (status_ == FANFOLD_OK) status_ = FANFOLD_FAILED;
      return index;
    }
  }
  return index;
}

std::uint64_t LeaseMapper::map_bytes(const Source& source, const ShardSlice& slice, std::uint64_t index,
                                     Interval shards, fanfold_partial* partial) {
  cell_.set_shard(index);
  const ShardSlice last = plan_.shard(shards.end - 1);
  const std::uint64_t reach = last.source == slice.source ? last.end : source.size;
  if (Status status = reader_.open(source, slice, reach); !status) {
    input_failure_ = status.failure();
    status_ = FANFOLD_BAD_INPUT;
    return index;
  }
  shard_.kind = FANFOLD_SHARD_BYTES;
  shard_.index = index;
  shard_.seed = shard_seed(index);
  shard_.begin = slice.begin;
  shard_.end = slice.end;
  shard_.head = {reader_.head().data(), reader_.head().size()};
  status_ = instance_.job().map(instance_.handle(), &shard_, partial);
  // A job may not swallow what the host refused to go on after.
  if (status_ == FANFOLD_OK && (bad_record_ || input_failure_)) status_ = FANFOLD_BAD_INPUT;
  return status_ == FANFOLD_OK ? index + 1 : index;
}

Cause LeaseMapper::cause_of(std::uint64_t index, const plugin::MemoryAccount& account) {
  Cause cause;
  cause.phase = Phase::kMap;
  cause.shard = index;
  const Source& source = plan_.sources()[plan_.shard(index).source];
  cause.source = source.name;
  cause.offset = cell_.offset();
  // Asked for in any case: what is left of this sentence must not be another failure's.
  std::string said = plugin::take_failure_text(status_);
  if (bad_record_) {
    cause.kind = CauseKind::kBadRecord;
    cause.offset = bad_record_->offset;
    if (const auto line = line_number_of(source, bad_record_->offset, options_)) {
      cause.message = "line " + std::to_string(*line);
    } else if (source.kind == SourceKind::kRange) {
      cause.message = "integer " + std::to_string(static_cast<std::int64_t>(bad_record_->offset));
    } else {
      cause.message = "byte " + std::to_string(bad_record_->offset);
    }
    cause.message += ": " + bad_record_->text;
  } else if (input_failure_) {
    // A failure of the job's kind is memory that the system refused for a long record.
    cause.kind =
        input_failure_->code == ExitCode::kJobFailed ? CauseKind::kMemory : cause_kind_of(input_failure_->code);
    cause.message = input_failure_->sentence;
  } else if (status_ == FANFOLD_EXHAUSTED) {
    cause.kind = CauseKind::kMemory;
    // Without a refusal it was the job's own allocation, not one for its partial, that failed.
    cause.message =
        account.refused_bytes() == 0
            ? "the machine refused memory to the job; use a smaller --memory or fewer slots"
            : "one shard needs more memory than a partial may have: " + std::to_string(account.refused_bytes()) +
                  " bytes were asked for, " + std::to_string(account.hard_bytes()) +
                  " are allowed; raise --memory, or use fewer slots or a smaller --shard-bytes";
  } else if (status_ == FANFOLD_BAD_INPUT) {
    cause.kind = CauseKind::kInput;
    cause.message = std::move(said);
  } else {
    cause.kind = CauseKind::kJob;
    cause.message = std::move(said);
  }
  return cause;
}

std::int32_t LeaseMapper::next_block(void* context, fanfold_block* block) {
  auto& mapper = *static_cast<LeaseMapper*>(context);
  Result<ReadOutcome> outcome = mapper.reader_.next(*block);
  if (outcome) return *outcome == ReadOutcome::kStopped ? FANFOLD_STOPPED : FANFOLD_OK;
  mapper.input_failure_ = outcome.failure();
  return FANFOLD_BAD_INPUT;
}

std::int32_t LeaseMapper::bad_record(void* context, std::uint64_t offset, const char* text, std::uint64_t text_size) {
  auto& mapper = *static_cast<LeaseMapper*>(context);
  if (!mapper.bad_record_) {
    mapper.bad_record_ =
        BadRecord{offset, std::string(text, std::min<std::uint64_t>(text_size, kBadRecordTextBytesMax))};
  }
  return FANFOLD_BAD_INPUT;
}

void LeaseMapper::count_records(void* context, std::uint64_t records) {
  static_cast<LeaseMapper*>(context)->records_ += records;
}

void LeaseMapper::count_skipped(void* context, std::uint64_t records) {
  static_cast<LeaseMapper*>(context)->skipped_ += records;
}

}  // namespace fanfold::worker
