// merge_bundles.cpp: merging K packed bundles of a million keys (12 bytes -> count, half of the keys shared by all),
// two threads, the ten largest kept: the engine's total as the gatherer runs it, and the presized method written by
// hand on the same bytes. A rate is entries a second, all bundles' entries counted.
#include <benchmark/benchmark.h>
#include <fanfold/count.h>
#include <fanfold/table.h>

#include <cstdio>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "bench/micro/presized_merge.h"
#include "engine/fold/row_sink.h"
#include "engine/fold/total.h"
#include "engine/protocol/schema.h"
#include "runtime/plugin/memory_pool.h"

extern "C" const fanfold_job* fanfold_plugin_v1(void);

namespace fanfold::bench {

namespace {

constexpr size_t kBundles = 16;
constexpr uint64_t kEntries = 1'000'000;
constexpr unsigned kThreads = 2;
constexpr size_t kTop = 10;
constexpr uint64_t kUnlimited = UINT64_MAX / 2;

using Tallies = Table<std::string_view, Count>;

// A key is a number as 12 letters; neighbours differ in their first bytes and their last.
std::string key_of(uint64_t number) {
  std::string key(12, 'a');
  uint64_t rest = number * 0x9e3779b97f4a7c15;
  for (char& letter : key) {
    letter = static_cast<char>('a' + rest % 26);
    rest /= 26;
  }
  return key;
}

// The bundles, made once: packed columns in the 1024 parts that workers send.
class Bundles {
 public:
  static const Bundles& all() {
    static const Bundles bundles;
    return bundles;
  }
  const std::vector<std::shared_ptr<std::vector<std::vector<uint64_t>>>>& stored() const { return stored_; }
  const std::vector<BundleParts>& parts() const { return parts_; }

 private:
  Bundles() {
    for (size_t bundle = 0; bundle < kBundles; ++bundle) {
      Tallies mapped(unaccounted_memory());
      for (uint64_t i = 0; i < kEntries; ++i) {
        const uint64_t number = i < kEntries / 2 ? i : i + (bundle + 1) * kEntries;
        mapped[key_of(number)].add(1 + number * 7919 % 1000);
      }
      Tallies folded(unaccounted_memory());
      folded.merge(std::move(mapped));
      auto columns = std::make_shared<std::vector<std::vector<uint64_t>>>(Tallies::kParts);
      BundleParts parts;
      for (unsigned part = 0; part < Tallies::kParts; ++part) {
        const uint64_t bytes = folded.extent(Tallies::kLog2Parts, part).packed_bytes;
        (*columns)[part].resize(bytes / 8);
        auto* data = reinterpret_cast<uint8_t*>((*columns)[part].data());
        folded.pack(Tallies::kLog2Parts, part, data);
        parts.emplace_back(data, bytes);
      }
      stored_.push_back(std::move(columns));
      parts_.push_back(std::move(parts));
    }
  }
  std::vector<std::shared_ptr<std::vector<std::vector<uint64_t>>>> stored_;
  std::vector<BundleParts> parts_;
};

void merge_by_hand(benchmark::State& state, PresizedMerge::Memory memory) {
  PresizedMerge merge(Bundles::all().parts(), memory, kThreads);
  merge.run(kTop);  // warms the memory
  MergeOutcome outcome;
  for (auto _ : state) {
    outcome = merge.run(kTop);
    benchmark::DoNotOptimize(outcome);
  }
  if (outcome.entries != kEntries / 2 * (kBundles + 1)) state.SkipWithError("the merge lost keys");
  state.SetItemsProcessed(state.iterations() * kBundles * kEntries);
}

void PresizedByHand(benchmark::State& state) {
  merge_by_hand(state, PresizedMerge::Memory::kEveryTable);
}
void PresizedByHandOneTable(benchmark::State& state) {
  merge_by_hand(state, PresizedMerge::Memory::kOneTable);
}

// What the engine's total is made of, as the gatherer makes it.
class Engine {
 public:
  Engine() : account_(&pool_, kUnlimited, kUnlimited, nullptr), arena_(kThreads), positions_(kThreads + 1) {
    job_.job = fanfold_plugin_v1();
    job_.memory = account_.memory();
    job_.failure_text = [](int32_t status) { return "status " + std::to_string(status); };
    fanfold_instance* instance = nullptr;
    job_.job->open(&host_, nullptr, 0, &instance);
    job_.instance = instance;
    fanfold_schema filled = {};
    filled.size = sizeof(filled);
    job_.job->schema(instance, &filled);
    schema_ = schema_of(filled).value();
    for (size_t bundle = 0; bundle < kBundles; ++bundle) {
      PackedBundle packed;
      packed.id.seq.value = bundle + 1;
      packed.log2_parts = Tallies::kLog2Parts;
      for (uint32_t part = 0; part < Tallies::kParts; ++part) {
        const auto bytes = Bundles::all().parts()[bundle][part];
        packed.parts.push_back({sizeof(fanfold_packed), packed.log2_parts, part, 0, bytes.data(), bytes.size()});
      }
      packed.owner = Bundles::all().stored()[bundle];
      bundles_.push_back(std::move(packed));
    }
  }

