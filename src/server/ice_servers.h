// Time-limited credentials, and where to use them, in the shapes that WebRTC programs take.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/endpoint.h"
#include "base/time.h"
#include "server/config.h"

namespace turnpike::server {

/// Where clients find one listener of the server: a host name or an address (IPv6 without
/// brackets), a port, and how to talk to it.
struct ServerAddress {
  std::string host;
  std::uint16_t port = 3478;
  Transport transport = Transport::udp;

  /// "turn.example.com:3478", "[2001:db8::1]:3478"
  [[nodiscard]] std::string to_string() const;
  friend bool operator==(const ServerAddress&, const ServerAddress&) = default;
};

/// One of the configured listeners.
struct ConfiguredListener {
  ListenAddress address;
  Transport transport;
};

/// All listeners of `listen`: UDP, then TCP, then TLS.
[[nodiscard]] std::vector<ConfiguredListener> listeners_of(const Config::Listen& listen);

/// Where clients find the listeners that a server with this configuration has, and no others: by
/// its domain, else its public addresses, else the addresses it listens on. Empty when the
/// configuration does not tell. Listeners on loopback count only when there are no others.
[[nodiscard]] std::vector<ServerAddress> servers_of(const Config& config);
/// The same for a `host` that somebody names instead.
[[nodiscard]] std::vector<ServerAddress> servers_at(const std::string& host,
                                                    const Config::Listen& listen);

/// A username and password for a while, and where to use them.
struct IceServers {
  std::vector<ServerAddress> servers;
  std::string username;
  std::string credential;
  WallTime expires_at;

  /// For each server "turn:turn.example.com:3478?transport=udp", the same with "tcp", or
  /// "turns:turn.example.com:5349?transport=tcp" (RFC 7065).
  [[nodiscard]] std::vector<std::string> turn_urls() const;
  /// "stun:turn.example.com:3478" for each UDP server (RFC 7064).
  [[nodiscard]] std::vector<std::string> stun_urls() const;
};

/// Makes credentials by the "TURN REST" convention: username "expiry[:user]", password
/// base64(HMAC-SHA1(secret, username)).
[[nodiscard]] IceServers mint_ice_servers(std::vector<ServerAddress> servers,
                                          std::string_view secret, std::string_view user,
                                          WallTime expires_at);

/// {"iceServers":[{"urls":[…],"username":…,"credential":…},{"urls":[…]}],"expiresAt":…}. The
/// second, without credentials, is for STUN, and missing where there is no UDP.
/// `indent` < 0: on one line.
[[nodiscard]] std::string to_json(const IceServers& ice, int indent = -1);
/// A JavaScript statement to paste into a page: `const pc = new RTCPeerConnection({…});`.
[[nodiscard]] std::string to_javascript(const IceServers& ice);

/// "2026-11-21T01:02:03Z" (RFC 3339).
[[nodiscard]] std::string rfc3339(WallTime time);

}  // namespace turnpike::server
