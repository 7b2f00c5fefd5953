// The opening handshake of a WebSocket, server's side (RFC 6455 §4.2).
#pragma once

#include <string>
#include <string_view>
#include <variant>

#include "signaling/http.h"

namespace turnpike::signaling {

/// The Sec-WebSocket-Accept that answers `key` (§4.2.2, 5.4).
[[nodiscard]] std::string websocket_accept(std::string_view key);

/// The request names the WebSocket protocol to switch to; the rest may still be wrong.
[[nodiscard]] bool asks_for_websocket(const Request& request);

/// A client that may switch protocols; answer with `response`, status 101.
struct Handshake {
  Response response;
};
/// Why it may not: 400, 405 or 426.
struct HandshakeRefusal {
  Response response;
};

/// Checks the request line by line of §4.2.1 and chooses `protocol`, which the client must offer.
/// When `protocol` is empty, the client need not offer any and none is chosen. No extension is ever
/// accepted. Origin and Host are the caller's to check.
[[nodiscard]] std::variant<Handshake, HandshakeRefusal> answer_handshake(const Request& request,
                                                                         std::string_view protocol);

}  // namespace turnpike::signaling
