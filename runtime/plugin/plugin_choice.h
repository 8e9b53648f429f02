// plugin_choice.h: which file of a node is the plugin of a run that was submitted elsewhere: by the job's name in the
// node's own folders, or where it is known to be, and by the hash of its content, so that a fleet never mixes two
// builds of a job.
#pragma once

#include <string>
#include <vector>

#include "engine/failure.h"

namespace fanfold::plugin {

// The path: `known`, where that is not empty. Exit 2 when there is none of that name, or none with that content (then
// with both hashes).
Result<std::string> choose_plugin(const std::string& job, const std::string& content_hash, const std::string& known,
                                  const std::vector<std::string>& folders);
// The name by which nodes look for the job of a plugin: "libcount.so" has the job count.
[[nodiscard]] std::string job_of_file(const std::string& path);

}  // namespace fanfold::plugin
