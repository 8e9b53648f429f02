// link_metrics.h: the counts of links as metrics: what listeners of the fleet refused, and why.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "runtime/http/metric.h"
#include "runtime/transport/link_counts.h"

namespace fanfold::root {

// Counts by the listener that they are of ("root", "gatherer").
[[nodiscard]] std::vector<http::Metric> link_metrics(
    const std::vector<std::pair<std::string, transport::LinkCounts>>& listeners);

}  // namespace fanfold::root
