#include "signaling/websocket_handshake.h"

#include "base/crypto.h"
#include "signaling/http_text.h"

namespace turnpike::signaling {
namespace {

constexpr std::string_view version = "13";

HandshakeRefusal refuse(std::uint16_t status, std::string_view sentence) {
  return {text_response(status, sentence)};
}

/// RFC 9110 §15.5.22 and RFC 6455 §4.4: what to come with.
HandshakeRefusal require_upgrade() {
  HandshakeRefusal refusal = refuse(426, "This is a WebSocket endpoint, version 13.");
  refusal.response.with("Upgrade", "websocket").with("Sec-WebSocket-Version", version);
  return refusal;
}

/// base64 of 16 bytes, spelled the one right way.
bool is_key(std::string_view key) {
  const auto bytes = base64_decode(key);
  return bytes && bytes->size() == 16;
}

/// Subprotocol names keep their case (§11.3.4).
bool offers(const Request& request, std::string_view protocol) {
  const std::string joined = request.list_header("Sec-WebSocket-Protocol");
  std::string_view list = joined;
  while (!list.empty()) {
    if (take_element(list) == protocol) return true;
  }
  return false;
}

}  // namespace

bool asks_for_websocket(const Request& request) {
  return list_has(request.list_header("Upgrade"), "websocket") &&
         list_has(request.list_header("Connection"), "upgrade");
}

std::string websocket_accept(std::string_view key) {
  constexpr std::string_view magic = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
  return base64_encode(sha1(bytes_of(std::string{key}.append(magic))));
}

std::variant<Handshake, HandshakeRefusal> answer_handshake(const Request& request,
                                                           std::string_view protocol) {
  if (request.method != Method::get) {
    HandshakeRefusal refusal = refuse(405, "A WebSocket begins with GET.");
    refusal.response.with("Allow", "GET");
    return refusal;
  }
  if (!asks_for_websocket(request) || request.header("Sec-WebSocket-Version") != version) {
    return require_upgrade();
  }
  const auto key = request.header("Sec-WebSocket-Key");
  if (!key || !is_key(*key)) return refuse(400, "Sec-WebSocket-Key must be 16 bytes in base64.");
  if (!request.body.empty()) return refuse(400, "A WebSocket begins without a body.");
  Handshake handshake{Response{101}};
  handshake.response.with("Upgrade", "websocket")
      .with("Connection", "Upgrade")
      .with("Sec-WebSocket-Accept", websocket_accept(*key));
  if (protocol.empty()) return handshake;
  if (!offers(request, protocol)) {
    return refuse(400, "Offer the subprotocol " + std::string{protocol} + ".");
  }
  handshake.response.with("Sec-WebSocket-Protocol", protocol);
  return handshake;
}

}  // namespace turnpike::signaling
