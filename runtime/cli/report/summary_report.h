// summary_report.h: a RunSummary as a few lines for people (standard error), and as JSON for programs
// (--json-summary, schema 1).
#pragma once

#include <string>

#include "runtime/client/run_summary.h"

namespace fanfold {

// Ends in a line's end.
[[nodiscard]] std::string summary_text(const RunSummary& summary);
[[nodiscard]] std::string summary_json(const RunSummary& summary);

}  // namespace fanfold
