// fleet_commands.h: what the commands that ask a fleet's root have in common: its address, and a run's id.
#pragma once

#include <string>

#include "engine/failure.h"
#include "engine/instant.h"
#include "engine/protocol/identity.h"
#include "runtime/cli/command_flags.h"
#include "runtime/transport/link_keys.h"

namespace fanfold::cli {

inline constexpr EngineFlag kRootFlag{"root", FlagKind::kText, "tcp://HOST:PORT", "the root to ask"};
inline constexpr EngineFlag kRootTimeoutFlag{"root-timeout", FlagKind::kText, "TIME",
                                             "give up when it does not answer for so long (default 10s)"};
inline constexpr EngineFlag kKeysFlag{"keys", FlagKind::kText, "FOLDER", "where its key and root.pub are"};
inline constexpr EngineFlag kKeyNameFlag{"key-name", FlagKind::kText, "NAME", "which key, where there are several"};
inline constexpr EngineFlag kJsonFlag{"json", FlagKind::kSwitch, "", "as JSON"};

struct RootAddress {
  std::string endpoint;
  Duration timeout = seconds(10);
  transport::KeyPlace keys;
};
// Exit 2 where none is given.
[[nodiscard]] Result<RootAddress> root_address(const CommandFlags& flags, const std::string& command);
// Exit 2 for what is no run's id.
[[nodiscard]] Result<RunId> run_named(const CommandFlags& flags, const std::string& command);

// What others named, for a terminal: control bytes are question marks.
[[nodiscard]] std::string printable(std::string text);

}  // namespace fanfold::cli
