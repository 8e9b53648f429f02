#include "runtime/worker/run_work.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "engine/protocol/ledger_bytes.h"
#include "runtime/plugin/bundle_checksum.h"
#include "runtime/plugin/plugin_choice.h"
#include "runtime/process/clock.h"
#include "runtime/process/whereabouts.h"

namespace fanfold::worker {

namespace {

Cause cause_of(const Failure& failure, Phase phase) {
  Cause cause;
  cause.kind = cause_kind_of(failure.code);
  cause.phase = phase;
  cause.message = failure.sentence;
  return cause;
}

Cause job_cause(Phase phase, std::int32_t status, const plugin::MemoryAccount& account) {
  Cause cause;
  cause.kind = status == FANFOLD_EXHAUSTED ? CauseKind::kMemory : CauseKind::kJob;
  cause.phase = phase;
  cause.message = plugin::take_failure_text(status);
  if (status == FANFOLD_EXHAUSTED && account.refused_bytes() != 0) {
    cause.message = "a partial needs more memory than it may have: " + std::to_string(account.refused_bytes()) +
                    " bytes were asked for, " + std::to_string(account.hard_bytes()) +
                    " are allowed; raise --memory or use fewer slots";
  }
  return cause;
}

}  // namespace

std::variant<std::unique_ptr<RunWork>, Cause> RunWork::open(const OpenRun& open, const WorkerConfig& config,
                                                            SlotPage& page, SlotCell& cell, plugin::MemoryPool& pool,
                                                            ShippedBlocks& shipped) {
  cell.enter(Phase::kLoad);
  // A fleet's worker loads what is in its own folders, or what its node was sent and has checked: never a file only
  // because a root names it. The root of an embedded run is the user's own.
  const std::string& known = config.run.empty() ? open.plugin_path : config.shipped_plugin;
  const Result<std::string> path = plugin::choose_plugin(open.job, open.plugin_hash, known, config.plugin_folders);
  if (!path) return cause_of(path.failure(), Phase::kLoad);
  std::unique_ptr<RunWork> work(new RunWork(page, pool));
  auto loaded =
      plugin::Plugin::load(*path, plugin::kernels_named(open.kernels.empty() ? config.kernels : open.kernels));
  if (!loaded) return cause_of(loaded.failure(), Phase::kLoad);
  work->plugin_ = std::move(loaded).value();

  cell.enter(Phase::kOpen);
  plugin::Arguments arguments;
  for (const Parameter& parameter : open.parameters) arguments.emplace_back(parameter.name, parameter.value);
  auto opened = work->plugin_->open(arguments);
  if (!opened) return cause_of(opened.failure(), Phase::kOpen);
  work->instance_ = std::move(opened).value();
  cell.enter(Phase::kNone);

  Result<Plan> plan = Plan::make(open.sources, PlanOptions{});
  if (!plan) return cause_of(plan.failure(), Phase::kOpen);
  work->plan_ = std::move(plan).value();

  work->run_ = open.run;
  work->memory_bytes_ = open.memory_bytes;
  work->schema_ = with_limit(work->instance_->schema(), open.result_limit);
  work->small_bytes_max_ = std::min<std::uint64_t>(open.small_partial_bytes_max, kSmallPartialBytesMax);
  work->memory_ = split_memory(open.memory_bytes, page.slots());
  work->partials_ = std::make_unique<PartialStore>(*work->instance_, pool, page.slots());
  work->stops_ = std::vector<StopWord>(page.slots());
  ReadOptions options;
  if (open.record_bytes_max != 0) options.record_bytes_max = open.record_bytes_max;
  options.allow_growth = open.allow_growth;
  options.path_map = config.path_map;
  if (!config.run.empty()) options.reader = "user " + process::user_name() + " on host " + process::host_name();
  for (std::uint32_t slot = 0; slot < page.slots(); ++slot) {
    work->shipped_.push_back(std::make_unique<ShippedReader>(shipped));
    options.shipped = work->shipped_.back().get();
    work->mappers_.push_back(std::make_unique<LeaseMapper>(*work->instance_, work->plan_, options, page.cell(slot),
                                                           work->stops_[slot].word));
  }
  return work;
}

void RunWork::cancel() {
  for (StopWord& stop : stops_) {
    __atomic_store_n(&stop.word, std::uint32_t{FANFOLD_CANCEL}, __ATOMIC_RELAXED);
  }
}

LeaseReport RunWork::map_lease(const StartLease& start) {
  LeaseReport report;
  LeaseMapped& told = report.mapped;
  const Interval shards = start.grant.shards;
  told.slot = start.slot;
  told.lease = start.grant.lease;
  told.actual_end = shards.begin;
  std::uint32_t& stop = stops_[start.slot].word;
  if (__atomic_load_n(&stop, __ATOMIC_RELAXED) == FANFOLD_CANCEL || shards.end > plan_.shard_count()) {
    told.outcome = Outcome::kNeverStarted;
    return report;
  }
  SlotCell& cell = page_.cell(start.slot);
  const Instant begin = process::now();
  std::unique_ptr<SlotPartial> partial =
      partials_->take(start.slot, start.partial_bytes_max, partial_hard_bytes(start.partial_bytes_max), &stop);
  if (partial->partial.handle() == nullptr) {
    told.outcome = Outcome::kFailed;
    told.cause = job_cause(Phase::kMap, FANFOLD_EXHAUSTED, partial->account);
    return report;
  }
  Mapped mapped = mappers_[start.slot]->map(start.grant.lease, shards, partial->partial, partial->account);
  const Instant map_end = process::now();
  told.actual_end = mapped.actual_end;
  told.outcome = mapped.outcome;
  told.cause = std::move(mapped.cause);
  told.records = mapped.records;
  told.bytes = mapped.bytes;
  if (mapped.actual_end > shards.begin) {
    partial->ledger.add_records(mapped.records, mapped.bytes);
    partial->ledger.add_skipped(mapped.skipped);
    if (std::optional<Cause> cause = seal(report, std::move(partial), start.grant.send_small)) {
      cause->shard = mapped.actual_end - 1;
      told.actual_end = shards.begin;
      told.outcome = Outcome::kFailed;
      told.cause = std::move(cause);
    }
  } else {
    partials_->give_back(std::move(partial));
  }
  cell.set_lease({});
  cell.enter(Phase::kNone);
  const Instant end = process::now();
  told.map = map_end - begin;
  told.seal = end - map_end;
  clocks_[start.slot].read_map_ns.fetch_add(told.map.nanoseconds, std::memory_order_relaxed);
  clocks_[start.slot].seal_pack_ns.fetch_add(told.seal.nanoseconds, std::memory_order_relaxed);
  return report;
}

std::optional<Cause> RunWork::seal(LeaseReport& report, std::unique_ptr<SlotPartial> partial, bool send_small) {
  page_.cell(report.mapped.slot).enter(Phase::kSeal);
  fanfold_extent extent{0, 0, 0};
  const std::int32_t status = instance_->job().seal(partial->partial.handle(), &extent);
  if (status != FANFOLD_OK) return job_cause(Phase::kSeal, status, partial->account);
  report.mapped.entries = extent.entries;
  report.mapped.partial_bytes = extent.packed_bytes;
  // The extent is an upper bound, keys may stand in it more than once: twice the size is worth a look.
  if (send_small && extent.packed_bytes <= 2 * small_bytes_max_ && extent.entries < 2 * FANFOLD_ONE_PART_ENTRIES) {
    auto packed = pack_small(std::move(partial));
    if (auto* cause = std::get_if<Cause>(&packed)) return std::move(*cause);
    if (auto* small = std::get_if<SmallPartial>(&packed)) {
      report.mapped.partial_bytes = small->packed.size();
      report.mapped.small = std::move(*small);
      return std::nullopt;
    }
    partial = std::move(std::get<std::unique_ptr<SlotPartial>>(packed));
  }
  report.partial = std::move(partial);
  return std::nullopt;
}

std::variant<SmallPartial, std::unique_ptr<SlotPartial>, Cause> RunWork::pack_small(
    std::unique_ptr<SlotPartial> partial) {
  // What is packed is what others were merged into: a scratch partial, and no slot is to be stopped by it.
  auto merged = std::make_unique<SlotPartial>(*instance_, pool_, partial->slot, partial->account.soft_bytes(),
                                              partial->account.hard_bytes(), nullptr);
  if (merged->partial.handle() == nullptr) return job_cause(Phase::kSeal, FANFOLD_EXHAUSTED, merged->account);
  const fanfold_job& job = instance_->job();
  SlotCell& cell = page_.cell(partial->slot);
  cell.enter(Phase::kMerge);
  std::int32_t status = plugin::merge_all(*instance_, merged->partial, partial->partial);
  merged->ledger = std::move(partial->ledger);
  const std::uint32_t slot = partial->slot;
  partials_->give_back(std::move(partial));
  if (status != FANFOLD_OK) return job_cause(Phase::kMerge, status, merged->account);
  cell.enter(Phase::kPack);
  fanfold_extent extent{0, 0, 0};
  status = job.extent(merged->partial.handle(), 0, 0, &extent);
  if (status != FANFOLD_OK) return job_cause(Phase::kPack, status, merged->account);
  const bool one_part = !instance_->keyed() || extent.entries < FANFOLD_ONE_PART_ENTRIES;
  if (extent.packed_bytes <= small_bytes_max_ && one_part) {
    SmallPartial small;
    small.packed.resize(extent.packed_bytes);
    status = job.pack(merged->partial.handle(), 0, 0, reinterpret_cast<std::uint8_t*>(small.packed.data()),
                      extent.packed_bytes);
    if (status != FANFOLD_OK) return job_cause(Phase::kPack, status, merged->account);
    small.checksum = plugin::part_checksum(small.packed.data(), small.packed.size());
    small.ledger = pack_ledger(merged->ledger);
    return small;
  }
  // Not small after all. It stands in for the partial it was merged from; freed when done with, for it has no
  // stop word and must not be mapped into.
  status = job.seal(merged->partial.handle(), &extent);
  if (status != FANFOLD_OK) return job_cause(Phase::kSeal, status, merged->account);
  merged->slot = slot;
  merged->reusable = false;
  return merged;
}

}  // namespace fanfold::worker
