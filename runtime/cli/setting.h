// setting.h: a flag that somebody gave, and who; and all of a command's, printed as the configuration file could say
// them (--show-config).
#pragma once

#include <span>
#include <string>
#include <vector>

#include "runtime/cli/engine_flags.h"

namespace fanfold::cli {

struct Setting {
  std::string name;
  std::vector<std::string> values;
  std::string origin;  // "--workers", "FANFOLD_WORKERS", or the file and its line
};

// To standard output, in the order of the flags; those that nobody gave as comments.
void print_settings(std::span<const EngineFlag> flags, std::span<const Setting> settings);

}  // namespace fanfold::cli
