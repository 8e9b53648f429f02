#include "runtime/http/endpoints.h"

#include <dlfcn.h>

#include <filesystem>
#include <utility>

#include "engine/quoted.h"
#include "runtime/build_info.h"

namespace fanfold::http {

namespace {

// Beside the program where it was built, beside the folder of jobs where it was installed.
Result<const EndpointsModule*> load() {
  constexpr const char* kFile = "fanfold-endpoints.so";
  std::error_code error;
  const std::filesystem::path beside = std::filesystem::read_symlink("/proc/self/exe", error).parent_path();
  std::string why;
  for (const std::filesystem::path& path :
       {beside / kFile, beside / std::string(build_info().jobs_path_from_program) / ".." / kFile}) {
    if (!std::filesystem::exists(path, error)) continue;
    if (void* module = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL); module != nullptr) {
      if (void* symbol = dlsym(module, "fanfold_endpoints"); symbol != nullptr) {
        return static_cast<const EndpointsModule*>(symbol);
      }
    }
    why = ": " + std::string(dlerror());
  }
  return Failure{ExitCode::kUsage, "this installation cannot serve or ask over HTTP: " + fanfold::quoted(kFile) +
                                       " is not beside the program, nor with its jobs" + why + "; install it whole"};
}

Result<const EndpointsModule*> endpoints_module() {
  static const Result<const EndpointsModule*> loaded = load();
  return loaded;
}

}  // namespace

Result<std::unique_ptr<Endpoints>> serve_endpoints(const std::string& address, NodeAnswers answers) {
  const Result<const EndpointsModule*> module = endpoints_module();
  if (!module) return module.failure();
  return (*module)->serve(address, std::move(answers));
}

Status ask_ready(const std::string& address) {
  const Result<const EndpointsModule*> module = endpoints_module();
  if (!module) return module.failure();
  return (*module)->ask_ready(address);
}

}  // namespace fanfold::http
