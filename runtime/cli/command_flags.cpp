#include "runtime/cli/command_flags.h"

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <cstdlib>

#include "engine/quoted.h"
#include "runtime/cli/config_file.h"
#include "runtime/client/quantity.h"

namespace fanfold::cli {
namespace {

Failure usage(std::string sentence) {
  return {ExitCode::kUsage, std::move(sentence)};
}

constexpr EngineFlag kConfig{"config", FlagKind::kText, "FILE", "the configuration file"};
constexpr EngineFlag kShowConfig{"show-config", FlagKind::kSwitch, "",
                                 "print each flag's value and where it is from, and end"};

std::string help_text(std::span<const EngineFlag> flags) {
  std::string text;
  const auto add = [&text](const EngineFlag& flag) {
    std::string name = "--" + std::string(flag.name) + (flag.value.empty() ? "" : " ") + std::string(flag.value);
    name.resize(std::max<std::size_t>(name.size(), 26), ' ');
    text += "  " + name + "  " + std::string(flag.help) + "\n";
  };
  for (const EngineFlag& flag : flags) add(flag);
  add(kConfig);
  add(kShowConfig);
  return text +
         "Each may also be given in the environment, as FANFOLD_ROOT for --root, or in the configuration file.\n";
}

}  // namespace

Result<CommandFlags> CommandFlags::parse(const std::string& command, std::span<const EngineFlag> flags,
                                         const std::vector<std::string>& words, std::size_t names_max) {
  const std::string advice = "; `fanfold " + command + " --help` lists what it takes";
  CommandFlags given;
  given.flags_ = flags;
  std::string config_file;
  for (std::size_t at = 0; at < words.size(); ++at) {
    const std::string& word = words[at];
    if (word == "--help" || word == "-h") {
      given.help_ = true;
      return given;
    }
    if (!word.starts_with("-") || word == "-") {
      if (given.names_.size() == names_max)
        return usage("`fanfold " + command + "` cannot use " + fanfold::quoted(word) + advice);
      given.names_.push_back(word);
      continue;
    }
    const std::size_t equals = word.find('=');
    const std::string name = word.substr(0, equals);
    const auto found = std::find_if(flags.begin(), flags.end(),
                                    [&](const EngineFlag& one) { return name == "--" + std::string(one.name); });
    const EngineFlag* flag = found != flags.end() ? &*found : name == "--config" ? &kConfig : nullptr;
    if (name == "--show-config") flag = &kShowConfig;
    if (flag == nullptr) return usage("`fanfold " + command + "` has no flag " + fanfold::quoted(name) + advice);
    std::string value;
    if (flag->kind == FlagKind::kSwitch) {
      if (equals != std::string::npos) return usage(name + " takes no value" + advice);
    } else if (equals != std::string::npos) {
      value = word.substr(equals + 1);
    } else if (at + 1 < words.size()) {
      value = words[++at];
    } else {
      return usage(name + " needs a value" + advice);
    }
    if (flag->kind != FlagKind::kSwitch && value.empty())
      return usage(name + " is empty; give it a value, or leave it out");
    if (flag == &kShowConfig) {
      given.show_config_ = true;
    } else if (flag == &kConfig) {
      config_file = value;
    } else {
      given.values_[std::string(flag->name)].push_back(std::move(value));
    }
  }
  for (const auto& [flag, values] : given.values_) given.settings_.push_back({flag, values, "--" + flag});
  for (const EngineFlag& flag : flags) {
    const std::string name(flag.name);
    const char* value = std::getenv(environment_name(flag.name).c_str());
    if (given.values_.contains(name) || value == nullptr || *value == '\0') continue;
    const std::string text(value);
    if (flag.kind == FlagKind::kSwitch && (text == "0" || text == "false")) continue;
    given.take(flag, {text}, environment_name(flag.name));
  }
  const Result<ConfigFile> config = read_config_file(config_file);
  if (!config) return config.failure();
  for (const EngineFlag& flag : flags) {
    const ConfigEntry* entry = config->find(flag.name);
    if (entry == nullptr || given.values_.contains(std::string(flag.name))) continue;
    if (flag.kind == FlagKind::kSwitch && entry->values.front() != "true") continue;
    given.take(
        flag, entry->values,
        std::string(flag.name) + " in " + fanfold::quoted(config->path) + ", line " + std::to_string(entry->line));
  }
  return given;
}

void CommandFlags::take(const EngineFlag& flag, std::vector<std::string> values, std::string origin) {
  values_[std::string(flag.name)] = values;
  settings_.push_back({std::string(flag.name), std::move(values), std::move(origin)});
}

bool CommandFlags::answered(const std::string& usage) const {
  if (help_) std::printf("%s\n\n%s", usage.c_str(), help_text(flags_).c_str());
  if (show_config_ && !help_) print_settings(flags_, settings_);
  return help_ || show_config_;
}

std::string CommandFlags::text(const std::string& flag) const {
  const auto found = values_.find(flag);
  return found == values_.end() ? std::string() : found->second.back();
}

std::vector<std::string> CommandFlags::texts(const std::string& flag) const {
  const auto found = values_.find(flag);
  return found == values_.end() ? std::vector<std::string>() : found->second;
}

Status CommandFlags::count(const std::string& flag, std::uint32_t most, std::uint32_t& to) const {
  if (!on(flag)) return success();
  const std::string value = text(flag);
  std::uint32_t number = 0;
  const auto parsed = std::from_chars(value.data(), value.data() + value.size(), number);
  if (parsed.ec != std::errc() || parsed.ptr != value.data() + value.size() || number == 0 || number > most) {
    return usage("--" + flag + " takes a whole number from 1 to " + std::to_string(most) + ", not " +
                 fanfold::quoted(value));
  }
  to = number;
  return success();
}

Status CommandFlags::size(const std::string& flag, std::uint64_t& to, std::uint64_t least) const {
  if (!on(flag)) return success();
  const Result<std::uint64_t> value = parse_size(text(flag), "--" + flag);
  if (!value) return value.failure();
  if (*value < least) return usage("--" + flag + " must be at least 1 byte");
  to = *value;
  return success();
}

Status CommandFlags::time(const std::string& flag, Duration& to) const {
  if (!on(flag)) return success();
  const Result<Duration> value = parse_time(text(flag), "--" + flag);
  if (!value) return value.failure();
  to = *value;
  return success();
}

Status log_options(const CommandFlags& flags, log::Options& options) {
  options.format = log::Format::kText;
  if (const std::string format = flags.text("log-format"); !format.empty()) {
    if (Status parsed = log::parse_format(format, options); !parsed) return parsed;
  }
  const std::string level = flags.text("log-level");
  return level.empty() ? success() : log::parse_level(level, options);
}

}  // namespace fanfold::cli
