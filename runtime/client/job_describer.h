// job_describer.h: asks a child process what a plugin is, bounded in time and size.
#pragma once

#include <string>

#include "engine/failure.h"
#include "runtime/client/spool.h"
#include "runtime/plugin/describer.h"

namespace fanfold {

// Exit 2 for what is no plugin of ours, exit 4 for one that crashes or hangs while it is loaded, exit 130 when
// `stopped` said so meanwhile.
Result<plugin::Described> describe_job(const std::string& plugin_path, const Stopped& stopped = {});

}  // namespace fanfold
