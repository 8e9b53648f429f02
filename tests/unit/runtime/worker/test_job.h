// test_job.h: a job of the build folder, open, with what it takes to map leases of it.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "runtime/plugin/plugin.h"
#include "runtime/worker/lease_mapper.h"
#include "runtime/worker/slot_partial.h"

namespace fanfold::worker {

class TestJob {
 public:
  // "tests/jobs/numbers", "jobs/wordcount".
  explicit TestJob(const std::string& name, const plugin::Arguments& arguments = {}) {
    const std::size_t slash = name.rfind('/');
    const std::string path =
        std::string(FANFOLD_BINARY_DIR "/") + name.substr(0, slash) + "/lib" + name.substr(slash + 1) + ".so";
    auto loaded = plugin::Plugin::load(path, FANFOLD_KERNELS_PORTABLE);
    if (!loaded) throw std::runtime_error(loaded.failure().sentence);
    plugin_ = std::move(loaded).value();
    auto opened = plugin_->open(arguments);
    if (!opened) throw std::runtime_error(opened.failure().sentence);
    instance_ = std::move(opened).value();
  }
  [[nodiscard]] const plugin::Instance& instance() const { return *instance_; }

 private:
  std::unique_ptr<plugin::Plugin> plugin_;
  std::unique_ptr<plugin::Instance> instance_;
};

inline Source range(std::int64_t begin, std::int64_t end, std::uint64_t unit) {
  Source source;
  source.kind = SourceKind::kRange;
  source.name = "range:" + std::to_string(begin) + ".." + std::to_string(end);
  source.begin = begin;
  source.end = end;
  source.unit = unit;
  return source;
}

}  // namespace fanfold::worker
