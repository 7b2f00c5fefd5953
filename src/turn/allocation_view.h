// What an operator sees of an allocation while it lives, and what is kept of it when it has ended.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/endpoint.h"
#include "base/time.h"
#include "turn/ids.h"
#include "turn/peer_rule.h"

namespace turnpike::turn {

/// Names one allocation of a server for as long as that runs: never given again.
struct AllocationName {
  WorkerId worker{};
  std::uint64_t serial = 0;  ///< counts from 1, for each worker on its own

  friend bool operator==(const AllocationName&, const AllocationName&) = default;
};

/// "3-1742": worker and serial.
[[nodiscard]] std::string to_string(const AllocationName& name);
/// Nothing for what to_string() does not write.
[[nodiscard]] std::optional<AllocationName> parse_allocation_name(std::string_view text);

/// Why an allocation ended.
enum class CloseReason : std::uint8_t {
  expired,      ///< it was not refreshed in time
  deleted,      ///< Refresh with LIFETIME 0
  client_gone,  ///< its TCP, TLS or DTLS connection ended
  killed,       ///< by the operator
  revoked,      ///< its credential was
  shutdown,     ///< with the server
  failed,       ///< no relay could be opened: it never lived
};

inline constexpr std::size_t close_reason_count = static_cast<std::size_t>(CloseReason::failed) + 1;

/// "client_gone", as logs, metrics and the REST API spell it.
[[nodiscard]] std::string_view to_string(CloseReason reason);

/// Payload that was passed on, without headers of any kind.
struct Traffic {
  std::uint64_t packets_to_peer = 0;
  std::uint64_t bytes_to_peer = 0;
  std::uint64_t packets_to_client = 0;
  std::uint64_t bytes_to_client = 0;

  friend bool operator==(const Traffic&, const Traffic&) = default;
};

/// One allocation at one moment. The views are valid until the server is given anything to do.
struct AllocationView {
  AllocationName name;
  std::string_view username;  ///< as the client sent it
  std::string_view account;   ///< what quotas count
  FiveTuple client;
  PeerTransport transport = PeerTransport::udp;      ///< of the relay
  std::array<std::optional<Endpoint>, 2> relayed{};  ///< IPv4 and IPv6
  Instant started{};
  Instant expires{};
  std::size_t permissions = 0;
  std::size_t channels = 0;
  Traffic traffic;
};

/// What is kept of an allocation beyond the moment, with strings of its own.
struct AllocationRecord {
  AllocationName name;
  std::string username;
  std::string account;
  FiveTuple client;  ///< where it was at last
  PeerTransport transport = PeerTransport::udp;
  std::array<std::optional<Endpoint>, 2> relayed{};  ///< all it had, given up or not
  Instant started{};
  nanoseconds duration{0};  ///< up to now, or to its end
  Traffic traffic;
};

}  // namespace turnpike::turn
