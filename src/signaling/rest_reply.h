// What the REST API answers: JSON, never to be cached.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"
#include "signaling/http.h"
#include "signaling/ice.h"
#include "signaling/rooms.h"

namespace turnpike::signaling {

/// `json` as a body; with Cache-Control: no-store, for most of it holds credentials or is true for
/// a moment only.
[[nodiscard]] Response json_response(std::uint16_t status, std::string json);

/// {"error":{"code":…,"message":…}}. The code is for programs and follows from the status:
/// "bad_request", "unauthorized", "not_found", "method_not_allowed", "conflict", "too_large",
/// "unsupported_media_type", "rate_limited", "unavailable".
[[nodiscard]] Response error_response(std::uint16_t status, std::string_view message);

/// {"id":…,"max":…,"locked":…,"meta":…,"peers":…,"kind":"native"|"foreign"}
[[nodiscard]] std::string room_json(const Rooms::RoomInfo& room);
/// {"rooms":[…],"next":…}; `next`, to be asked for as `after`, is missing when `is_last`.
[[nodiscard]] std::string rooms_json(const std::vector<Rooms::RoomInfo>& rooms, bool is_last);
/// {"peers":[{"peer":…,"n":…,"name":…,"sub":…,"role":…,"away":…}]}; name and sub may be missing.
[[nodiscard]] std::string peers_json(const std::vector<Rooms::PeerInfo>& peers);
/// {"iceServers":[…],"expiresAt":…}, as `turnpike credential mint` prints it.
[[nodiscard]] std::string credentials_json(const IceServers& ice);
/// {"username":…,"password":…,"ttl":…,"uris":[…]} (draft-uberti-behave-turn-rest §2.2). Empty when
/// there is no server with credentials.
[[nodiscard]] std::string turn_rest_json(const IceServers& ice, WallTime now_wall);

/// "2026-11-21T01:02:03Z" (RFC 3339).
[[nodiscard]] std::string rfc3339(WallTime time);

}  // namespace turnpike::signaling
