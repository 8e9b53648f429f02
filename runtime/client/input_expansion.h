// input_expansion.h: from what the user named to the sources of a plan: paths, globs, folders, ranges,
// standard input, lists of files. Runs in the client, before anything is planned; blocks on files and
// pipes, never longer than `stopped` allows. Failures are exit 3 (exit 2 for a range that cannot be read),
// each one sentence.
//
// INPUT is, in this order: `-`, standard input; range:BEGIN..END; an existing path (so ./- and ./range:1
// are files); a glob of *, ? and [...]. A folder gives its regular files, hidden ones included, sorted
// bytewise by path; symbolic links in it are not followed, one that is named is. Sources keep the order
// named; what is named twice counts twice.
//
// Compression: of a file that ends in .gz or .zst, and its first bytes must agree; of a stream (anything
// spooled) by its first bytes alone.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "engine/failure.h"
#include "engine/plan/plan.h"
#include "runtime/client/file_descriptor.h"
#include "runtime/client/spool.h"

namespace fanfold {

struct InputRequest {
  std::vector<std::string> inputs = {};
  // A list of paths (files and folders, taken literally), behind `inputs`: a file, or "-"; empty: none.
  std::string files_from = {};
  bool files_from_zero = false;  // -0: entries end in a zero byte instead of a newline
  SpoolOptions spool = {};
};

struct ExpandedInput {
  std::vector<Source> sources;
  // Files that exist through this process alone (their paths are /proc/PID/fd/N): keep them until the run has ended.
  std::vector<FileDescriptor> kept;
  uint64_t bytes_spooled = 0;
};

Result<ExpandedInput> expand_inputs(const InputRequest& request);

// Refuses (exit 2) an output path that is one of the inputs: writing would destroy what is being read.
Status check_output_is_no_input(const std::string& output, const std::vector<Source>& sources);

}  // namespace fanfold
