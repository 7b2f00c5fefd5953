// The PROXY protocol, versions 1 and 2: what a balancer says about the client it speaks for, before
// the client's own bytes. Whom to believe is not known here. The specification is HAProxy's
// doc/proxy-protocol.txt; sections are quoted from it.
#pragma once

#include <optional>

#include "base/bytes.h"
#include "base/endpoint.h"

namespace turnpike {

/// Longest header of version 1, with its CRLF (§2.1).
inline constexpr std::size_t proxy_v1_bytes_max = 107;
/// Longest header of version 2 that is accepted, with its TLVs. The format allows 64 KiB; what
/// balancers send stays far below this.
inline constexpr std::size_t proxy_v2_bytes_max = 2048;

/// How the header arrived, which the transport that it claims must match.
enum class ProxyCarrier : std::uint8_t {
  stream,    ///< versions 1 and 2
  datagram,  ///< version 2 only: version 1 has no word for UDP
};

/// The two ends of a client's conversation with the balancer, IPv4-mapped addresses unmapped.
struct ProxiedEnds {
  Endpoint source;       ///< the client
  Endpoint destination;  ///< where the client reached the balancer

  friend bool operator==(const ProxiedEnds&, const ProxiedEnds&) = default;
};

/// One header.
struct ProxyHeader {
  std::size_t size = 0;  ///< bytes of it; the client's own begin there
  /// Nothing: the balancer speaks for itself (LOCAL, as in health checks) or cannot say for whom
  /// (UNKNOWN, UNSPEC, AF_UNIX). The addresses of the connection or datagram are then the real
  /// ones.
  std::optional<ProxiedEnds> ends;
};

/// What the start of some input holds.
enum class ProxyState : std::uint8_t {
  complete,    ///< a whole header
  incomplete,  ///< the beginning of one: more bytes are needed
  broken,      ///< no header, or one that breaks the rules
};

/// Finds the header at the start of `input`. `header` is set when the answer is `complete`.
///
/// TLVs are skipped, but must fill their space exactly, and a CRC32c among them must be right
/// (§2.2.3). Of LOCAL and UNSPEC headers nothing after the length is looked at.
[[nodiscard]] ProxyState find_proxy_header(ByteView input, ProxyCarrier carrier,
                                           ProxyHeader& header);

/// True when `first`, the first byte of a connection, can begin a header. TLS, STUN and ChannelData
/// begin with none of these.
[[nodiscard]] constexpr bool may_begin_proxy_header(std::uint8_t first) {
  return first == 'P' || first == '\r';
}

}  // namespace turnpike
