// jobs_command.cpp: `fanfold jobs`, the jobs there are, and `fanfold jobs describe NAME`, one of them.
#include <algorithm>
#include <cstdio>

#include "engine/quoted.h"
#include "runtime/cli/commands.h"
#include "runtime/cli/job_help.h"
#include "runtime/client/job_describer.h"
#include "runtime/plugin/job_finder.h"

namespace fanfold::cli {

namespace {

constexpr const char* kHelp =
    "fanfold jobs [--plugin-path FOLDER]...           lists the jobs there are, shadowed ones too\n"
    "fanfold jobs describe NAME [--plugin-path FOLDER]...\n";

ExitCode list(const std::vector<std::string>& folders, const SignalWatcher& signals) {
  std::size_t width = 4;
  const std::vector<FoundJob> jobs = list_jobs(folders);
  for (const FoundJob& job : jobs) width = std::max(width, job.name.size());
  if (jobs.empty()) {
    std::fputs("there are no jobs; name a folder with --plugin-path\n", stdout);
    return ExitCode::kDone;
  }
  for (const FoundJob& job : jobs) {
    const Result<plugin::Described> described = describe_job(job.path, signals.stopped());
    if (signals.cancelled()) return signals.code();
    const std::string version = described ? described->job.version : "-";
    const std::string summary = described ? described->job.summary : "cannot be used: " + described.failure().sentence;
    std::printf("%-*s  %-8s  %s%s\n%*s  %s\n", static_cast<int>(width), job.name.c_str(), version.c_str(),
                job.shadowed ? "(shadowed) " : "", summary.c_str(), static_cast<int>(width), "", job.path.c_str());
  }
  return ExitCode::kDone;
}

}  // namespace

ExitCode jobs_command(const Words& words) {
  std::vector<std::string> named;
  Words names;
  for (std::size_t at = 0; at < words.size(); ++at) {
    const std::string& word = words[at];
    constexpr std::string_view kFolder = "--plugin-path=";
    if (word == "--help" || word == "-h") {
      std::fputs(kHelp, stdout);
      return ExitCode::kDone;
    }
    if (word == "--plugin-path" && at + 1 < words.size()) {
      named.push_back(words[++at]);
    } else if (word.starts_with(kFolder)) {
      named.push_back(word.substr(kFolder.size()));
    } else if (word.starts_with("-")) {
      return say({ExitCode::kUsage, "`fanfold jobs` has no flag " + fanfold::quoted(word)});
    } else {
      names.push_back(word);
    }
  }
  const SignalWatcher signals;
  const std::vector<std::string> folders = plugin_folders(named);
  if (names.empty()) return list(folders, signals);
  if (names.size() != 2 || names[0] != "describe") {
    return say({ExitCode::kUsage, "`fanfold jobs` lists, `fanfold jobs describe NAME` describes"});
  }
  const Result<FoundJob> job = find_job(names[1], folders);
  if (!job) return say(job.failure());
  const Result<plugin::Described> described = describe_job(job->path, signals.stopped());
  if (!described) return say(described.failure(), signals);
  std::fputs(description_text(*described, job->path).c_str(), stdout);
  return ExitCode::kDone;
}

}  // namespace fanfold::cli
