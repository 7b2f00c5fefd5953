#include "signaling/native_door.h"

#include "signaling/error_code.h"

namespace turnpike::signaling {
namespace {

constexpr std::uint16_t unsupported_data = 1003;

}  // namespace

std::vector<Route> NativeDoor::routes() const {
  return {{"/v1/ws", RouteKind::websocket, {Method::get}, false, "turnpike.v1"}};
}

void NativeDoor::on_opened(ConnectionId id, const Opened& opened, Now now) {
  const std::string origin{opened.request.header("Origin").value_or("")};
  doors_.rooms().on_connected(id, {doors_.address_of(id), origin, opened.request.host}, now,
                              doors_.effects());
}

void NativeDoor::on_text(ConnectionId id, std::string_view text, Now now) {
  doors_.rooms().on_text(id, text, now, doors_.effects());
}

void NativeDoor::on_binary(ConnectionId id, std::string_view, Now now) {
  doors_.close(id, unsupported_data, "turnpike.v1 is text", now);
  doors_.rooms().on_closed(id, close_codes::abnormal, now, doors_.effects());
}

void NativeDoor::on_ended(ConnectionId id, std::uint16_t code, Now now) {
  doors_.rooms().on_closed(id, code, now, doors_.effects());
}

void NativeDoor::perform(ConnectionId member, const Effect& effect, Now now) {
  doors_.carry_out(member, effect, now);
}

}  // namespace turnpike::signaling
