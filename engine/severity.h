// severity.h: how much an operator should care about a record of the log.
#pragma once

#include <cstdint>

namespace fanfold {

enum class Severity : uint8_t {
  kDebug = 0,    // for who looks for a fault
  kInfo = 1,     // what happens when all is well
  kWarning = 2,  // something was lost or refused, and the node goes on
  kError = 3,    // the node, or a run, ends because of it
};

}  // namespace fanfold
