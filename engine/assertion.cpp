#include "engine/assertion.h"

#include <cstdio>
#include <cstdlib>

namespace fanfold {

void assertion_failed(std::string_view expression, std::string_view file, int line, std::string_view detail) noexcept {
  std::fprintf(stderr, "fanfold: internal error: %.*s at %.*s:%d: %.*s\n", static_cast<int>(expression.size()),
               expression.data(), static_cast<int>(file.size()), file.data(), line, static_cast<int>(detail.size()),
               detail.data());
  std::abort();
}

}  // namespace fanfold
