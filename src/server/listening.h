// Where a configuration has a server listen and relay: its names and wildcards, on this host.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/endpoint.h"
#include "server/config.h"
#include "server/worker.h"
#include "turn/ledger.h"
#include "turn/nat_discovery.h"

namespace turnpike::server {

/// A listening address and what is spoken there.
struct Listener {
  Transport transport;
  Endpoint endpoint;
  bool expects_proxy = false;
  UdpService service = UdpService::plain;  ///< of UDP and DTLS: what its socket serves
};

/// "udp 192.0.2.1:3478"
[[nodiscard]] std::string described(const Listener& listener);

// ---- these throw StartError ----
/// The endpoints that `name` stands for; ":3478" is every address of both families.
[[nodiscard]] std::vector<Endpoint> endpoints_of(const ListenerName& name);
/// All of the configuration, those of NAT behaviour discovery too.
[[nodiscard]] std::vector<Listener> all_listeners(const Config& config);
/// Are the addresses that relays and discovery are to have those of this host, and enough of them?
void check_addresses(const Config& config, const std::vector<turn::RelayAddress>& relays);

/// Where relays are bound and what peers see of them. Behind 1:1 NAT a family has one public
/// address, so its relays share one bind address too: two pools of ports would make relayed
/// addresses twice (RFC 8656 §6: they must be unique).
[[nodiscard]] std::vector<turn::RelayAddress> relay_addresses(
    const Config& config, const std::vector<Listener>& listeners);
/// A1 and A2 of `family` with P1 and P2, in the order of turn::DiscoverySquare.
[[nodiscard]] std::optional<turn::DiscoverySquare> discovery_square(
    const Config& config, const std::vector<Listener>& listeners, Family family);

}  // namespace turnpike::server
