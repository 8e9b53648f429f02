#include "runtime/plugin/plugin.h"

#include <dlfcn.h>

#include <cstring>
#include <filesystem>

#include "engine/quoted.h"
#include "runtime/plugin/memory_pool.h"
#include "runtime/plugin/reserved_names.h"

namespace fanfold::plugin {

namespace {

constexpr std::size_t kTextBytesMax = 64 * 1024;
constexpr std::uint64_t kParametersMax = 256;

thread_local std::string failure_text;

std::string bounded(const char* text) {
  return text == nullptr ? std::string() : std::string(text, strnlen(text, kTextBytesMax));
}

Failure unloadable(const std::string& path, const std::string& why) {
  return {ExitCode::kUsage, "cannot load plugin " + fanfold::quoted(path) + ": " + why};
}

// The callbacks that every version 1 plugin has; a table too short for them is no plugin.
bool complete(const fanfold_job& job) {
  return job.size >= sizeof(fanfold_job) && job.open != nullptr && job.close != nullptr && job.schema != nullptr &&
         job.partial_new != nullptr && job.partial_reset != nullptr && job.partial_free != nullptr &&
         job.map != nullptr && job.seal != nullptr && job.merge != nullptr && job.extent != nullptr &&
         job.pack != nullptr && job.check != nullptr && job.reserve != nullptr && job.fold != nullptr &&
         job.finish != nullptr && job.finish_packed != nullptr && job.release_part != nullptr && job.digest != nullptr;
}

}  // namespace

fanfold_kernels kernels_named(std::string_view name) {
  if (name == "avx512") return FANFOLD_KERNELS_AVX512;
  if (name == "avx2") return FANFOLD_KERNELS_AVX2;
  return FANFOLD_KERNELS_PORTABLE;
}

std::string take_failure_text(std::int32_t status) {
  std::string text = std::exchange(failure_text, std::string());
  if (!text.empty()) return text;
  switch (status) {
    case FANFOLD_EXHAUSTED:
      return "the machine refused memory to the job; use a smaller --memory or fewer slots";
    case FANFOLD_BAD_PARTIAL:
      return "packed bytes are not what the job's pack() writes";
    case FANFOLD_STOPPED:
      return "cancelled";
    default:
      return "the job failed with status " + std::to_string(status) + " and gave no reason";
  }
}

Plugin::Plugin(std::string path, const fanfold_job* job, fanfold_kernels kernels)
    : path_(std::move(path)),
      job_(job),
      host_{sizeof(fanfold_host),
            FANFOLD_ABI_MAJOR,
            FANFOLD_ABI_MINOR,
            static_cast<std::uint32_t>(kernels),
            nullptr,
            [](void*, const char* text, std::uint64_t size) {
              failure_text.assign(text, std::min<std::uint64_t>(size, kTextBytesMax));
            },
            [](void*, const char*) -> const void* { return nullptr; }} {
  description_.name = bounded(job->name);
  description_.version = bounded(job->version);
  description_.summary = bounded(job->summary);
  description_.help = bounded(job->help);
  description_.flags = job->flags;
  description_.abi_major = job->abi_major;
  description_.abi_minor = job->abi_minor;
  // A parameter of a newer minor is longer: step by the size that it tells.
  const char* at = reinterpret_cast<const char*>(job->parameters);
  for (std::uint64_t index = 0; index < job->parameter_count; ++index) {
    const auto* parameter = reinterpret_cast<const fanfold_parameter*>(at);
    description_.parameters.push_back({parameter->type, bounded(parameter->name), bounded(parameter->default_value),
                                       bounded(parameter->help), bounded(parameter->choices), parameter->minimum,
                                       parameter->maximum,
                                       FANFOLD_HAS(parameter, fanfold_parameter, effects) ? parameter->effects : 0});
    at += parameter->size;
  }
}

Result<std::unique_ptr<Plugin>> Plugin::load(const std::string& path, fanfold_kernels kernels) {
  std::error_code error;
  if (!std::filesystem::exists(path, error)) {
    return unloadable(path, "no such file; name a job (`fanfold jobs` lists them) or the path of a plugin");
  }
  void* library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
  if (library == nullptr)
    return unloadable(path, std::string("it is no loadable shared library (") + dlerror() +
                                "); name a job (`fanfold jobs` lists them) or the path of a plugin");
  const auto function = reinterpret_cast<fanfold_plugin_function>(dlsym(library, FANFOLD_PLUGIN_SYMBOL));
  if (function == nullptr) {
    return unloadable(path, "it exports no " FANFOLD_PLUGIN_SYMBOL "; build it with FANFOLD_JOB of <fanfold/job.hpp>");
  }
  const fanfold_job* job = function();
  if (job == nullptr)
    return unloadable(path, "its " FANFOLD_PLUGIN_SYMBOL "() returned no job; its author must mend that");
  if (!FANFOLD_HAS(job, fanfold_job, abi_minor))
    return unloadable(path,
                      "its job table is too short to tell its version; build it again with this program's headers");
  if (job->abi_major != FANFOLD_ABI_MAJOR) {
    return unloadable(path, "it was built for plugin interface " + std::to_string(job->abi_major) + "." +
                                std::to_string(job->abi_minor) + ", this program has " +
                                std::to_string(FANFOLD_ABI_MAJOR) + "." + std::to_string(FANFOLD_ABI_MINOR) +
                                "; build it again with this program's headers");
  }
  if (!complete(*job) || job->name == nullptr || job->parameter_count > kParametersMax) {
    return unloadable(path, "its job table is incomplete; build it again with this program's headers");
  }
  std::unique_ptr<Plugin> plugin(new Plugin(path, job, kernels));
  for (const Parameter& parameter : plugin->description_.parameters) {
    if (!is_reserved(parameter.name)) continue;
    return unloadable(path, "its job " + fanfold::quoted(plugin->description_.name) + " declares the parameter --" +
                                parameter.name + ", which is the engine's own flag; its author must rename it");
  }
  return plugin;
}

Result<std::unique_ptr<Instance>> Plugin::open(const Arguments& arguments) const {
  std::vector<fanfold_argument> given;
  given.reserve(arguments.size());
  for (const auto& [name, value] : arguments) {
    given.push_back({{name.data(), name.size()}, {value.data(), value.size()}});
  }
  fanfold_instance* handle = nullptr;
  const std::int32_t status = job_->open(&host_, given.data(), given.size(), &handle);
  if (status != FANFOLD_OK) {
    return Failure{status == FANFOLD_USAGE ? ExitCode::kUsage : ExitCode::kJobFailed,
                   "job " + description_.name + ": " + take_failure_text(status)};
  }
  fanfold_schema filled{};
  filled.size = sizeof filled;
  const std::int32_t schema_status = job_->schema(handle, &filled);
  if (schema_status != FANFOLD_OK) {
    job_->close(handle);
    return Failure{ExitCode::kJobFailed, "job " + description_.name + ": " + take_failure_text(schema_status)};
  }
  Result<Schema> schema = schema_of(filled);
  if (!schema) {
    job_->close(handle);
    return schema.failure();
  }
  return std::make_unique<Instance>(job_, handle, std::move(schema).value());
}

std::int32_t merge_all(const Instance& instance, Partial& left, Partial& right) {
  for (std::uint32_t part = 0; part < instance.work_parts(); ++part) {
    const std::int32_t status = instance.job().merge(left.handle(), right.handle(), part);
    if (status != FANFOLD_OK) return status;
  }
  right.reset();
  return FANFOLD_OK;
}

}  // namespace fanfold::plugin
