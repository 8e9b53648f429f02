// main.cpp: groups_bound FILE [THREADS]: the sum of "key,value" lines by key, and the ten greatest sums as CSV: one
// process written for this one question. The file is mapped; threads read pieces in turn and deal keys and values
// into partitions by the key's hash; each partition is then summed in a table that fits the cache. It trusts its input.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <bit>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

namespace {

constexpr std::size_t kPieceBytes = std::size_t{2} << 20;
constexpr unsigned kLog2Partitions = 8;
constexpr std::size_t kPartitions = std::size_t{1} << kLog2Partitions;
constexpr std::size_t kTop = 10;

struct Entry {
  std::uint64_t key;
  std::int64_t value;
};
using Partitions = std::vector<std::vector<Entry>>;

std::uint64_t hash_of(std::uint64_t key) {
  return key * 0x9e3779b97f4a7c15U;
}

std::uint64_t read_digits(const char*& at) {
  std::uint64_t value = 0;
  for (; *at >= '0'; ++at) value = value * 10 + static_cast<std::uint64_t>(*at - '0');
  ++at;
  return value;
}

void deal(const char* at, const char* end, Partitions& partitions) {
  while (at < end) {
    const std::uint64_t key = read_digits(at);
    const auto value = static_cast<std::int64_t>(read_digits(at));
    partitions[hash_of(key) >> (64 - kLog2Partitions)].push_back({key, value});
  }
}

bool before(const Entry& left, const Entry& right) {
  return left.value != right.value ? left.value > right.value : std::to_string(left.key) < std::to_string(right.key);
}

// The best of one partition go to `best`.
void sum(const std::vector<Partitions>& dealt, std::size_t partition, std::vector<Entry>& slots,
         std::vector<Entry>& best) {
  std::size_t entries = 0;
  for (const Partitions& partitions : dealt) entries += partitions[partition].size();
  std::size_t capacity = std::bit_ceil(std::max<std::size_t>(2 * entries, 16));
  constexpr std::uint64_t kEmpty = ~std::uint64_t{0};
  slots.assign(capacity, {kEmpty, 0});
  for (const Partitions& partitions : dealt) {
    for (const Entry& entry : partitions[partition]) {
      std::size_t at = hash_of(entry.key) << kLog2Partitions >> 20;
      for (;; ++at) {
        Entry& slot = slots[at & (capacity - 1)];
        if (slot.key == entry.key || slot.key == kEmpty) {
          slot.key = entry.key;
          slot.value += entry.value;
          break;
        }
      }
    }
  }
  for (const Entry& slot : slots) {
    if (slot.key == kEmpty) continue;
    if (best.size() == kTop && !before(slot, best.back())) continue;
    best.insert(std::upper_bound(best.begin(), best.end(), slot, before), slot);
    if (best.size() > kTop) best.pop_back();
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    std::fputs("usage: groups_bound FILE [THREADS]\n", stderr);
    return 2;
  }
  const int file = open(argv[1], O_RDONLY);
  struct stat status {};
  if (file < 0 || fstat(file, &status) != 0 || status.st_size == 0) {
    std::fprintf(stderr, "groups_bound: cannot open %s\n", argv[1]);
    return 3;
  }
  const auto size = static_cast<std::size_t>(status.st_size);
  auto* text = static_cast<const char*>(mmap(nullptr, size, PROT_READ, MAP_PRIVATE | MAP_POPULATE, file, 0));
  if (text == MAP_FAILED) {
    std::fprintf(stderr, "groups_bound: cannot map %s\n", argv[1]);
    return 3;
  }
  const auto line_at = [&](std::size_t place) {
    if (place >= size) return size;
    const void* found = std::memchr(text + place, '\n', size - place);
    return found == nullptr ? size : static_cast<std::size_t>(static_cast<const char*>(found) - text) + 1;
  };
  const unsigned threads = argc > 2 ? static_cast<unsigned>(std::atoi(argv[2])) : std::thread::hardware_concurrency();
  std::vector<Partitions> dealt(threads, Partitions(kPartitions));
  std::vector<std::vector<Entry>> best(threads);
  std::atomic<std::size_t> next = 0;
  std::vector<std::thread> running;
  for (unsigned thread = 0; thread < threads; ++thread) {
    running.emplace_back([&, thread] {
      for (;;) {
        const std::size_t piece = next.fetch_add(kPieceBytes);
        if (piece >= size) return;
        // The header is the line that the first piece does not own.
        deal(text + line_at(piece), text + line_at(piece + kPieceBytes), dealt[thread]);
      }
    });
  }
  for (std::thread& thread : running) thread.join();
  running.clear();
  next = 0;
  for (unsigned thread = 0; thread < threads; ++thread) {
    running.emplace_back([&, thread] {
      std::vector<Entry> slots;
      for (std::size_t partition = next++; partition < kPartitions; partition = next++) {
        sum(dealt, partition, slots, best[thread]);
      }
    });
  }
  for (std::thread& thread : running) thread.join();
  std::vector<Entry> all;
  for (const std::vector<Entry>& some : best) all.insert(all.end(), some.begin(), some.end());
  std::sort(all.begin(), all.end(), before);
  std::string out = "key,sum(value)\n";
  for (std::size_t at = 0; at < std::min(all.size(), kTop); ++at) {
    out += std::to_string(all[at].key) + "," + std::to_string(all[at].value) + "\n";
  }
  std::fwrite(out.data(), 1, out.size(), stdout);
  return 0;
}
