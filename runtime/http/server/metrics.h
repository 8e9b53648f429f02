// metrics.h: metrics of the process and of its build, and how metrics are written down.
//
// Source: Prometheus's text exposition format 0.0.4; written by prometheus-cpp.
#pragma once

#include <string>
#include <vector>

#include "runtime/http/metric.h"

namespace fanfold::http {

// This process: processor time, memory, open files, start; under the names that Prometheus's own clients use.
[[nodiscard]] std::vector<Metric> process_metrics();
// fanfold_build_info, 1, with labels.
[[nodiscard]] Metric build_metric(const std::string& role);

[[nodiscard]] std::string metrics_text(const std::vector<Metric>& metrics);

}  // namespace fanfold::http
