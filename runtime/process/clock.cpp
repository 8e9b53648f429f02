#include "runtime/process/clock.h"

#include <sys/random.h>
#include <time.h>

#include "engine/assertion.h"

namespace fanfold::process {

Instant now() {
  timespec time{};
  clock_gettime(CLOCK_MONOTONIC, &time);
  return {static_cast<std::int64_t>(time.tv_sec) * 1'000'000'000 + time.tv_nsec};
}

void fill_random(void* bytes, std::size_t size) {
  const ssize_t got = getrandom(bytes, size, 0);
  FANFOLD_ASSERT(got == static_cast<ssize_t>(size), "the kernel gives no random bytes");
}

long poll_ms(std::optional<Instant> deadline, Instant now) {
  if (!deadline) return -1;
  if (*deadline <= now) return 0;
  return static_cast<long>(((*deadline - now).nanoseconds + 999'999) / 1'000'000);
}

}  // namespace fanfold::process
