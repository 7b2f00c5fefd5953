// The way in for protocols that bring their own messages: the raw relay, Socket.IO. They get
// membership, limits and fan-out; presence, roles and resume are turnpike.v1's.

#include <algorithm>
#include <utility>

#include "signaling/rooms.h"

namespace turnpike::signaling {

Result<std::string, ErrorCode> Rooms::enter(ConnectionId id, const ClientInfo& client,
                                            const Entry& entry, Now now, Effects& effects) {
  const auto refused = [this](ErrorCode code) {
    ++counters_.rejected[static_cast<std::size_t>(code)];
    return Failure{code};
  };
  if (find(id) != nullptr) return refused(ErrorCode::already_joined);
  if (connections_.size() >= settings_.limits.max_connections) {
    return refused(ErrorCode::server_busy);
  }
  if (!joins_.spend(client.address, now.instant)) return refused(ErrorCode::rate_limited);
  if (settings_.auth == JoinAuth::webhook) return refused(ErrorCode::forbidden);
  Join join;
  join.room = entry.room;
  join.token = entry.token;
  auto grant = authorise(join, now);
  if (!grant) return refused(grant.error().code);
  if (entry.max) grant->max = std::min(*entry.max, grant->max.value_or(*entry.max));
  if (grant->name.empty()) grant->name = entry.name;

  const Room* const room = find_room(entry.room);
  if (const auto obstacle = find_obstacle(room, *grant, DoorKind::foreign)) {
    return refused(obstacle->code);
  }
  const bool is_in_use = room != nullptr && !room->members.empty();
  if (is_in_use && room->protocol != entry.protocol) return refused(ErrorCode::forbidden);
  auto record = std::make_unique<Connection>();
  record->id = id;
  record->door = DoorKind::foreign;
  record->client = client;
  Connection& connection = connections_.add(std::move(record));
  by_id_[static_cast<std::uint64_t>(id)] = &connection;
  const Member& member = seat(entry.room, *grant, connection, effects);
  member.room->protocol = entry.protocol;
  report(RoomEvent::Kind::peer_joined, member);
  return member.peer;
}

Result<std::size_t, ErrorCode> Rooms::forward(ConnectionId from, const Frame& frame, FrameKind kind,
                                              Now now, Effects& effects) {
  Connection* const connection = find(from);
  if (connection == nullptr || connection->door != DoorKind::foreign) {
    return Failure{ErrorCode::not_joined};
  }
  if (connection->messages.take(message_rate(), now.instant) != RateMeter::Verdict::pass) {
    ++counters_.rejected[static_cast<std::size_t>(ErrorCode::rate_limited)];
    return Failure{ErrorCode::rate_limited};
  }
  const std::vector<ConnectionId> receivers = others(from);
  for (const ConnectionId to : receivers) {
    kind == FrameKind::text ? effects.text(to, frame) : effects.binary(to, frame);
  }
  counters_.sent += receivers.size();
  return receivers.size();
}

std::vector<ConnectionId> Rooms::others(ConnectionId id) const {
  std::vector<ConnectionId> all;
  const Connection* const connection = find(id);
  if (connection == nullptr || connection->member == nullptr) return all;
  for (const Member* const member : connection->member->room->members) {
    if (member->connection != nullptr && member->connection != connection) {
      all.push_back(member->connection->id);
    }
  }
  return all;
}

void Rooms::leave(ConnectionId id) {
  Connection* const connection = find(id);
  if (connection == nullptr || connection->door != DoorKind::foreign) return;
  Room& room = *connection->member->room;
  Member& member = *connection->member;
  forget(*connection);
  erase_member(member, to_string(LeaveReason::left));
  erase_if_unused(room);
}

}  // namespace turnpike::signaling
