// Leaving, by oneself or by an owner's or the operator's hand; the end of rooms and of the server.

#include <algorithm>
#include <utility>

#include "signaling/fields.h"
#include "signaling/json.h"
#include "signaling/rooms.h"

namespace turnpike::signaling {
namespace {

constexpr std::size_t event_id_bytes = 12;

bool is_valid_max(const std::optional<std::uint32_t>& max) {
  return !max || (*max > 0 && *max <= max_peers_cap);
}

/// `text` written again; nothing when it is no JSON object, or too long.
std::optional<std::string> canonical_meta(const std::string& text) {
  if (text.size() > bounds::meta_bytes) return std::nullopt;
  const auto meta = parse_json(text, bounds::json_depth);
  return meta && meta->is_object() ? std::optional{to_text(*meta)} : std::nullopt;
}

Rooms::RoomInfo info_of(const Room& room) {
  return {room.id, room.door, room.max, room.locked, room.meta_json, room.members.size()};
}

}  // namespace

// --- What clients ask for ------------------------------------------------------------------------

void Rooms::on_leave(const Request& request) {
  Member* const member = member_with(request, std::nullopt);
  if (member == nullptr) return;
  ack(request);
  close(request.from, close_codes::normal, "left", request.effects);
  remove_member(*member, LeaveReason::left, request.effects);
}

void Rooms::on_kick(const Request& request, const Kick& kick) {
  Member* const member = member_with(request, Right::kick);
  if (member == nullptr) return;
  Member* const target = find_peer(*member->room, kick.peer);
  if (target == nullptr || target == member) {
    return refuse(request,
                  {ErrorCode::peer_not_found, "no other peer " + kick.peer + " in this room"});
  }
  ack(request);
  kick_member(*target, request.effects);
}

void Rooms::on_lock(const Request& request, const Lock& lock) {
  Member* const member = member_with(request, Right::lock);
  if (member == nullptr) return;
  member->room->locked = lock.locked;
  ack(request);
}

void Rooms::on_end(const Request& request) {
  Member* const member = member_with(request, Right::end);
  if (member == nullptr) return;
  ack(request);
  end_room(*member->room, request.effects);
}

// --- What the operator asks for ------------------------------------------------------------------

Rooms::Created Rooms::create(const RoomSettings& settings) {
  auto meta = canonical_meta(settings.meta_json);
  const bool is_valid = !settings.id.empty() && is_plain_text(settings.id, bounds::room_bytes) &&
                        meta && is_valid_max(settings.max);
  if (!is_valid) return Created::invalid;
  if (find_room(settings.id) != nullptr) return Created::exists;
  const Limits& limits = settings_.limits;
  const auto of_key = rooms_of_key_.find(settings.key_id);
  if (rooms_.size() >= limits.max_rooms ||
      (limits.max_rooms_per_key != 0 && of_key != rooms_of_key_.end() &&
       of_key->second >= limits.max_rooms_per_key)) {
    return Created::over_limit;
  }
  Room& room = make_room(settings.id, DoorKind::native, settings.max.value_or(limits.max_peers),
                         settings.key_id);
  room.locked = settings.locked;
  room.meta_json = *std::move(meta);
  room.keep_when_empty = true;
  return Created::made;
}

bool Rooms::end(std::string_view id, Effects& effects) {
  Room* const room = find_room(id);
  if (room == nullptr) return false;
  end_room(*room, effects);
  return true;
}

bool Rooms::kick(std::string_view id, std::string_view peer, Effects& effects) {
  const Room* const room = find_room(id);
  Member* const member = room == nullptr ? nullptr : find_peer(*room, peer);
  if (member == nullptr) return false;
  kick_member(*member, effects);
  return true;
}

Rooms::Changed Rooms::change(std::string_view id, const RoomChange& change) {
  Room* const room = find_room(id);
  if (room == nullptr) return Changed::not_found;
  auto meta = canonical_meta(change.meta_json.value_or("{}"));
  if (!meta || !is_valid_max(change.max)) return Changed::invalid;
  if (change.meta_json) room->meta_json = *std::move(meta);
  room->max = change.max.value_or(room->max);
  room->locked = change.locked.value_or(room->locked);
  return Changed::done;
}

std::optional<std::size_t> Rooms::post(std::string_view id, std::string_view event,
                                       std::string_view data_json, Now now, Effects& effects) {
  Room* const room = find_room(id);
  if (room == nullptr || room->door != DoorKind::native) return std::nullopt;
  return deliver_to_room(*room, nullptr, {"server", event, data_json, 0, now.wall, false}, effects);
}

std::vector<Rooms::RoomInfo> Rooms::rooms(std::string_view after, std::size_t limit) const {
  std::vector<RoomInfo> some;
  for (auto at = rooms_.upper_bound(after); at != rooms_.end() && some.size() < limit; ++at) {
    some.push_back(info_of(at->second));
  }
  return some;
}

std::optional<Rooms::RoomInfo> Rooms::room(std::string_view id) const {
  const Room* const room = find_room(id);
  return room == nullptr ? std::nullopt : std::optional{info_of(*room)};
}

std::vector<Rooms::PeerInfo> Rooms::peers(std::string_view id) const {
  std::vector<PeerInfo> all;
  const Room* const room = find_room(id);
  if (room == nullptr) return all;
  for (const Member* const member : room->members) {
    all.push_back({member->peer, member->n, member->grant.name, member->grant.subject,
                   member->grant.role, member->connection == nullptr});
  }
  return all;
}

void Rooms::drain(std::string_view url, Now now, Effects& effects) {
  if (draining_) return;
  draining_ = true;
  const auto spread = static_cast<std::uint64_t>(settings_.limits.drain_spread.count());
  for (const auto& connection : connections_.slots()) {
    if (!connection) continue;
    const milliseconds after{static_cast<std::int64_t>(random_.next_u64() % (spread + 1))};
    send(*connection, make_frame(goaway_text(after, url)), effects);
    connection->close_at = now.instant + after;
    schedule(*connection);
  }
}

// --- Members and rooms that go -------------------------------------------------------------------

void Rooms::kick_member(Member& member, Effects& effects) {
  if (member.connection != nullptr) {
    send(*member.connection, make_frame(closed_text("kicked")), effects);
    close(*member.connection, close_code_of(ErrorCode::forbidden), "kicked", effects);
  }
  remove_member(member, LeaveReason::kicked, effects);
}

void Rooms::end_room(Room& room, Effects& effects) {
  const Frame frame = make_frame(closed_text(to_string(ErrorCode::room_ended)));
  while (!room.members.empty()) {
    Member& member = *room.members.back();
    if (member.connection != nullptr) {
      send(*member.connection, frame, effects);
      close(*member.connection, close_code_of(ErrorCode::room_ended),
            to_string(ErrorCode::room_ended), effects);
    }
    erase_member(member, "ended");
  }
  erase_room(room);
}

void Rooms::remove_member(Member& member, LeaveReason reason, Effects& effects) {
  Room& room = *member.room;
  tell_others(room, &member, peer_left_text(member.peer, reason), effects);
  erase_member(member, to_string(reason));
  erase_if_unused(room);
}

void Rooms::erase_if_unused(Room& room) {
  if (room.members.empty() && !room.keep_when_empty) erase_room(room);
}

void Rooms::erase_room(Room& room) {
  report(RoomEvent::Kind::room_ended, room);
  const auto of_key = rooms_of_key_.find(room.key_id);
  if (of_key != rooms_of_key_.end() && --of_key->second == 0) rooms_of_key_.erase(of_key);
  rooms_.erase(rooms_.find(room.id));
}

// --- What the operator hears of ------------------------------------------------------------------

void Rooms::report(RoomEvent::Kind kind, const Room& room) {
  if (!settings_.reports_events) return;
  RoomEvent event;
  event.id = random_text("ev_", event_id_bytes);
  event.kind = kind;
  event.room = room.id;
  event.key_id = room.key_id;
  events_.push_back(std::move(event));
}

void Rooms::report(RoomEvent::Kind kind, const Member& member, std::string_view reason) {
  if (!settings_.reports_events) return;
  report(kind, *member.room);
  RoomEvent& event = events_.back();
  event.peer = member.peer;
  event.name = member.grant.name;
  event.subject = member.grant.subject;
  event.role = member.grant.role;
  event.reason = reason;
}

// --- Looking up ----------------------------------------------------------------------------------

Room* Rooms::find_room(std::string_view id) {
  const auto at = rooms_.find(id);
  return at == rooms_.end() ? nullptr : &at->second;
}

const Room* Rooms::find_room(std::string_view id) const {
  const auto at = rooms_.find(id);
  return at == rooms_.end() ? nullptr : &at->second;
}

Member* Rooms::find_peer(const Room& room, std::string_view peer) {
  const auto at = std::find_if(room.members.begin(), room.members.end(),
                               [peer](const Member* member) { return member->peer == peer; });
  return at == room.members.end() ? nullptr : *at;
}

}  // namespace turnpike::signaling
