#include "runtime/cli/config_file.h"

#include <toml++/toml.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <optional>

#include "engine/quoted.h"
#include "runtime/cli/command_flags.h"
#include "runtime/cli/engine_flags.h"
#include "runtime/plugin/job_finder.h"

namespace fanfold::cli {

namespace {

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? std::string() : value;
}

// Where it is looked for when nobody names one; empty without a home.
std::string usual_path() {
  std::string folder = variable("XDG_CONFIG_HOME");
  if (folder.empty()) {
    folder = variable("HOME");
    if (folder.empty()) return {};
    folder += "/.config";
  }
  return folder + "/fanfold/config.toml";
}

// What may stand in the file. A name that several commands have is of one kind in all of them.
std::vector<EngineFlag> all_flags() {
  std::vector<EngineFlag> flags;
  for (const std::span<const EngineFlag> of_command : {engine_flags(), root_flags(), worker_flags()}) {
    flags.insert(flags.end(), of_command.begin(), of_command.end());
  }
  return flags;
}

Failure unknown_key(const std::string& place, const std::string& name) {
  std::vector<std::string> known;
  for (const EngineFlag& flag : all_flags()) known.emplace_back(flag.name);
  const std::vector<std::string> near = near_names(name, known);
  return {ExitCode::kUsage, place + ": there is no flag " + fanfold::quoted(name) +
                                (near.empty() ? "; `fanfold run --help` lists them"
                                              : "; did you mean " + fanfold::quoted(near.front()) + "?")};
}

std::string kind_text(const EngineFlag& flag) {
  switch (flag.kind) {
    case FlagKind::kSwitch:
      return "true or false";
    case FlagKind::kCount:
      return "a whole number";
    case FlagKind::kSize:
      return "a size, say \"64MiB\"";
    case FlagKind::kTexts:
      return "a text, or a list of texts";
    case FlagKind::kText:
      break;
  }
  return "a text";
}

// One value as it would stand on a command line, if it is of the flag's kind.
std::optional<std::string> value_text(const toml::node& node, FlagKind kind) {
  if (const auto* text = node.as_string()) {
    return kind == FlagKind::kSwitch ? std::nullopt : std::optional(text->get());
  }
  if (const auto* number = node.as_integer()) {
    const bool fits = (kind == FlagKind::kCount || kind == FlagKind::kSize) && number->get() >= 0;
    return fits ? std::optional(std::to_string(number->get())) : std::nullopt;
  }
  if (const auto* flag = node.as_boolean()) {
    return kind == FlagKind::kSwitch ? std::optional<std::string>(flag->get() ? "true" : "false") : std::nullopt;
  }
  return std::nullopt;
}

Result<ConfigEntry> entry_of(const std::string& path, const toml::key& key, const toml::node& node) {
  ConfigEntry entry;
  entry.name = key.str();
  entry.line = key.source().begin.line;
  const std::string place = fanfold::quoted(path) + ", line " + std::to_string(entry.line);
  const std::vector<EngineFlag> flags = all_flags();
  const auto flag =
      std::find_if(flags.begin(), flags.end(), [&](const EngineFlag& one) { return one.name == entry.name; });
  if (flag == flags.end()) return unknown_key(place, entry.name);
  if (entry.name == "config" || entry.name == "show-config") {
    return Failure{ExitCode::kUsage, place + ": " + entry.name + " belongs on a command line; take it out of the file"};
  }
  const Failure other_kind{ExitCode::kUsage, place + ": " + entry.name + " takes " + kind_text(*flag)};
  const toml::array* list = flag->kind == FlagKind::kTexts ? node.as_array() : nullptr;
  if (list == nullptr) {
    std::optional<std::string> value = value_text(node, flag->kind);
    if (!value) return other_kind;
    entry.values.push_back(std::move(*value));
    return entry;
  }
  for (const toml::node& element : *list) {
    std::optional<std::string> value = value_text(element, flag->kind);
    if (!value) return other_kind;
    entry.values.push_back(std::move(*value));
  }
  return entry;
}

}  // namespace

const ConfigEntry* ConfigFile::find(std::string_view name) const {
  const auto found =
      std::find_if(entries.begin(), entries.end(), [&](const ConfigEntry& entry) { return entry.name == name; });
  return found == entries.end() ? nullptr : &*found;
}

Result<ConfigFile> read_config_file(const std::string& named) {
  ConfigFile config;
  config.path = named.empty() ? variable("FANFOLD_CONFIG") : named;
  if (config.path.empty()) {
    config.path = usual_path();
    std::error_code error;
    if (config.path.empty() || !std::filesystem::exists(config.path, error)) return ConfigFile{};
  }
  try {
    const toml::table table = toml::parse_file(config.path);
    for (const auto& [key, node] : table) {
      Result<ConfigEntry> entry = entry_of(config.path, key, node);
      if (!entry) return entry.failure();
      config.entries.push_back(std::move(entry).value());
    }
  } catch (const toml::parse_error& error) {
    // Without a place the file itself could not be read.
    const unsigned line = error.source().begin.line;
    if (line == 0) {
      return Failure{ExitCode::kInputOutput, "cannot read the configuration file " + fanfold::quoted(config.path) +
                                                 "; name another with --config, or take it away"};
    }
    return Failure{ExitCode::kUsage, fanfold::quoted(config.path) + ", line " + std::to_string(line) + ", column " +
                                         std::to_string(error.source().begin.column) +
                                         ": this is not TOML: " + std::string(error.description())};
  }
  return config;
}

}  // namespace fanfold::cli
