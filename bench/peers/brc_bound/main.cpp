// main.cpp: brc_bound FILE [THREADS]: least, mean and greatest of each station of a file in the one-billion-row format,
// as CSV in bytewise order: one process written for this one format. The file is mapped, cut into pieces that threads
// take in turn; a value of at most five characters is read in one word without a branch; each thread has one table of
// open addressing over names that stay where they lie. It trusts its input: nothing is checked.
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
#include <map>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace {

constexpr std::size_t kPieceBytes = std::size_t{2} << 20;
constexpr std::size_t kSlots = std::size_t{1} << 16;

struct Group {
  std::uint64_t first = 0;  // of the name: sixteen bytes, zeros behind
  std::uint64_t second = 0;
  const char* name = nullptr;
  std::int64_t sum = 0;
  std::uint32_t length = 0;
  std::uint32_t count = 0;
  std::int32_t least = INT32_MAX;
  std::int32_t greatest = INT32_MIN;
};

std::uint64_t load64(const char* bytes) {
  std::uint64_t word;
  std::memcpy(&word, bytes, 8);
  return word;
}

// 0x80 in the lowest byte that is a semicolon.
std::uint64_t semicolons(std::uint64_t word) {
  const std::uint64_t other = word ^ 0x3b3b3b3b3b3b3b3bU;
  return (other - 0x0101010101010101U) & ~other & 0x8080808080808080U;
}

// -?d?d.d, and how long it is with its line's end (Quan Anh Mai's parser of the challenge).
std::int64_t read_tenths(const char*& at) {
  const std::uint64_t word = load64(at);
  const int point = std::countr_zero(~word & 0x10101000U);
  const auto sign = static_cast<std::int64_t>(~word << 59) >> 63;
  const auto digits = ((word & static_cast<std::uint64_t>(~(sign & 0xff))) << (28 - point)) & 0x0f000f0f00U;
  const auto magnitude = static_cast<std::int64_t>((digits * 0x640a0001U) >> 32 & 0x3ff);
  at += (point >> 3) + 3;
  return (magnitude ^ sign) - sign;
}

class Counter {
 public:
  Counter() : slots_(kSlots) {}
  void count(const char* at, const char* end) {
    while (at < end) {
      const char* name = at;
      std::uint64_t first = load64(at);
      std::uint64_t second = 0;
      std::uint64_t found = semicolons(first);
      std::uint64_t length = 0;
      if (found != 0) {
        length = static_cast<std::uint64_t>(std::countr_zero(found)) / 8;
        first &= (std::uint64_t{1} << (8 * length)) - 1;
      } else {
        second = load64(at + 8);
        found = semicolons(second);
        if (found != 0) {
          length = static_cast<std::uint64_t>(std::countr_zero(found)) / 8;
          second &= (std::uint64_t{1} << (8 * length)) - 1;
          length += 8;
        } else {
          length = 16;
          while (name[length] != ';') ++length;
        }
      }
      at += length + 1;
      add(group_of(name, length, first, second), read_tenths(at));
    }
  }
  [[nodiscard]] const std::vector<Group>& slots() const { return slots_; }

 private:
  static void add(Group& group, std::int64_t value) {
    group.sum += value;
    ++group.count;
    group.least = std::min(group.least, static_cast<std::int32_t>(value));
    group.greatest = std::max(group.greatest, static_cast<std::int32_t>(value));
  }
  Group& group_of(const char* name, std::uint64_t length, std::uint64_t first, std::uint64_t second) {
    const std::uint64_t mixed = (first ^ std::rotl(second, 29)) * 0x9e3779b97f4a7c15U;
    for (std::size_t at = mixed >> 48;; ++at) {
      Group& group = slots_[at % kSlots];
      if (group.first == first && group.second == second && group.length == length &&
          (length <= 16 || std::memcmp(group.name + 16, name + 16, length - 16) == 0)) {
        return group;
      }
      if (group.length == 0) {
        group.first = first;
        group.second = second;
        group.name = name;
        group.length = static_cast<std::uint32_t>(length);
        return group;
      }
    }
  }
  std::vector<Group> slots_;
};

std::string tenths(std::int64_t value) {
  const std::int64_t magnitude = value < 0 ? -value : value;
  return (value < 0 ? "-" : "") + std::to_string(magnitude / 10) + "." + std::to_string(magnitude % 10);
}

// Halves towards plus infinity.
std::int64_t rounded_mean(std::int64_t sum, std::int64_t count) {
  const std::int64_t twice = 2 * sum + count;
  const std::int64_t quotient = twice / (2 * count);
  return twice % (2 * count) < 0 ? quotient - 1 : quotient;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    std::fputs("usage: brc_bound FILE [THREADS]\n", stderr);
    return 2;
  }
  const int file = open(argv[1], O_RDONLY);
  struct stat status {};
  if (file < 0 || fstat(file, &status) != 0) {
    std::fprintf(stderr, "brc_bound: cannot open %s\n", argv[1]);
    return 3;
  }
  const auto size = static_cast<std::size_t>(status.st_size);
  // A page behind the end, so that words may be read beyond it.
  char* text = static_cast<char*>(mmap(nullptr, size + 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  if (text == MAP_FAILED ||
      mmap(text, size, PROT_READ, MAP_PRIVATE | MAP_FIXED | MAP_POPULATE, file, 0) == MAP_FAILED) {
    std::fprintf(stderr, "brc_bound: cannot map %s\n", argv[1]);
    return 3;
  }
  const unsigned threads = argc > 2 ? static_cast<unsigned>(std::atoi(argv[2])) : std::thread::hardware_concurrency();
  std::vector<Counter> counters(threads);
  std::atomic<std::size_t> next = 0;
  // The first line that begins at or behind a place.
  const auto line_at = [&](std::size_t place) {
    if (place == 0 || place >= size) return std::min(place, size);
    const void* found = std::memchr(text + place - 1, '\n', size - place + 1);
    return found == nullptr ? size : static_cast<std::size_t>(static_cast<const char*>(found) - text) + 1;
  };
  std::vector<std::thread> running;
  for (Counter& counter : counters) {
    running.emplace_back([&] {
      for (;;) {
        const std::size_t piece = next.fetch_add(kPieceBytes);
        if (piece >= size) return;
        counter.count(text + line_at(piece), text + line_at(piece + kPieceBytes));
      }
    });
  }
  for (std::thread& thread : running) thread.join();
  std::map<std::string_view, Group> all;
  for (const Counter& counter : counters) {
    for (const Group& group : counter.slots()) {
      if (group.length == 0) continue;
      Group& total = all[{group.name, group.length}];
      total.sum += group.sum;
      total.count += group.count;
      total.least = std::min(total.least, group.least);
      total.greatest = std::max(total.greatest, group.greatest);
    }
  }
  std::string out = "name,min(t),mean(t),max(t)\n";
  for (const auto& [name, group] : all) {
    out.append(name).append(",").append(tenths(group.least)).append(",");
    out.append(tenths(rounded_mean(group.sum, group.count))).append(",").append(tenths(group.greatest)).append("\n");
  }
  std::fwrite(out.data(), 1, out.size(), stdout);
  return 0;
}
