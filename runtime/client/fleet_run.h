// fleet_run.h: a run at the root of a fleet as its client sees it: submitted and watched, or one that was submitted
// before. The root plans, schedules and keeps the result; the client's part is to name the input and to take rows.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "engine/protocol/identity.h"
#include "runtime/client/input_expansion.h"
#include "runtime/client/run_session.h"
#include "runtime/transport/link_keys.h"

namespace fanfold {

// Submits and watches. Attached: the root cancels it when this client is gone. Exit 5 when the root does not answer.
Result<std::unique_ptr<RunSession>> start_fleet_run(const RunRequest& request, ExpandedInput input,
                                                    const Stopped& stopped);
// Told now and then how far the files have come.
using ShipmentTold = std::function<void(const schedule::Progress&)>;
// Submits for good, and gives the run's id. With request.ship only when the root has all files; until then it is
// cancelled when this client ends.
Result<RunId> submit_fleet_run(const RunRequest& request, const Stopped& stopped, const ShipmentTold& told);
// Watches a run that was submitted. cancel() and the session's end leave it alone.
Result<std::unique_ptr<RunSession>> watch_fleet_run(RunId run, const std::string& root, Duration root_timeout,
                                                    const transport::KeyPlace& keys);

}  // namespace fanfold
