#include "runtime/plugin/describer.h"

#include <signal.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include "runtime/process/child_process.h"
#include "runtime/process/role_arguments.h"

namespace fanfold::plugin {

namespace {

using nlohmann::json;

// Texts may be any bytes; JSON's strings are UTF-8, so they travel as arrays of numbers where they are not.
json text_of(const std::string& bytes) {
  return json::binary({bytes.begin(), bytes.end()});
}
std::string bytes_of(const json& value) {
  const auto& bytes = value.get_binary();
  return {bytes.begin(), bytes.end()};
}

json json_of(const JobDescription& job) {
  json all = {{"name", text_of(job.name)},
              {"version", text_of(job.version)},
              {"summary", text_of(job.summary)},
              {"help", text_of(job.help)},
              {"flags", job.flags},
              {"abi_major", job.abi_major},
              {"abi_minor", job.abi_minor},
              {"parameters", json::array()}};
  for (const Parameter& parameter : job.parameters) {
    all["parameters"].push_back({{"type", parameter.type},
                                 {"name", text_of(parameter.name)},
                                 {"default", text_of(parameter.default_value)},
                                 {"help", text_of(parameter.help)},
                                 {"choices", text_of(parameter.choices)},
                                 {"minimum", parameter.minimum},
                                 {"maximum", parameter.maximum},
                                 {"effects", parameter.effects}});
  }
  return all;
}

JobDescription job_of(const json& all) {
  JobDescription job;
  job.name = bytes_of(all.at("name"));
  job.version = bytes_of(all.at("version"));
  job.summary = bytes_of(all.at("summary"));
  job.help = bytes_of(all.at("help"));
  job.flags = all.at("flags");
  job.abi_major = all.at("abi_major");
  job.abi_minor = all.at("abi_minor");
  for (const json& one : all.at("parameters")) {
    job.parameters.push_back({one.at("type"), bytes_of(one.at("name")), bytes_of(one.at("default")),
                              bytes_of(one.at("help")), bytes_of(one.at("choices")), one.at("minimum"),
                              one.at("maximum"), one.at("effects")});
  }
  return job;
}

Result<Described> describe(const std::string& path, fanfold_kernels kernels) {
  Result<std::unique_ptr<Plugin>> plugin = Plugin::load(path, kernels);
  if (!plugin) return plugin.failure();
  Described described{plugin.value()->description(), std::nullopt};
  // A job may refuse its defaults: then its columns are known only with arguments.
  if (Result<std::unique_ptr<Instance>> instance = plugin.value()->open({}); instance) {
    described.schema = instance.value()->schema();
  }
  return described;
}

}  // namespace

std::string describe_text(const Result<Described>& described) {
  json all;
  if (!described) {
    all["failure"] = {{"code", static_cast<int>(described.failure().code)},
                      {"sentence", text_of(described.failure().sentence)}};
  } else {
    all["job"] = json_of(described->job);
    if (described->schema) {
      const std::vector<std::byte> packed = pack_schema(*described->schema);
      const auto* bytes = reinterpret_cast<const std::uint8_t*>(packed.data());
      all["schema"] = json::binary({bytes, bytes + packed.size()});
    }
  }
  const std::vector<std::uint8_t> message = json::to_msgpack(all);
  return {message.begin(), message.end()};
}

Result<Described> described_of(const std::string& text) {
  try {
    const json all = json::from_msgpack(text);
    if (all.contains("failure")) {
      const int code = all["failure"].at("code");
      return Failure{static_cast<ExitCode>(code), bytes_of(all["failure"].at("sentence"))};
    }
    Described described{job_of(all.at("job")), std::nullopt};
    if (all.contains("schema")) {
      const auto& packed = all["schema"].get_binary();
      Result<Schema> schema = unpack_schema({reinterpret_cast<const std::byte*>(packed.data()), packed.size()});
      if (!schema) return schema.failure();
      described.schema = std::move(schema).value();
    }
    return described;
  } catch (const json::exception&) {
    return Failure{ExitCode::kInternal, "the plugin's description cannot be read"};
  }
}

int describe_main(int argc, char** argv) {
  const process::RoleArguments arguments(argc, argv);
  signal(SIGINT, SIG_IGN);
  if (!process::end_with_parent(SIGKILL, static_cast<pid_t>(arguments.number("parent")))) return 0;
  const std::string text = describe_text(describe(arguments.text("plugin"), kernels_named(arguments.text("kernels"))));
  std::size_t at = 0;
  while (at < text.size()) {
    const ssize_t written = write(static_cast<int>(arguments.number("result")), text.data() + at, text.size() - at);
    if (written <= 0) return 1;
    at += static_cast<std::size_t>(written);
  }
  // Not exit(): whatever the plugin registered to be run at the end would run here.
  _exit(0);
}

}  // namespace fanfold::plugin
