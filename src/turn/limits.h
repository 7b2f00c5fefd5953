// Every bound of the TURN core in one table. All lifetimes are RFC 8656's unless configured.
#pragma once

#include <cstdint>

#include "base/time.h"

namespace turnpike::turn {

/// What one server may hold and for how long. Values, copied into each worker's server.
struct Limits {
  seconds default_lifetime{600};      ///< RFC 8656 §3.2: "the default lifetime"
  seconds max_lifetime{3600};         ///< RFC 8656 §7.2: at most one hour is RECOMMENDED
  seconds permission_lifetime{300};   ///< RFC 8656 §9: MUST be 300 seconds
  seconds channel_lifetime{600};      ///< RFC 8656 §12: 10 minutes
  seconds reservation_lifetime{60};   ///< RFC 8656 §7.2: at least 30 seconds
  std::uint32_t max_allocations = 0;  ///< on this server in total; 0: as many as there are ports
  std::uint32_t max_allocations_per_user = 12;       ///< 0: no limit
  std::uint32_t max_allocations_per_member = 84;     ///< of a room of ours; 0: no limit
  std::uint32_t max_allocations_per_network = 2000;  ///< of a client's /24 or /56; 0: no limit
  std::uint32_t max_permissions = 64;                ///< of one allocation
  std::uint32_t max_channels = 64;                   ///< of one allocation
  std::uint32_t new_peers_per_second = 10;           ///< of one allocation, on average; 0: no limit
  std::uint32_t new_peers_burst_s = 3;               ///< and at once those of so many seconds
  /// Payload in bits a second, to peers and to clients together; 0: no limit. What is beyond is
  /// dropped, or not read from a data connection; nothing is refused for it (RFC 8656 §5).
  std::uint64_t bandwidth_per_allocation = 0;
  std::uint64_t bandwidth_per_user = 0;
  std::uint64_t bandwidth_total = 0;
  seconds connect_timeout{30};  ///< RFC 6062 §5.2: MUST be at least 30 seconds
  seconds bind_timeout{30};     ///< RFC 6062 §5.2, §5.3: a ConnectionBind must come in time
  std::uint32_t max_peer_connections = 64;  ///< of one TCP allocation
  std::uint32_t port_attempts = 16;         ///< ports tried when the system says one is taken
  std::uint32_t max_guests = 65536;         ///< clients that have moved here from another worker
  std::uint32_t challenge_rate = 50;        ///< 401/438 a second per source /24 or /56; 0: no limit
};

}  // namespace turnpike::turn
