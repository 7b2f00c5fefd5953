// Endpoint <-> sockaddr, for the files of this folder that call the kernel. Nothing else.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <cstdint>

#include "base/endpoint.h"

namespace turnpike::net {

/// Room for a sockaddr_in or a sockaddr_in6, in the form the kernel reads and writes.
struct SocketAddress {
  alignas(sockaddr_in6) std::array<std::uint8_t, sizeof(sockaddr_in6)> bytes{};
  socklen_t size = sizeof(sockaddr_in6);

  /// What system calls take; valid while this object is.
  [[nodiscard]] sockaddr* pointer() { return reinterpret_cast<sockaddr*>(bytes.data()); }
  friend bool operator==(const SocketAddress&, const SocketAddress&) = default;
};

/// AF_INET or AF_INET6.
[[nodiscard]] constexpr int native_family(Family family) {
  return family == Family::ipv4 ? AF_INET : AF_INET6;
}

/// `endpoint` as the kernel wants it.
[[nodiscard]] SocketAddress to_socket_address(const Endpoint& endpoint);

/// The endpoint that `address` holds. 0.0.0.0:0 when it is of no family we know.
[[nodiscard]] Endpoint to_endpoint(const SocketAddress& address);

/// The same from a foreign pointer, as getifaddrs and getaddrinfo give them. Precondition: not
/// null.
[[nodiscard]] Endpoint to_endpoint(const sockaddr* address);

[[nodiscard]] IpAddress to_address(const in_addr& address);
[[nodiscard]] IpAddress to_address(const in6_addr& address);

}  // namespace turnpike::net
