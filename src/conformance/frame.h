// The suite's own reading of what comes: STUN messages, ChannelData, and their borders in a stream.
// Written from RFC 8656 §12.5 alone, and not shared with the server.
#pragma once

#include <optional>
#include <vector>

#include "base/bytes.h"

namespace turnpike::conformance {

/// One message of a stream.
struct Frame {
  std::size_t size = 0;     ///< without padding
  std::size_t padding = 0;  ///< zero to three bytes behind it
};

/// The first message of `stream`; nothing when it is not all there. Bytes that begin neither a STUN
/// message nor ChannelData are taken as one frame, all of them: the check will show them.
[[nodiscard]] std::optional<Frame> first_frame(ByteView stream);

/// ChannelData taken apart.
struct ChannelData {
  std::uint16_t number = 0;
  ByteView payload;   ///< as long as its Length field says
  ByteView trailing;  ///< what stands behind it: padding
};
/// Nothing when the first two bits are not 01 or the length points past the end.
[[nodiscard]] std::optional<ChannelData> read_channel_data(ByteView bytes);

/// Header and payload, and `padding` zeros.
[[nodiscard]] std::vector<std::uint8_t> make_channel_data(std::uint16_t number, ByteView payload,
                                                          std::size_t padding);

}  // namespace turnpike::conformance
