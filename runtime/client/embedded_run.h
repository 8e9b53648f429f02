// embedded_run.h: a run on an embedded cluster: the root in this process, a gatherer and workers in
// processes of their own, over ipc sockets in a folder of the run.
#pragma once

#include <memory>

#include "runtime/client/input_expansion.h"
#include "runtime/client/run_session.h"

namespace fanfold {

// `input` is kept until the run has ended.
Result<std::unique_ptr<RunSession>> start_embedded_run(const RunRequest& request, ExpandedInput input);

}  // namespace fanfold
