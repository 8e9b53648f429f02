// job_help.h: a job's own account of itself, for people.
#pragma once

#include <string>

#include "runtime/plugin/describer.h"

namespace fanfold::cli {

// Parameters with types, defaults and help, a line or two each.
[[nodiscard]] std::string parameters_text(const plugin::JobDescription& job);
// All of it: `fanfold jobs describe`.
[[nodiscard]] std::string description_text(const plugin::Described& described, const std::string& path);

}  // namespace fanfold::cli
