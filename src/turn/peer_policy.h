// Decides which peers may be relayed to. The only maker of PermittedPeer, without which nothing can
// be forwarded to a peer: no path can forget the check.
#pragma once

#include <vector>

#include "base/endpoint.h"
#include "base/port_range.h"
#include "base/result.h"
#include "turn/live_relays.h"
#include "turn/peer_rule.h"

namespace turnpike::turn {

/// A peer that PeerPolicy let through.
class PermittedPeer {
 public:
  /// 0.0.0.0:0, which nothing is ever sent to; exists for arrays.
  PermittedPeer() = default;

  [[nodiscard]] const Endpoint& endpoint() const { return endpoint_; }

 private:
  friend class PeerPolicy;
  PermittedPeer(const Endpoint& endpoint, bool is_live_relay)
      : endpoint_(endpoint), is_live_relay_(is_live_relay) {}

  Endpoint endpoint_;
  bool is_live_relay_ = false;
};

/// Why a peer is denied.
enum class PeerDenial : std::uint8_t {
  hard_range,     ///< loopback, unspecified, multicast, link-local, an embedding of IPv4 in IPv6
  own_address,    ///< an address of this host, and no live relay
  rule,           ///< relay.deny_peers
  special_range,  ///< private or special-purpose, and not opened by relay.allow_peers
  port,           ///< port 0, or outside relay.peer_ports
};

[[nodiscard]] std::string_view to_string(PeerDenial denial);

/// What a permission for an address covers.
enum class PermissionScope : std::uint8_t {
  nothing,           ///< there must be none
  only_live_relays,  ///< relays of this server on that address, and nothing else there
  peers,             ///< whatever the policy allows
};

/// The three tiers: what is never allowed, what is denied unless opened, and this host itself
/// (HOSTILE.md §3, DESIGN.md §5). Immutable and shared by the workers.
class PeerPolicy {
 public:
  struct Settings {
    std::vector<PeerRule> allow;  ///< relay.allow_peers
    std::vector<PeerRule> deny;   ///< relay.deny_peers
    std::vector<PortRange> peer_ports{{443, 443}, {1024, 65535}};
    std::vector<IpPrefix> insecure_allow;  ///< --insecure-allow-peers
    std::vector<IpAddress> own_addresses;  ///< interfaces and public addresses of this host
    std::vector<Endpoint> own_listeners;   ///< never opened; a wildcard counts for every address
  };

  /// `live` must outlive the policy.
  PeerPolicy(Settings settings, const LiveRelays& live);

  /// May payload be sent to `peer`?
  [[nodiscard]] Result<PermittedPeer, PeerDenial> check(const Endpoint& peer,
                                                        PeerTransport transport) const;
  /// What a permission for `address` may cover, that is: on which ports could check() say yes?
  /// Permissions carry no port (RFC 8656 §9); every send is checked again with its own.
  [[nodiscard]] PermissionScope scope_of(const IpAddress& address, PeerTransport transport) const;
  /// For UDP: false once a peer that was let through as a live relay is one no more.
  [[nodiscard]] bool still_permits(const PermittedPeer& peer) const {
    return !peer.is_live_relay_ || live_.contains(peer.endpoint_);
  }

 private:
  /// Nothing: allowed. `port` nothing: whether any port would do.
  [[nodiscard]] std::optional<PeerDenial> judge(const IpAddress& address,
                                                std::optional<std::uint16_t> port,
                                                PeerTransport transport) const;
  [[nodiscard]] bool denies_inside(const IpAddress& inner, std::optional<std::uint16_t> port,
                                   PeerTransport transport) const;
  [[nodiscard]] std::optional<PeerDenial> judge_port(std::optional<std::uint16_t> port,
                                                     const PeerRule* opened_by) const;
  [[nodiscard]] bool is_own_address(const IpAddress& address) const;
  [[nodiscard]] bool is_own_listener(const IpAddress& address,
                                     std::optional<std::uint16_t> port) const;

  Settings settings_;
  const LiveRelays& live_;
};

/// The IPv4 address that `address` carries inside an IPv6 one, for every embedding in use: mapped,
/// compatible, SIIT, NAT64 (64:ff9b::/96, 64:ff9b:1::/48), 6to4, Teredo, ISATAP. Nothing otherwise.
[[nodiscard]] std::optional<IpAddress> embedded_ipv4(const IpAddress& address);

/// True for a client source that must not be served (RFC 8656 §21.4): 6to4 and Teredo.
[[nodiscard]] bool is_forbidden_source(const IpAddress& address);

/// True for a client port at which a stray datagram is answered by another, or by many (HOSTILE.md
/// M08): echo, chargen, DNS, NTP, SSDP, memcached and the like, and port 0.
[[nodiscard]] bool is_reflector_port(std::uint16_t port);

/// True for a client that must get no answer, which would make a loop or an amplifier of us: on a
/// tunnel that RFC 8656 §21.4 excludes, at one of our own relays (`live`), or at a reflector's port
/// (HOSTILE.md P07, M08). Of a stream only the first: whoever completed a connection is who he
/// says.
[[nodiscard]] bool is_unanswerable(const Endpoint& client, Transport transport,
                                   const LiveRelays& live);

}  // namespace turnpike::turn
