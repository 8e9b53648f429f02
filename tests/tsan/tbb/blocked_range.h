// In ThreadSanitizer builds this stands before TBB's own header: see on_threads.h.
#pragma once

#include "on_threads.h"
