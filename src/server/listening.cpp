#include "server/listening.h"

#include <algorithm>
#include <iterator>

#include "net/interfaces.h"
#include "net/udp_port.h"
#include "server/config_value.h"
#include "server/start_error.h"

namespace turnpike::server {
namespace {

bool can_bind(const IpAddress& address) {
  return net::UdpPort::open({.bind = {address, 0}}).has_value();
}

/// The UDP socket that datagrams to `endpoint` come in on, by its number among the UDP listeners,
/// which is its turn::ListenerId. The kernel prefers a socket of the very address to a wildcard.
std::optional<std::uint32_t> udp_listener_of(const std::vector<Listener>& listeners,
                                             const Endpoint& endpoint) {
  const Endpoint any{IpAddress::any(endpoint.family()), endpoint.port};
  for (const Endpoint& wanted : {endpoint, any}) {
    std::uint32_t number = 0;
    for (const Listener& listener : listeners) {
      if (listener.transport != Transport::udp) continue;
      if (listener.endpoint == wanted) return number;
      ++number;
    }
  }
  return std::nullopt;
}

/// The sockets of NAT behaviour discovery that listen.udp does not name anyway.
void add_discovery_listeners(const Config& config, std::vector<Listener>& listeners) {
  for (const DiscoveryAddress& address : config.nat_discovery.addresses) {
    for (const std::uint16_t port : config.nat_discovery.ports) {
      const Endpoint origin{address.bind, port};
      if (!udp_listener_of(listeners, origin)) listeners.push_back({Transport::udp, origin});
    }
  }
}

/// Where one listener with an address of its own is bound.
Endpoint endpoint_of(const ListenerName& name) {
  Endpoint endpoint{*name.address.address, name.address.port};
  if (name.address.interface.empty()) return endpoint;
  const auto index = net::interface_index(name.address.interface);
  if (!index) {
    throw StartError{"there is no interface \"" + name.address.interface + "\" for " +
                         name.to_string() + "; change listen." +
                         std::string{to_string(name.transport)},
                     exit_configuration};
  }
  endpoint.scope = *index;
  return endpoint;
}

/// Sockets for DTLS alone; an endpoint that is there for UDP serves both. They stand behind the UDP
/// ones, whose numbers are known by now.
void add_dtls_listeners(const Config& config, std::vector<Listener>& listeners) {
  for (const ListenAddress& address : config.listen.dtls) {
    for (const Endpoint& endpoint : endpoints_of({Transport::dtls, address})) {
      const auto shared = std::find_if(listeners.begin(), listeners.end(), [&](const Listener& l) {
        return l.transport == Transport::udp && l.endpoint == endpoint;
      });
      if (shared != listeners.end()) {
        shared->service = UdpService::both;
      } else {
        listeners.push_back({Transport::dtls, endpoint, false, UdpService::dtls});
      }
    }
  }
}

/// relay.addresses, or every listening address.
std::vector<IpAddress> relay_binds(const Config& config, const std::vector<Listener>& listeners) {
  if (!config.relay.addresses.empty()) return config.relay.addresses;
  std::vector<IpAddress> binds;
  const auto interfaces = net::interface_addresses();
  for (const Listener& listener : listeners) {
    const IpAddress& at = listener.endpoint.address;
    if (!at.is_any() && !at.needs_scope()) binds.push_back(at);
    std::copy_if(
        interfaces.begin(), interfaces.end(), std::back_inserter(binds),
        [&at](const IpAddress& address) { return at.is_any() && address.family() == at.family(); });
  }
  return binds;
}

}  // namespace

std::string described(const Listener& listener) {
  return std::string{to_string(listener.transport)} + " " + listener.endpoint.to_string();
}

std::vector<Endpoint> endpoints_of(const ListenerName& name) {
  if (name.address.address) return {endpoint_of(name)};
  std::vector<Endpoint> endpoints;
  for (const Family family : {Family::ipv4, Family::ipv6}) {
    const IpAddress any = IpAddress::any(family);
    if (can_bind(any)) endpoints.push_back({any, name.address.port});
  }
  return endpoints;
}

std::vector<Listener> all_listeners(const Config& config) {
  std::vector<Listener> listeners;
  for (const ListenerName& name : config.listener_names()) {
    for (const Endpoint& endpoint : endpoints_of(name)) {
      listeners.push_back({name.transport, endpoint, config.expects_proxy(name)});
    }
  }
  add_discovery_listeners(config, listeners);
  add_dtls_listeners(config, listeners);
  return listeners;
}

std::vector<turn::RelayAddress> relay_addresses(const Config& config,
                                                const std::vector<Listener>& listeners) {
  std::vector<turn::RelayAddress> addresses;
  const auto add = [&](const IpAddress& bind, const IpAddress& advertised) {
    const turn::RelayAddress address{bind, advertised};
    if (std::find(addresses.begin(), addresses.end(), address) == addresses.end()) {
      addresses.push_back(address);
    }
  };
  for (const IpAddress& bind : relay_binds(config, listeners)) {
    const auto public_ip =
        std::find_if(config.public_ip.begin(), config.public_ip.end(),
                     [&](const IpAddress& address) { return address.family() == bind.family(); });
    if (bind.is_loopback() || public_ip == config.public_ip.end()) {
      add(bind, bind);
    } else {
      add(config.relay.addresses.empty() ? IpAddress::any(bind.family()) : bind, *public_ip);
    }
  }
  return addresses;
}

std::optional<turn::DiscoverySquare> discovery_square(const Config& config,
                                                      const std::vector<Listener>& listeners,
                                                      Family family) {
  turn::DiscoverySquare square{};
  std::size_t filled = 0;
  for (const DiscoveryAddress& address : config.nat_discovery.addresses) {
    if (address.bind.family() != family) continue;
    for (const std::uint16_t port : config.nat_discovery.ports) {
      const Endpoint local{address.bind, port};
      const auto listener = turn::ListenerId{udp_listener_of(listeners, local).value()};
      square.at(filled++) = {listener, local, {address.advertised, port}};
    }
  }
  if (filled == 0) return std::nullopt;
  return square;
}

void check_addresses(const Config& config, const std::vector<turn::RelayAddress>& relays) {
  if (relays.empty()) {
    throw StartError{
        "there is no address for relays: every listener is link-local; set relay.addresses to "
        "addresses of this host that peers can reach",
        exit_configuration};
  }
  for (const auto& relay : relays) {
    if (can_bind(relay.bind)) continue;
    throw StartError{
        "relay address " + relay.bind.to_string() +
            " is not an address of this host; set relay.addresses to addresses that are, "
            "and public_ip to what peers see of them",
        exit_configuration};
  }
  for (const Family family : {Family::ipv4, Family::ipv6}) {
    const auto shares = std::count_if(relays.begin(), relays.end(), [&](const auto& r) {
      return r.bind.family() == family && r.bind != r.advertised;
    });
    if (shares <= 1) continue;
    throw StartError{
        "public_ip gives one address that several of relay.addresses would share; leave one "
        "address of that family in relay.addresses",
        exit_configuration};
  }
  for (const DiscoveryAddress& address : config.nat_discovery.addresses) {
    if (can_bind(address.bind)) continue;
    throw StartError{"nat_discovery address " + address.bind.to_string() +
                         " is not an address of this host; write one that is, and behind NAT " +
                         in_quotes("address of this host/public address"),
                     exit_configuration};
  }
}

}  // namespace turnpike::server
