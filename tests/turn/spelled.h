// Addresses, rules and instants spelled as text, for the unit tests of the TURN core.
#pragma once

#include <string_view>

#include "base/endpoint.h"
#include "base/time.h"
#include "turn/peer_rule.h"

namespace turnpike::turn::spelled {

inline IpAddress ip(std::string_view text) { return IpAddress::parse(text).value(); }
inline Endpoint endpoint(std::string_view text) { return Endpoint::parse(text).value(); }
inline IpPrefix cidr(std::string_view text) { return IpPrefix::parse(text).value(); }

/// A rule for every port and both transports.
inline PeerRule rule(std::string_view prefix) { return {cidr(prefix), std::nullopt, std::nullopt}; }
inline PeerRule rule(std::string_view prefix, PortRange ports) {
  return {cidr(prefix), ports, std::nullopt};
}
inline PeerRule rule(std::string_view prefix, PortRange ports, PeerTransport transport) {
  return {cidr(prefix), ports, transport};
}

/// That long after the test began.
inline Instant after(nanoseconds elapsed) { return Instant{seconds{1000}} + elapsed; }

}  // namespace turnpike::turn::spelled
