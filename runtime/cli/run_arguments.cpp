#include "runtime/cli/run_arguments.h"

#include <CLI/CLI.hpp>
#include <charconv>
#include <cstdlib>
#include <limits>
#include <map>
#include <optional>
#include <tuple>

#include "engine/quoted.h"
#include "runtime/cli/config_file.h"
#include "runtime/cli/engine_flags.h"
#include "runtime/client/quantity.h"
#include "runtime/plugin/job_finder.h"
#include "runtime/transport/endpoint.h"

namespace fanfold::cli {

namespace {

Failure usage(std::string sentence) {
  return {ExitCode::kUsage, std::move(sentence)};
}

Result<std::uint64_t> parse_count(const std::string& text, const std::string& what) {
  std::uint64_t value = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), value);
  if (parsed.ec != std::errc() || parsed.ptr != text.data() + text.size()) {
    return usage(what + " takes a whole number, not " + fanfold::quoted(text));
  }
  return value;
}

// What CLI11 fills; the values are read when all is parsed.
struct Given {
  std::map<std::string, std::vector<std::string>, std::less<>> texts;
  std::map<std::string, bool, std::less<>> switches;
  bool zero = false;
  bool help = false;
  std::string job;
  std::vector<std::string> inputs;

  [[nodiscard]] const std::string* last(std::string_view name) const {
    const auto found = texts.find(name);
    return found == texts.end() || found->second.empty() ? nullptr : &found->second.back();
  }
  [[nodiscard]] bool on(std::string_view name) const {
    const auto found = switches.find(name);
    return found != switches.end() && found->second;
  }
};

// CLI11 takes "[x]" for a list of x, but here it is the name of a file, or a glob: such words have a byte in front
// while it looks at them.
constexpr char kBracketGuard = '\1';
void guard_bracket(std::string& word) {
  if (word.starts_with('[')) word.insert(word.begin(), kBracketGuard);
}
void unguard_bracket(std::string& word) {
  if (word.size() > 1 && word[0] == kBracketGuard && word[1] == '[') word.erase(word.begin());
}

void add_engine_flags(CLI::App& app, Given& given) {
  app.set_help_flag("");  // ours, so that a job's help is shown too
  app.add_flag("-h,--help", given.help);
  app.add_flag("-0", given.zero);
  for (const EngineFlag& flag : engine_flags()) {
    const std::string name(flag.name);
    CLI::Option* option = nullptr;
    if (flag.kind == FlagKind::kSwitch) {
      option = app.add_flag("--" + name, given.switches[name]);
    } else {
      option = app.add_option("--" + name, given.texts[name])->expected(1)->allow_extra_args(false)->take_all();
      if (flag.kind != FlagKind::kTexts) option->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
    }
    option->envname(environment_name(flag.name));
  }
}

// The job's name: the first word that is neither a flag of the engine nor its value.
std::optional<std::size_t> find_job_word(const std::vector<std::string>& words) {
  for (std::size_t at = 0; at < words.size(); ++at) {
    const std::string& word = words[at];
    if (word == "--") return at + 1 < words.size() ? std::optional(at + 1) : std::nullopt;
    if (word.size() < 2 || word[0] != '-') return at;
    if (word.find('=') != std::string::npos || !word.starts_with("--")) continue;
    const EngineFlag* flag = find_engine_flag(std::string_view(word).substr(2));
    if (flag != nullptr && flag->kind != FlagKind::kSwitch) ++at;
  }
  return std::nullopt;
}

// Whether a word behind the job is a flag that the engine does not know.
bool needs_description(const std::vector<std::string>& words) {
  for (const std::string& word : words) {
    if (word == "--") return false;
    if (word == "-h" || word == "--help") return true;
    if (word.starts_with("--param") && (word.size() == 7 || word[7] == '=')) return true;
    if (!word.starts_with("--") || word.size() == 2) continue;
    const std::string_view name = std::string_view(word).substr(2, word.find('=') - 2);
    if (find_engine_flag(name) == nullptr) return true;
  }
  return false;
}

