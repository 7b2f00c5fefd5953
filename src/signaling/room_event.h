// What happens in the rooms, for the operator's webhook.
#pragma once

#include <cstdint>
#include <string>

#include "base/time.h"
#include "signaling/rights.h"

namespace turnpike::signaling {

struct RoomEvent {
  enum class Kind : std::uint8_t { room_created, room_ended, peer_joined, peer_left };

  std::string id;  ///< the same in each delivery of one event
  Kind kind = Kind::room_created;
  std::string room;
  std::string key_id;  ///< the API key that the room counts against; may be empty
  // ---- of peer events ----
  std::string peer{};
  std::string name{};
  std::string subject{};
  Role role = Role::member;
  std::string reason{};  ///< of peer_left: "left", "timeout", "kicked", "replaced" or "ended"
};

/// {"type":"peer.left","id":…,"at":…,"room":…,"key":…,"peer":{"peer":…,"name":…,"sub":…,"role":…},
/// "reason":…}; what is empty is left out. `at` is RFC 3339.
[[nodiscard]] std::string to_json(const RoomEvent& event, WallTime at);

}  // namespace turnpike::signaling
