#include "runtime/client/run_session.h"

#include <utility>

#include "runtime/client/embedded_run.h"
#include "runtime/client/fleet_run.h"
#include "runtime/client/input_expansion.h"
#include "runtime/client/sequential_run.h"

namespace fanfold {

Result<ExpandedInput> expand_for(const RunRequest& request, const Stopped& stopped) {
  InputRequest inputs;
  inputs.inputs = request.inputs;
  inputs.files_from = request.files_from;
  inputs.files_from_zero = request.files_from_zero;
  inputs.spool.bytes_max = request.spool_bytes_max;
  inputs.spool.stopped = stopped;
  Result<ExpandedInput> expanded = expand_inputs(inputs);
  if (!expanded) return expanded.failure();
  if (request.whole_sources) {
    for (Source& source : expanded->sources) {
      if (source.kind == SourceKind::kBytes) source.kind = SourceKind::kStream;
    }
  }
  for (const std::string& written : {request.output, request.json_summary}) {
    if (written.empty()) continue;
    if (Status distinct = check_output_is_no_input(written, expanded->sources); !distinct) return distinct.failure();
  }
  return expanded;
}

Result<std::unique_ptr<RunSession>> start_run(const RunRequest& request, const Stopped& stopped) {
  Result<ExpandedInput> expanded = expand_for(request, stopped);
  if (!expanded) return expanded.failure();
  if (request.sequential) return start_sequential_run(request, std::move(expanded).value());
  if (!request.root.empty()) return start_fleet_run(request, std::move(expanded).value(), stopped);
  return start_embedded_run(request, std::move(expanded).value());
}

}  // namespace fanfold
