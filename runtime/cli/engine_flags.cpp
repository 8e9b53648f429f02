#include "runtime/cli/engine_flags.h"

#include <algorithm>
#include <array>
#include <cctype>

#include "runtime/plugin/reserved_names.h"

namespace fanfold::cli {

namespace {

constexpr std::array kFlags = {
    EngineFlag{"workers", FlagKind::kCount, "N", "worker processes (default 1)"},
    EngineFlag{"slots", FlagKind::kCount, "N",
               "shards mapped at once by a worker (default: a slot a core, shared out)"},
    EngineFlag{"memory", FlagKind::kSize, "SIZE", "memory of the whole run (default: half of what is free)"},
    EngineFlag{"shard-bytes", FlagKind::kSize, "SIZE", "bytes of a shard of a file (default: the planner's choice)"},
    EngineFlag{"shard-items", FlagKind::kCount, "N", "integers of a shard of a range (default: the planner's choice)"},
    EngineFlag{"sequential", FlagKind::kSwitch, "", "the twin: one thread, one partial, no engine"},
    EngineFlag{"format", FlagKind::kText, "FORMAT", "table, csv, json or jsonl (default table)"},
    EngineFlag{"output", FlagKind::kText, "FILE", "write the result there, whole or not at all"},
    EngineFlag{"limit", FlagKind::kCount, "N", "rows at most; 0: all"},
    EngineFlag{"files-from", FlagKind::kText, "FILE",
               "read more inputs from a list, a path a line; - is standard input"},
    EngineFlag{"quiet", FlagKind::kSwitch, "", "neither progress nor summary"},
    EngineFlag{"json-summary", FlagKind::kText, "FILE", "write the run's summary there as JSON"},
    EngineFlag{"plugin-path", FlagKind::kTexts, "FOLDER", "look for jobs there first; may be repeated"},
    EngineFlag{"param", FlagKind::kTexts, "NAME=VALUE", "a parameter of the job, whatever its name; may be repeated"},
    EngineFlag{"record-bytes-max", FlagKind::kSize, "SIZE", "a longer record ends the run (default 64MiB)"},
    EngineFlag{"spool-bytes-max", FlagKind::kSize, "SIZE", "of pipes and standard input, kept in TMPDIR"},
    EngineFlag{"config", FlagKind::kText, "FILE",
               "read flags from this file (default: fanfold/config.toml of the user)"},
    EngineFlag{"show-config", FlagKind::kSwitch, "", "print each flag's value and where it is from, and end"},
    EngineFlag{"root", FlagKind::kText, "tcp://HOST:PORT", "run on the fleet of this root (default: on this machine)"},
    EngineFlag{"keys", FlagKind::kText, "FOLDER", "where this client's key and the root's root.pub are"},
    EngineFlag{"key-name", FlagKind::kText, "NAME", "which key, where there are several clients'"},
    EngineFlag{"root-timeout", FlagKind::kText, "TIME",
               "give up when the root does not answer for so long (default 10s)"},
    EngineFlag{"no-worker-timeout", FlagKind::kText, "TIME",
               "a run at a root fails without any worker for so long (default 30s)"},
    EngineFlag{"run-id", FlagKind::kText, "ID",
               "of a run at a root, 32 hexadecimal digits: submitted once (default: a fresh one)"},
    EngineFlag{"ship", FlagKind::kSwitch, "", "send the files to the root: its workers need not have them"},
    EngineFlag{"ship-plugin", FlagKind::kSwitch, "",
               "send the job's plugin to the root and its workers, where they accept plugins"},
    EngineFlag{"allow-growth", FlagKind::kSwitch, "", "files may grow meanwhile: their planned size is read"},
};

static_assert(std::all_of(kFlags.begin(), kFlags.end(),
                          [](const EngineFlag& flag) { return plugin::is_reserved(flag.name); }),
              "an engine flag is missing in reserved_names.h: a job could take its name");

}  // namespace

std::span<const EngineFlag> engine_flags() {
  return kFlags;
}

const EngineFlag* find_engine_flag(std::string_view name) {
  const auto* found =
      std::find_if(kFlags.begin(), kFlags.end(), [&](const EngineFlag& flag) { return flag.name == name; });
  return found == kFlags.end() ? nullptr : found;
}

std::string environment_name(std::string_view flag) {
  std::string name = "FANFOLD_";
  for (const char letter : flag) {
    name.push_back(letter == '-' ? '_' : static_cast<char>(std::toupper(static_cast<unsigned char>(letter))));
  }
  return name;
}

}  // namespace fanfold::cli
