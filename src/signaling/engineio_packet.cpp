#include "signaling/engineio_packet.h"

#include <algorithm>

#include "base/crypto.h"

namespace turnpike::signaling {
namespace {

constexpr char separator = '\x1e';
constexpr char binary_mark = 'b';

}  // namespace

std::optional<EngineIoPacket> parse_engineio_packet(std::string_view text) {
  if (text.empty()) return std::nullopt;
  const char mark = text.front();
  text.remove_prefix(1);
  if (mark == binary_mark) {
    const auto bytes = base64_decode(text);
    if (!bytes) return std::nullopt;
    return EngineIoPacket{EngineIoType::message, std::string{text_of(*bytes)}, true};
  }
  if (mark < '0' || mark > '6') return std::nullopt;
  return EngineIoPacket{static_cast<EngineIoType>(mark - '0'), std::string{text}, false};
}

std::optional<EngineIoPacket> take_engineio_packet(std::string_view& payload) {
  const std::size_t end = std::min(payload.find(separator), payload.size());
  const auto packet = parse_engineio_packet(payload.substr(0, end));
  // A separator at the very end announces a packet that is not there: it is left to be refused.
  const bool is_last = end == payload.size();
  const bool is_cut = end + 1 == payload.size();
  payload.remove_prefix(is_last ? end : end + 1);
  if (is_cut) return std::nullopt;
  return packet;
}

std::string engineio_text(EngineIoType type, std::string_view body) {
  std::string text(1, static_cast<char>('0' + static_cast<int>(type)));
  return text.append(body);
}

void append_to_payload(std::string& payload, const EngineIoPacket& packet) {
  if (!payload.empty()) payload += separator;
  if (packet.is_binary) {
    payload += binary_mark;
    payload += base64_encode(bytes_of(packet.body));
  } else {
    payload += engineio_text(packet.type, packet.body);
  }
}

}  // namespace turnpike::signaling
