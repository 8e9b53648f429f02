// job_finder.h: where jobs are: named folders first, then FANFOLD_PLUGIN_PATH, beside the program, and
// installed. The first of a name wins; a name with a slash is the path of a plugin. Only looks at names.
#pragma once

#include <string>
#include <vector>

#include "engine/failure.h"

namespace fanfold {

struct FoundJob {
  std::string name;
  std::string path;       // absolute
  bool shadowed = false;  // another of its name comes before it
};

// The folders that are searched, in order, those that are not there included.
[[nodiscard]] std::vector<std::string> plugin_folders(const std::vector<std::string>& named);
// Every job in them, by folder, then by name.
[[nodiscard]] std::vector<FoundJob> list_jobs(const std::vector<std::string>& folders);
// Exit 2, with names that are near, when there is none.
Result<FoundJob> find_job(const std::string& name, const std::vector<std::string>& folders);

// Names of `known` that are at most two edits away (insert, delete, change, swap), nearest first.
[[nodiscard]] std::vector<std::string> near_names(const std::string& name, const std::vector<std::string>& known);

}  // namespace fanfold
