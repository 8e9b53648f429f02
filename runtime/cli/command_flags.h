// command_flags.h: the flags of the commands that run no job: a table a command, values from the command line, else
// from the environment (FANFOLD_<FLAG>), else from the configuration file (config_file.h). Each command
// has --config, which names that file, and --show-config. Every failure is exit 2 and one sentence.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "engine/failure.h"
#include "engine/instant.h"
#include "runtime/cli/engine_flags.h"
#include "runtime/cli/setting.h"
#include "runtime/log/log.h"

namespace fanfold::cli {

class CommandFlags;

// --log-format and --log-level.
Status log_options(const CommandFlags& flags, log::Options& options);

// Of `fanfold root`, and of `fanfold worker`.
[[nodiscard]] std::span<const EngineFlag> root_flags();
[[nodiscard]] std::span<const EngineFlag> worker_flags();

class CommandFlags {
 public:
  // `words` come behind the command's name; so many of them may be no flags. `flags` must outlive this.
  static Result<CommandFlags> parse(const std::string& command, std::span<const EngineFlag> flags,
                                    const std::vector<std::string>& words, std::size_t names_max);

  // Where --help or --show-config was given, answers it on standard output: the command has nothing else to do.
  // `usage` is what --help begins with.
  [[nodiscard]] bool answered(const std::string& usage) const;
  [[nodiscard]] const std::vector<std::string>& names() const { return names_; }
  [[nodiscard]] bool on(const std::string& flag) const { return values_.contains(flag); }
  [[nodiscard]] std::string text(const std::string& flag) const;  // empty where not given
  [[nodiscard]] std::vector<std::string> texts(const std::string& flag) const;
  Status count(const std::string& flag, std::uint32_t most, std::uint32_t& to) const;
  Status size(const std::string& flag, std::uint64_t& to, std::uint64_t least = 1) const;
  Status time(const std::string& flag, Duration& to) const;

 private:
  void take(const EngineFlag& flag, std::vector<std::string> values, std::string origin);

  std::span<const EngineFlag> flags_;
  std::map<std::string, std::vector<std::string>> values_;
  std::vector<Setting> settings_;
  std::vector<std::string> names_;
  bool help_ = false;
  bool show_config_ = false;
};

}  // namespace fanfold::cli
