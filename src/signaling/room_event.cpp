#include "signaling/room_event.h"

#include <string_view>

#include "signaling/json.h"
#include "signaling/rest_reply.h"

namespace turnpike::signaling {
namespace {

std::string_view name_of(RoomEvent::Kind kind) {
  switch (kind) {
    case RoomEvent::Kind::room_created:
      return "room.created";
    case RoomEvent::Kind::room_ended:
      return "room.ended";
    case RoomEvent::Kind::peer_joined:
      return "peer.joined";
    case RoomEvent::Kind::peer_left:
      return "peer.left";
  }
  return "";
}

std::string peer_json(const RoomEvent& event) {
  ObjectWriter out;
  out.text("peer", event.peer);
  if (!event.name.empty()) out.text("name", event.name);
  if (!event.subject.empty()) out.text("sub", event.subject);
  return out.text("role", to_string(event.role)).finish();
}

}  // namespace

std::string to_json(const RoomEvent& event, WallTime at) {
  ObjectWriter out;
  out.text("type", name_of(event.kind)).text("id", event.id).text("at", rfc3339(at));
  out.text("room", event.room);
  if (!event.key_id.empty()) out.text("key", event.key_id);
  if (!event.peer.empty()) out.raw("peer", peer_json(event));
  if (!event.reason.empty()) out.text("reason", event.reason);
  return out.finish();
}

}  // namespace turnpike::signaling
