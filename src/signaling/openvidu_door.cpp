#include "signaling/openvidu_door.h"

#include <algorithm>
#include <array>

#include "base/hexadecimal.h"
#include "signaling/json.h"
#include "signaling/limits.h"
#include "signaling/token.h"

namespace turnpike::signaling {
namespace {

constexpr std::string_view sessions_path = "/api/sessions";
constexpr std::string_view connections_suffix = "/connections";
constexpr std::size_t max_session_bytes = 64;
constexpr std::size_t random_bytes = 16;
constexpr std::string_view retry_after_s = "60";

/// As OpenVidu has them: letters, digits, "-" and "_". They need no escaping in a path or a query.
bool is_session_id(std::string_view id) {
  const auto fits = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_';
  };
  return !id.empty() && id.size() <= max_session_bytes && std::all_of(id.begin(), id.end(), fits);
}

/// Without the line end of text_response(): the page uses all of the body.
Response plain_text(std::string text) {
  Response response{200};
  response.with("Content-Type", "text/plain; charset=utf-8").with("Cache-Control", "no-store");
  response.body = std::move(text);
  return response;
}

/// customSessionId; empty when the request leaves the name to us. Nothing for what cannot be one.
std::optional<std::string> read_session_id(std::string_view body) {
  if (body.empty()) return "";
  const auto json = parse_json(body, bounds::json_depth);
  if (!json || !json->is_object()) return std::nullopt;
  const auto field = json->find("customSessionId");
  if (field == json->end() || field->is_null() || *field == "") return "";
  const auto* const id = field->get_ptr<const Json::string_t*>();
  if (id == nullptr || !is_session_id(*id)) return std::nullopt;
  return *id;
}

}  // namespace

std::vector<Route> OpenViduDoor::routes() const {
  return {{std::string{sessions_path}, RouteKind::application, {Method::post}},
          {std::string{sessions_path} + "/", RouteKind::application, {Method::post}, true}};
}

void OpenViduDoor::on_asked(ConnectionId id, const Asked& asked, Now now) {
  if (!requests_.spend(doors_.address_of(id), now.instant)) {
    Response response = text_response(429, "There are too many requests from your address.");
    return doors_.respond(id, response.with("Retry-After", retry_after_s), now);
  }
  doors_.respond(id, answer(asked, now), now);
}

Response OpenViduDoor::answer(const Asked& asked, Now now) {
  return asked.route == 0 ? answer_session(asked.request, now)
                          : answer_connection(asked.request, now);
}

Response OpenViduDoor::answer_session(const Request& request, Now now) {
  auto session = read_session_id(request.body);
  if (!session) {
    return text_response(400, "customSessionId must be of letters, digits, \"-\" and \"_\".");
  }
  if (session->empty()) session = "ses_" + random_hex();
  if (!make_room_of(*session, now)) return text_response(503, "There are too many sessions.");
  return plain_text(*session);
}

Response OpenViduDoor::answer_connection(const Request& request, Now now) {
  std::string_view path{request.path};
  path.remove_prefix(sessions_path.size() + 1);
  const bool is_connections = path.ends_with(connections_suffix);
  if (is_connections) path.remove_suffix(connections_suffix.size());
  const auto session = sessions_.find(path);
  if (!is_connections || session == sessions_.end()) {
    return text_response(404, "There is no such session.");
  }
  if (request.host.empty()) return text_response(400, "A Host is needed.");
  keep(session->first, session->second, now.instant);
  const std::string room = room_of(session->first);
  std::string token =
      "wss://" + request.host + "/v1/ws?sessionId=" + session->first + "&room=" + room;
  if (settings_.key) token += "&token=" + mint(room, now);
  return plain_text(std::move(token));
}

/// Asked for again, a session is the same one; its room is made anew should it have been ended.
bool OpenViduDoor::make_room_of(const std::string& session, Now now) {
  const auto known = sessions_.find(session);
  if (known == sessions_.end() && sessions_.size() >= settings_.max_sessions) return false;
  Rooms::RoomSettings room;
  room.id = room_of(session);
  room.max = settings_.max_peers;
  const Rooms::Created created = doors_.rooms().create(room);
  if (created != Rooms::Created::made && created != Rooms::Created::exists) return false;
  Session& record = sessions_.try_emplace(session, Session{false, now.instant}).first->second;
  record.is_ours = record.is_ours || created == Rooms::Created::made;
  keep(session, record, now.instant);
  return true;
}

std::string OpenViduDoor::room_of(std::string_view session) const {
  return settings_.room_prefix + std::string{session};
}

/// A subject of its own: who uses one token twice replaces himself.
std::string OpenViduDoor::mint(const std::string& room, Now now) {
  Claims claims;
  claims.subject = "con_" + random_hex();
  claims.room = room;
  claims.expires = now.wall + settings_.token_lifetime;
  claims.max = settings_.max_peers;
  return mint_token(claims, settings_.key->id, settings_.key->material);
}

std::string OpenViduDoor::random_hex() {
  std::array<std::uint8_t, random_bytes> random{};
  random_.fill(random);
  return hex_of(random);
}

void OpenViduDoor::on_deadline(Now now) {
  while (!due_.empty() && due_.begin()->first <= now.instant) {
    const auto session = sessions_.find(due_.begin()->second);
    const std::string room = room_of(session->first);
    if (!doors_.rooms().peers(room).empty()) {
      keep(session->first, session->second, now.instant);
      continue;
    }
    if (session->second.is_ours) doors_.rooms().end(room, doors_.effects());
    due_.erase(due_.begin());
    sessions_.erase(session);
  }
}

std::optional<Instant> OpenViduDoor::next_deadline() const {
  if (due_.empty()) return std::nullopt;
  return due_.begin()->first;
}

void OpenViduDoor::keep(const std::string& session, Session& record, Instant instant) {
  due_.erase({record.due, session});
  record.due = instant + settings_.unused_lifetime;
  due_.emplace(record.due, session);
}

}  // namespace turnpike::signaling
