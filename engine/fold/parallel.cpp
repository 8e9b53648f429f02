#include "engine/fold/parallel.h"

#include <tbb/parallel_for.h>

namespace fanfold {

void run_in_parallel(std::size_t count, void (*run)(void* context, std::size_t i), void* context) {
  tbb::parallel_for(std::size_t{0}, count, [run, context](std::size_t i) { run(context, i); });
}

}  // namespace fanfold
