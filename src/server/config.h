// The configuration as plain values: what is configured, not how it is read (config_load.h).
// Every key that exists in this version is here; any other is refused as unknown.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "auth/credential_book.h"
#include "base/endpoint.h"
#include "base/port_range.h"
#include "base/time.h"
#include "signaling/rooms.h"
#include "stun/registry.h"
#include "turn/peer_rule.h"

namespace turnpike::server {

/// One entry of `listen.udp`, `listen.tcp`, `listen.tls` or `listen.dtls`.
struct ListenAddress {
  std::optional<IpAddress> address;  ///< nothing: every address of both families (":3478")
  std::uint16_t port = 0;
  std::string interface {};  ///< of a link-local IPv6 address, and only of those: "eth0"

  /// As the file spells it: ":3478", "192.0.2.1:3478", "[2001:db8::1]:3478", "[fe80::1%eth0]:3478".
  [[nodiscard]] std::string to_string() const;
  friend bool operator==(const ListenAddress&, const ListenAddress&) = default;
};

/// One entry of `nat_discovery.addresses`.
struct DiscoveryAddress {
  IpAddress bind;        ///< of this host
  IpAddress advertised;  ///< as clients see it; the same unless there is a 1:1 NAT between

  /// As the file spells it: "203.0.113.10", or "10.0.0.5/203.0.113.10".
  [[nodiscard]] std::string to_string() const;
  friend bool operator==(const DiscoveryAddress&, const DiscoveryAddress&) = default;
};

/// One entry of `listen.proxy_protocol`: a listener by its name.
struct ListenerName {
  Transport transport = Transport::udp;
  ListenAddress address;

  /// The transport and the address as its list spells it: "udp::3478", "tls:[2001:db8::1]:443".
  [[nodiscard]] std::string to_string() const;
  friend bool operator==(const ListenerName&, const ListenerName&) = default;
};

/// `relay.address_family`: what an Allocate without REQUESTED-ADDRESS-FAMILY gets.
enum class AddressFamilyPolicy : std::uint8_t {
  strict,         ///< IPv4, as RFC 8656 §7.2 says
  follow_client,  ///< the family of the client's own address
};

/// `signaling.doors`: ways into the rooms.
enum class DoorName : std::uint8_t { native, socketio, relay, openvidu };

/// `signaling.socketio_profiles`: what events of Socket.IO clients mean.
enum class SocketIoProfile : std::uint8_t {
  zoom,
  codelab,
  echo,  ///< what the official test suites of both protocols want, /engine.io/ too
};

/// `log.level`, least to most severe.
enum class LogLevel : std::uint8_t { trace, debug, info, warn, error };

/// `log.format`.
enum class LogFormat : std::uint8_t {
  automatic,  ///< colour on a terminal, journald prefixes under systemd, JSON on a pipe
  text,
  json,
};

/// All of DESIGN §5 that this version knows, with its defaults.
struct Config {
  struct Listen {
    std::vector<ListenAddress> udp{ListenAddress{std::nullopt, 3478}};
    std::vector<ListenAddress> tcp{ListenAddress{std::nullopt, 3478}};
    std::vector<ListenAddress> tls;     ///< unless given: ":5349" and ":443" once `tls` is there
    std::vector<ListenAddress> dtls{};  ///< UDP ports; one that is in `udp` too serves both
    std::vector<ListenAddress> http{};  ///< HTTP alone, in plain: behind a reverse proxy
    std::vector<ListenerName> proxy_protocol{};  ///< those of the listeners that balancers speak to
    std::vector<IpPrefix> proxy_trusted{};       ///< the balancers; nobody else may speak to those
  };

  /// Paths of PEM files, as they are to be opened. Both or neither.
  struct Tls {
    std::string certificate;  ///< the chain, the server's own certificate first
    std::string key;

    [[nodiscard]] bool is_configured() const { return !certificate.empty() && !key.empty(); }
  };

  /// RFC 5780. Both or neither.
  struct NatDiscovery {
    std::vector<DiscoveryAddress> addresses;  ///< two of each family that is there
    std::vector<std::uint16_t> ports;         ///< two

    [[nodiscard]] bool is_configured() const { return !addresses.empty(); }
  };

  struct Relay {
    std::vector<IpAddress> addresses;  ///< empty: every listening address
    PortRange ports{49152, 65535};
    std::vector<turn::PeerRule> allow_peers;
    std::vector<turn::PeerRule> deny_peers;
    std::vector<PortRange> peer_ports{PortRange{443, 443}, PortRange{1024, 65535}};
    AddressFamilyPolicy address_family = AddressFamilyPolicy::strict;
    std::uint32_t max_allocations = 0;  ///< 0: by ports and file descriptors
    std::uint32_t batch_us =
        0;  ///< the longest nap of a worker under load, in microseconds; 0: none
    std::uint32_t max_allocations_per_user = 12;
    std::uint32_t max_allocations_per_network = 2000;  ///< of a /24 or /56; 0: no limit
    std::uint32_t max_permissions_per_allocation = 64;
    std::uint32_t max_channels_per_allocation = 64;
    std::uint32_t new_peers_per_second = 10;     ///< of one allocation; 0: no limit
    std::uint64_t bandwidth_per_allocation = 0;  ///< bits a second, both ways; 0: no limit
    std::uint64_t bandwidth_per_user = 0;
    std::uint64_t bandwidth_total = 0;
    seconds max_lifetime{3600};
    std::vector<Endpoint> alternate_servers;      ///< for UDP and TCP clients of a full server
    std::vector<Endpoint> alternate_tls_servers;  ///< for TLS clients
    std::string alternate_domain;  ///< name in the certificate of those; empty: the same as here
    bool tcp = false;              ///< RFC 6062
    bool mobility = false;         ///< clients may take an allocation to another address (RFC 8016)
  };

