// assertion.h: checks of what must not happen, kept in release builds. A failed one prints the
// expression, its place and the values given, and aborts: the process is supervised.
#pragma once

#include <string_view>

namespace fanfold {
[[noreturn]] void assertion_failed(std::string_view expression, std::string_view file, int line,
                                   std::string_view detail) noexcept;
}  // namespace fanfold

#define FANFOLD_ASSERT(condition, detail) \
  ((condition) ? static_cast<void>(0) : ::fanfold::assertion_failed(#condition, __FILE__, __LINE__, (detail)))
