// summarise.h: what is told about a run, from how it ended.
#pragma once

#include "runtime/client/run_request.h"
#include "runtime/client/run_session.h"
#include "runtime/client/run_summary.h"

namespace fanfold {

// The slots' seconds add up to slots x wall: what no worker accounts for is the gatherer's finishing, then idle.
[[nodiscard]] RunSummary summarise(const RunRequest& request, const RunResult& result);

}  // namespace fanfold
