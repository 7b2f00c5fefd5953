#include "signaling/call_path.h"

#include <algorithm>
#include <array>

namespace turnpike::signaling {
namespace {

constexpr std::array<std::string_view, candidate_types> type_names{"host", "srflx", "prflx",
                                                                   "relay"};
constexpr std::array<std::string_view, relay_protocols> protocol_names{"none", "udp", "tcp", "tls",
                                                                       "unknown"};

std::optional<CandidateType> read_type(std::string_view name) {
  const auto* const found = std::find(type_names.begin(), type_names.end(), name);
  if (found == type_names.end()) return std::nullopt;
  return static_cast<CandidateType>(found - type_names.begin());
}

std::optional<RelayProtocol> read_protocol(std::string_view name) {
  if (name.empty()) return RelayProtocol::unknown;
  for (const auto each : {RelayProtocol::udp, RelayProtocol::tcp, RelayProtocol::tls}) {
    if (to_string(each) == name) return each;
  }
  return std::nullopt;
}

}  // namespace

std::vector<CallPath> possible_call_paths() {
  constexpr std::array types{CandidateType::host, CandidateType::srflx, CandidateType::prflx,
                             CandidateType::relay};
  std::vector<CallPath> all;
  for (const CandidateType local : types) {
    for (const CandidateType remote : types) {
      if (local != CandidateType::relay) {
        all.push_back({local, remote, RelayProtocol::none});
        continue;
      }
      for (const auto protocol :
           {RelayProtocol::udp, RelayProtocol::tcp, RelayProtocol::tls, RelayProtocol::unknown}) {
        all.push_back({local, remote, protocol});
      }
    }
  }
  return all;
}

std::optional<CallPath> read_path(const PathReport& report) {
  const auto local = read_type(report.local);
  const auto remote = read_type(report.remote);
  if (!local || !remote) return std::nullopt;
  if (*local != CandidateType::relay) return CallPath{*local, *remote, RelayProtocol::none};
  const auto protocol = read_protocol(report.relay_protocol);
  if (!protocol) return std::nullopt;
  return CallPath{*local, *remote, *protocol};
}

std::string_view to_string(CandidateType type) {
  return type_names.at(static_cast<std::size_t>(type));
}

std::string_view to_string(RelayProtocol protocol) {
  return protocol_names.at(static_cast<std::size_t>(protocol));
}

}  // namespace turnpike::signaling
