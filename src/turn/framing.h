// ChannelData framing (RFC 8656 §12.4-12.6), and messages one after another on a stream.
#pragma once

#include "base/bytes.h"
#include "base/result.h"
#include "stun/attributes.h"

namespace turnpike::turn {

inline constexpr std::size_t channel_data_header_bytes = 4;

/// One ChannelData message. `payload` points into the bytes it was parsed from.
struct ChannelData {
  stun::ChannelNumber channel;
  ByteView payload;
};

enum class FramingError : std::uint8_t {
  too_short,         ///< fewer than 4 + length bytes
  reserved_channel,  ///< a number outside 0x4000..0x4FFF
};

/// Reads the ChannelData message at the start of `datagram` (RFC 8656 §12.4).
///
/// Bytes after the stated length are padding and are ignored (§12.5).
[[nodiscard]] Result<ChannelData, FramingError> parse_channel_data(ByteView datagram);

/// Writes the header of a ChannelData message that carries `payload_bytes`.
/// Precondition: `out` holds 4 bytes.
void put_channel_data_header(MutableByteView out, stun::ChannelNumber channel,
                             std::size_t payload_bytes);

/// One message at the start of a stream.
struct StreamFrame {
  std::size_t message_bytes;  ///< what to hand to the server
  std::size_t total_bytes;    ///< with padding: where the next message begins
};

/// What the start of a stream holds.
enum class StreamState : std::uint8_t {
  complete,    ///< a whole message
  incomplete,  ///< the beginning of one: more bytes are needed
  broken,      ///< no TURN message; there is no way to find the next one
};

/// Finds the first message of `stream` (RFC 8489 §6.2.2, RFC 8656 §12.5). `frame` is set when the
/// answer is `complete`.
///
/// Channel numbers up to 0x7FFF are framed, as RFC 5766 clients send them; that they are not
/// allowed is the server's to say.
[[nodiscard]] StreamState find_frame(ByteView stream, StreamFrame& frame);

}  // namespace turnpike::turn
