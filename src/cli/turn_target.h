// A STUN or TURN server as named on a command line: a URI of RFC 7064 or RFC 7065, or host and
// port.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/endpoint.h"
#include "base/result.h"

namespace turnpike::cli {

/// Where to, and over what.
struct TurnTarget {
  std::string host;
  std::uint16_t port = 3478;
  bool has_port = false;  ///< the port was written, not the scheme's default
  Transport transport = Transport::udp;
  bool relays = true;  ///< a turn: or turns: URI, or no URI; stun: and stuns: speak of STUN alone

  friend bool operator==(const TurnTarget&, const TurnTarget&) = default;
};

/// Reads "turn:host[:port][?transport=udp|tcp]", "turns:…" (TLS; with transport=udp DTLS),
/// "stun:…", "stuns:…", or host and port as parse_host_port() does. Error: a sentence with a
/// remedy.
[[nodiscard]] Result<TurnTarget, std::string> parse_turn_target(std::string_view text);

}  // namespace turnpike::cli
