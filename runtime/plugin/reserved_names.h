// reserved_names.h: names that no job may give to a parameter: the flags of the engine (runtime/cli/engine_flags.cpp,
// which compares) and those that it keeps for itself. Published in docs/cli.md; only ever added to.
#pragma once

#include <algorithm>
#include <array>
#include <string_view>

namespace fanfold::plugin {

inline constexpr std::array<std::string_view, 35> kReservedNames = {
    // Flags of this version.
    "workers", "slots", "memory", "shard-bytes", "shard-items", "sequential", "format", "output", "limit", "files-from",
    "quiet", "json-summary", "plugin-path", "param", "record-bytes-max", "spool-bytes-max", "allow-growth", "config",
    "show-config", "root", "root-timeout", "no-worker-timeout", "run-id", "keys", "key-name", "ship", "ship-plugin",
    // Kept.
    "path-map", "help", "version", "verbose", "log", "log-format", "log-level", "dry-run"};

[[nodiscard]] constexpr bool is_reserved(std::string_view name) {
  return std::find(kReservedNames.begin(), kReservedNames.end(), name) != kReservedNames.end();
}

}  // namespace fanfold::plugin
