#include "turn/framing.h"

#include "stun/registry.h"

namespace turnpike::turn {

Result<ChannelData, FramingError> parse_channel_data(ByteView datagram) {
  if (datagram.size() < channel_data_header_bytes) return Failure{FramingError::too_short};
  const stun::ChannelNumber channel{load_be16(datagram)};
  if (!channel.is_allowed()) return Failure{FramingError::reserved_channel};
  const std::size_t payload_bytes = load_be16(datagram.subspan(2));
  const ByteView rest = datagram.subspan(channel_data_header_bytes);
  if (rest.size() < payload_bytes) return Failure{FramingError::too_short};
  return ChannelData{channel, rest.first(payload_bytes)};
}

void put_channel_data_header(MutableByteView out, stun::ChannelNumber channel,
                             std::size_t payload_bytes) {
  store_be16(out, channel.value);
  store_be16(out.subspan(2), static_cast<std::uint16_t>(payload_bytes));
}

StreamState find_frame(ByteView stream, StreamFrame& frame) {
  constexpr std::uint8_t first_channel_byte = 0x40;
  constexpr std::uint8_t last_channel_byte = 0x7f;
  if (stream.empty()) return StreamState::incomplete;
  const std::uint8_t first = stream[0];
  const bool is_stun = first < first_channel_byte;
  if ((is_stun && first > 3) || first > last_channel_byte) return StreamState::broken;
  if (stream.size() < 4) return StreamState::incomplete;

  const std::size_t length = load_be16(stream.subspan(2));
  if (is_stun) {
    // The cookie tells early that this is no STUN; waiting for its claimed length could take long.
    const bool has_cookie = stream.size() >= 8;
    if (length % 4 != 0 || (has_cookie && load_be32(stream.subspan(4)) != stun::magic_cookie)) {
      return StreamState::broken;
    }
    frame = {stun::header_bytes + length, stun::header_bytes + length};
  } else {
    const std::size_t message_bytes = channel_data_header_bytes + length;
    frame = {message_bytes, padded_to_4(message_bytes)};
  }
  return stream.size() < frame.total_bytes ? StreamState::incomplete : StreamState::complete;
}

}  // namespace turnpike::turn