Failure unknown_flag(const std::string& word, const plugin::JobDescription& job) {
  std::vector<std::string> known;
  for (const EngineFlag& flag : engine_flags()) known.emplace_back(flag.name);
  for (const plugin::Parameter& parameter : job.parameters) known.push_back(parameter.name);
  const std::string name = word.substr(2, word.find('=') - 2);
  std::string sentence = "neither fanfold nor job " + job.name + " has a flag --" + name;
  if (const std::vector<std::string> near = near_names(name, known); !near.empty()) {
    sentence += "; did you mean --" + near.front() + "?";
  } else {
    sentence += "; `fanfold jobs describe " + job.name + "` lists the job's";
  }
  return usage(sentence);
}

Failure unknown_parameter(const std::string& name, const plugin::JobDescription& job) {
  std::vector<std::string> known;
  for (const plugin::Parameter& parameter : job.parameters) known.push_back(parameter.name);
  const std::vector<std::string> near = near_names(name, known);
  return usage("job " + job.name + " has no parameter " + fanfold::quoted(name) +
               (near.empty() ? "; `fanfold jobs describe " + job.name + "` lists those it has"
                             : "; did you mean " + near.front() + "?"));
}

// CLI11 knows what is wrong; these are our words for it.
Failure parse_failure(const CLI::ParseError& error, const CLI::App& app) {
  constexpr const char* kHelp = "; `fanfold run --help` lists the flags";
  const std::string text = error.what();
  if (dynamic_cast<const CLI::ExtrasError*>(&error) != nullptr && !app.remaining().empty()) {
    return usage("there is no flag " + app.remaining().front() + kHelp);
  }
  if (dynamic_cast<const CLI::ArgumentMismatch*>(&error) != nullptr) {
    return usage(text.substr(0, text.find(':')) + " needs a value" + kHelp);
  }
  return usage(text + kHelp);
}

// Who gave a flag that was given.
std::string origin_of(std::string_view name, const std::vector<std::string>& words, const ConfigFile& config) {
  const std::string flag = "--" + std::string(name);
  const bool on_command_line = std::any_of(words.begin(), words.end(), [&](const std::string& word) {
    return word == flag || word.starts_with(flag + "=");
  });
  if (on_command_line) return flag;
  const std::string variable = environment_name(name);
  const char* value = std::getenv(variable.c_str());
  const ConfigEntry* entry = config.find(name);
  if (entry == nullptr || (value != nullptr && *value != '\0')) return variable;
  return std::string(name) + " in " + fanfold::quoted(config.path) + ", line " + std::to_string(entry->line);
}

// What neither the command line nor the environment gave.
void take_from_config(const ConfigFile& config, const CLI::App& app, Given& given) {
  for (const ConfigEntry& entry : config.entries) {
    const EngineFlag* flag = find_engine_flag(entry.name);
    if (flag == nullptr || app.get_option("--" + entry.name)->count() > 0) continue;  // of another command
    if (flag->kind == FlagKind::kSwitch) {
      given.switches[entry.name] = entry.values.front() == "true";
    } else {
      given.texts[entry.name] = entry.values;
    }
  }
}

std::vector<Setting> settings_of(const Given& given, const std::vector<std::string>& words, const ConfigFile& config) {
  std::vector<Setting> settings;
  for (const EngineFlag& flag : engine_flags()) {
    if (flag.name == "show-config") continue;
    std::vector<std::string> values;
    if (const auto found = given.texts.find(flag.name); found != given.texts.end()) values = found->second;
    if (given.on(flag.name)) values = {"true"};
    if (values.empty()) continue;
    if (flag.kind != FlagKind::kTexts) values = {values.back()};
    settings.push_back({std::string(flag.name), std::move(values), origin_of(flag.name, words, config)});
  }
  return settings;
}