  struct Limits {
    std::uint32_t challenge_rate = 50;  ///< 401/438 a second per source /24 or /56; 0: no limit
    std::uint32_t tcp_connections_per_address = 64;  ///< TCP, TLS and DTLS together; 0: no limit
    std::uint32_t handshake_rate = 200;  ///< TLS and DTLS a second per /24 or /56; 0: no limit
    std::uint32_t handshake_rate_total = 240;  ///< the same of one worker in all; 0: no limit
    seconds unauthenticated_timeout{10};  ///< how long a connection may go without an allocation
  };

  struct Auth {
    std::vector<auth::Secret> secrets;   ///< the first signs, all verify; never logged
    std::vector<auth::Secret> api_keys;  ///< of programs, for the REST API; never logged
    seconds credential_ttl{3600};
    bool strict_expiry = false;           ///< true: Refresh fails once the credential has expired
    std::vector<auth::StaticUser> users;  ///< never logged
    std::vector<stun::PasswordAlgorithm> algorithms{stun::PasswordAlgorithm::md5,
                                                    stun::PasswordAlgorithm::sha256};
    seconds nonce_lifetime{600};
    std::uint32_t max_failures_per_minute = 10;  ///< of one address for one user; 0: no limit
    std::string hook;         ///< asked for users that nobody else knows; empty: nobody is
    std::string hook_secret;  ///< signs the questions; never logged
    seconds hook_timeout{2};
    seconds hook_ttl{60};  ///< how long its answers hold at most
  };

  struct Store {
    std::string path = "/var/lib/turnpike/turnpike.db";  ///< of the database; empty: no store
    std::string key_file;    ///< that it is sealed with; empty: see store_location()
    bool is_default = true;  ///< nobody asked for it: the server starts without it too

    /// True when there may be users or secrets in it that the configuration does not know of.
    [[nodiscard]] bool may_have_credentials() const;
  };

  struct Signaling {
    bool enabled = true;
    std::optional<signaling::JoinAuth> auth;   ///< nothing: see effective_join_auth()
    std::vector<std::string> allowed_origins;  ///< "https://app.example", or "*"
    std::uint32_t joins_per_minute = 20;       ///< of one address (IPv6: /64); 0: no limit
    std::uint32_t max_peers = 8;               ///< of a room that says nothing else
    std::vector<DoorName> doors{DoorName::native, DoorName::socketio};
    seconds socketio_ping_interval{25};
    seconds socketio_ping_timeout{20};
    std::vector<SocketIoProfile> socketio_profiles{SocketIoProfile::zoom, SocketIoProfile::codelab};
    bool pages = true;           ///< the call page and the NAT page
    std::string webhook;         ///< where joins are asked for, with JoinAuth::webhook
    std::string webhook_secret;  ///< signs what is sent there; never logged
  };

  struct Web {
    std::string root;  ///< a directory whose files are served; empty: none
  };

  struct Metrics {
    std::optional<ListenAddress> listen{ListenAddress{IpAddress::v4(0x7f000001), 9641}};
    bool is_default = true;  ///< nobody asked for that listener: the server starts without it too
  };

  struct Control {
    std::string socket = "/run/turnpike/control.sock";  ///< of the file system; empty: none
    bool is_default = true;  ///< nobody asked for that socket: the server starts without it too
  };

  struct Server {
    std::string user;     ///< whom a server becomes that root has started; see account_to_become()
    bool sandbox = true;  ///< it gives up what it does not need once it serves
  };

  struct Log {
    LogLevel level = LogLevel::info;
    LogFormat format = LogFormat::automatic;
  };

  std::string domain;                ///< certificate name, URLs handed to browsers; may be empty
  std::string realm;                 ///< empty: see effective_realm()
  std::vector<IpAddress> public_ip;  ///< at most one per family; empty: "auto"
  std::uint32_t workers = 0;         ///< 0: one per core
  Tls tls;
  Listen listen;
  NatDiscovery nat_discovery;
  Relay relay;
  Limits limits;
  Auth auth;
  Store store;
  Signaling signaling;
  Web web;
  Control control;
  Metrics metrics;
  Server server;
  Log log;

  /// What goes into REALM: `realm`, else `domain`, else "turnpike". Never empty (RFC 8489 §14.9).
  [[nodiscard]] std::string effective_realm() const;
  /// All listeners, by name.
  [[nodiscard]] std::vector<ListenerName> listener_names() const;
  /// True when `listener` takes only what balancers bring (`listen.proxy_protocol`).
  [[nodiscard]] bool expects_proxy(const ListenerName& listener) const;
  /// True when every listener is on loopback: nobody but this host can connect.
  [[nodiscard]] bool is_for_this_host_alone() const;
  /// `signaling.auth`; unless it is set, `open` when nobody but this host can connect, and `token`
  /// otherwise.
  [[nodiscard]] signaling::JoinAuth effective_join_auth() const;
  [[nodiscard]] bool has_door(DoorName door) const;
  /// True when there is any way to authenticate: a secret or a user.
  [[nodiscard]] bool has_credentials() const;
};

}  // namespace turnpike::server
