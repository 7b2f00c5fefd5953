// How the load asks the bare forwarder (bench/forwarder) for a relay: one datagram there, one back.
#pragma once

#include <array>
#include <optional>

#include "base/bytes.h"
#include "base/endpoint.h"

namespace turnpike::bench {

/// A request says where the client's packets are to go; the reply, with the same number, where the
/// peer's are to be sent. IPv4 only.
struct ForwarderMessage {
  std::uint32_t number = 0;
  Endpoint endpoint;
};

inline constexpr std::uint32_t forwarder_magic = 0x54506677;  // "TPfw"
inline constexpr std::size_t forwarder_message_bytes = 14;

[[nodiscard]] inline std::array<std::uint8_t, forwarder_message_bytes> to_bytes(
    const ForwarderMessage& message) {
  std::array<std::uint8_t, forwarder_message_bytes> bytes{};
  const MutableByteView view{bytes};
  store_be32(view, forwarder_magic);
  store_be32(view.subspan(4), message.number);
  copy_bytes(message.endpoint.address.bytes(), view.subspan(8, 4));
  store_be16(view.subspan(12), message.endpoint.port);
  return bytes;
}

[[nodiscard]] inline std::optional<ForwarderMessage> read_forwarder_message(ByteView bytes) {
  if (bytes.size() != forwarder_message_bytes || load_be32(bytes) != forwarder_magic) {
    return std::nullopt;
  }
  return ForwarderMessage{
      load_be32(bytes.subspan(4)),
      {IpAddress::v4(load_be32(bytes.subspan(8))), load_be16(bytes.subspan(12))}};
}

}  // namespace turnpike::bench
