// simulated_world.h: processes, links and time, all in one thread and drawn from one seed: frames are lost, repeated,
// delayed and so reordered, processes pause and end. What processes are, and how they are troubled, is said elsewhere.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <queue>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "engine/instant.h"
#include "engine/protocol/bytes.h"
#include "engine/protocol/identity.h"
#include "engine/session/session.h"

namespace fanfold::simulation {

enum class Injected : uint8_t {
  kFramesLost,
  kFramesRepeated,
  kFramesReordered,
  kGarbageFrames,
  kWorkerCrashes,
  kWorkerPauses,
  kRootPauses,
  kGathererKills,
  kGathererPauses,
  kLeasesFailed,
  kCancels,
  // In a fleet alone.
  kNodeCrashes,
  kNodePauses,
  kNodeDrains,
  kClientCrashes,
  kClientPauses,
  kCount,
};
inline constexpr std::size_t kInjectedKinds = static_cast<std::size_t>(Injected::kCount);
inline constexpr std::array<const char*, kInjectedKinds> kInjectedNames = {
    "frames lost", "frames repeated", "frames reordered", "garbage frames", "worker crashes", "worker pauses",
    "root pauses", "gatherer kills",  "gatherer pauses",  "leases failed",  "cancelled runs", "node crashes",
    "node pauses", "node drains",     "client crashes",   "client pauses"};
using InjectedCounts = std::array<uint64_t, kInjectedKinds>;

using ProcessId = uint64_t;
class SimulatedWorld;

// Ended by SimulatedWorld::end(), after which it stays in memory until what is happening is over.
class SimulatedProcess {
 public:
  explicit SimulatedProcess(SimulatedWorld& world) : world_(world) {}
  virtual ~SimulatedProcess() = default;
  SimulatedProcess(const SimulatedProcess&) = delete;
  SimulatedProcess& operator=(const SimulatedProcess&) = delete;

  virtual void start() = 0;
  virtual void arrive(ProcessId from, const Frame& frame) = 0;
  // What a loop does after each event: judges silence, lets time pass, gives frames to the links. Returns when it
  // wants to be woken.
  virtual std::optional<Instant> turn() = 0;

  [[nodiscard]] ProcessId id() const { return id_; }
  [[nodiscard]] bool alive() const { return !ended_; }

 protected:
  SimulatedWorld& world() const { return world_; }
  // The process does it so much later, unless it has ended by then.
  void after(Duration delay, std::function<void()> what);

 private:
  friend class SimulatedWorld;
  SimulatedWorld& world_;
  ProcessId id_ = 0;
  bool ended_ = false;
  std::optional<Instant> paused_until_;
  std::optional<Instant> wake_at_;
};

class SimulatedWorld {
 public:
  // How likely a frame meets with what.
  struct Links {
    double loss = 0;
    double repeat = 0;
    double straggle = 0;
    double garbage = 0;
  };
  explicit SimulatedWorld(uint64_t seed) : random_(seed) {}

  // ---- randomness ------------------------------------------------------------------------------
  uint64_t below(uint64_t bound) { return random_() % bound; }
  bool chance(double probability) { return static_cast<double>(random_() >> 11) * 0x1p-53 < probability; }
  Duration between(Duration low, Duration high) {
    return {low.nanoseconds +
            static_cast<int64_t>(below(static_cast<uint64_t>(high.nanoseconds - low.nanoseconds) + 1))};
  }
  IncarnationId fresh_incarnation() { return {random_() | 1, random_()}; }
  Epoch fresh_epoch() { return {random_() | 1, random_()}; }

  // ---- what is reported ------------------------------------------------------------------------
  void inject(Injected kind) { injected_[static_cast<std::size_t>(kind)] += 1; }
  void problem(const std::string& what) {
    if (problem_.empty()) problem_ = what;
  }
  [[nodiscard]] const std::string& problem() const { return problem_; }
  [[nodiscard]] const InjectedCounts& injected() const { return injected_; }
  [[nodiscard]] uint64_t events() const { return events_; }

  // ---- processes and time ----------------------------------------------------------------------
  [[nodiscard]] Instant now() const { return now_; }
  template <class Process, class... Arguments>
  Process& start(Arguments&&... arguments) {
    auto process = std::make_unique<Process>(*this, std::forward<Arguments>(arguments)...);
    Process& started = *process;
    started.id_ = next_id_++;
    processes_[started.id_] = std::move(process);
    after(started.id_, {}, [&started] { started.start(); });
    return started;
  }
  void end(ProcessId id);
  // The living one, or null.
  [[nodiscard]] SimulatedProcess* find(ProcessId id) const;
  void pause(ProcessId id, Duration span);
  // `process` 0: the world itself, which never pauses.
  void after(ProcessId process, Duration delay, std::function<void()> what);
  void transmit(ProcessId from, ProcessId to, Frame frame);
  Links links;
  SessionLimits session_limits;

  // Until `over` says so, a problem is found, nothing happens any more, or it takes too long: problems all but one.
  void run(const std::function<bool()>& over);

 private:
  struct Happening {
    Instant at;
    uint64_t order = 0;
    ProcessId process = 0;
    std::function<void()> what;
    bool operator<(const Happening& other) const { return other.at < at || (other.at == at && other.order < order); }
  };
  void deliver(ProcessId from, ProcessId to, Duration delay, std::shared_ptr<const Frame> frame);
  void turn(ProcessId id);

  std::mt19937_64 random_;
  InjectedCounts injected_{};
  std::string problem_;
  uint64_t events_ = 0;
  Instant now_{1'000'000'000};
  uint64_t next_order_ = 0;
  ProcessId next_id_ = 1;
  std::map<ProcessId, std::unique_ptr<SimulatedProcess>> processes_;
  std::vector<std::unique_ptr<SimulatedProcess>> ended_;
  std::priority_queue<Happening> happenings_;
  std::map<std::pair<ProcessId, ProcessId>, Instant> last_arrival_;
};

inline void SimulatedProcess::after(Duration delay, std::function<void()> what) {
  world_.after(id_, delay, std::move(what));
}

}  // namespace fanfold::simulation
