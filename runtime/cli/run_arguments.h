// run_arguments.h: the command line of `fanfold run` as a RunRequest: engine flags by their table, the
// job's parameters by what the job declares, each value checked before anything runs.
#pragma once

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "engine/failure.h"
#include "runtime/cli/setting.h"
#include "runtime/client/run_request.h"
#include "runtime/plugin/plugin.h"

namespace fanfold::cli {

struct RunArguments {
  RunRequest request;
  bool help = false;  // asked for, of the job where one is named
  bool show_config = false;
  std::vector<Setting> settings;
};

// How the parser learns of a job: where it is, and, only when the command line needs it, what it declares.
struct JobSource {
  std::function<Result<std::pair<std::string, std::string>>(const std::string& name,
                                                            const std::vector<std::string>& plugin_path)>
      find;  // name and path
  std::function<Result<plugin::JobDescription>(const std::string& path)> describe;
};

// `words` come behind `run`. Failures are exit 2 with one sentence, or what find and describe say. The
// environment gives what the command line does not, and the configuration file what neither does.
Result<RunArguments> parse_run(const std::vector<std::string>& words, const JobSource& jobs);

// Whether a value is of a parameter's declared type, in the form the job gets it; a sentence if not.
Result<std::string> check_value(const plugin::Parameter& parameter, const std::string& value);

}  // namespace fanfold::cli
