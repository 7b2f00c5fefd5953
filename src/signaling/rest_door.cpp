#include "signaling/rest_door.h"

#include <array>
#include <utility>

#include "signaling/fields.h"
#include "signaling/http_target.h"
#include "signaling/limits.h"
#include "signaling/rest_body.h"
#include "signaling/rest_reply.h"

namespace turnpike::signaling {
namespace {

constexpr std::string_view turn_rest_path = "/turn";

Response no_such_room() { return error_response(404, "There is no such room."); }

Response bad_request(const BodyError& error) { return error_response(400, error + "."); }

}  // namespace

// --- Which request is answered by what -----------------------------------------------------------

struct RestDoor::Row {
  Method method;
  std::string_view path;
  Response (RestDoor::*answer)(const Call&);
};

std::span<const RestDoor::Row> RestDoor::table() {
  static constexpr std::array<Row, 12> rows{{
      {Method::get, "/v1/rooms", &RestDoor::list_rooms},
      {Method::post, "/v1/rooms", &RestDoor::create_room},
      {Method::get, "/v1/rooms/{id}", &RestDoor::get_room},
      {Method::patch, "/v1/rooms/{id}", &RestDoor::change_room},
      {Method::del, "/v1/rooms/{id}", &RestDoor::end_room},
      {Method::post, "/v1/rooms/{id}/tokens", &RestDoor::create_token},
      {Method::get, "/v1/rooms/{id}/peers", &RestDoor::list_peers},
      {Method::del, "/v1/rooms/{id}/peers/{peer}", &RestDoor::kick_peer},
      {Method::post, "/v1/rooms/{id}/messages", &RestDoor::post_message},
      {Method::post, "/v1/turn/credentials", &RestDoor::create_credentials},
      {Method::get, turn_rest_path, &RestDoor::turn_rest},
      {Method::get, "/v1/node", &RestDoor::get_node},
  }};
  return rows;
}

RestDoor::RestDoor(Settings settings, RestGate& gate, IceSource& ice, Doors& doors)
    : settings_(std::move(settings)), gate_(gate), ice_(ice), doors_(doors) {}

std::vector<RestOperation> RestDoor::operations() {
  std::vector<RestOperation> all;
  for (const Row& row : table()) all.push_back({row.method, row.path});
  return all;
}

std::vector<Route> RestDoor::routes() const { return routes_of(operations()); }

void RestDoor::on_asked(ConnectionId id, const Asked& asked, Now now) {
  doors_.respond(id, answer(id, asked.request, now), now);
}

Response RestDoor::answer(ConnectionId id, const Request& request, Now now) {
  const auto place = request.path == turn_rest_path ? RestGate::KeyPlace::header_or_query
                                                    : RestGate::KeyPlace::header;
  const auto key = gate_.admit(id, request, now, place);
  if (!key) return key.error();
  auto match = match_operation(operations(), request);
  if (!match) return match.error();
  Call call{request, *key, std::move(match->parameters), Json::object(), now};
  if (request.method == Method::post || request.method == Method::patch) {
    auto body = read_json_body(request);
    if (!body) return body.error();
    call.body = *std::move(body);
  }
  return (this->*table()[match->operation].answer)(call);
}

// --- Rooms ---------------------------------------------------------------------------------------

Response RestDoor::list_rooms(const Call& call) {
  const auto limit = page_size(call.request);
  if (!limit) return limit.error();
  const std::string after = query_value(call.request.query, "after").value_or(std::string{});
  auto rooms = doors_.rooms().rooms(after, *limit + 1);
  const bool is_last = rooms.size() <= *limit;
  if (!is_last) rooms.pop_back();
  return json_response(200, rooms_json(rooms, is_last));
}

Response RestDoor::create_room(const Call& call) {
  auto settings = parse_new_room(call.body);
  if (!settings) return bad_request(settings.error());
  if (call.key != nullptr) settings->key_id = call.key->id;
  switch (doors_.rooms().create(*settings)) {
    case Rooms::Created::made:
      break;
    case Rooms::Created::exists:
      return error_response(409, "There is a room with that id.");
    case Rooms::Created::over_limit:
      return error_response(429, "There are too many rooms of this API key, or in all.");
    case Rooms::Created::invalid:
      return error_response(400, "There can be no such room.");
  }
  const auto room = doors_.rooms().room(settings->id);
  return room ? json_response(201, room_json(*room)) : no_such_room();
}

Response RestDoor::get_room(const Call& call) {
  const auto room = doors_.rooms().room(call.parameters[0]);
  return room ? json_response(200, room_json(*room)) : no_such_room();
}

Response RestDoor::change_room(const Call& call) {
  const auto change = parse_room_change(call.body);
  if (!change) return bad_request(change.error());
  const Rooms::Changed changed = doors_.rooms().change(call.parameters[0], *change);
  if (changed == Rooms::Changed::invalid) return error_response(400, "A room cannot be like that.");
  return get_room(call);
}

Response RestDoor::end_room(const Call& call) {
  if (!doors_.rooms().end(call.parameters[0], doors_.effects())) return no_such_room();
  return Response{204};
}

/// The room need not be there: it is made when somebody joins, where that is allowed.
Response RestDoor::create_token(const Call& call) {
  if (call.key == nullptr) {
    return error_response(409, "Room tokens are signed with an API key: use turnpike room token.");
  }
  auto request = parse_token_request(call.body, settings_.max_token_ttl, settings_.max_ice_ttl);
  if (!request) return bad_request(request.error());
  Claims& claims = request->claims;
  claims.room = call.parameters[0];
  if (!is_plain_text(claims.room, bounds::room_bytes)) {
    return error_response(400, "There can be no such room.");
  }
  claims.expires = call.now.wall + request->ttl.value_or(settings_.token_ttl);
  ObjectWriter out;
  out.text("token", mint_token(claims, call.key->id, call.key->signing));
  out.text("room", claims.room).text("expiresAt", rfc3339(claims.expires));
  return json_response(201, out.finish());
}

Response RestDoor::list_peers(const Call& call) {
  if (!doors_.rooms().room(call.parameters[0])) return no_such_room();
  return json_response(200, peers_json(doors_.rooms().peers(call.parameters[0])));
}

Response RestDoor::kick_peer(const Call& call) {
  if (!doors_.rooms().kick(call.parameters[0], call.parameters[1], doors_.effects())) {
    return error_response(404, "There is no such peer in such a room.");
  }
  return Response{204};
}

Response RestDoor::post_message(const Call& call) {
  const auto message = parse_server_message(call.body);
  if (!message) return bad_request(message.error());
  const auto room = doors_.rooms().room(call.parameters[0]);
  if (!room) return no_such_room();
  const auto delivered =
      doors_.rooms().post(room->id, message->event, message->data_json, call.now, doors_.effects());
  if (!delivered) return error_response(409, "The room is used with another protocol.");
  ObjectWriter out;
  return json_response(200, out.number("delivered", *delivered).finish());
}

// --- TURN credentials ----------------------------------------------------------------------------

IceServers RestDoor::make_credentials(const Call& call, std::string_view user,
                                      std::optional<seconds> ttl) {
  return ice_.ice_servers({user, {}, call.request.host, ttl.value_or(settings_.ice_ttl)},
                          call.now.wall);
}

Response RestDoor::create_credentials(const Call& call) {
  const auto request = parse_credential_request(call.body, settings_.max_ice_ttl);
  if (!request) return bad_request(request.error());
  const IceServers ice = make_credentials(call, request->user, request->ttl);
  return json_response(201, credentials_json(ice));
}

Response RestDoor::turn_rest(const Call& call) {
  if (query_value(call.request.query, "service") != "turn") {
    return error_response(400, "service must be turn.");
  }
  const std::string user = query_value(call.request.query, "username").value_or(std::string{});
  if (!is_plain_text(user, bounds::subject_bytes)) {
    return error_response(400, "username must be text of at most " +
                                   std::to_string(bounds::subject_bytes) +
                                   " bytes without control characters.");
  }
  std::string json = turn_rest_json(make_credentials(call, user), call.now.wall);
  if (json.empty()) return error_response(503, "This server has no TURN credentials to give.");
  return json_response(200, std::move(json));
}

// --- The server ----------------------------------------------------------------------------------

Response RestDoor::get_node(const Call& call) {
  const auto uptime = std::chrono::floor<seconds>(call.now.instant - settings_.started);
  ObjectWriter out;
  out.text("version", settings_.version).text("node", settings_.node);
  out.text("region", settings_.region);
  out.number("uptimeSeconds", static_cast<std::uint64_t>(std::max(uptime, seconds{0}).count()));
  out.number("rooms", doors_.rooms().room_count()).number("peers", doors_.rooms().member_count());
  return json_response(200, out.number("connections", doors_.connection_count()).finish());
}

}  // namespace turnpike::signaling
