#include "signaling/rest_reply.h"

#include <array>
#include <chrono>
#include <utility>

#include "signaling/json.h"
#include "signaling/protocol.h"

namespace turnpike::signaling {
namespace {

constexpr std::array<std::pair<std::uint16_t, std::string_view>, 9> error_names{{
    {400, "bad_request"},
    {401, "unauthorized"},
    {404, "not_found"},
    {405, "method_not_allowed"},
    {409, "conflict"},
    {413, "too_large"},
    {415, "unsupported_media_type"},
    {429, "rate_limited"},
    {503, "unavailable"},
}};

std::string_view error_name(std::uint16_t status) {
  for (const auto& [code, name] : error_names) {
    if (code == status) return name;
  }
  return "error";
}

void append_padded(std::string& out, std::uint64_t number, std::size_t digits, char after) {
  const std::string text = std::to_string(number);
  if (text.size() < digits) out.append(digits - text.size(), '0');
  out.append(text) += after;
}

std::string peer_json(const Rooms::PeerInfo& peer) {
  ObjectWriter out;
  out.text("peer", peer.peer).number("n", peer.n);
  if (!peer.name.empty()) out.text("name", peer.name);
  if (!peer.subject.empty()) out.text("sub", peer.subject);
  return out.text("role", to_string(peer.role)).boolean("away", peer.away).finish();
}

}  // namespace

Response json_response(std::uint16_t status, std::string json) {
  Response response{status};
  response.with("Content-Type", "application/json").with("Cache-Control", "no-store");
  response.body = std::move(json);
  return response;
}

Response error_response(std::uint16_t status, std::string_view message) {
  ObjectWriter error;
  error.text("code", error_name(status)).text("message", message);
  ObjectWriter out;
  return json_response(status, out.raw("error", error.finish()).finish());
}

std::string room_json(const Rooms::RoomInfo& room) {
  ObjectWriter out;
  out.text("id", room.id).number("max", room.max).boolean("locked", room.locked);
  out.raw("meta", room.meta_json).number("peers", room.peers);
  return out.text("kind", room.door == DoorKind::native ? "native" : "foreign").finish();
}

std::string rooms_json(const std::vector<Rooms::RoomInfo>& rooms, bool is_last) {
  ArrayWriter list;
  for (const Rooms::RoomInfo& room : rooms) list.raw(room_json(room));
  ObjectWriter out;
  out.raw("rooms", list.finish());
  if (!is_last && !rooms.empty()) out.text("next", rooms.back().id);
  return out.finish();
}

std::string peers_json(const std::vector<Rooms::PeerInfo>& peers) {
  ArrayWriter list;
  for (const Rooms::PeerInfo& peer : peers) list.raw(peer_json(peer));
  ObjectWriter out;
  return out.raw("peers", list.finish()).finish();
}

std::string credentials_json(const IceServers& ice) {
  ObjectWriter out;
  out.raw("iceServers", ice_servers_json(ice)).text("expiresAt", rfc3339(ice.expires_at));
  return out.finish();
}

std::string turn_rest_json(const IceServers& ice, WallTime now_wall) {
  const IceServer* any = nullptr;
  ArrayWriter uris;
  for (const IceServer& server : ice.servers) {
    if (server.username.empty()) continue;
    if (any == nullptr) any = &server;
    // One username and password are handed out: they must fit what is listed.
    if (server.username != any->username) continue;
    for (const std::string& url : server.urls) uris.text(url);
  }
  if (any == nullptr) return {};
  const seconds ttl = ice.expires_at - now_wall;
  ObjectWriter out;
  out.text("username", any->username).text("password", any->credential);
  out.number("ttl", static_cast<std::uint64_t>(ttl.count() > 0 ? ttl.count() : 0));
  return out.raw("uris", uris.finish()).finish();
}

std::string rfc3339(WallTime time) {
  const auto day = std::chrono::floor<std::chrono::days>(time);
  const std::chrono::year_month_day date{day};
  const std::chrono::hh_mm_ss clock{time - day};
  std::string out;
  append_padded(out, static_cast<std::uint64_t>(static_cast<int>(date.year())), 4, '-');
  append_padded(out, static_cast<unsigned>(date.month()), 2, '-');
  append_padded(out, static_cast<unsigned>(date.day()), 2, 'T');
  append_padded(out, static_cast<std::uint64_t>(clock.hours().count()), 2, ':');
  append_padded(out, static_cast<std::uint64_t>(clock.minutes().count()), 2, ':');
  append_padded(out, static_cast<std::uint64_t>(clock.seconds().count()), 2, 'Z');
  return out;
}

}  // namespace turnpike::signaling
