#include "net/socket_address.h"

#include <arpa/inet.h>

#include <cstring>

namespace turnpike::net {
namespace {

/// The address structure `Native` copied out of memory that need not be one.
template <class Native>
Native copy_of(const void* from) {
  Native native;
  std::memcpy(&native, from, sizeof native);
  return native;
}

template <class Native>
SocketAddress stored(const Native& native) {
  SocketAddress address;
  std::memcpy(address.bytes.data(), &native, sizeof native);
  address.size = sizeof native;
  return address;
}

}  // namespace

SocketAddress to_socket_address(const Endpoint& endpoint) {
  const ByteView bytes = endpoint.address.bytes();
  if (endpoint.family() == Family::ipv4) {
    sockaddr_in native{};
    native.sin_family = AF_INET;
    native.sin_port = htons(endpoint.port);
    std::memcpy(&native.sin_addr, bytes.data(), sizeof native.sin_addr);
    return stored(native);
  }
  sockaddr_in6 native{};
  native.sin6_family = AF_INET6;
  native.sin6_port = htons(endpoint.port);
  std::memcpy(&native.sin6_addr, bytes.data(), sizeof native.sin6_addr);
  native.sin6_scope_id = endpoint.scope;
  return stored(native);
}

Endpoint to_endpoint(const sockaddr* address) {
  if (address->sa_family == AF_INET) {
    const auto native = copy_of<sockaddr_in>(address);
    return {to_address(native.sin_addr), ntohs(native.sin_port)};
  }
  if (address->sa_family == AF_INET6) {
    const auto native = copy_of<sockaddr_in6>(address);
    const IpAddress of = to_address(native.sin6_addr);
    return {of, ntohs(native.sin6_port), of.needs_scope() ? native.sin6_scope_id : 0};
  }
  return {};
}

Endpoint to_endpoint(const SocketAddress& address) {
  // Both structures fit the buffer, so that the family alone says how much of it is read.
  return to_endpoint(reinterpret_cast<const sockaddr*>(address.bytes.data()));
}

IpAddress to_address(const in_addr& address) { return IpAddress::v4(ntohl(address.s_addr)); }

IpAddress to_address(const in6_addr& address) {
  return IpAddress::from_bytes(Family::ipv6, ByteView{address.s6_addr, sizeof address.s6_addr});
}

}  // namespace turnpike::net
