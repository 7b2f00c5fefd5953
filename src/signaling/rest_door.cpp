#include "signaling/rest_door.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

#include "signaling/fields.h"
#include "signaling/http_target.h"
#include "signaling/http_text.h"
#include "signaling/limits.h"
#include "signaling/rest_body.h"
#include "signaling/rest_reply.h"

namespace turnpike::signaling {
namespace {

constexpr std::size_t max_body_bytes = 65'536;
constexpr std::size_t default_page = 100;
constexpr std::size_t longest_page = 1000;
constexpr std::string_view turn_rest_path = "/turn";

std::vector<std::string_view> segments_of(std::string_view path) {
  std::vector<std::string_view> segments;
  for (std::size_t begin = 0; begin <= path.size();) {
    const std::size_t end = std::min(path.find('/', begin), path.size());
    segments.push_back(path.substr(begin, end - begin));
    begin = end + 1;
  }
  return segments;
}

/// What the braces of `pattern` stand for in `path`; nothing when they do not fit.
std::optional<std::vector<std::string>> match(std::string_view pattern, std::string_view path) {
  const auto expected = segments_of(pattern);
  const auto found = segments_of(path);
  if (expected.size() != found.size()) return std::nullopt;
  std::vector<std::string> parameters;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    if (expected[i].starts_with('{') && !found[i].empty()) {
      parameters.emplace_back(found[i]);
    } else if (expected[i] != found[i]) {
      return std::nullopt;
    }
  }
  return parameters;
}

Response no_such_room() { return error_response(404, "There is no such room."); }

Response bad_request(const BodyError& error) { return error_response(400, error + "."); }

/// "Bearer …" (RFC 6750 §2.1).
std::optional<std::string_view> bearer_token(const Request& request) {
  const auto text = request.header("Authorization");
  if (!text) return std::nullopt;
  const std::size_t blank = text->find(' ');
  if (blank == std::string_view::npos || !equal_ignoring_case(text->substr(0, blank), "Bearer")) {
    return std::nullopt;
  }
  return trimmed(text->substr(blank));
}

/// The key as the "TURN REST" convention has it; Janus calls it `api`.
std::optional<std::string> key_in_query(const Request& request) {
  auto key = query_value(request.query, "key");
  return key ? key : query_value(request.query, "api");
}

Response unauthorized(bool has_key) {
  Response response =
      error_response(401, has_key ? "The API key is not valid."
                                  : "An API key is needed: \"Authorization: Bearer KEY\".");
  // RFC 6750 §3.1: no error code for who has not tried.
  return response.with("WWW-Authenticate", has_key
                                               ? R"(Bearer realm="turnpike", error="invalid_token")"
                                               : R"(Bearer realm="turnpike")");
}

bool is_json(const Request& request) {
  const auto type = request.header("Content-Type");
  return type && equal_ignoring_case(trimmed(type->substr(0, type->find(';'))), "application/json");
}

/// The body as a JSON object; no body is an empty one. Error: what to answer.
Result<Json, Response> read_body(const Request& request) {
  if (request.body.size() > max_body_bytes) {
    return Failure{error_response(
        413, "The body must not exceed " + std::to_string(max_body_bytes) + " bytes.")};
  }
  if (request.body.empty()) return Json::object();
  if (!is_json(request)) {
    return Failure{error_response(415, "Send JSON, with Content-Type: application/json.")};
  }
  auto body = parse_json(request.body, bounds::json_depth);
  if (!body || !body->is_object()) {
    return Failure{error_response(400, "The body must be one JSON object, no key in it twice.")};
  }
  return *std::move(body);
}

/// `limit` of a list; nothing when it is no number that may be.
std::optional<std::size_t> page_size(const Request& request) {
  const auto text = query_value(request.query, "limit");
  if (!text) return default_page;
  std::size_t size = 0;
  const char* const end = text->data() + text->size();
  const auto [stop, error] = std::from_chars(text->data(), end, size);
  if (error != std::errc{} || stop != end || size == 0 || size > longest_page) return std::nullopt;
  return size;
}

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

RestDoor::RestDoor(Settings settings, const ApiKeys& keys, IceSource& ice, Doors& doors)
    : settings_(std::move(settings)), keys_(keys), ice_(ice), doors_(doors) {}

std::vector<RestDoor::Operation> RestDoor::operations() {
  std::vector<Operation> all;
  for (const Row& row : table()) all.push_back({row.method, row.path});
  return all;
}

/// All methods: a 405 from here is JSON, and comes after the key was looked at.
std::vector<Route> RestDoor::routes() const {
  const std::vector<Method> methods{Method::get, Method::post, Method::put, Method::patch,
                                    Method::del};
  std::vector<Route> all;
  for (const Row& row : table()) {
    const std::size_t brace = row.path.find('{');
    const std::string_view start = row.path.substr(0, brace);
    const auto is_there = [start](const Route& route) { return route.path == start; };
    if (std::any_of(all.begin(), all.end(), is_there)) continue;
    all.push_back(
        {std::string{start}, RouteKind::application, methods, brace != std::string_view::npos});
  }
  return all;
}

void RestDoor::on_asked(ConnectionId id, const Asked& asked, Now now) {
  doors_.respond(id, answer(asked.request, now), now);
}

Response RestDoor::answer(const Request& request, Now now) {
  const ApiKey* const key = authenticate(request);
  if (key == nullptr) {
    return unauthorized(bearer_token(request).has_value() ||
                        (request.path == turn_rest_path && key_in_query(request).has_value()));
  }
  if (auto refusal = spend(*key, now)) return *std::move(refusal);
  return dispatch(request, *key, now);
}

const ApiKey* RestDoor::authenticate(const Request& request) const {
  if (const auto token = bearer_token(request)) return keys_.find_presented(*token);
  if (request.path != turn_rest_path) return nullptr;
  const auto key = key_in_query(request);
  return key ? keys_.find_presented(*key) : nullptr;
}

std::optional<Response> RestDoor::spend(const ApiKey& key, Now now) {
  if (settings_.requests_per_second == 0) return std::nullopt;
  const RateMeter::Rate rate{nanoseconds{seconds{1}} / settings_.requests_per_second,
                             std::max(settings_.request_burst, settings_.requests_per_second)};
  RateMeter& meter = rates_[key.id];
  if (meter.take(rate, now.instant) == RateMeter::Verdict::pass) return std::nullopt;
  // Refusals are no debt: a program that goes on asking is served at its rate.
  meter.put_back(rate);
  const auto wait = std::chrono::ceil<seconds>(meter.wait(rate, now.instant));
  Response response = error_response(429, "This API key has asked too often.");
  return response.with("Retry-After", std::to_string(std::max(wait, seconds{1}).count()));
}

Response RestDoor::dispatch(const Request& request, const ApiKey& key, Now now) {
  const Method method = request.method == Method::head ? Method::get : request.method;
  std::string allowed;
  for (const Row& row : table()) {
    auto parameters = match(row.path, request.path);
    if (!parameters) continue;
    if (row.method == method) {
      Call call{request, key, *std::move(parameters), Json::object(), now};
      if (method == Method::post || method == Method::patch) {
        auto body = read_body(request);
        if (!body) return body.error();
        call.body = *std::move(body);
      }
      return (this->*row.answer)(call);
    }
    if (!allowed.empty()) allowed += ", ";
    allowed.append(to_string(row.method));
    if (row.method == Method::get) allowed += ", HEAD";
  }
  if (allowed.empty()) return error_response(404, "There is nothing here.");
  return error_response(405, "Not with this method: " + allowed + ".").with("Allow", allowed);
}

// --- Rooms ---------------------------------------------------------------------------------------

Response RestDoor::list_rooms(const Call& call) {
  const auto limit = page_size(call.request);
  if (!limit) {
    return error_response(400, "limit must be from 1 to " + std::to_string(longest_page) + ".");
  }
  const std::string after = query_value(call.request.query, "after").value_or(std::string{});
  auto rooms = doors_.rooms().rooms(after, *limit + 1);
  const bool is_last = rooms.size() <= *limit;
  if (!is_last) rooms.pop_back();
  return json_response(200, rooms_json(rooms, is_last));
}

Response RestDoor::create_room(const Call& call) {
  auto settings = parse_new_room(call.body);
  if (!settings) return bad_request(settings.error());
  settings->key_id = call.key.id;
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
  auto request = parse_token_request(call.body, settings_.max_token_ttl, settings_.max_ice_ttl);
  if (!request) return bad_request(request.error());
  Claims& claims = request->claims;
  claims.room = call.parameters[0];
  if (!is_plain_text(claims.room, bounds::room_bytes)) {
    return error_response(400, "There can be no such room.");
  }
  claims.expires = call.now.wall + request->ttl.value_or(settings_.token_ttl);
  ObjectWriter out;
  out.text("token", mint_token(claims, call.key.id, call.key.signing));
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
