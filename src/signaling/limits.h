// Every bound of the room core in one table.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/time.h"

namespace turnpike::signaling {

/// No room is ever larger, whatever is configured or a token says: fan-out is the cost of a room.
inline constexpr std::uint32_t max_peers_cap = 64;

/// What a client may put into one message; beyond it the message is refused as bad or too large.
namespace bounds {
inline constexpr std::size_t room_bytes = 128;
inline constexpr std::size_t name_bytes = 128;
inline constexpr std::size_t event_bytes = 64;
inline constexpr std::size_t peer_bytes = 32;
inline constexpr std::size_t ticket_bytes = 64;
inline constexpr std::size_t client_bytes = 128;
inline constexpr std::size_t request_id_bytes = 64;
inline constexpr std::size_t subject_bytes = 256;
inline constexpr std::size_t token_bytes = 8192;
inline constexpr std::size_t meta_bytes = 4096;  ///< as JSON, after it is written again
inline constexpr unsigned json_depth = 32;
}  // namespace bounds

/// What one Rooms may hold and for how long.
struct Limits {
  std::uint32_t max_peers = 8;  ///< of a room that says nothing else
  std::uint32_t max_rooms = 10'000;
  std::uint32_t max_members = 50'000;
  std::uint32_t max_connections = 60'000;
  std::uint32_t max_rooms_per_key = 256;       ///< 0: no limit
  std::uint32_t max_webhook_questions = 1024;  ///< waiting at one time

  std::size_t max_message_bytes = 65'536;
  /// Of one peer. As many again as `message_burst` are refused one by one, then the connection
  /// ends.
  std::uint32_t messages_per_second = 50;
  /// How many may come at once: a newcomer to a full room has an offer and a dozen candidates for
  /// each peer.
  std::uint32_t message_burst = 200;
  std::uint32_t joins_per_minute = 20;  ///< of one address (IPv6: /64); 0: no limit

  milliseconds join_timeout{10'000};
  milliseconds webhook_timeout{5'000};
  milliseconds ping_interval{15'000};
  milliseconds ping_timeout{10'000};
  milliseconds resume_window{30'000};
  std::size_t replay_frames = 256;        ///< of one peer
  std::size_t replay_bytes = 256 * 1024;  ///< of one peer

  seconds ice_ttl{3600};
  seconds max_ice_ttl{86'400};
  seconds ice_refresh_before{60};  ///< how long before they expire new ones are pushed
  milliseconds drain_spread{5'000};
};

}  // namespace turnpike::signaling
