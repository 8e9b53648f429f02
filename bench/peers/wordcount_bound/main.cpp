// main.cpp: wordcount_bound FILE [--top N] [--threads N] [--stats]: the fastest single-process word count we can write,
// the yardstick of `scripts/bench wordcount`. It prints what `fanfold run wordcount FILE --top N --format csv` prints.
// No engine, no parameters, one file, memory in proportion to the words that are not hot: a bound, not a tool.
#include <sys/resource.h>

#include <algorithm>
#include <atomic>
#include <barrier>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <thread>

#include "counter.h"
#include "folder.h"
#include "kernels.h"
#include "text.h"

namespace {

using namespace fanfold::bound;

constexpr uint64_t kShardBytes = uint64_t{1} << 20;

struct Arguments {
  std::string path;
  size_t top = 10;
  unsigned threads = std::max(1u, std::thread::hardware_concurrency());
  bool stats = false;
};

bool parse(int argc, char** argv, Arguments& arguments) {
  const auto number = [&](int& i, auto& value) {
    if (i + 1 == argc) return false;
    const char* text = argv[++i];
    const auto [end, error] = std::from_chars(text, text + std::strlen(text), value);
    return error == std::errc() && *end == '\0';
  };
  for (int i = 1; i < argc; ++i) {
    const std::string argument = argv[i];
    if (argument == "--stats") {
      arguments.stats = true;
    } else if (argument == "--top") {
      if (!number(i, arguments.top)) return false;
    } else if (argument == "--threads") {
      if (!number(i, arguments.threads) || arguments.threads == 0 || arguments.threads > 1024) return false;
    } else if (arguments.path.empty() && !argument.starts_with("--")) {
      arguments.path = argument;
    } else {
      return false;
    }
  }
  return !arguments.path.empty();
}

// RFC 4180: quotes around a field with a comma, a quote or a line's end in it.
void append_csv(std::string& out, const std::string& field) {
  if (field.find_first_of(",\"\r\n") == std::string::npos) {
    out += field;
    return;
  }
  out += '"';
  for (char c : field) {
    if (c == '"') out += '"';
    out += c;
  }
  out += '"';
}

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

}  // namespace

int main(int argc, char** argv) {
  const auto start = std::chrono::steady_clock::now();
  Arguments arguments;
  if (!parse(argc, argv, arguments)) {
    std::fprintf(stderr, "usage: wordcount_bound FILE [--top N] [--threads N] [--stats]\n");
    return 2;
  }
  const Kernels kernels = choose_kernels();
  if (kernels.name.empty()) {
    std::fprintf(stderr, "wordcount_bound: this machine cannot run the kernels that FANFOLD_KERNELS names\n");
    return 2;
  }
  const MappedText text(arguments.path);
  if (!text.error().empty()) {
    std::fprintf(stderr, "wordcount_bound: %s\n", text.error().c_str());
    return 3;
  }

  std::vector<std::unique_ptr<Counter>> counters(arguments.threads);
  std::vector<std::unique_ptr<Folder>> folders(arguments.threads);
  std::vector<const Counter*> sealed(arguments.threads);
  std::atomic<uint64_t> next_byte = 0;
  std::atomic<size_t> next_partition = 0;
  std::barrier all_sealed(arguments.threads);
  double read_seconds = 0;
  constexpr size_t kLong = size_t{1} << kLog2LongPartitions;
  constexpr size_t kAll = kLong + (size_t{1} << kLog2ShortPartitions);
  const auto work = [&](unsigned thread) {
    // Made by its own thread, so that its memory is near it.
    counters[thread] = std::make_unique<Counter>(text, kernels);
    sealed[thread] = counters[thread].get();
    for (;;) {
      const uint64_t begin = next_byte.fetch_add(kShardBytes, std::memory_order_relaxed);
      if (begin >= text.size()) break;
      counters[thread]->count(begin, std::min(text.size(), begin + kShardBytes));
    }
    counters[thread]->seal();
    all_sealed.arrive_and_wait();
    if (thread == 0) read_seconds = seconds_since(start);
    folders[thread] = std::make_unique<Folder>(text, arguments.top);
    for (;;) {
      const size_t partition = next_partition.fetch_add(1, std::memory_order_relaxed);
      if (partition >= kAll) break;
      if (partition < kLong) {
        folders[thread]->fold_long(sealed, partition);
      } else {
        folders[thread]->fold_short(sealed, partition - kLong);
      }
    }
  };
  std::vector<std::thread> threads;
  for (unsigned thread = 1; thread < arguments.threads; ++thread) threads.emplace_back(work, thread);
  work(0);
  for (std::thread& thread : threads) thread.join();

  std::vector<Row> rows;
  uint64_t distinct = 0;
  for (const auto& folder : folders) {
    rows.insert(rows.end(), folder->rows().begin(), folder->rows().end());
    distinct += folder->distinct();
  }
  std::sort(rows.begin(), rows.end());
  rows.resize(std::min(rows.size(), arguments.top));
  std::string out = "word,count\n";
  for (const Row& row : rows) {
    append_csv(out, row.word);
    out += ',' + std::to_string(row.count) + '\n';
  }
  std::fwrite(out.data(), 1, out.size(), stdout);
  if (std::fflush(stdout) != 0) {
    std::perror("wordcount_bound: cannot write the rows");
    return 3;
  }
  if (arguments.stats) {
    rusage usage = {};
    getrusage(RUSAGE_SELF, &usage);
    std::fprintf(stderr, "kernels %s  distinct %llu  read %.3f s  all %.3f s  user %.3f s  system %.3f s\n",
                 kernels.name.c_str(), static_cast<unsigned long long>(distinct), read_seconds, seconds_since(start),
                 static_cast<double>(usage.ru_utime.tv_sec) + static_cast<double>(usage.ru_utime.tv_usec) * 1e-6,
                 static_cast<double>(usage.ru_stime.tv_sec) + static_cast<double>(usage.ru_stime.tv_usec) * 1e-6);
  }
  std::fflush(stderr);
  // The kernel takes everything back faster than destructors would.
  std::_Exit(0);
}
