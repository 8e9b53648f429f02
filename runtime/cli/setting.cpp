#include "runtime/cli/setting.h"

#include <algorithm>
#include <cstdio>

#include "engine/quoted.h"

namespace fanfold::cli {
namespace {

// As the file could say it.
std::string toml_value(const EngineFlag& flag, const std::vector<std::string>& values) {
  const auto text = [&](const std::string& value) {
    return flag.kind == FlagKind::kText || flag.kind == FlagKind::kTexts || flag.kind == FlagKind::kSize
               ? fanfold::quoted(value)
               : value;
  };
  if (flag.kind != FlagKind::kTexts) return text(values.back());
  std::string list;
  for (const std::string& value : values) list += (list.empty() ? "" : ", ") + text(value);
  return "[" + list + "]";
}

}  // namespace

void print_settings(std::span<const EngineFlag> flags, std::span<const Setting> settings) {
  for (const EngineFlag& flag : flags) {
    const auto given = std::find_if(settings.begin(), settings.end(),
                                    [&](const Setting& setting) { return setting.name == flag.name; });
    if (given == settings.end()) {
      std::printf("# %s: %s\n", std::string(flag.name).c_str(), std::string(flag.help).c_str());
    } else {
      std::printf("%s = %s  # %s\n", given->name.c_str(), toml_value(flag, given->values).c_str(),
                  given->origin.c_str());
    }
  }
}

}  // namespace fanfold::cli
