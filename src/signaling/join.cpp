// Joining: who may, into which room, and what the newcomer and the others are told.

#include <algorithm>
#include <array>
#include <utility>

#include "signaling/base64url.h"
#include "signaling/rooms.h"

namespace turnpike::signaling {
namespace {

constexpr std::size_t peer_id_bytes = 6;
constexpr std::size_t ticket_bytes = 24;

Grant grant_of(const Claims& claims, std::string key_id) {
  Grant grant;
  grant.subject = claims.subject;
  grant.name = claims.name;
  grant.role = claims.role;
  grant.rights = Rights::of(claims.role);
  for (const Right right : claims.can) grant.rights.add(right);
  grant.max = claims.max;
  grant.ice_ttl = claims.ice_ttl;
  grant.relay_only = claims.relay_only;
  grant.key_id = std::move(key_id);
  return grant;
}

Grant grant_of(const WebhookAnswer& answer) {
  Grant grant;
  grant.name = answer.name;
  grant.role = answer.role;
  grant.rights = Rights::of(answer.role);
  grant.max = answer.max;
  grant.ice_ttl = answer.ice_ttl;
  return grant;
}

Grant grant_of(Role role) {
  Grant grant;
  grant.role = role;
  grant.rights = Rights::of(role);
  return grant;
}

/// What is said about `peer` to `reader`.
PeerView view_of(const Member& peer, const Member& reader) {
  return {peer.peer,
          peer.n,
          peer.grant.name,
          peer.meta_json,
          reader.is_polite_to(peer),
          reader.offers_to(peer),
          peer.connection == nullptr};
}

/// The member whose place a join with `grant` takes.
Member* find_subject(const Room& room, const Grant& grant) {
  if (grant.subject.empty()) return nullptr;
  const auto at = std::find_if(
      room.members.begin(), room.members.end(),
      [&grant](const Member* member) { return member->grant.subject == grant.subject; });
  return at == room.members.end() ? nullptr : *at;
}

}  // namespace

void Rooms::on_join(const Request& request, Join& join) {
  if (request.from.member != nullptr || request.from.pending) {
    return refuse(request, {ErrorCode::already_joined, "this connection has joined"});
  }
  if (draining_) {
    return refuse(request, {ErrorCode::server_busy, "this server is shutting down", true});
  }
  if (join.resume) return on_resume(request, join);
  const IpAddress& address = request.from.client.address;
  if (!joins_.spend(address, request.now.instant)) {
    return refuse(request, {ErrorCode::rate_limited, "too many joins from this address", true,
                            joins_.wait(address, request.now.instant)});
  }
  if (settings_.auth == JoinAuth::webhook) return ask_webhook(request, join);
  const auto grant = authorise(join, request.now);
  if (!grant) return refuse(request, grant.error());
  admit(request, join, *grant);
}

Result<Grant, Rooms::Refusal> Rooms::authorise(const Join& join, Now now) const {
  if (settings_.auth == JoinAuth::open) {
    const Room* const room = find_room(join.room);
    return grant_of(room == nullptr || room->members.empty() ? Role::owner : Role::member);
  }
  auto verified = verify_token(join.token, keys_, now.wall);
  if (!verified && verified.error() == TokenError::expired) {
    return Failure{Refusal{ErrorCode::token_expired, "the token has expired", true}};
  }
  if (!verified) {
    // Which of the checks it failed is no business of a stranger.
    return Failure{Refusal{ErrorCode::unauthorized,
                           join.token.empty() ? "a token is needed" : "the token is not valid",
                           true}};
  }
  if (verified->claims.room != join.room) {
    return Failure{Refusal{ErrorCode::forbidden, "the token is for another room", true}};
  }
  return grant_of(verified->claims, std::move(verified->key_id));
}

void Rooms::ask_webhook(const Request& request, Join& join) {
  if (!may_ask_webhook()) {
    return refuse(request, {ErrorCode::server_busy, "too many joins at once", true});
  }
  ask_webhook(request.from, {std::move(join), std::string{request.id_json}}, request.now,
              request.effects);
}

bool Rooms::may_ask_webhook() const {
  return webhook_questions_ < settings_.limits.max_webhook_questions;
}

void Rooms::ask_webhook(Connection& from, PendingJoin pending, Now now, Effects& effects) {
  const Join& join = pending.join;
  const WebhookQuestion question{join.room,      join.token,          join.name,
                                 join.meta_json, from.client.address, from.client.origin};
  effects.ask(from.id, to_json(question));
  from.pending = std::make_unique<PendingJoin>(std::move(pending));
  ++webhook_questions_;
  from.due = now.instant + settings_.limits.webhook_timeout;
  schedule(from);
}

void Rooms::on_webhook_answer(ConnectionId id, const std::optional<WebhookAnswer>& answer, Now now,
                              Effects& effects) {
  Connection* const connection = find(id);
  if (connection == nullptr || !connection->pending) return;
  const std::unique_ptr<PendingJoin> pending = std::move(connection->pending);
  --webhook_questions_;
  if (connection->door == DoorKind::foreign) {
    Result<Grant, ErrorCode> decision = Failure{ErrorCode::server_busy};
    if (answer && answer->allow) decision = grant_of(*answer);
    if (answer && !answer->allow) decision = Failure{ErrorCode::forbidden};
    return settle_entry(*connection, *pending, std::move(decision), effects);
  }
  const Request request{*connection, pending->id_json, now, effects};
  if (!answer) {
    return refuse(request, {ErrorCode::server_busy, "the authorisation failed", true});
  }
  if (!answer->allow) {
    return refuse(request, {ErrorCode::forbidden, "this join was not allowed", true});
  }
  admit(request, pending->join, grant_of(*answer));
}

std::optional<Rooms::Refusal> Rooms::find_obstacle_to_new_room(std::string_view key_id) const {
  const Limits& limits = settings_.limits;
  if (!settings_.create_on_demand) return Refusal{ErrorCode::room_not_found, "no such room", true};
  if (rooms_.size() >= limits.max_rooms) {
    return Refusal{ErrorCode::server_busy, "no room for more rooms", true};
  }
  const auto of_key = rooms_of_key_.find(key_id);
  if (limits.max_rooms_per_key != 0 && !key_id.empty() && of_key != rooms_of_key_.end() &&
      of_key->second >= limits.max_rooms_per_key) {
    return Refusal{ErrorCode::rate_limited, "too many rooms of this API key", true};
  }
  return std::nullopt;
}

std::optional<Rooms::Refusal> Rooms::find_obstacle(const Room* room, const Grant& grant,
                                                   DoorKind door) const {
  if (draining_ || members_.size() >= settings_.limits.max_members) {
    return Refusal{ErrorCode::server_busy, "this server takes no more peers", true};
  }
  if (room == nullptr) return find_obstacle_to_new_room(grant.key_id);
  if (room->door != door && !room->members.empty()) {
    return Refusal{ErrorCode::forbidden, "the room is used with another protocol", true};
  }
  if (find_subject(*room, grant) != nullptr) return std::nullopt;  // it has a place
  if (room->locked && !grant.rights.has(Right::lock)) {
    return Refusal{ErrorCode::room_locked, "the room is locked", true};
  }
  const std::uint32_t max = std::min(room->max, grant.max.value_or(room->max));
  if (room->members.size() >= max) return Refusal{ErrorCode::room_full, "the room is full", true};
  return std::nullopt;
}

void Rooms::admit(const Request& request, const Join& join, const Grant& grant) {
  if (const auto obstacle = find_obstacle(find_room(join.room), grant, DoorKind::native)) {
    return refuse(request, *obstacle);
  }
  Member& member = seat(join.room, grant, request.from, request.effects);
  if (member.grant.name.empty()) member.grant.name = join.name;
  member.meta_json = join.meta_json;
  member.token_digest = sha256(bytes_of(join.token));
  attach(member, request.from, request.now);
  welcome(request, member, false);
  PeerView newcomer = view_of(member, member);
  newcomer.polite = true;  // to all others alike: they were here before, so they wait for its offer
  tell_others(*member.room, &member, peer_joined_text(newcomer), request.effects);
  report(RoomEvent::Kind::peer_joined, member);
}

Member& Rooms::seat(const std::string& id, const Grant& grant, Connection& connection,
                    Effects& effects) {
  Room* room = find_room(id);
  if (room == nullptr) {
    room = &make_room(id, connection.door, grant.max.value_or(settings_.limits.max_peers),
                      grant.key_id);
  }
  room->door = connection.door;
  Member* const previous = find_subject(*room, grant);
  if (previous != nullptr) {
    replace(*previous, effects);
    tell_others(*room, previous, peer_left_text(previous->peer, LeaveReason::replaced), effects);
  }
  Member& member = add_member(*room, connection, grant);
  if (previous != nullptr) {  // now: an empty room would be gone
    erase_member(*previous, to_string(LeaveReason::replaced));
  }
  return member;
}

Room& Rooms::make_room(std::string_view id, DoorKind door, std::uint32_t max,
                       std::string_view key_id) {
  Room& room = rooms_[std::string{id}];
  room.id = id;
  room.door = door;
  room.max = std::clamp(max, std::uint32_t{1}, max_peers_cap);
  room.key_id = key_id;
  if (!key_id.empty()) ++rooms_of_key_[room.key_id];
  report(RoomEvent::Kind::room_created, room);
  return room;
}

Member& Rooms::add_member(Room& room, Connection& connection, const Grant& grant) {
  const Limits& limits = settings_.limits;
  Member& member = members_.add(
      std::make_unique<Member>(room, ReplayRing{limits.replay_frames, limits.replay_bytes}));
  member.peer = new_peer_id(room);
  member.n = ++room.last_n;
  member.grant = grant;
  member.messages = connection.messages;
  member.connection = &connection;
  connection.member = &member;
  room.members.push_back(&member);
  return member;
}

void Rooms::welcome(const Request& request, Member& member, bool resumed) {
  const Limits& limits = settings_.limits;
  const Room& room = *member.room;
  member.ticket = random_text("rt_", ticket_bytes);
  const IceServers ice = fresh_ice(member, request.now);
  JoinedView joined;
  joined.id_json = request.id_json;
  joined.resumed = resumed;
  joined.peer = member.peer;
  joined.n = member.n;
  joined.name = member.grant.name;
  joined.role = member.grant.role;
  joined.room = room.id;
  joined.max = room.max;
  joined.locked = room.locked;
  joined.room_meta_json = room.meta_json;
  for (const Member* const other : room.members) {
    if (other != &member) joined.peers.push_back(view_of(*other, member));
  }
  joined.ice = &ice;
  joined.relay_only = member.grant.relay_only;
  joined.ticket = member.ticket;
  joined.resume_window = limits.resume_window;
  joined.ping_interval = limits.ping_interval;
  joined.ping_timeout = limits.ping_timeout;
  joined.max_message_bytes = limits.max_message_bytes;
  joined.messages_per_second = limits.messages_per_second;
  joined.version = settings_.version;
  joined.node = settings_.node;
  joined.region = settings_.region;
  send(request.from, make_frame(joined_text(joined)), request.effects);
}

std::string Rooms::new_peer_id(const Room& room) {
  std::string id = random_text("p_", peer_id_bytes);
  while (find_peer(room, id) != nullptr) id = random_text("p_", peer_id_bytes);
  return id;
}

std::string Rooms::random_text(std::string_view prefix, std::size_t bytes) {
  std::array<std::uint8_t, 32> random{};
  const MutableByteView used = MutableByteView{random}.first(bytes);
  random_.fill(used);
  return std::string{prefix} + base64url_encode(used);
}

}  // namespace turnpike::signaling
