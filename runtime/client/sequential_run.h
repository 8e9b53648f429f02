// sequential_run.h: a run by its sequential twin, in a child process.
#pragma once

#include <memory>

#include "runtime/client/input_expansion.h"
#include "runtime/client/run_session.h"

namespace fanfold {

// `input` is kept until the run has ended.
Result<std::unique_ptr<RunSession>> start_sequential_run(const RunRequest& request, ExpandedInput input);

}  // namespace fanfold
