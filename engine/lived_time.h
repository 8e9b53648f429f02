// lived_time.h: the time that a process has lived through: a clock's, less what it stood still for (stopped, swapped
// out, a machine that slept). Deadlines that others are held to are counted in it: nobody is late because the judge
// was away, and what waited meanwhile is heard before anything is judged. Pure: the caller passes the clock's time, at
// least once in `step_max`. Not thread-safe.
#pragma once

#include "engine/instant.h"

namespace fanfold {

class LivedTime {
 public:
  // Time between two calls of at() counts up to `step_max`.
  explicit LivedTime(Duration step_max) : step_max_(step_max) {}

  [[nodiscard]] Instant at(Instant clock) {
    if (last_ && clock - *last_ > step_max_) skipped_ += clock - *last_ - step_max_;
    last_ = clock;
    return clock - skipped_;
  }
  // What the clock will say at that time, if nothing stands still until then.
  [[nodiscard]] std::optional<Instant> on_clock(std::optional<Instant> lived) const {
    return lived ? std::optional(*lived + skipped_) : std::nullopt;
  }

 private:
  Duration step_max_;
  std::optional<Instant> last_;
  Duration skipped_;
};

}  // namespace fanfold
