#include "runtime/cli/report/summary_report.h"

#include <cmath>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <string_view>
#include <utility>

#include "runtime/client/quantity.h"

namespace fanfold {
namespace {

std::string counted(std::uint64_t count, std::string_view one) {
  return human_count(count) + " " + std::string(one) + (count == 1 ? "" : "s");
}

// Rounded down: what is not whole never reads 100 %.
std::string percent(double share) {
  char text[32];
  std::snprintf(text, sizeof text, "%.4g %%", std::floor(share * 10000) / 100);
  return text;
}

std::string line(std::string_view title, const std::string& text) {
  std::string padded = "  " + std::string(title);
  padded.resize(11, ' ');
  return padded + text + "\n";
}

}  // namespace

std::string summary_text(const RunSummary& summary) {
  std::string text = summary.job + ": ";
  if (summary.exit_code != 0 && summary.exit_code != 6) {
    text += "ended with exit code " + std::to_string(summary.exit_code) + " after ";
  } else {
    text += counted(summary.rows, "row") + " in ";
  }
  text += human_seconds(summary.wall_seconds) + "\n";

  std::string input = human_bytes(summary.bytes) + ", " + counted(summary.records, "record");
  if (summary.skipped != 0) input += " (" + human_count(summary.skipped) + " skipped)";
  if (summary.bytes != 0 && summary.wall_seconds > 0) {
    input += ", " + human_rate(static_cast<double>(summary.bytes) / summary.wall_seconds);
  }
  text += line("input", input);

  std::string work = counted(summary.shards, "shard") + ", " + counted(summary.leases, "lease") + ", " +
                     counted(summary.bundles, "bundle") + ", " +
                     (summary.retries == 1 ? "1 retry" : human_count(summary.retries) + " retries");
  if (summary.drops != 0) work += ", " + counted(summary.drops, "drop");
  if (summary.coverage < 1) work += ", coverage " + percent(summary.coverage);
  text += line("work", work);

  const std::pair<const char*, double> phases[] = {{"read and map", summary.slot_seconds.read_map},
                                                   {"seal and pack", summary.slot_seconds.seal_pack},
                                                   {"wire", summary.slot_seconds.wire},
                                                   {"merge", summary.slot_seconds.merge},
                                                   {"finish", summary.slot_seconds.finish},
                                                   {"idle", summary.slot_seconds.idle}};
  double total = 0;
  for (const auto& [name, seconds] : phases) total += seconds;
  if (total > 0) {
    std::string times;
    for (const auto& [name, seconds] : phases) {
      if (seconds <= 0) continue;
      char share[32];
      std::snprintf(share, sizeof share, " (%.0f %%)", 100 * seconds / total);
      times += (times.empty() ? "" : ", ") + std::string(name) + " " + human_seconds(seconds) + share;
    }
    text += line("slots", times);
  }
  if (!summary.processes.empty()) {
    std::string processes;
    for (const ProcessSummary& process : summary.processes) {
      processes += (processes.empty() ? "" : ", ") + process.role + " " + std::to_string(process.pid) + " " +
                   human_bytes(process.peak_rss_bytes);
    }
    text += line("memory", processes + " at peak");
  }
  if (summary.machine.cpus != 0) {
    text += line("machine", counted(summary.machine.cpus, "core") + ", " + human_bytes(summary.machine.memory_bytes) +
                                ", " + summary.machine.kernels + " kernels");
  }
  for (const std::string& note : summary.notes) text += line("note", note);
  return text;
}

std::string summary_json(const RunSummary& summary) {
  using Json = nlohmann::ordered_json;
  Json processes = Json::array();
  for (const ProcessSummary& process : summary.processes) {
    processes.push_back({{"role", process.role}, {"pid", process.pid}, {"peak_rss_bytes", process.peak_rss_bytes}});
  }
  const SlotSeconds& slots = summary.slot_seconds;
  const Json json{{"schema", 1},
                  {"run_id", summary.run_id},
                  {"job", summary.job},
                  {"bytes", summary.bytes},
                  {"records", summary.records},
                  {"skipped", summary.skipped},
                  {"rows", summary.rows},
                  {"shards", summary.shards},
                  {"leases", summary.leases},
                  {"bundles", summary.bundles},
                  {"retries", summary.retries},
                  {"drops", summary.drops},
                  {"coverage", summary.coverage},
                  {"exit_code", summary.exit_code},
                  {"wall_seconds", summary.wall_seconds},
                  {"slot_seconds",
                   {{"read_map", slots.read_map},
                    {"seal_pack", slots.seal_pack},
                    {"wire", slots.wire},
                    {"merge", slots.merge},
                    {"finish", slots.finish},
                    {"idle", slots.idle}}},
                  {"processes", processes},
                  {"machine",
                   {{"cpus", summary.machine.cpus},
                    {"memory_bytes", summary.machine.memory_bytes},
                    {"kernels", summary.machine.kernels}}},
                  {"notes", summary.notes}};
  // Names that are not UTF-8 must not keep the summary from being written.
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace fanfold