  // False when a bundle is refused.
  bool validate() {
    Total total(job_, arena_, positions_.data());
    for (PackedBundle& bundle : bundles_) {
      if (total.validate(bundle)) return false;
    }
    return true;
  }

  // Merges all validated bundles and gives the rows; empty after a failure.
  std::vector<TallyRow> merge() {
    Total total(job_, arena_, positions_.data());
    for (const PackedBundle& bundle : bundles_) total.accept(bundle);
    RowSink sink(schema_, job_.memory);
    if (total.finish(sink)) return {};
    Result<OrderedRows> ordered = arena_.execute([&] { return sink.order(); });
    std::vector<TallyRow> rows;
    if (!ordered) return rows;
    (void)ordered->for_each_batch([&](const fanfold_batch& batch) -> Status {
      for (uint64_t row = 0; row < batch.rows; ++row) {
        const int32_t* offsets = batch.data[0].offsets;
        rows.push_back({static_cast<const uint64_t*>(batch.data[1].values)[row],
                        std::string(static_cast<const char*>(batch.data[0].values) + offsets[row],
                                    static_cast<size_t>(offsets[row + 1] - offsets[row]))});
      }
      return success();
    });
    return rows;
  }

 private:
  fanfold_host host_ = {sizeof(fanfold_host),
                        FANFOLD_ABI_MAJOR,
                        FANFOLD_ABI_MINOR,
                        FANFOLD_KERNELS_PORTABLE,
                        nullptr,
                        [](void*, const char* text, uint64_t size) {
                          std::fprintf(stderr, "merge_bundles: %.*s\n", static_cast<int>(size), text);
                        },
                        [](void*, const char*) -> const void* { return nullptr; }};
  plugin::MemoryPool pool_;
  plugin::MemoryAccount account_;
  tbb::task_arena arena_;
  std::vector<FoldPosition> positions_;
  FoldJob job_ = {};
  Schema schema_;
  std::vector<PackedBundle> bundles_;
};

void merge_by_engine(benchmark::State& state, bool validate) {
  Engine engine;
  bool sound = engine.validate();
  std::vector<TallyRow> rows = engine.merge();  // warms the pool
  for (auto _ : state) {
    if (validate) sound = engine.validate() && sound;
    rows = engine.merge();
    benchmark::DoNotOptimize(rows);
  }
  PresizedMerge by_hand(Bundles::all().parts(), PresizedMerge::Memory::kOneTable, 1);
  if (!sound || rows != by_hand.run(kTop).top) state.SkipWithError("the engine's rows are not those made by hand");
  state.SetItemsProcessed(state.iterations() * kBundles * kEntries);
}

void EngineFold(benchmark::State& state) {
  merge_by_engine(state, false);
}
void EngineValidateAndFold(benchmark::State& state) {
  merge_by_engine(state, true);
}

// Registered alternately, so that neither always runs on what the other left.
BENCHMARK(PresizedByHand)->MeasureProcessCPUTime()->UseRealTime()->Unit(benchmark::kMillisecond);
BENCHMARK(EngineFold)->MeasureProcessCPUTime()->UseRealTime()->Unit(benchmark::kMillisecond);
BENCHMARK(PresizedByHandOneTable)->MeasureProcessCPUTime()->UseRealTime()->Unit(benchmark::kMillisecond);
BENCHMARK(EngineValidateAndFold)->MeasureProcessCPUTime()->UseRealTime()->Unit(benchmark::kMillisecond);

}  // namespace

}  // namespace fanfold::bench

BENCHMARK_MAIN();
