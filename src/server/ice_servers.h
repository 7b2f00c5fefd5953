// Time-limited credentials in the shapes that WebRTC programs take.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"

namespace turnpike::server {

/// Where clients find the server: a host name or an address (IPv6 without brackets), and a port.
struct ServerAddress {
  std::string host;
  std::uint16_t port = 3478;

  /// "turn.example.com:3478", "[2001:db8::1]:3478"
  [[nodiscard]] std::string to_string() const;
  friend bool operator==(const ServerAddress&, const ServerAddress&) = default;
};

/// A username and password for a while, and where to use them.
struct IceServers {
  std::vector<ServerAddress> servers;
  std::string username;
  std::string credential;
  WallTime expires_at;

  /// "turn:turn.example.com:3478?transport=udp" for each server (RFC 7065).
  [[nodiscard]] std::vector<std::string> turn_urls() const;
  /// "stun:turn.example.com:3478" for each server (RFC 7064).
  [[nodiscard]] std::vector<std::string> stun_urls() const;
};

/// Makes credentials by the "TURN REST" convention: username "expiry[:user]", password
/// base64(HMAC-SHA1(secret, username)).
[[nodiscard]] IceServers mint_ice_servers(std::vector<ServerAddress> servers,
                                          std::string_view secret, std::string_view user,
                                          WallTime expires_at);

/// {"iceServers":[{"urls":[…],"username":…,"credential":…},{"urls":[…]}],"expiresAt":…}.
/// `indent` < 0: on one line.
[[nodiscard]] std::string to_json(const IceServers& ice, int indent = -1);
/// A JavaScript statement to paste into a page: `const pc = new RTCPeerConnection({…});`.
[[nodiscard]] std::string to_javascript(const IceServers& ice);

/// "2026-11-21T01:02:03Z" (RFC 3339).
[[nodiscard]] std::string rfc3339(WallTime time);

}  // namespace turnpike::server
