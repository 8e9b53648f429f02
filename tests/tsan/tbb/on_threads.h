// on_threads.h: the few calls of TBB that Fanfold makes, on plain threads, for ThreadSanitizer builds
// alone. Debian's libtbb is not instrumented, so every hand-over of a task looks like a race there, and
// suppressing those would suppress races in our own task bodies with them. Here bodies really run at
// once and each hand-over is one that ThreadSanitizer sees. Every other build links TBB itself.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <exception>
#include <iterator>
#include <mutex>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

namespace tbb {

namespace on_threads {
inline constexpr int kConcurrencyMax = 4;  // enough to find races; the machines have few cores

struct Place {
  int index = 0;  // of this thread in its arena
  int concurrency = kConcurrencyMax;
  bool inside = false;  // of a parallel call: calls within it run where they are
};
inline Place& place() {
  thread_local Place here;
  return here;
}

// Calls each(i) for i in [0, count), on as many threads as the arena has; rethrows the first exception.
template <class Each>
void spread(std::size_t count, const Each& each) {
  const Place here = place();
  const int threads = static_cast<int>(std::min<std::size_t>(count, static_cast<std::size_t>(here.concurrency)));
  if (here.inside || threads < 2) {
    for (std::size_t i = 0; i < count; ++i) each(i);
    return;
  }
  std::atomic<bool> stop{false};
  std::mutex mutex;
  std::exception_ptr thrown;
  const auto work = [&](int index) {
    const Place outside = std::exchange(place(), Place{index, here.concurrency, true});
    try {
      // Dealt out in turn, so that even the shortest call is spread over every thread.
      for (std::size_t i = static_cast<std::size_t>(index); i < count && !stop.load(std::memory_order_relaxed);
           i += static_cast<std::size_t>(threads)) {
        each(i);
      }
    } catch (...) {
      const std::lock_guard lock(mutex);
      if (!thrown) thrown = std::current_exception();
      stop.store(true, std::memory_order_relaxed);
    }
    place() = outside;
  };
  std::vector<std::thread> others;
  for (int index = 1; index < threads; ++index) others.emplace_back(work, index);
  work(0);
  for (std::thread& other : others) other.join();
  if (thrown) std::rethrow_exception(thrown);
}
}  // namespace on_threads

template <class Value>
class blocked_range {
 public:
  blocked_range(Value begin, Value end, std::size_t grain = 1) : begin_(begin), end_(end), grain_(grain) {}
  Value begin() const { return begin_; }
  Value end() const { return end_; }
  std::size_t size() const { return static_cast<std::size_t>(end_ - begin_); }
  std::size_t grainsize() const { return grain_; }
  bool empty() const { return !(begin_ < end_); }

 private:
  Value begin_;
  Value end_;
  std::size_t grain_;
};

template <class Index, class Body>
requires std::is_integral_v<Index>
void parallel_for(Index first, Index last, const Body& body) {
  if (!(first < last)) return;
  on_threads::spread(static_cast<std::size_t>(last - first),
                     [&](std::size_t i) { body(static_cast<Index>(first + static_cast<Index>(i))); });
}

template <class Value, class Body>
void parallel_for(const blocked_range<Value>& range, const Body& body) {
  if (range.empty()) return;
  const std::size_t grain = std::max<std::size_t>(range.grainsize(), 1);
  const std::size_t blocks = (range.size() + grain - 1) / grain;
  on_threads::spread(blocks, [&](std::size_t i) {
    const std::size_t begin = i * grain, end = std::min(range.size(), begin + grain);
    body(blocked_range<Value>(range.begin() + static_cast<Value>(begin), range.begin() + static_cast<Value>(end),
                              grain));
  });
}

// Two halves at once, then one merge.
template <class Iterator, class Before>
void parallel_sort(Iterator begin, Iterator end, const Before& before) {
  const Iterator middle = begin + std::distance(begin, end) / 2;
  on_threads::spread(
      2, [&](std::size_t half) { half == 0 ? std::sort(begin, middle, before) : std::sort(middle, end, before); });
  std::inplace_merge(begin, middle, end, before);
}

template <class... Functions>
void parallel_invoke(const Functions&... functions) {
  on_threads::spread(sizeof...(functions), [&](std::size_t i) {
    std::size_t each = 0;
    ((each++ == i ? static_cast<void>(functions()) : static_cast<void>(0)), ...);
  });
}

class task_arena {
 public:
  static constexpr int automatic = -1;
  explicit task_arena(int concurrency = automatic)
      : concurrency_(concurrency < 1 ? on_threads::kConcurrencyMax : concurrency) {}
  int max_concurrency() const { return concurrency_; }
  void initialize() {}
  void terminate() {}
  template <class Function>
  auto execute(Function&& function) {
    struct Visit {
      on_threads::Place before;
      ~Visit() { on_threads::place() = before; }
    } visit{on_threads::place()};
    on_threads::place() = {0, concurrency_, false};
    return function();
  }

 private:
  int concurrency_;
};

namespace this_task_arena {
inline int current_thread_index() {
  return on_threads::place().index;
}
inline int max_concurrency() {
  return on_threads::place().concurrency;
}
template <class Function>
auto isolate(Function&& function) {
  return function();
}
}  // namespace this_task_arena

class global_control {
 public:
  enum parameter { max_allowed_parallelism, thread_stack_size, terminate_on_exception };
  global_control(parameter, std::size_t) {}
};

}  // namespace tbb
