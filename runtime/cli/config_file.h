// config_file.h: the configuration file, TOML whose keys are names of flags, of `fanfold run`, root and worker; each
// command takes what it knows:
//
//   root = "tcp://10.0.0.1:7117"
//   memory = "4GiB"
//   workers = 2
//   quiet = true
//   plugin-path = ["/opt/jobs", "/srv/jobs"]
//
// A flag on the command line wins over the environment, and that over the file.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "engine/failure.h"

namespace fanfold::cli {

struct ConfigEntry {
  std::string name;
  std::vector<std::string> values;  // as they would stand on a command line; several of a list
  unsigned line = 0;
};

struct ConfigFile {
  std::string path;  // empty: there is none
  std::vector<ConfigEntry> entries;

  // The entry of a flag, or null.
  [[nodiscard]] const ConfigEntry* find(std::string_view name) const;
};

// Reads the file `named`; with an empty name the one of FANFOLD_CONFIG, or $XDG_CONFIG_HOME/fanfold/config.toml (or
// ~/.config/fanfold/config.toml) if it is there. A key that is no flag of any, or a value of another kind than the
// flag's, is exit 2 with file and line.
Result<ConfigFile> read_config_file(const std::string& named);

}  // namespace fanfold::cli
