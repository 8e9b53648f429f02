// misbehave: goes wrong in the way, and at the place, that its parameters say, and otherwise answers which
// processes ran its callbacks: a row a callback and process id. It knows nothing of its input.
#include <fanfold/bytes.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <climits>
#include <cstdint>
#include <cstdlib>
#include <fanfold/job.hpp>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace {

constexpr std::array<std::string_view, 5> kCallbacks = {"open", "map", "merge", "pack", "finish"};
enum Callback : std::uint8_t { kOpen, kMap, kMerge, kPack, kFinish };

// What is to be done, for callbacks that do not see the job.
struct Plan {
  std::string what = "nothing";
  std::string at = "map";
  std::string once;  // a file: only whoever makes it misbehaves
  std::uint64_t megabytes = 64;
};
Plan plan;

// Every page on the way down is touched, up to the guard page.
[[gnu::noinline]] int overflow_the_stack(int depth) {
  std::array<volatile char, 4096> frame{};
  frame[static_cast<std::size_t>(depth) % frame.size()] = 1;
  return depth == INT_MAX ? 0 : overflow_the_stack(depth + 1) + frame[0];
}

void misbehave(const std::string& what) {
  if (!plan.once.empty()) {
    const int made = open(plan.once.c_str(), O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
    if (made < 0) return;
    close(made);
  }
  if (what == "segv") raise(SIGSEGV);
  // A page that may not be written, not a null pointer: a sanitizer would have its say before the fault.
  if (what == "fault")
    *static_cast<volatile int*>(mmap(nullptr, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)) = 1;
  if (what == "abort") std::abort();
  if (what == "overflow") overflow_the_stack(0);
  if (what == "kill") raise(SIGKILL);
  if (what == "exit") std::exit(7);
  if (what == "throw") throw std::runtime_error("thrown on purpose");
  if (what == "hang") {
    for (;;) pause();
  }
  if (what == "allocate") {
    // Held for ever, every page touched.
    static std::vector<std::vector<char>> held;
    held.emplace_back(plan.megabytes << 20, '\1');
  }
}

// Which process runs what, into the file that FANFOLD_MISBEHAVE_WITNESS names: a line a call.
void witness(std::string_view call) {
  static const int file = [] {
    const char* path = std::getenv("FANFOLD_MISBEHAVE_WITNESS");
    return path == nullptr ? -1 : open(path, O_CREAT | O_APPEND | O_WRONLY | O_CLOEXEC, 0600);
  }();
  if (file < 0) return;
  const std::string line = std::string(call) + " " + std::to_string(getpid()) + "\n";
  if (write(file, line.data(), line.size()) < 0) std::abort();
}

void called(Callback callback) {
  witness(kCallbacks[callback]);
  if (plan.at == kCallbacks[callback]) misbehave(plan.what);
}

// Which processes ran which callbacks.
class Witnesses {
 public:
  [[maybe_unused]] static constexpr std::size_t packed_bytes = fanfold::kVariableSize;

  void add(Callback callback) {
    const std::pair witness(static_cast<std::uint64_t>(callback), static_cast<std::uint64_t>(getpid()));
    const auto at = std::lower_bound(seen_.begin(), seen_.end(), witness);
    if (at == seen_.end() || *at != witness) seen_.insert(at, witness);
  }
  void merge(Witnesses&& other) {
    called(kMerge);
    for (const auto& witness : other.seen_) {
      const auto at = std::lower_bound(seen_.begin(), seen_.end(), witness);
      if (at == seen_.end() || *at != witness) seen_.insert(at, witness);
    }
    add(kMerge);
  }
  [[nodiscard]] std::size_t pack_size() const { return 16 * seen_.size(); }
  void pack(std::byte* out) const {
    called(kPack);
    for (const auto& [callback, pid] : seen_) {
      fanfold::store_little(out, callback);
      fanfold::store_little(out + 8, pid);
      out += 16;
    }
  }
  [[nodiscard]] bool unpack(std::span<const std::byte> in) {
    witness("unpack");
    fanfold::ByteReader reader(in);
    while (reader.ok() && !reader.done()) {
      const auto callback = reader.integer<std::uint64_t>();
      const auto pid = reader.integer<std::uint64_t>();
      if (!reader.ok() || callback >= kCallbacks.size()) return false;
      seen_.emplace_back(callback, pid);
    }
    return reader.ok() && std::is_sorted(seen_.begin(), seen_.end());
  }
  [[nodiscard]] const auto& seen() const { return seen_; }

 private:
  std::vector<std::pair<std::uint64_t, std::uint64_t>> seen_;  // in order, each once
};

struct Misbehave {
  using Partial = Witnesses;

  std::string what = "nothing";
  std::string at = "map";
  std::string once;
  std::int64_t shard = -1;
  std::uint64_t megabytes = 64;
  std::uint64_t milliseconds = 0;
  std::string started;

  static void parameters(fanfold::Parameters<Misbehave>& parameters) {
    parameters.choice("do", &Misbehave::what,
                      "nothing|segv|fault|overflow|abort|kill|exit|throw|hang|allocate|bad-record|swallow|long-row",
                      "What goes wrong. fault, unlike segv, is a real fault; swallow is a bad record that map() "
                      "hides, or a row that was refused and that finish() hides.");
    parameters.choice("at", &Misbehave::at, "open|map|merge|pack|finish", "In which callback.");
    parameters.text("once", &Misbehave::once, "A file: only the process that creates it misbehaves.");
    parameters.integer("in-shard", &Misbehave::shard, -1, INT64_MAX, "Only in this shard; -1 is all.");
    parameters.integer("megabytes", &Misbehave::megabytes, 1, 1 << 20, "How much to allocate.");
    parameters.integer("milliseconds", &Misbehave::milliseconds, 0, 1'000'000, "How long a shard takes.");
    parameters.text("started", &Misbehave::started, "A file that is made when the first shard is being mapped.");
  }

  void opened(const fanfold_host&) const {
    plan = {what, at, once, megabytes};
    called(kOpen);
  }

  void schema(fanfold::SchemaBuilder& schema) const {
    witness("schema");
    schema.column("callback", fanfold::Type::kText, "open, map, merge, pack or finish")
        .column("pid", fanfold::Type::kUint64, "of a process that ran it");
  }

  void map(const fanfold::Shard& mapped, Partial& partial) const {
    partial.add(kOpen);  // opened here, or it could not map
    partial.add(kMap);
    mapped.mark(mapped.is_range() ? static_cast<std::uint64_t>(mapped.begin()) : mapped.index());
    mapped.count_records(1);
    if (!started.empty()) tell_started();
    if (milliseconds != 0) usleep(static_cast<useconds_t>(milliseconds * 1000));
    mapped.for_each_record([](std::string_view, std::uint64_t) {});
    if (shard >= 0 && mapped.index() != static_cast<std::uint64_t>(shard)) return;
    if (plan.at == "map" && what == "bad-record")
      mapped.bad_record(static_cast<std::uint64_t>(mapped.begin()), "bad on purpose");
    if (plan.at == "map" && what == "swallow") {
      try {
        mapped.bad_record(static_cast<std::uint64_t>(mapped.begin()), "bad on purpose");
      } catch (const fanfold::MapStopped&) {  // what a job must not do
      }
    }
    called(kMap);
  }

  // The process that maps first writes its id; whoever looks sees all of it or nothing.
  void tell_started() const {
    const std::string id = std::to_string(getpid());
    const int made = open(started.c_str(), O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
    if (made < 0) return;
    if (write(made, id.data(), id.size()) < 0) std::abort();
    close(made);
  }

  void finish(const Partial& partial, fanfold::Rows& rows) const {
    called(kFinish);
    if (plan.at == "finish" && what == "long-row") rows.add(std::string(megabytes << 20, 'x'), std::uint64_t{0});
    if (plan.at == "finish" && what == "swallow") {
      try {
        rows.add(std::string(megabytes << 20, 'x'), std::uint64_t{0});
        rows.flush();
      } catch (const fanfold::Rows::Refused&) {  // what a job must not do
      }
    }
    Partial all = partial;
    all.add(kFinish);
    for (const auto& [callback, pid] : all.seen()) rows.add(kCallbacks[callback], pid);
  }
};

// And another before that: what FANFOLD_MISBEHAVE_CONSTRUCT says goes wrong inside dlopen.
__attribute__((constructor)) void construct() {
  if (const char* what = std::getenv("FANFOLD_MISBEHAVE_CONSTRUCT"); what != nullptr) misbehave(what);
}

}  // namespace

// FANFOLD_JOB, with an accident before it: what FANFOLD_MISBEHAVE_LOAD says goes wrong while loading.
extern "C" __attribute__((visibility("default"))) const fanfold_job* fanfold_plugin_v1(void) {
  witness("load");
  if (const char* what = std::getenv("FANFOLD_MISBEHAVE_LOAD"); what != nullptr) misbehave(what);
  return fanfold::adapter::job_table<Misbehave>("misbehave", "1.0.0", "Goes wrong on purpose.");
}
