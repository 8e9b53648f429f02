// workers_command.cpp: `fanfold workers`: the workers that have joined a root.
#include <array>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "runtime/cli/commands.h"
#include "runtime/cli/fleet_commands.h"
#include "runtime/client/quantity.h"
#include "runtime/client/root_client.h"

namespace fanfold::cli {
namespace {

constexpr std::array kFlags = {kRootFlag, kRootTimeoutFlag, kKeysFlag, kKeyNameFlag, kJsonFlag};

std::string json_of(const Nodes& nodes) {
  using Json = nlohmann::ordered_json;
  Json list = Json::array();
  for (const NodeRecord& node : nodes.nodes) {
    list.push_back({{"name", node.name},
                    {"host", node.host},
                    {"pid", node.pid},
                    {"build", node.build},
                    {"kernels", node.kernels},
                    {"slots", node.slots},
                    {"slots_used", node.slots_used},
                    {"memory_bytes", node.memory_bytes},
                    {"leaving", node.leaving},
                    {"accepts_plugins", node.accepts_plugins},
                    {"age_seconds", node.age.seconds()}});
  }
  return Json{{"schema", 1}, {"workers", list}}.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace

ExitCode workers_command(const Words& words) {
  const Result<CommandFlags> flags = CommandFlags::parse("workers", kFlags, words, 0);
  if (!flags) return say(flags.failure());
  if (flags->answered("fanfold workers [FLAG]...      lists the workers of a root")) return ExitCode::kDone;
  const Result<RootAddress> address = root_address(*flags, "workers");
  if (!address) return say(address.failure());
  const SignalWatcher signals;
  Result<std::unique_ptr<RootClient>> root = RootClient::connect(address->endpoint, address->timeout, address->keys);
  if (!root) return say(root.failure());
  root.value()->send(ListNodes{});
  const Result<Nodes> nodes = root.value()->answer<Nodes>(signals.stopped());
  if (!nodes) return say(nodes.failure(), signals);
  if (flags->on("json")) {
    std::fputs(json_of(*nodes).c_str(), stdout);
    return ExitCode::kDone;
  }
  std::printf("%-24s  %-24s  %7s  %9s  %10s  %10s\n", "worker", "host", "pid", "slots", "memory", "age");
  for (const NodeRecord& node : nodes->nodes) {
    const std::string slots = std::to_string(node.slots_used) + " / " + std::to_string(node.slots);
    std::printf("%-24s  %-24s  %7llu  %9s  %10s  %10s%s\n", printable(node.name).c_str(), printable(node.host).c_str(),
                static_cast<unsigned long long>(node.pid), slots.c_str(), human_bytes(node.memory_bytes).c_str(),
                human_seconds(node.age.seconds()).c_str(), node.leaving ? "  leaving" : "");
  }
  return ExitCode::kDone;
}

}  // namespace fanfold::cli
