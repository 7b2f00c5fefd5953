// Tells apart what shares a UDP port, by the first byte (RFC 7983 §7, RFC 8656 §12 Table 3).
#pragma once

#include "base/bytes.h"

namespace turnpike::stun {

enum class Protocol : std::uint8_t {
  stun,          ///< 0..3
  zrtp,          ///< 16..19
  dtls,          ///< 20..63
  channel_data,  ///< 64..79
  rtp,           ///< 128..191
  reserved,      ///< anything else, and the empty datagram: to be dropped
};

/// Which protocol the datagram claims to be.
[[nodiscard]] constexpr Protocol classify(ByteView datagram) {
  if (datagram.empty()) return Protocol::reserved;
  const std::uint8_t first = datagram[0];
  if (first <= 3) return Protocol::stun;
  if (first >= 16 && first <= 19) return Protocol::zrtp;
  if (first >= 20 && first <= 63) return Protocol::dtls;
  if (first >= 64 && first <= 79) return Protocol::channel_data;
  if (first >= 128 && first <= 191) return Protocol::rtp;
  return Protocol::reserved;
}

}  // namespace turnpike::stun
