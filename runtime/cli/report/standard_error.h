// standard_error.h: standard error as a sink for progress and summary, and what it is connected to.
#pragma once

#include "runtime/cli/output/byte_sink.h"

namespace fanfold {

class StandardError final : public ByteSink {
 public:
  // Never fails: there is nobody left to tell.
  Status write(std::string_view bytes) override;
  [[nodiscard]] static bool is_terminal();
  // Its width; 80 where it has none.
  [[nodiscard]] static unsigned columns();
};

}  // namespace fanfold
