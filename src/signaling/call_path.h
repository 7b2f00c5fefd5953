// Which way a call took, as its ends report it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace turnpike::signaling {

/// What one end of a connection is (RFC 8445), as getStats() spells it.
enum class CandidateType : std::uint8_t { host, srflx, prflx, relay };
/// How the reporter reaches its own relay.
enum class RelayProtocol : std::uint8_t {
  none,  ///< it has none
  udp,
  tcp,
  tls,
  unknown,  ///< it has one, and does not say
};

/// What the metric of call paths counts by.
struct CallPath {
  CandidateType local = CandidateType::host;
  CandidateType remote = CandidateType::host;
  RelayProtocol relay_protocol = RelayProtocol::none;  ///< none without a relay of its own

  friend bool operator==(const CallPath&, const CallPath&) = default;
};

inline constexpr std::size_t candidate_types = 4;
inline constexpr std::size_t relay_protocols = 5;
/// How many numbers index_of() gives.
inline constexpr std::size_t call_paths = candidate_types * candidate_types * relay_protocols;
[[nodiscard]] constexpr std::size_t index_of(const CallPath& path) {
  const auto number = [](auto each) { return static_cast<std::size_t>(each); };
  return (number(path.local) * candidate_types + number(path.remote)) * relay_protocols +
         number(path.relay_protocol);
}
/// All that there can be.
[[nodiscard]] std::vector<CallPath> possible_call_paths();

/// What one report says, as getStats() spells it. Empty where it has nothing.
struct PathReport {
  std::string_view local;
  std::string_view remote;
  std::string_view relay_protocol;
};

/// Nothing when a type or protocol has no meaning.
[[nodiscard]] std::optional<CallPath> read_path(const PathReport& report);

/// As the metric's labels: "srflx", "tls".
[[nodiscard]] std::string_view to_string(CandidateType type);
[[nodiscard]] std::string_view to_string(RelayProtocol protocol);

}  // namespace turnpike::signaling
