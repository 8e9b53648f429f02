// keygen_command.cpp: `fanfold keygen ROLE [NAME] --keys FOLDER`, a new key pair as files.
#include <CLI/CLI.hpp>
#include <cstdio>

#include "engine/quoted.h"
#include "runtime/cli/commands.h"
#include "runtime/transport/key_file.h"

namespace fanfold::cli {

namespace {

constexpr const char* kHelp =
    "fanfold keygen root --keys FOLDER          the root's key: FOLDER/root.key and FOLDER/root.pub\n"
    "fanfold keygen worker NAME --keys FOLDER   a worker's: FOLDER/NAME.key and FOLDER/NAME.pub\n"
    "fanfold keygen client NAME --keys FOLDER   a client's\n"
    "\n"
    "NAME.key is a secret (mode 0600) and stays with its node; nothing is ever overwritten. The root admits the\n"
    "workers and clients whose NAME.pub lies in its own folder. A worker or client needs NAME.key and root.pub.\n";

}  // namespace

ExitCode keygen_command(const Words& words) {
  CLI::App app;
  bool help = false;
  std::string role_name;
  std::string name;
  std::string folder;
  app.set_help_flag("");
  app.add_flag("-h,--help", help);
  app.add_option("role", role_name);
  app.add_option("name", name);
  app.add_option("--keys", folder)->envname("FANFOLD_KEYS");
  try {
    app.parse(Words(words.rbegin(), words.rend()));
  } catch (const CLI::ParseError& error) {
    return say({ExitCode::kUsage, std::string(error.what()) + "; `fanfold keygen --help` says how it is used"});
  }
  if (help) {
    std::fputs(kHelp, stdout);
    return ExitCode::kDone;
  }
  if (role_name.empty() || folder.empty()) {
    return say({ExitCode::kUsage, "a role and --keys FOLDER are needed; `fanfold keygen --help` says how it is used"});
  }
  const Result<transport::KeyRole> role = transport::key_role_named(role_name);
  if (!role) return say(role.failure());
  if (name.empty() && *role == transport::KeyRole::kRoot) name = role_name;
  if (name.empty()) {
    return say({ExitCode::kUsage, "a " + role_name +
                                      "'s key needs a name, by which it is told from others: `fanfold keygen " +
                                      role_name + " NAME --keys " + folder + "`"});
  }
  const Result<transport::KeyPair> key = transport::make_key(*role, name);
  if (!key) return say(key.failure());
  if (const Status written = transport::write_key(folder, *key); !written) return say(written.failure());
  std::printf("%s/%s.key  the secret: keep it on the %s alone\n%s/%s.pub  what others know it by\n", folder.c_str(),
              name.c_str(), role_name.c_str(), folder.c_str(), name.c_str());
  return ExitCode::kDone;
}

}  // namespace fanfold::cli
