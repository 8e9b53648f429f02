// simulation_test.cpp: 2,000 simulated runs (FANFOLD_SIMULATION_RUNS says otherwise) and half as many fleets, and
// planted faults that the simulations must find. A failure prints its seed: build/<preset>/fanfold-sim --seed S.
#include "tests/simulation/simulation.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <iostream>
#include <set>

#include "tests/simulation/fleet_simulation.h"

namespace fanfold::simulation {
namespace {

uint64_t runs_wanted() {
  const char* text = std::getenv("FANFOLD_SIMULATION_RUNS");
  return text != nullptr ? std::strtoull(text, nullptr, 10) : FANFOLD_SIMULATION_RUNS_DEFAULT;
}

const std::set<Injected> kInFleetsAlone = {Injected::kNodeCrashes, Injected::kNodePauses, Injected::kNodeDrains,
                                           Injected::kClientCrashes, Injected::kClientPauses};

// The first seed at which the fault shows; 0 when it never does.
uint64_t first_seed_that_finds(PlantedFault fault, uint64_t seeds) {
  for (uint64_t seed = 1; seed <= seeds; ++seed) {
    const Report report = simulate(seed, fault);
    if (report.problem.empty()) continue;
    std::cout << "seed " << seed << ": " << report.problem << '\n';
    return seed;
  }
  return 0;
}

TEST(Simulation, EveryScheduleGivesTheTwinsAnswerAndCountsEveryShardOnce) {
  std::array<uint64_t, kInjectedKinds> injected{};
  uint64_t chunks = 0;
  uint64_t bundles = 0;
  uint64_t finished_bundles = 0;
  uint64_t small_partials = 0;
  uint64_t late_words = 0;
  uint64_t rejected = 0;
  for (uint64_t seed = 1; seed <= runs_wanted(); ++seed) {
    const Report report = simulate(seed);
    ASSERT_EQ(report.problem, "") << "replay with: fanfold-sim --seed " << seed;
    for (std::size_t kind = 0; kind < kInjectedKinds; ++kind) injected[kind] += report.injected[kind];
    chunks += report.chunks;
    bundles += report.bundles;
    finished_bundles += report.finished_bundles;
    small_partials += report.small_partials;
    late_words += report.late_words;
    rejected += report.bundles_rejected;
  }
  for (std::size_t kind = 0; kind < kInjectedKinds; ++kind) {
    if (kInFleetsAlone.contains(static_cast<Injected>(kind))) continue;
    std::cout << kInjectedNames[kind] << ' ' << injected[kind] << '\n';
    EXPECT_GT(injected[kind], 0u) << kInjectedNames[kind];
  }
  // The paths that only faults lead to were taken, too.
  EXPECT_GT(chunks, bundles);
  EXPECT_GT(finished_bundles, 0u);
  EXPECT_LT(finished_bundles, bundles);
  EXPECT_GT(small_partials, 0u);
  EXPECT_GT(late_words, 0u);
  EXPECT_GT(rejected, 0u);
}

TEST(Simulation, IsTheSameForTheSameSeed) {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    const Report once = simulate(seed);
    const Report again = simulate(seed);
    EXPECT_EQ(once.events, again.events);
    EXPECT_EQ(once.leases, again.leases);
    EXPECT_EQ(once.injected, again.injected);
  }
}

TEST(Simulation, FindsAnAwardByIntervalInsteadOfLeaseId) {
  EXPECT_NE(first_seed_that_finds(PlantedFault::kAwardByInterval, 1000), 0u);
}

TEST(Simulation, FindsARequeueForgottenOnLoss) {
  EXPECT_NE(first_seed_that_finds(PlantedFault::kForgottenRequeue, 1000), 0u);
}

TEST(Simulation, FindsAStaleBundleAccepted) {
  EXPECT_NE(first_seed_that_finds(PlantedFault::kStaleBundle, 1000), 0u);
}

TEST(FleetSimulation, EveryRunThatIsDoneHasItsTwinsAnswerAndNothingIsLeftOfAny) {
  InjectedCounts injected{};
  uint64_t done = 0;
  uint64_t shipped = 0;
  uint64_t cancelled = 0;
  uint64_t fetched_later = 0;
  uint64_t nodes_lost = 0;
  uint64_t retries = 0;
  for (uint64_t seed = 1; seed <= runs_wanted() / 2; ++seed) {
    const FleetReport report = simulate_fleet(seed);
    ASSERT_EQ(report.problem, "") << "replay with: fanfold-sim --what fleet --seed " << seed;
    for (std::size_t kind = 0; kind < kInjectedKinds; ++kind) injected[kind] += report.injected[kind];
    done += report.runs_done;
    shipped += report.shipped_done;
    cancelled += report.runs_cancelled;
    fetched_later += report.fetched_later;
    nodes_lost += report.nodes_lost;
    retries += report.retries;
  }
  for (std::size_t kind = 0; kind < kInjectedKinds; ++kind) {
    std::cout << kInjectedNames[kind] << ' ' << injected[kind] << '\n';
    EXPECT_GT(injected[kind], 0u) << kInjectedNames[kind];
  }
  EXPECT_GT(done, cancelled);
  EXPECT_GT(shipped, done / 20);
  EXPECT_GT(cancelled, 0u);
  EXPECT_GT(fetched_later, 0u);
  EXPECT_GT(nodes_lost, 0u);
  EXPECT_GT(retries, 0u);
}

TEST(FleetSimulation, IsTheSameForTheSameSeed) {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    const FleetReport once = simulate_fleet(seed);
    const FleetReport again = simulate_fleet(seed);
    EXPECT_EQ(once.events, again.events);
    EXPECT_EQ(once.leases, again.leases);
    EXPECT_EQ(once.injected, again.injected);
  }
}

TEST(FleetSimulation, FindsANodeThatHidesTheEndOfAWorker) {
  uint64_t found = 0;
  for (uint64_t seed = 1; seed <= 200 && found == 0; ++seed) {
    const FleetReport report = simulate_fleet(seed, PlantedFleetFault::kHiddenEnd);
    if (report.problem.empty()) continue;
    std::cout << "seed " << seed << ": " << report.problem << '\n';
    found = seed;
  }
  EXPECT_NE(found, 0u);
}

}  // namespace
}  // namespace fanfold::simulation
