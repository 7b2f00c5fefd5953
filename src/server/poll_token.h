// What a worker's descriptors are called towards the Poller.
#pragma once

#include <cstdint>
#include <optional>

#include "turn/effects.h"

namespace turnpike::server {

enum class PollKind : std::uint8_t {
  udp_listener,
  stream_listener,
  relay,
  session,
  tcp_relay,
  bridge_peer,  ///< the two sides of a TcpBridge
  bridge_client,
};

/// Kind, slot and generation in 64 bits. The generation tells an event for a descriptor that has
/// been closed from one for its successor in the slot.
struct PollToken {
  PollKind kind;
  std::uint32_t generation;
  std::uint32_t slot;

  [[nodiscard]] std::uint64_t value() const {
    return std::uint64_t{static_cast<std::uint8_t>(kind)} << kind_shift |
           std::uint64_t{generation & generation_mask} << 32 | slot;
  }
  [[nodiscard]] static PollToken of(std::uint64_t value) {
    return {static_cast<PollKind>(value >> kind_shift),
            static_cast<std::uint32_t>(value >> 32) & generation_mask,
            static_cast<std::uint32_t>(value)};
  }
  friend bool operator==(const PollToken& a, const PollToken& b) { return a.value() == b.value(); }

 private:
  static constexpr std::uint32_t generation_mask = 0x1fffffff;
  static constexpr int kind_shift = 61;
};

/// The ListenerId of a stream session's flow: the session stands in for the socket.
inline constexpr std::uint32_t session_listener_bit = 0x80000000;

[[nodiscard]] inline turn::ListenerId listener_of_session(std::uint32_t slot) {
  return turn::ListenerId{session_listener_bit | slot};
}
/// The session's slot, when the listener is one.
[[nodiscard]] inline std::optional<std::uint32_t> session_of(turn::ListenerId listener) {
  const auto number = static_cast<std::uint32_t>(listener);
  if ((number & session_listener_bit) == 0) return std::nullopt;
  return number & ~session_listener_bit;
}

/// The same for a DTLS session.
inline constexpr std::uint32_t dtls_listener_bit = 0x40000000;

[[nodiscard]] inline turn::ListenerId listener_of_dtls_session(std::uint32_t slot) {
  return turn::ListenerId{dtls_listener_bit | slot};
}
[[nodiscard]] inline std::optional<std::uint32_t> dtls_session_of(turn::ListenerId listener) {
  const auto number = static_cast<std::uint32_t>(listener);
  if ((number & (session_listener_bit | dtls_listener_bit)) != dtls_listener_bit) {
    return std::nullopt;
  }
  return number & ~dtls_listener_bit;
}

}  // namespace turnpike::server
