#include "signaling/call_path.h"

namespace turnpike::signaling {
namespace {

bool is_candidate_type(std::string_view type) {
  return type == "host" || type == "srflx" || type == "prflx" || type == "relay";
}

}  // namespace

std::optional<CallPath> classify_path(const PathReport& report) {
  if (!is_candidate_type(report.local) || !is_candidate_type(report.remote)) return std::nullopt;
  if (report.local == "relay") {
    if (report.relay_protocol == "udp" || report.relay_protocol.empty()) {
      return CallPath::relayed_udp;
    }
    if (report.relay_protocol == "tcp") return CallPath::relayed_tcp;
    if (report.relay_protocol == "tls") return CallPath::relayed_tls;
    return std::nullopt;
  }
  if (report.remote == "relay") return CallPath::relayed_udp;
  return report.local == "host" && report.remote == "host" ? CallPath::direct : CallPath::nat;
}

std::string_view to_string(CallPath path) {
  switch (path) {
    case CallPath::direct:
      return "direct";
    case CallPath::nat:
      return "nat";
    case CallPath::relayed_udp:
      return "relayed-udp";
    case CallPath::relayed_tcp:
      return "relayed-tcp";
    case CallPath::relayed_tls:
      return "relayed-tls";
  }
  return {};
}

}  // namespace turnpike::signaling
