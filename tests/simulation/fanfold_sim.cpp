// fanfold_sim.cpp: the program fanfold-sim: replays simulated runs, or whole fleets, from their seeds, and prints how
// many faults of each kind were injected. Exits 1 at the first that goes wrong, naming its seed.
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <string>
#include <utility>

#include "tests/simulation/fleet_simulation.h"
#include "tests/simulation/simulation.h"

namespace {

using namespace fanfold::simulation;
using Number = unsigned long long;

int usage() {
  std::fprintf(stderr,
               "usage: fanfold-sim [--what run|fleet] [--seed S] [--runs N]\n"
               "                   [--fault none|award-by-interval|forgotten-requeue|stale-bundle|hidden-end]\n"
               "Simulates runs, or fleets, with seeds S, S + 1, ... (by default 1 from seed 1).\n");
  return 2;
}

// A check inside a scheduler aborts: which seed it was is said all the same.
Number seed_running = 0;
void say_seed(int) {
  std::fprintf(stderr, "it was seed %llu\n", seed_running);
}

struct Totals {
  InjectedCounts injected{};
  std::map<std::string, Number> counts;
};

std::string simulate_run(Number seed, PlantedFault fault, Totals& totals) {
  const Report report = simulate(seed, fault);
  for (std::size_t kind = 0; kind < kInjectedKinds; ++kind) totals.injected[kind] += report.injected[kind];
  totals.counts["events"] += report.events;
  totals.counts["leases"] += report.leases;
  totals.counts["bundles"] += report.bundles;
  totals.counts["small partials"] += report.small_partials;
  totals.counts["late words"] += report.late_words;
  totals.counts["stale bundles rejected"] += report.bundles_rejected;
  totals.counts["chunks"] += report.chunks;
  return report.problem;
}

std::string simulate_one_fleet(Number seed, PlantedFleetFault fault, Totals& totals) {
  const FleetReport report = simulate_fleet(seed, fault);
  for (std::size_t kind = 0; kind < kInjectedKinds; ++kind) totals.injected[kind] += report.injected[kind];
  totals.counts["events"] += report.events;
  totals.counts["runs done"] += report.runs_done;
  totals.counts["shipped runs done"] += report.shipped_done;
  totals.counts["runs cancelled"] += report.runs_cancelled;
  totals.counts["results fetched later"] += report.fetched_later;
  totals.counts["nodes lost"] += report.nodes_lost;
  totals.counts["leases"] += report.leases;
  totals.counts["leases done again"] += report.retries;
  totals.counts["bundles"] += report.bundles;
  return report.problem;
}

}  // namespace

int main(int argc, char** argv) {
  static const std::map<std::string, PlantedFault> kFaults = {{"none", PlantedFault::kNone},
                                                              {"award-by-interval", PlantedFault::kAwardByInterval},
                                                              {"forgotten-requeue", PlantedFault::kForgottenRequeue},
                                                              {"stale-bundle", PlantedFault::kStaleBundle}};
  static const std::map<std::string, PlantedFleetFault> kFleetFaults = {{"none", PlantedFleetFault::kNone},
                                                                        {"hidden-end", PlantedFleetFault::kHiddenEnd}};
  Number seed = 1;
  Number runs = 1;
  std::string what = "run";
  std::string fault = "none";
  for (int i = 1; i < argc; i += 2) {
    if (i + 1 >= argc) return usage();
    const std::string flag = argv[i];
    const std::string value = argv[i + 1];
    char* end = nullptr;
    const Number number = std::strtoull(value.c_str(), &end, 10);
    const bool is_number = !value.empty() && *end == '\0';
    if (flag == "--seed" && is_number) {
      seed = number;
    } else if (flag == "--runs" && is_number) {
      runs = number;
    } else if (flag == "--what" && (value == "run" || value == "fleet")) {
      what = value;
    } else if (flag == "--fault") {
      fault = value;
    } else {
      return usage();
    }
  }
  const bool fleets = what == "fleet";
  if (!(fleets ? kFleetFaults.contains(fault) : kFaults.contains(fault))) return usage();
  std::signal(SIGABRT, say_seed);
  Totals totals;
  for (Number run = 0; run < runs; ++run) {
    seed_running = seed + run;
    const std::string problem = fleets ? simulate_one_fleet(seed_running, kFleetFaults.at(fault), totals)
                                       : simulate_run(seed_running, kFaults.at(fault), totals);
    if (!problem.empty()) {
      std::printf("seed %llu: %s\n", seed_running, problem.c_str());
      return 1;
    }
  }
  for (std::size_t kind = 0; kind < kInjectedKinds; ++kind) {
    if (totals.injected[kind] == 0) continue;
    std::printf("%-18s %llu\n", kInjectedNames[kind], static_cast<Number>(totals.injected[kind]));
  }
  std::printf("%llu %s agree with their twins", runs, fleets ? "fleets" : "runs");
  const char* before = ": ";
  for (const auto& [name, count] : totals.counts) {
    std::printf("%s%llu %s", std::exchange(before, ", "), count, name.c_str());
  }
  std::printf("\n");
  return 0;
}