// The values of a flag among words that are not parsed yet.
std::vector<std::string> values_among(const std::vector<std::string>& words, std::string_view name) {
  const std::string flag = "--" + std::string(name);
  std::vector<std::string> values;
  for (std::size_t at = 0; at < words.size() && words[at] != "--"; ++at) {
    if (words[at] == flag && at + 1 < words.size()) values.push_back(words[at + 1]);
    if (words[at].starts_with(flag + "=")) values.push_back(words[at].substr(flag.size() + 1));
  }
  return values;
}

Status fill_request(const Given& given, const std::vector<std::string>& words, const ConfigFile& config,
                    RunRequest& request) {
  // What the user wrote: the flag, the variable that stands for it, or a line of the file.
  const auto written = [&](std::string_view name) { return origin_of(name, words, config); };
  const auto count = [&](std::string_view name, auto& to) -> Status {
    const std::string* text = given.last(name);
    if (text == nullptr) return success();
    const Result<std::uint64_t> value = parse_count(*text, written(name));
    if (!value) return value.failure();
    using Number = std::remove_reference_t<decltype(to)>;
    if (*value > std::numeric_limits<Number>::max()) {
      return usage(written(name) + " is too large; it takes at most " +
                   std::to_string(std::numeric_limits<Number>::max()));
    }
    if (*value == 0 && name != "limit") return usage(written(name) + " must be at least 1");
    to = static_cast<Number>(*value);
    return success();
  };
  const auto size = [&](std::string_view name, std::uint64_t& to) -> Status {
    const std::string* text = given.last(name);
    if (text == nullptr) return success();
    const Result<std::uint64_t> value = parse_size(*text, written(name));
    if (!value) return value.failure();
    if (*value == 0) return usage(written(name) + " must be at least 1 byte");
    to = *value;
    return success();
  };
  for (Status status :
       {count("workers", request.workers), count("slots", request.slots), count("shard-items", request.shard_items),
        count("limit", request.limit), size("memory", request.memory_bytes), size("shard-bytes", request.shard_bytes),
        size("record-bytes-max", request.record_bytes_max), size("spool-bytes-max", request.spool_bytes_max)}) {
    if (!status) return status;
  }
  constexpr std::uint32_t kProcessesMax = 4096;
  if (request.workers > kProcessesMax || request.slots > kProcessesMax) {
    return usage("--workers and --slots take at most " + std::to_string(kProcessesMax));
  }
  const auto text = [&](std::string_view name, std::string& to) -> Status {
    const std::string* value = given.last(name);
    if (value == nullptr) return success();
    if (value->empty()) return usage(written(name) + " is empty; give it a value, or leave it out");
    to = *value;
    return success();
  };
  for (Status status :
       {text("format", request.format), text("output", request.output), text("files-from", request.files_from),
        text("json-summary", request.json_summary), text("root", request.root), text("run-id", request.run_id),
        text("keys", request.keys.folder), text("key-name", request.keys.name)}) {
    if (!status) return status;
  }
  const auto time = [&](std::string_view name, Duration& to) -> Status {
    const std::string* value = given.last(name);
    if (value == nullptr) return success();
    const Result<Duration> span = parse_time(*value, written(name));
    if (!span) return span.failure();
    to = *span;
    return success();
  };
  for (Status status :
       {time("root-timeout", request.root_timeout), time("no-worker-timeout", request.no_worker_timeout)}) {
    if (!status) return status;
  }
  if (!request.root.empty()) {
    if (const auto root = transport::parse_tcp(request.root, written("root")); !root) return root.failure();
    // Of the machine's own cluster. In the environment or the file they may stand for the runs without a root.
    for (const char* name : {"workers", "slots", "memory"}) {
      if (given.last(name) == nullptr || written(name).substr(0, 2) != "--") continue;
      return usage("--" + std::string(name) +
                   " is for a run on this machine; at a root its workers have what they were "
                   "started with");
    }
  }
  request.files_from_zero = given.zero;
  request.sequential = given.on("sequential");
  request.quiet = given.on("quiet");
  request.allow_growth = given.on("allow-growth");
  request.ship = given.on("ship");
  request.ship_plugin = given.on("ship-plugin");
  for (const auto& [ships, flag, what] : {std::tuple(request.ship, "ship", "files"),
                                          std::tuple(request.ship_plugin, "ship-plugin", "the job's plugin")}) {
    if (!ships || !request.root.empty() || written(flag).substr(0, 2) != "--") continue;
    return usage("--" + std::string(flag) + " sends " + what +
                 " to a root; say to which with --root tcp://HOST:PORT, or leave it out");
  }
  request.inputs = given.inputs;
  if (!request.format.empty() && request.format != "table" && request.format != "csv" && request.format != "json" &&
      request.format != "jsonl") {
    return usage(written("format") + " takes table, csv, json or jsonl, not " + fanfold::quoted(request.format));
  }
  if (given.zero && request.files_from.empty()) return usage("-0 goes with --files-from");
  if (request.inputs.empty() && request.files_from.empty()) {
    return usage("no input is named: give files, folders, globs, - for standard input or range:BEGIN..END");
  }
  return success();
}

}  // namespace

