// crash_marks.h: which slot ends the process: before a fatal signal or user code's exit() takes effect,
// the thread that met it says so in the slots' page. The signal then does what it would have done.
#pragma once

#include <cstdint>

#include "runtime/worker/slot_page.h"

namespace fanfold::worker {

// Once a process, before there are slots.
void install_crash_marks();
// On the thread of a slot: its crashes are told on `page`. Gives the thread a stack of its own for
// signals, so that a stack that overflowed is told too.
void mark_crashes_of_this_thread(SlotPage& page, std::uint32_t slot);

}  // namespace fanfold::worker
