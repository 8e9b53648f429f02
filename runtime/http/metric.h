// metric.h: one thing that a node counts or measures: its name begins with fanfold_, has its unit in it, and ends in
// _total where it only grows (Prometheus's naming conventions).
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
[[nodiscard]] inline Metric counter(std::string name, std::string help, double value) {
  return {std::move(name), std::move(help), MetricKind::kCounter, {{{}, value}}};
}
[[nodiscard]] inline Metric gauge(std::string name, std::string help, double value) {
  return {std::move(name), std::move(help), MetricKind::kGauge, {{{}, value}}};
}

}  // namespace fanfold::http