Result<std::string> check_value(const plugin::Parameter& parameter, const std::string& value) {
  const std::string flag = "--" + parameter.name;
  switch (parameter.type) {
    case FANFOLD_PARAMETER_FLAG: {
      if (value == "true" || value == "1" || value.empty()) return std::string("true");
      if (value == "false" || value == "0") return std::string("false");
      return usage(flag + " is a switch: true or false, not " + fanfold::quoted(value));
    }
    case FANFOLD_PARAMETER_INTEGER: {
      std::int64_t number = 0;
      const auto parsed = std::from_chars(value.data(), value.data() + value.size(), number);
      if (parsed.ec != std::errc() || parsed.ptr != value.data() + value.size() || value.empty()) {
        return usage(flag + " takes a whole number, not " + fanfold::quoted(value));
      }
      if (number < parameter.minimum || number > parameter.maximum) {
        return usage(flag + " takes " + std::to_string(parameter.minimum) + " to " + std::to_string(parameter.maximum) +
                     ", not " + value);
      }
      return value;
    }
    case FANFOLD_PARAMETER_NUMBER: {
      double number = 0;
      const auto parsed = std::from_chars(value.data(), value.data() + value.size(), number);
      if (parsed.ec != std::errc() || parsed.ptr != value.data() + value.size() || value.empty()) {
        return usage(flag + " takes a number, not " + fanfold::quoted(value));
      }
      return value;
    }
    case FANFOLD_PARAMETER_CHOICE: {
      std::string allowed;
      for (std::size_t at = 0; at <= parameter.choices.size();) {
        const std::size_t end = std::min(parameter.choices.find('|', at), parameter.choices.size());
        const std::string choice = parameter.choices.substr(at, end - at);
        if (choice == value) return value;
        allowed += (allowed.empty() ? "" : ", ") + choice;
        at = end + 1;
      }
      return usage(flag + " takes one of " + allowed + ", not " + fanfold::quoted(value));
    }
    default:
      return value;
  }
}

