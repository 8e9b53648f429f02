#include "runtime/plugin/plugin_choice.h"

#include "engine/quoted.h"
#include "runtime/plugin/content_hash.h"
#include "runtime/plugin/job_finder.h"
#include "runtime/process/whereabouts.h"

namespace fanfold::plugin {
Result<std::string> choose_plugin(const std::string& job, const std::string& content_hash, const std::string& known,
                                  const std::vector<std::string>& folders) {
  std::string other;
  const std::vector<FoundJob> candidates =
      known.empty() ? list_jobs(folders) : std::vector<FoundJob>{{job, known, false}};
  for (const FoundJob& found : candidates) {
    if (found.name != job) continue;
    const Result<std::string> hash = plugin::content_hash(found.path);
    if (!hash) return hash.failure();
    if (*hash == content_hash || content_hash.empty()) return found.path;
    if (other.empty()) other = fanfold::quoted(found.path) + " has " + *hash;
  }
  if (other.empty()) {
    return Failure{ExitCode::kUsage, "host " + fanfold::quoted(process::host_name()) + " has no job " +
                                         fanfold::quoted(job) +
                                         "; install its plugin there, or name its folder with --plugin-path where "
                                         "root and worker are started"};
  }
  return Failure{ExitCode::kUsage, "host " + fanfold::quoted(process::host_name()) + " has another build of job " +
                                       fanfold::quoted(job) + ": " + other + ", the client's has " + content_hash +
                                       "; install the same file on every machine"};
}

std::string job_of_file(const std::string& path) {
  std::string name = path.substr(path.rfind('/') + 1);
  if (name.starts_with("lib")) name.erase(0, 3);
  if (name.ends_with(".so")) name.erase(name.size() - 3);
  return name;
}

}  // namespace fanfold::plugin
