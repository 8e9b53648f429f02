// plugin.h: loads a job's plugin and calls it: the only code that touches the C ABI's function table.
// Linked into the processes that may run user code (executor, gatherer, describer), never called in the
// client or the root. A plugin is never unloaded. Calls are as thread-safe as abi.h says.
#pragma once

#include <fanfold/abi.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/failure.h"
#include "engine/protocol/schema.h"

namespace fanfold::plugin {

using Arguments = std::vector<std::pair<std::string, std::string>>;  // parameter name, value

struct Parameter {
  std::uint32_t type = FANFOLD_PARAMETER_TEXT;
  std::string name;
  std::string default_value;
  std::string help;
  std::string choices;  // separated by '|'
  std::int64_t minimum = 0;
  std::int64_t maximum = 0;
  std::uint32_t effects = 0;  // fanfold_parameter_effects
};

// What a plugin says of itself, copied out and bounded.
struct JobDescription {
  std::string name;
  std::string version;
  std::string summary;
  std::string help;
  std::uint32_t flags = 0;
  std::uint32_t abi_major = 0;
  std::uint32_t abi_minor = 0;
  std::vector<Parameter> parameters;
};

// "portable", "avx2", "avx512"; anything else is portable.
[[nodiscard]] fanfold_kernels kernels_named(std::string_view name);

// The sentence that the last failing callback of this thread said, or a general one; taken once.
[[nodiscard]] std::string take_failure_text(std::int32_t status);

// A job opened with its parameters.
class Instance {
 public:
  Instance(const fanfold_job* job, fanfold_instance* handle, Schema schema)
      : job_(job), handle_(handle), schema_(std::move(schema)) {}
  ~Instance() { job_->close(handle_); }
  Instance(const Instance&) = delete;
  Instance& operator=(const Instance&) = delete;

  [[nodiscard]] const fanfold_job& job() const { return *job_; }
  [[nodiscard]] const fanfold_instance* handle() const { return handle_; }
  [[nodiscard]] const Schema& schema() const { return schema_; }
  [[nodiscard]] bool keyed() const { return (job_->flags & FANFOLD_JOB_KEYED) != 0; }
  [[nodiscard]] bool needs_head() const { return (job_->flags & FANFOLD_JOB_NEEDS_HEAD) != 0; }
  // How many parts merge() and pack() work on.
  [[nodiscard]] std::uint32_t work_parts() const { return keyed() ? 1U << FANFOLD_LOG2_PARTS_WORK : 1; }

 private:
  const fanfold_job* job_;
  fanfold_instance* handle_;
  Schema schema_;
};

class Plugin {
 public:
  // Loads the file and refuses what is no plugin, or one of another major. Exit 2 with a sentence.
  static Result<std::unique_ptr<Plugin>> load(const std::string& path, fanfold_kernels kernels);

  [[nodiscard]] const JobDescription& description() const { return description_; }
  // Exit 2 when the job refuses its arguments, 4 when it fails to open or its schema is unusable.
  Result<std::unique_ptr<Instance>> open(const Arguments& arguments) const;

 private:
  Plugin(std::string path, const fanfold_job* job, fanfold_kernels kernels);

  std::string path_;
  const fanfold_job* job_;
  fanfold_host host_;
  JobDescription description_;
};

// A partial and the account of its memory.
class Partial {
 public:
  Partial(const Partial&) = delete;
  Partial& operator=(const Partial&) = delete;
  Partial(const Instance& instance, const fanfold_memory* memory)
      : job_(instance.job()), handle_(job_.partial_new(instance.handle(), memory)) {}
  ~Partial() {
    if (handle_ != nullptr) job_.partial_free(handle_);
  }
  // Null when memory was refused.
  [[nodiscard]] fanfold_partial* handle() const { return handle_; }
  void reset() { job_.partial_reset(handle_); }

 private:
  const fanfold_job& job_;
  fanfold_partial* handle_;
};

// Merges all of `right`, sealed, into `left`, and resets `right`. One thread.
[[nodiscard]] std::int32_t merge_all(const Instance& instance, Partial& left, Partial& right);

}  // namespace fanfold::plugin
