// fanfold_sim.cpp: the program fanfold-sim: replays simulated runs from their seeds, and prints how many
// faults of each kind were injected. Exits 1 at the first run that goes wrong, naming its seed.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

#include "tests/simulation/simulation.h"

namespace {

using fanfold::simulation::kInjectedKinds;
using fanfold::simulation::kInjectedNames;

int usage() {
  std::fprintf(
      stderr,
      "usage: fanfold-sim [--seed S] [--runs N] [--fault none|award-by-interval|forgotten-requeue|stale-bundle]\n"
      "Simulates runs with seeds S, S + 1, ... (by default 1 run from seed 1).\n");
  return 2;
}

}  // namespace

int main(int argc, char** argv) {
  uint64_t seed = 1;
  uint64_t runs = 1;
  auto fault = fanfold::simulation::PlantedFault::kNone;
  for (int i = 1; i < argc; i += 2) {
    if (i + 1 >= argc) return usage();
    const std::string flag = argv[i];
    const std::string value = argv[i + 1];
    char* end = nullptr;
    const uint64_t number = std::strtoull(value.c_str(), &end, 10);
    const bool is_number = !value.empty() && *end == '\0';
    if (flag == "--seed" && is_number) {
      seed = number;
    } else if (flag == "--runs" && is_number) {
      runs = number;
    } else if (flag == "--fault" && value == "award-by-interval") {
      fault = fanfold::simulation::PlantedFault::kAwardByInterval;
    } else if (flag == "--fault" && value == "forgotten-requeue") {
      fault = fanfold::simulation::PlantedFault::kForgottenRequeue;
    } else if (flag == "--fault" && value == "stale-bundle") {
      fault = fanfold::simulation::PlantedFault::kStaleBundle;
    } else if (flag != "--fault" || value != "none") {
      return usage();
    }
  }
  std::array<uint64_t, kInjectedKinds> injected{};
  uint64_t events = 0;
  uint64_t leases = 0;
  uint64_t bundles = 0;
  uint64_t small = 0;
  uint64_t late = 0;
  uint64_t rejected = 0;
  uint64_t chunks = 0;
  for (uint64_t run = 0; run < runs; ++run) {
    const unsigned long long report_seed = seed + run;
    const fanfold::simulation::Report report = fanfold::simulation::simulate(report_seed, fault);
    for (std::size_t kind = 0; kind < kInjectedKinds; ++kind) injected[kind] += report.injected[kind];
    events += report.events;
    leases += report.leases;
    bundles += report.bundles;
    small += report.small_partials;
    late += report.late_words;
    rejected += report.bundles_rejected;
    chunks += report.chunks;
    if (!report.problem.empty()) {
      std::printf("seed %llu: %s\n", report_seed, report.problem.c_str());
      return 1;
    }
  }
  for (std::size_t kind = 0; kind < kInjectedKinds; ++kind) {
    std::printf("%-18s %llu\n", kInjectedNames[kind], static_cast<unsigned long long>(injected[kind]));
  }
  std::printf(
      "%llu runs agree with their twins: %llu events, %llu leases, %llu bundles, %llu small partials, "
      "%llu chunks, %llu late words, %llu stale bundles rejected\n",
      static_cast<unsigned long long>(runs), static_cast<unsigned long long>(events),
      static_cast<unsigned long long>(leases), static_cast<unsigned long long>(bundles),
      static_cast<unsigned long long>(small), static_cast<unsigned long long>(chunks),
      static_cast<unsigned long long>(late), static_cast<unsigned long long>(rejected));
  return 0;
}
