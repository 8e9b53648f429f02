// embedded_run.h: a run on an embedded cluster: the root in this process, a gatherer and workers in
// processes of their own, over ipc sockets in a folder of the run.
#pragma once

#include <memory>

#include "runtime/client/input_expansion.h"
#include "runtime/client/run_session.h"

namespace fanfold {

// How `--memory` is shared out: the published rule.
struct MemoryShares {
  std::uint64_t gatherer_bytes = 0;
  std::uint64_t worker_bytes = 0;  // of each
};
// Two fifths to the gatherer, a half to the workers alike; the rest is the client's and nobody's.
[[nodiscard]] MemoryShares share_memory(std::uint64_t budget_bytes, std::uint32_t workers);

// `input` is kept until the run has ended.
Result<std::unique_ptr<RunSession>> start_embedded_run(const RunRequest& request, ExpandedInput input);

}  // namespace fanfold
