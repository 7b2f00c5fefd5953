// What a refusal is called on the wire, and how the WebSocket is closed when it is fatal.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace turnpike::signaling {

/// The `code` of error and closed messages of turnpike.v1.
enum class ErrorCode : std::uint8_t {
  bad_message,     ///< not JSON, a field of the wrong type, an unknown type
  unauthorized,    ///< no token, or one that does not verify
  token_expired,   ///< a token that verifies and has run out
  forbidden,       ///< known, but without the right
  room_not_found,  ///< rooms are not made on demand, and this one was not made
  join_timeout,    ///< nobody joined in time
  replaced,        ///< the same subject joined again, or its ticket was used
  room_ended,      ///< an owner or the operator closed the room
  too_large,       ///< a message, or a part of one, beyond its limit
  room_full,
  room_locked,
  rate_limited,
  server_busy,     ///< a limit of the whole server, a drain, an authorisation that did not come
  peer_not_found,  ///< never fatal, like the three that follow
  not_joined,
  already_joined,
  resume_failed,
};

/// How many codes there are, for tables of counters.
inline constexpr std::size_t error_codes = static_cast<std::size_t>(ErrorCode::resume_failed) + 1;

/// As it stands on the wire: "bad_message".
[[nodiscard]] std::string_view to_string(ErrorCode code);

/// The close code that ends a connection with `code`; 0 for codes that are never fatal.
[[nodiscard]] std::uint16_t close_code_of(ErrorCode code);

/// Close codes that say no error (RFC 6455 §7.4.1 and IANA's registry).
namespace close_codes {
inline constexpr std::uint16_t normal = 1000;
inline constexpr std::uint16_t going_away = 1001;       ///< no answer to a ping
inline constexpr std::uint16_t abnormal = 1006;         ///< never sent: the connection broke
inline constexpr std::uint16_t service_restart = 1012;  ///< a drain
}  // namespace close_codes

}  // namespace turnpike::signaling