Result<RunArguments> parse_run(const std::vector<std::string>& words, const JobSource& jobs) {
  RunArguments arguments;
  Given given;
  CLI::App app;
  add_engine_flags(app, given);
  app.add_option("JOB", given.job);
  app.add_option("INPUT", given.inputs);
  const std::vector<std::string> configs = values_among(words, "config");
  const Result<ConfigFile> config = read_config_file(configs.empty() ? std::string() : configs.back());
  if (!config) return config.failure();

  const std::optional<std::size_t> job_word = find_job_word(words);
  plugin::JobDescription job;
  std::map<std::string, std::vector<std::string>, std::less<>> values;
  if (job_word) {
    std::vector<std::string> folders = values_among(words, "plugin-path");
    const ConfigEntry* configured = config->find("plugin-path");
    if (folders.empty() && configured != nullptr && std::getenv("FANFOLD_PLUGIN_PATH") == nullptr) {
      folders = configured->values;
    }
    Result<std::pair<std::string, std::string>> found = jobs.find(words[*job_word], folders);
    if (!found) return found.failure();
    std::tie(arguments.request.job, arguments.request.plugin_path) = std::move(found).value();
    if (needs_description(words)) {
      Result<plugin::JobDescription> described = jobs.describe(arguments.request.plugin_path);
      if (!described) return described.failure();
      job = std::move(described).value();
      for (const plugin::Parameter& parameter : job.parameters) {
        CLI::Option* option = app.add_option("--" + parameter.name, values[parameter.name])->take_all();
        parameter.type == FANFOLD_PARAMETER_FLAG ? option->expected(0, 1)->default_str("true")
                                                 : option->expected(1)->allow_extra_args(false);
        if (parameter.type == FANFOLD_PARAMETER_FLAG) option->type_size(0);
      }
    }
  }
  // A switch never takes the word behind it: --lower FILE counts FILE.
  for (const plugin::Parameter& parameter : job.parameters) {
    if (parameter.type != FANFOLD_PARAMETER_FLAG) continue;
    app.remove_option(app.get_option("--" + parameter.name));
    app.add_flag("--" + parameter.name + ",--no-" + parameter.name + "{false}", values[parameter.name])->take_all();
  }
  for (const std::string& word : words) {
    if (word == "--") break;
    if (!word.starts_with("--") || !job_word || app.get_option_no_throw(word.substr(0, word.find('='))) != nullptr)
      continue;
    // What an option takes as its value may begin with dashes only behind '=': then it is not a word here.
    return unknown_flag(word, job);
  }
  try {
    std::vector<std::string> reversed(words.rbegin(), words.rend());
    for (std::string& word : reversed) guard_bracket(word);
    app.parse(reversed);
    for (std::string& input : given.inputs) unguard_bracket(input);
    for (auto* all : {&given.texts, &values}) {
      for (auto& [name, texts] : *all) {
        for (std::string& text : texts) unguard_bracket(text);
      }
    }
  } catch (const CLI::ParseError& error) {
    return parse_failure(error, app);
  }
  arguments.help = given.help;
  if (given.help) return arguments;
  take_from_config(*config, app, given);
  arguments.settings = settings_of(given, words, *config);
  arguments.show_config = given.on("show-config");
  if (arguments.show_config) return arguments;
  if (!job_word) return usage("no job is named: fanfold run JOB INPUT...; `fanfold jobs` lists the jobs");

  for (const std::string& pair : given.texts["param"]) {
    const std::size_t equals = pair.find('=');
    if (equals == std::string::npos || equals == 0) {
      return usage("--param takes NAME=VALUE, not " + fanfold::quoted(pair));
    }
    values[pair.substr(0, equals)].push_back(pair.substr(equals + 1));
  }
  for (const auto& [name, given_values] : values) {
    if (given_values.empty()) continue;
    const auto parameter =
        std::find_if(job.parameters.begin(), job.parameters.end(),
                     [&, &wanted = name](const plugin::Parameter& one) { return one.name == wanted; });
    if (parameter == job.parameters.end()) return unknown_parameter(name, job);
    Result<std::string> value = check_value(*parameter, given_values.back());
    if (!value) return value.failure();
    if ((parameter->effects & FANFOLD_EFFECT_WHOLE_SOURCES) != 0 && !value->empty() && *value != "false") {
      arguments.request.whole_sources = true;
    }
    arguments.request.parameters.emplace_back(name, std::move(value).value());
  }
  if (Status filled = fill_request(given, words, *config, arguments.request); !filled) return filled.failure();
  return arguments;
}

}  // namespace fanfold::cli
