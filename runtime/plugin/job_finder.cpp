#include "runtime/plugin/job_finder.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <set>

#include "engine/quoted.h"
#include "runtime/build_info.h"

namespace fanfold {

namespace {

namespace fs = std::filesystem;

constexpr std::string_view kPrefix = "lib";
constexpr std::string_view kSuffix = ".so";
constexpr std::size_t kEditsMax = 2;

std::string absolute(const fs::path& path) {
  std::error_code error;
  const fs::path full = fs::absolute(path, error);
  return (error ? path : full.lexically_normal()).string();
}

// Optimal string alignment (Damerau-Levenshtein without overlapping edits).
std::size_t edits_between(const std::string& a, const std::string& b) {
  std::vector<std::vector<std::size_t>> distance(a.size() + 1, std::vector<std::size_t>(b.size() + 1));
  for (std::size_t i = 0; i <= a.size(); ++i) distance[i][0] = i;
  for (std::size_t j = 0; j <= b.size(); ++j) distance[0][j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t change = a[i - 1] == b[j - 1] ? 0 : 1;
      distance[i][j] = std::min({distance[i - 1][j] + 1, distance[i][j - 1] + 1, distance[i - 1][j - 1] + change});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        distance[i][j] = std::min(distance[i][j], distance[i - 2][j - 2] + 1);
      }
    }
  }
  return distance[a.size()][b.size()];
}

}  // namespace

std::vector<std::string> plugin_folders(const std::vector<std::string>& named) {
  std::vector<std::string> folders;
  for (const std::string& folder : named) folders.push_back(absolute(folder));
  if (const char* path = std::getenv("FANFOLD_PLUGIN_PATH"); path != nullptr) {
    const std::string all(path);
    for (std::size_t at = 0; at <= all.size();) {
      const std::size_t end = std::min(all.find(':', at), all.size());
      if (end > at) folders.push_back(absolute(all.substr(at, end - at)));
      at = end + 1;
    }
  }
  std::error_code error;
  const fs::path program = fs::read_symlink("/proc/self/exe", error);
  if (!error) {
    const fs::path beside = program.parent_path();
    folders.push_back((beside / "jobs").string());
    folders.push_back(beside.string());
    folders.push_back((beside / std::string(build_info().jobs_path_from_program)).lexically_normal().string());
  }
  return folders;
}

std::vector<FoundJob> list_jobs(const std::vector<std::string>& folders) {
  std::vector<FoundJob> jobs;
  std::set<std::string> names;
  std::set<std::string> seen;  // a folder named twice is searched once
  for (const std::string& folder : folders) {
    if (!seen.insert(folder).second) continue;
    std::vector<FoundJob> here;
    std::error_code error;
    for (fs::directory_iterator entry(folder, error), end; !error && entry != end; entry.increment(error)) {
      const std::string file = entry->path().filename().string();
      if (file.size() <= kPrefix.size() + kSuffix.size() || !file.starts_with(kPrefix) || !file.ends_with(kSuffix)) {
        continue;
      }
      here.push_back(
          {file.substr(kPrefix.size(), file.size() - kPrefix.size() - kSuffix.size()), entry->path().string(), false});
    }
    std::sort(here.begin(), here.end(), [](const FoundJob& a, const FoundJob& b) { return a.name < b.name; });
    for (FoundJob& job : here) {
      job.shadowed = !names.insert(job.name).second;
      jobs.push_back(std::move(job));
    }
  }
  return jobs;
}

std::vector<std::string> near_names(const std::string& name, const std::vector<std::string>& known) {
  std::vector<std::pair<std::size_t, std::string>> near;
  for (const std::string& other : known) {
    const std::size_t edits = edits_between(name, other);
    if (edits <= kEditsMax && edits < std::max(name.size(), other.size())) near.emplace_back(edits, other);
  }
  std::sort(near.begin(), near.end());
  std::vector<std::string> names;
  for (auto& [edits, other] : near) names.push_back(std::move(other));
  return names;
}

Result<FoundJob> find_job(const std::string& name, const std::vector<std::string>& folders) {
  if (name.find('/') != std::string::npos) {
    std::error_code error;
    if (!fs::exists(name, error)) {
      return Failure{ExitCode::kUsage, "there is no plugin at " + fanfold::quoted(name) +
                                           "; check the path, or name a job without a slash"};
    }
    if (fs::is_directory(name, error)) {
      return Failure{ExitCode::kUsage, fanfold::quoted(name) +
                                           " is a folder, no plugin; name a plugin in it, or the folder with "
                                           "--plugin-path"};
    }
    return FoundJob{fs::path(name).filename().string(), absolute(name), false};
  }
  std::vector<std::string> known;
  for (const FoundJob& job : list_jobs(folders)) {
    if (job.name == name) return job;
    if (!job.shadowed) known.push_back(job.name);
  }
  std::string sentence = "there is no job " + fanfold::quoted(name) + "; ";
  if (const std::vector<std::string> near = near_names(name, known); !near.empty()) {
    sentence += "did you mean " + fanfold::quoted(near.front()) + "? ";
  }
  return Failure{ExitCode::kUsage, sentence + "`fanfold jobs` lists those there are, a plugin's path has a slash"};
}

}  // namespace fanfold
