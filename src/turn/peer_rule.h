// One line of the operator's peer lists, as values.
#pragma once

#include <optional>

#include "base/endpoint.h"
#include "base/port_range.h"

namespace turnpike::turn {

/// The protocol between the server and the peer.
enum class PeerTransport : std::uint8_t { udp, tcp };

/// One entry of `relay.allow_peers` or `relay.deny_peers`: CIDR[:ports][/udp|tcp].
struct PeerRule {
  IpPrefix prefix;
  std::optional<PortRange> ports;          ///< nothing: every port
  std::optional<PeerTransport> transport;  ///< nothing: both

  friend bool operator==(const PeerRule&, const PeerRule&) = default;
};

}  // namespace turnpike::turn
