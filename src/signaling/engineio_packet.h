// Packets of Engine.IO v4, and how long polling strings them together. What a session makes of them
// is in engineio_session.h.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace turnpike::signaling {

/// In the order of their digits on the wire.
enum class EngineIoType : std::uint8_t { open, close, ping, pong, message, upgrade, noop };

/// One packet. Only messages can be binary.
struct EngineIoPacket {
  EngineIoType type = EngineIoType::noop;
  std::string body{};
  bool is_binary = false;
};

/// Reads the text of one packet: a digit and the rest, or "b" and base64. Nothing when it is
/// neither.
[[nodiscard]] std::optional<EngineIoPacket> parse_engineio_packet(std::string_view text);

/// Takes the next packet off the body of a POST, whose packets are separated by 0x1e; nothing when
/// it is none. At least one packet is in every payload, so an empty one is wrong.
[[nodiscard]] std::optional<EngineIoPacket> take_engineio_packet(std::string_view& payload);

/// As it stands in a WebSocket's text message. Precondition: it is not binary.
[[nodiscard]] std::string engineio_text(EngineIoType type, std::string_view body = {});

/// Appends `packet` to the body of an answer to a GET.
void append_to_payload(std::string& payload, const EngineIoPacket& packet);

}  // namespace turnpike::signaling
