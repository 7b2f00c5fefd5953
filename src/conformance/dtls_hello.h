// The first messages of a DTLS handshake, by hand: what a client library would hide (RFC 6347 §4).
#pragma once

#include <optional>
#include <vector>

#include "base/bytes.h"

namespace turnpike::conformance {

/// A DTLS 1.2 ClientHello, whole and unfragmented, in a record of its own. `random` has 32 bytes.
/// `message` is its number: 0, and 1 for the one with a cookie.
[[nodiscard]] std::vector<std::uint8_t> make_client_hello(ByteView random, ByteView cookie,
                                                          std::uint8_t message);

/// Handshake types (RFC 6347 §4.3.2).
inline constexpr std::uint8_t handshake_server_hello = 2;
inline constexpr std::uint8_t handshake_hello_verify_request = 3;

/// The handshake type of the first record of `datagram`; nothing when it is no plain handshake.
[[nodiscard]] std::optional<std::uint8_t> handshake_type(ByteView datagram);
/// The cookie of a HelloVerifyRequest; nothing when `datagram` is none.
[[nodiscard]] std::optional<std::vector<std::uint8_t>> cookie_in(ByteView datagram);

}  // namespace turnpike::conformance
