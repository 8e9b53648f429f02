// engine_flags.h: the published list of flags that belong to the engine, of `fanfold run`: a job's
// parameters are flags beside them and may not have these names (runtime/plugin/reserved_names.h). docs/cli.md prints
// the same table.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace fanfold::cli {

enum class FlagKind { kSwitch, kCount, kSize, kText, kTexts };

struct EngineFlag {
  std::string_view name;  // without the dashes
  FlagKind kind;
  std::string_view value;  // what stands for the value in help
  std::string_view help;
};

// In the order of help.
[[nodiscard]] std::span<const EngineFlag> engine_flags();
// The flag of a name, or null.
[[nodiscard]] const EngineFlag* find_engine_flag(std::string_view name);
// FANFOLD_SHARD_BYTES for shard-bytes.
[[nodiscard]] std::string environment_name(std::string_view flag);

}  // namespace fanfold::cli
