#include "turn/framing.h"

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

void put_channel_data_header(MutableByteView out, stun::ChannelNumber channel, std::size_t payload_bytes) {
  store_be16(out, channel.value);
  store_be16(out.subspan(2), static_cast<std::uint16_t>(payload_bytes));
}

}  // namespace turnpike::turn
