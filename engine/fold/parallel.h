// parallel.h: the parallel steps of engine/fold, on TBB and the caller's arena; the only way there to TBB.
// ThreadSanitizer cannot see the synchronisation inside the distribution's TBB, so its headers are
// instantiated in parallel.cpp alone, which is built without it, and each task meets the caller on an
// atomic of our own, which costs nothing: races of our own are found, TBB's insides are not reported.
#pragma once

#include <atomic>
#include <cstddef>

namespace fanfold {

// Calls run(context, i) for every i below `count`, in any order, on many threads; returns when all are
// done. Use the templates below, which add what makes it visible.
void run_in_parallel(std::size_t count, void (*run)(void* context, std::size_t i), void* context);

// Calls each(i) for every i below `count`, in any order, on many threads; returns when all are done.
template <class Each>
void parallel_each(std::size_t count, const Each& each) {
  struct Step {
    const Each& each;
    std::atomic<std::size_t> fence{0};
  } step{each};
  step.fence.store(1, std::memory_order_release);
  run_in_parallel(
      count,
      [](void* context, std::size_t i) {
        Step& shared = *static_cast<Step*>(context);
        (void)shared.fence.load(std::memory_order_acquire);
        shared.each(i);
        shared.fence.fetch_add(1, std::memory_order_release);
      },
      &step);
  (void)step.fence.load(std::memory_order_acquire);
}

// Calls each(begin, end) for pieces of [0, count) of `grain`.
template <class Each>
void parallel_pieces(std::size_t count, std::size_t grain, const Each& each) {
  parallel_each((count + grain - 1) / grain, [&](std::size_t i) {
    const std::size_t begin = i * grain;
    each(begin, count - begin < grain ? count : begin + grain);
  });
}

template <class Left, class Right>
void parallel_both(const Left& left, const Right& right) {
  parallel_each(2, [&](std::size_t i) {
    if (i == 0) {
      left();
    } else {
      right();
    }
  });
}

}  // namespace fanfold
