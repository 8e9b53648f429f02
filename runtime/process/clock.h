// clock.h: the one clock of the runtime, monotonic; and fresh 128-bit random identities.
#pragma once

#include "engine/instant.h"
#include "engine/protocol/identity.h"

namespace fanfold::process {

[[nodiscard]] Instant now();

// From the kernel's generator: unique, and not to be guessed.
void fill_random(void* bytes, std::size_t size);
template <class Id>
[[nodiscard]] Id random_id() {
  Id id;
  fill_random(&id.high, sizeof id.high);
  fill_random(&id.low, sizeof id.low);
  return id;
}

// Milliseconds from `now` until `deadline` for a poll: rounded up, at least 0; -1 for none.
[[nodiscard]] long poll_ms(std::optional<Instant> deadline, Instant now);

}  // namespace fanfold::process
