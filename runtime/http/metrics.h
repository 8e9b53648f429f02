// metrics.h: what a node counts and measures, as Prometheus reads it: names begin with fanfold_, have their unit
// in them, and end in _total where they only grow.
//
// Source: Prometheus's text exposition format 0.0.4 and its naming conventions; written by prometheus-cpp.
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace fanfold::http {

enum class MetricKind { kCounter, kGauge };

struct Sample {
  std::vector<std::pair<std::string, std::string>> labels;
  double value = 0;
};

struct Metric {
  std::string name;
  std::string help;
  MetricKind kind = MetricKind::kGauge;
  std::vector<Sample> samples;
};

// One sample without labels.
[[nodiscard]] Metric counter(std::string name, std::string help, double value);
[[nodiscard]] Metric gauge(std::string name, std::string help, double value);

// This process: processor time, memory, open files, start; under the names that Prometheus's own clients use.
[[nodiscard]] std::vector<Metric> process_metrics();
// fanfold_build_info, 1, with labels.
[[nodiscard]] Metric build_metric(const std::string& role);

[[nodiscard]] std::string metrics_text(const std::vector<Metric>& metrics);

}  // namespace fanfold::http
