#include "runtime/root/link_metrics.h"

namespace fanfold::root {

namespace {

using transport::LinkEvent;

struct Reason {
  LinkEvent event;
  const char* label;  // null: the metric has one reason only
};

struct Family {
  const char* name;
  const char* help;
  std::vector<Reason> reasons;
};

const std::vector<Family>& families() {
  static const std::vector<Family> kFamilies = {
      {"fanfold_links_accepted_total", "Links that peers have begun to make.", {{LinkEvent::kAccepted, nullptr}}},
      {"fanfold_links_established_total", "Links whose handshake was done.", {{LinkEvent::kEstablished, nullptr}}},
      {"fanfold_handshakes_failed_total",
       "Links whose handshake failed, by reason.",
       {{LinkEvent::kHandshakeTimedOut, "timeout"},
        {LinkEvent::kHandshakeBrokenOff, "broken_off"},
        {LinkEvent::kHandshakeUnsound, "protocol"},
        {LinkEvent::kNoDescriptor, "no_descriptor"}}},
      {"fanfold_links_refused_total",
       "Links refused because their key is not admitted.",
       {{LinkEvent::kKeyNotAdmitted, nullptr}}},
      {"fanfold_frames_rejected_total",
       "Frames and messages that were dropped, by reason.",
       {{LinkEvent::kFrameMalformed, "malformed"},
        {LinkEvent::kMessageMalformed, "malformed_message"},
        {LinkEvent::kFrameOfRevokedKey, "revoked_key"},
        {LinkEvent::kFrameOfOtherNode, "foreign_key"},
        {LinkEvent::kFrameOutOfSession, "unknown_session"},
        {LinkEvent::kFrameFenced, "fenced_session"},
        {LinkEvent::kSessionRefused, "sessions_full"}}},
      {"fanfold_roles_refused_total",
       "Peers refused because their key is of another role.",
       {{LinkEvent::kRoleRefused, nullptr}}},
  };
  return kFamilies;
}

}  // namespace

std::vector<http::Metric> link_metrics(const std::vector<std::pair<std::string, transport::LinkCounts>>& listeners) {
  std::vector<http::Metric> metrics;
  for (const Family& family : families()) {
    http::Metric& metric = metrics.emplace_back(http::Metric{family.name, family.help, http::MetricKind::kCounter, {}});
    for (const auto& [listener, counts] : listeners) {
      for (const Reason& reason : family.reasons) {
        http::Sample& sample = metric.samples.emplace_back();
        sample.labels = {{"listener", listener}};
        if (reason.label != nullptr) sample.labels.emplace_back("reason", reason.label);
        sample.value = static_cast<double>(counts[reason.event]);
      }
    }
  }
  return metrics;
}

}  // namespace fanfold::root
