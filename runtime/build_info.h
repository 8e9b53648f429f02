// build_info.h: what this build is, for `fanfold --version` and for finding what was installed with
// it. Its own small library, fanfold_build_info: everything that changes at each commit is there.
#pragma once

#include <string_view>

namespace fanfold {

struct BuildInfo {
  std::string_view version;                 // of the project, as in CMakeLists.txt: "0.1.0"
  std::string_view revision;                // what git calls the commit; "unknown" outside a checkout
  std::string_view build_type;              // "Release", "RelWithDebInfo"
  std::string_view sanitizer;               // "address", "thread" or empty
  std::string_view compiler;                // "GNU 12.2.0"
  std::string_view processor;               // "x86_64", "aarch64"
  std::string_view jobs_path_from_program;  // where installed jobs lie, seen from the program's folder
};

const BuildInfo& build_info();

}  // namespace fanfold
