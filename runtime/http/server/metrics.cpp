#include "runtime/http/server/metrics.h"

#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <limits>
#include <sstream>
#include <string_view>

#include "engine/protocol/limits.h"
#include "runtime/build_info.h"

namespace fanfold::http {

namespace {

double seconds_of(const timeval& time) {
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) * 1e-6;
}

// The fields of /proc/self/stat behind the command's name, which may hold anything; the first is the state.
std::vector<std::string> stat_fields() {
  std::ifstream file("/proc/self/stat");
  const std::string text{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  std::istringstream rest(text.substr(std::min(text.rfind(')') + 1, text.size())));
  return {std::istream_iterator<std::string>(rest), std::istream_iterator<std::string>()};
}

double start_time_seconds(const std::vector<std::string>& fields) {
  constexpr std::size_t kStartTime = 19;
  if (fields.size() <= kStartTime) return 0;
  timespec real{};
  timespec boot{};
  clock_gettime(CLOCK_REALTIME, &real);
  clock_gettime(CLOCK_BOOTTIME, &boot);
  const double booted =
      static_cast<double>(real.tv_sec - boot.tv_sec) + static_cast<double>(real.tv_nsec - boot.tv_nsec) * 1e-9;
  return booted + std::stod(fields[kStartTime]) / static_cast<double>(sysconf(_SC_CLK_TCK));
}

}  // namespace

std::vector<Metric> process_metrics() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  rlimit files{};
  getrlimit(RLIMIT_NOFILE, &files);
  const std::vector<std::string> fields = stat_fields();
  constexpr std::size_t kVirtualBytes = 20;
  constexpr std::size_t kResidentPages = 21;
  const auto field = [&](std::size_t at) { return at < fields.size() ? std::stod(fields[at]) : 0.0; };
  std::error_code error;
  const auto open_files =
      std::distance(std::filesystem::directory_iterator("/proc/self/fd", error), std::filesystem::directory_iterator());
  return {
      counter("process_cpu_seconds_total", "Processor time of this process, user and system, in seconds.",
              seconds_of(usage.ru_utime) + seconds_of(usage.ru_stime)),
      gauge("process_resident_memory_bytes", "Resident memory of this process in bytes.",
            field(kResidentPages) * static_cast<double>(sysconf(_SC_PAGESIZE))),
      gauge("process_virtual_memory_bytes", "Virtual memory of this process in bytes.", field(kVirtualBytes)),
      gauge("process_open_fds", "Open file descriptors of this process.", static_cast<double>(open_files)),
      gauge("process_max_fds", "File descriptors that this process may open.",
            files.rlim_cur == RLIM_INFINITY ? std::numeric_limits<double>::infinity()
                                            : static_cast<double>(files.rlim_cur)),
      gauge("process_start_time_seconds", "Start of this process, in seconds since the Unix epoch.",
            start_time_seconds(fields)),
  };
}

Metric build_metric(const std::string& role) {
  const BuildInfo& build = build_info();
  return {"fanfold_build_info",
          "The build of this node; always 1.",
          MetricKind::kGauge,
          {{{{"role", role},
             {"version", std::string(build.version)},
             {"revision", std::string(build.revision)},
             {"protocol", std::to_string(kProtocolVersion)}},
            1}}};
}

std::string metrics_text(const std::vector<Metric>& metrics) {
  std::vector<prometheus::MetricFamily> families;
  for (const Metric& metric : metrics) {
    prometheus::MetricFamily& family = families.emplace_back();
    family.name = metric.name;
    family.help = metric.help;
    family.type = metric.kind == MetricKind::kCounter ? prometheus::MetricType::Counter : prometheus::MetricType::Gauge;
    for (const Sample& sample : metric.samples) {
      prometheus::ClientMetric& one = family.metric.emplace_back();
      for (const auto& [name, value] : sample.labels) one.label.push_back({name, value});
      (metric.kind == MetricKind::kCounter ? one.counter.value : one.gauge.value) = sample.value;
    }
  }
  std::ostringstream text;
  prometheus::TextSerializer().Serialize(text, families);
  return text.str();
}

}  // namespace fanfold::http
