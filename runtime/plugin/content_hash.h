// content_hash.h: what a plugin's file contains, as a hash: the client sends it with a run, workers and
// gatherer compare it with the file they load, so that one run never mixes two builds of a job.
#pragma once

#include <string>

#include "engine/failure.h"

namespace fanfold::plugin {

// xxh3 (128 bits) of the file's bytes, 32 hexadecimal digits. Exit 2 when it cannot be read: it is the
// plugin that a user named.
[[nodiscard]] Result<std::string> content_hash(const std::string& path);

}  // namespace fanfold::plugin
