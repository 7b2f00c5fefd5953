// The messages that carry payload between a client and a server, from the client's side:
// ChannelData or indications, or nothing around it at all. Written for measuring: a header is made
// once.
#pragma once

#include <optional>
#include <vector>

#include "base/bytes.h"
#include "base/endpoint.h"

namespace turnpike::bench {

/// How payload goes between client and server.
enum class Framing : std::uint8_t {
  channel,     ///< ChannelData (RFC 8656 §12)
  indication,  ///< Send and Data indications (RFC 8656 §11)
  none,        ///< as it is: the bare forwarder
};

/// The channel that every client binds; it has only one.
inline constexpr std::uint16_t channel_number = 0x4000;

/// What stands around the payload on its way to the server; the same for all packets of a flow.
class Envelope {
 public:
  /// `pads`: messages are rounded up to four bytes, as streams want it (RFC 8656 §12.5).
  Envelope(Framing framing, const Endpoint& peer, std::size_t payload_bytes, bool pads);

  [[nodiscard]] ByteView header() const { return header_; }
  /// Header, payload and padding.
  [[nodiscard]] std::size_t message_bytes() const { return message_bytes_; }

 private:
  std::vector<std::uint8_t> header_;
  std::size_t message_bytes_;
};

/// The payload in a message from the server; nothing when it carries none.
[[nodiscard]] std::optional<ByteView> payload_of(Framing framing, ByteView message);

/// How many bytes the first message of `stream` has, its padding included; nothing when that cannot
/// be said yet. Not more than `stream` holds means: it is all there.
[[nodiscard]] std::optional<std::size_t> first_message_bytes(ByteView stream);

}  // namespace turnpike::bench
