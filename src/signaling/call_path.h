// Which way a call took, as its ends report it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace turnpike::signaling {

/// What the metric of call paths counts by.
enum class CallPath : std::uint8_t { direct, nat, relayed_udp, relayed_tcp, relayed_tls };
inline constexpr std::size_t call_paths = 5;

/// Candidate types of RFC 8445 as getStats() spells them, and how the relay is reached, in one
/// report. Empty where the report has nothing.
struct PathReport {
  std::string_view local;
  std::string_view remote;
  std::string_view relay_protocol;
};

/// Both ends "host": direct. The reporter's own relay: by the way to it. A relay at the other end
/// is reached over UDP. Nothing when a type or protocol has no meaning.
[[nodiscard]] std::optional<CallPath> classify_path(const PathReport& report);

/// As the metric's label: "direct", "nat", "relayed-udp".
[[nodiscard]] std::string_view to_string(CallPath path);

}  // namespace turnpike::signaling
