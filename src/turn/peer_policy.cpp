#include "turn/peer_policy.h"

#include <algorithm>
#include <array>
#include <span>

namespace turnpike::turn {
namespace {

IpPrefix prefix(std::string_view text) { return IpPrefix::parse(text).value(); }

/// Opened by no file, only by --insecure-allow-peers.
const std::vector<IpPrefix>& hard_ranges() {
  static const std::vector<IpPrefix> ranges{
      prefix("0.0.0.0/8"),        // this network (RFC 1122)
      prefix("127.0.0.0/8"),      // loopback
      prefix("169.254.0.0/16"),   // link-local, cloud metadata
      prefix("224.0.0.0/4"),      // multicast
      prefix("240.0.0.0/4"),      // reserved, broadcast
      prefix("::/96"),            // unspecified, loopback, IPv4-compatible
      prefix("::ffff:0:0/96"),    // IPv4-mapped
      prefix("::ffff:0:0:0/96"),  // IPv4-translated (SIIT)
      prefix("2001::/32"),        // Teredo (RFC 8656 §21.4)
      prefix("2002::/16"),        // 6to4 (RFC 8656 §21.4)
      prefix("fe80::/10"),        // link-local
      prefix("ff00::/8"),         // multicast
  };
  return ranges;
}

/// Opened by relay.allow_peers. IPv6 outside 2000::/3 is in this tier as a whole.
const std::vector<IpPrefix>& special_ranges() {
  static const std::vector<IpPrefix> ranges{
      prefix("10.0.0.0/8"),         // private
      prefix("100.64.0.0/10"),      // shared address space (CGNAT); Alibaba's metadata
      prefix("172.16.0.0/12"),      // private
      prefix("192.0.0.0/24"),       // IETF protocol assignments; Oracle's metadata
      prefix("192.0.2.0/24"),       // documentation
      prefix("192.31.196.0/24"),    // AS112
      prefix("192.52.193.0/24"),    // AMT
      prefix("192.88.99.0/24"),     // 6to4 relay anycast
      prefix("192.168.0.0/16"),     // private
      prefix("192.175.48.0/24"),    // AS112
      prefix("198.18.0.0/15"),      // benchmarking
      prefix("198.51.100.0/24"),    // documentation
      prefix("203.0.113.0/24"),     // documentation
      prefix("168.63.129.16/32"),   // Azure's wire server, in public space
      prefix("2001::/23"),          // IETF protocol assignments: ORCHID, benchmarking, anycast
      prefix("2001:db8::/32"),      // documentation
      prefix("3fff::/20"),          // documentation
      prefix("2620:4f:8000::/48"),  // AS112
  };
  return ranges;
}

bool any_contains(std::span<const IpPrefix> ranges, const IpAddress& address) {
  return std::any_of(ranges.begin(), ranges.end(),
                     [&](const IpPrefix& range) { return range.contains(address); });
}

bool is_special(const IpAddress& address) {
  static const IpPrefix global_unicast = prefix("2000::/3");
  if (address.family() == Family::ipv6 && !global_unicast.contains(address)) return true;
  return any_contains(special_ranges(), address);
}

/// Which ports a rule must speak of when the question is about none in particular.
enum class Ports : std::uint8_t { some, all };

bool matches(const PeerRule& rule, const IpAddress& address, std::optional<std::uint16_t> port,
             PeerTransport transport, Ports wanted) {
  if (!rule.prefix.contains(address)) return false;
  if (rule.transport && *rule.transport != transport) return false;
  if (!rule.ports) return true;
  return port ? rule.ports->contains(*port) : wanted == Ports::some;
}

/// The matching rule with the longest prefix, of equals one that names ports; null when none
/// matches.
const PeerRule* best_match(const std::vector<PeerRule>& rules, const IpAddress& address,
                           std::optional<std::uint16_t> port, PeerTransport transport,
                           Ports wanted) {
  const auto is_closer = [](const PeerRule& a, const PeerRule& b) {
    if (a.prefix.length() != b.prefix.length()) return a.prefix.length() > b.prefix.length();
    return a.ports && !b.ports;
  };
  const PeerRule* best = nullptr;
  for (const PeerRule& rule : rules) {
    if (!matches(rule, address, port, transport, wanted)) continue;
    if (best == nullptr || is_closer(rule, *best)) best = &rule;
  }
  return best;
}

}  // namespace

std::string_view to_string(PeerDenial denial) {
  switch (denial) {
    case PeerDenial::hard_range:
      return "hard_range";
    case PeerDenial::own_address:
      return "own_address";
    case PeerDenial::rule:
      return "rule";
    case PeerDenial::special_range:
      return "special_range";
    case PeerDenial::port:
      return "port";
  }
  return "?";
}

PeerPolicy::PeerPolicy(Settings settings, const LiveRelays& live)
    : settings_(std::move(settings)), live_(live) {}

Result<PermittedPeer, PeerDenial> PeerPolicy::check(const Endpoint& peer,
                                                    PeerTransport transport) const {
  if (live_.contains(peer, transport)) return PermittedPeer{peer, true};
  if (const auto denial = judge(peer.address, peer.port, transport)) return Failure{*denial};
  return PermittedPeer{peer, false};
}

PermissionScope PeerPolicy::scope_of(const IpAddress& address, PeerTransport transport) const {
  if (!judge(address, std::nullopt, transport)) return PermissionScope::peers;
  const bool has_relays = live_.contains_any(address, transport);
  return has_relays ? PermissionScope::only_live_relays : PermissionScope::nothing;
}

std::optional<PeerDenial> PeerPolicy::judge(const IpAddress& address,
                                            std::optional<std::uint16_t> port,
                                            PeerTransport transport) const {
  if (port == std::uint16_t{0}) return PeerDenial::port;
  const auto inner = embedded_ipv4(address);
  if (is_own_listener(address, port) || (inner && is_own_listener(*inner, port))) {
    return PeerDenial::own_address;
  }
  if (any_contains(settings_.insecure_allow, address)) return std::nullopt;
  if (any_contains(hard_ranges(), address)) return PeerDenial::hard_range;

  const PeerRule* const allow = best_match(settings_.allow, address, port, transport, Ports::some);
  const PeerRule* const deny = best_match(settings_.deny, address, port, transport, Ports::all);
  if (deny != nullptr && (allow == nullptr || deny->prefix.length() >= allow->prefix.length())) {
    return PeerDenial::rule;
  }
  // Only a rule that names this one address opens this host: a whole private network opened for
  // peers is not meant to open the relay's own services.
  const bool is_opened_by_name = allow != nullptr && allow->prefix.is_host();
  if (is_own_address(address) && !is_opened_by_name) return PeerDenial::own_address;
  if (allow == nullptr && is_special(address)) return PeerDenial::special_range;
  if (inner && !is_opened_by_name && denies_inside(*inner, port, transport)) {
    return PeerDenial::hard_range;
  }
  return judge_port(port, allow);
}

/// A denied IPv4 address stays denied in IPv6 clothes, whatever denies it: allow_peers would have
/// to name the IPv6 address.
bool PeerPolicy::denies_inside(const IpAddress& inner, std::optional<std::uint16_t> port,
                               PeerTransport transport) const {
  return any_contains(hard_ranges(), inner) || is_special(inner) || is_own_address(inner) ||
         best_match(settings_.deny, inner, port, transport, Ports::all) != nullptr;
}

std::optional<PeerDenial> PeerPolicy::judge_port(std::optional<std::uint16_t> port,
                                                 const PeerRule* opened_by) const {
  if (!port) return std::nullopt;
  if (opened_by != nullptr && opened_by->ports) return std::nullopt;  // the rule named this port
  const auto& ports = settings_.peer_ports;
  const bool listed = std::any_of(ports.begin(), ports.end(),
                                  [&](const PortRange& range) { return range.contains(*port); });
  if (listed) return std::nullopt;
  return PeerDenial::port;
}

bool PeerPolicy::is_own_address(const IpAddress& address) const {
  const auto& own = settings_.own_addresses;
  return std::find(own.begin(), own.end(), address) != own.end();
}

bool PeerPolicy::is_own_listener(const IpAddress& address,
                                 std::optional<std::uint16_t> port) const {
  if (!port) return false;
  // All of 127.0.0.0/8 reaches this host, and so does "any" as a destination.
  const bool is_this_host = is_own_address(address) || address.is_loopback() || address.is_any();
  const auto& listeners = settings_.own_listeners;
  return std::any_of(listeners.begin(), listeners.end(), [&](const Endpoint& listener) {
    if (listener.port != *port) return false;
    return listener.address == address || (listener.address.is_any() && is_this_host);
  });
}

std::optional<IpAddress> embedded_ipv4(const IpAddress& address) {
  if (address.family() != Family::ipv6) return std::nullopt;
  static const std::vector<IpPrefix> in_last_four{prefix("::/96"), prefix("::ffff:0:0/96"),
                                                  prefix("::ffff:0:0:0/96"), prefix("64:ff9b::/96"),
                                                  prefix("64:ff9b:1::/48")};
  static const IpPrefix six_to_four = prefix("2002::/16");
  static const IpPrefix teredo = prefix("2001::/32");
  const ByteView bytes = address.bytes();
  const auto at = [&](std::size_t offset) {
    return IpAddress::from_bytes(Family::ipv4, bytes.subspan(offset, 4));
  };
  if (any_contains(in_last_four, address)) return at(12);
  if (six_to_four.contains(address)) return at(2);
  if (teredo.contains(address)) return IpAddress::v4(~load_be32(bytes.subspan(12)));
  const std::uint32_t interface_id = load_be32(bytes.subspan(8));
  if (interface_id == 0x00005efe || interface_id == 0x02005efe) return at(12);  // ISATAP
  return std::nullopt;
}

bool is_forbidden_source(const IpAddress& address) {
  static const std::vector<IpPrefix> tunnels{prefix("2001::/32"), prefix("2002::/16")};
  return any_contains(tunnels, address);
}

bool is_reflector_port(std::uint16_t port) {
  static constexpr std::array<std::uint16_t, 13> ports{0,  7,   13,  17,   19,   37,   53,
                                                       69, 123, 161, 1900, 5353, 11211};
  return std::find(ports.begin(), ports.end(), port) != ports.end();
}

bool is_unanswerable(const Endpoint& client, Transport transport, const LiveRelays& live) {
  if (is_forbidden_source(client.address)) return true;
  if (is_stream(transport)) return false;
  if (live.contains(client)) return true;
  return !proves_address(transport) && is_reflector_port(client.port);
}

}  // namespace turnpike::turn
