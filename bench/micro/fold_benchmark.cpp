// fold_benchmark.cpp: nanoseconds to add a value to each fold, to merge two partials, to pack and
// unpack one, and to read the result. Items a second are values (add) or partials (all else).
// Run the release build; compare the plain sum of doubles, which is not exact.
#include <benchmark/benchmark.h>
#include <fanfold/concat.h>
#include <fanfold/count.h>
#include <fanfold/mean.h>
#include <fanfold/min_max.h>
#include <fanfold/number.h>
#include <fanfold/sum.h>
#include <fanfold/variance.h>

#include <bit>
#include <cstddef>
#include <cstdint>
#include <random>
#include <string>
#include <type_traits>
#include <vector>

namespace fanfold {
namespace {

constexpr std::size_t kValues = 4096;  // Fits the first cache, so that the fold alone is measured.

// Values as a table has them: prices with two decimals, or with any number of them.
enum class Values { kUniform, kMixed };

template <class T>
std::vector<T> values_of(Values kind) {
  std::mt19937_64 random(1);
  std::vector<T> values(kValues);
  for (T& value : values) {
    const auto cents = static_cast<std::int64_t>(random() % 2'000'001) - 1'000'000;
    if constexpr (std::is_same_v<T, Decimal>) {
      const unsigned digits = kind == Values::kUniform ? 2 : static_cast<unsigned>(random() % 5);
      value = *Decimal::make(cents, digits);
    } else if constexpr (std::is_same_v<T, std::string>) {
      value = std::to_string(cents / 100) + "." + std::to_string(10 + (cents < 0 ? -cents : cents) % 90);
    } else if constexpr (std::is_same_v<T, double>) {
      // Mixed: exponents over 60 powers of two.
      value = kind == Values::kUniform
                  ? static_cast<double>(cents) / 100
                  : std::bit_cast<double>((random() & 0x800fffffffffffffU) | ((994 + random() % 60) << 52));
    } else if constexpr (std::is_same_v<T, Fixed<20>>) {
      value = Fixed<20>::nearest(static_cast<double>(cents) / 100);
    } else {
      value = static_cast<T>(cents);
    }
  }
  return values;
}

void plain_sum_of_doubles(benchmark::State& state) {
  const auto values = values_of<double>(Values::kUniform);
  for (auto _ : state) {
    double sum = 0;
    for (const double value : values) sum += value;
    benchmark::DoNotOptimize(sum);
  }
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(kValues));
}
BENCHMARK(plain_sum_of_doubles);

void parse_number_of_text(benchmark::State& state) {
  const auto texts = values_of<std::string>(Values::kUniform);
  for (auto _ : state) {
    for (const std::string& text : texts) {
      Number number = parse_number(text);
      benchmark::DoNotOptimize(number);
    }
  }
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(kValues));
}
BENCHMARK(parse_number_of_text);

void count_add(benchmark::State& state) {
  for (auto _ : state) {
    Count count;
    for (std::size_t i = 0; i < kValues; ++i) {
      count.add();
      benchmark::DoNotOptimize(count);
    }
  }
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(kValues));
}
BENCHMARK(count_add);

template <class F, class T, Values kKind>
void add(benchmark::State& state) {
  const auto values = values_of<T>(kKind);
  for (auto _ : state) {
    F fold;
    for (const T& value : values) fold.add(value);
    benchmark::DoNotOptimize(fold);
  }
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(kValues));
}

// Partials of four values each, as a group-by with many groups makes them.
template <class F, class T, Values kKind>
std::vector<F> partials_of() {
  const auto values = values_of<T>(kKind);
  std::vector<F> partials(kValues / 4);
  for (std::size_t i = 0; i < kValues; ++i) partials[i / 4].add(values[i]);
  return partials;
}

template <class F, class T, Values kKind>
void merge(benchmark::State& state) {
  const auto partials = partials_of<F, T, kKind>();
  for (auto _ : state) {
    F total;
    for (const F& partial : partials) total.merge(partial);
    benchmark::DoNotOptimize(total);
  }
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(partials.size()));
}

template <class F, class T, Values kKind>
void pack_and_unpack(benchmark::State& state) {
  const auto partials = partials_of<F, T, kKind>();
  std::vector<std::byte> bytes(1 << 12);
  std::size_t packed = 0;
  for (auto _ : state) {
    packed = 0;
    for (const F& partial : partials) {
      const std::size_t size = partial.pack_size();
      partial.pack(bytes.data());
      F back;
      bool good = back.unpack(std::span(bytes).first(size));
      benchmark::DoNotOptimize(good);
      packed += size;
    }
  }
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(partials.size()));
  state.counters["bytes"] = static_cast<double>(packed) / static_cast<double>(partials.size());
}

template <class F, class T, Values kKind>
void read_value(benchmark::State& state) {
  const auto partials = partials_of<F, T, kKind>();
  for (auto _ : state) {
    for (const F& partial : partials) {
      auto value = partial.value();
      benchmark::DoNotOptimize(value);
    }
  }
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(partials.size()));
}

#define FANFOLD_BENCHMARK_FOLD(F, T, kind)                 \
  BENCHMARK_TEMPLATE(add, F, T, Values::kind);             \
  BENCHMARK_TEMPLATE(merge, F, T, Values::kind);           \
  BENCHMARK_TEMPLATE(pack_and_unpack, F, T, Values::kind); \
  BENCHMARK_TEMPLATE(read_value, F, T, Values::kind)

FANFOLD_BENCHMARK_FOLD(Sum<std::int64_t>, std::int64_t, kUniform);
FANFOLD_BENCHMARK_FOLD(Sum<Fixed<20>>, Fixed<20>, kUniform);
FANFOLD_BENCHMARK_FOLD(Sum<Decimal>, Decimal, kUniform);
FANFOLD_BENCHMARK_FOLD(Sum<Decimal>, Decimal, kMixed);
FANFOLD_BENCHMARK_FOLD(Sum<double>, double, kUniform);
FANFOLD_BENCHMARK_FOLD(Sum<double>, double, kMixed);
FANFOLD_BENCHMARK_FOLD(Max<double>, double, kUniform);
FANFOLD_BENCHMARK_FOLD(Min<std::string>, std::string, kUniform);
FANFOLD_BENCHMARK_FOLD(Mean<std::int64_t>, std::int64_t, kUniform);
FANFOLD_BENCHMARK_FOLD(Mean<Decimal>, Decimal, kUniform);
FANFOLD_BENCHMARK_FOLD(Mean<double>, double, kUniform);
FANFOLD_BENCHMARK_FOLD(Variance<std::int64_t>, std::int64_t, kUniform);
FANFOLD_BENCHMARK_FOLD(Variance<Decimal>, Decimal, kUniform);
FANFOLD_BENCHMARK_FOLD(Variance<double>, double, kUniform);

}  // namespace
}  // namespace fanfold
