// The way in for protocols that bring their own messages: the raw relay, Socket.IO. They get
// membership, limits and fan-out; presence, roles and resume are turnpike.v1's.

#include <algorithm>
#include <utility>

#include "signaling/rooms.h"

namespace turnpike::signaling {
namespace {

/// Of a grant that leaves them open: what the door's own protocol allows and says.
void complete(Grant& grant, const std::optional<std::uint32_t>& max, const std::string& name) {
  if (max) grant.max = std::min(*max, grant.max.value_or(*max));
  if (grant.name.empty()) grant.name = name;
}

}  // namespace

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
  Join join;
  join.room = entry.room;
  join.token = entry.token;
  join.name = entry.name;
  if (settings_.auth == JoinAuth::webhook) {
    if (draining_ || !may_ask_webhook()) return refused(ErrorCode::server_busy);
    ask_webhook(add_foreign(id, client), {std::move(join), "", entry.max, entry.protocol}, now,
                effects);
    return std::string{};
  }
  auto grant = authorise(join, now);
  if (!grant) return refused(grant.error().code);
  complete(*grant, entry.max, entry.name);
  if (const auto obstacle = find_obstacle_to_entry(entry.room, entry.protocol, *grant)) {
    return refused(*obstacle);
  }
  return seat_foreign(entry.room, entry.protocol, *grant, add_foreign(id, client), effects).peer;
}

Connection& Rooms::add_foreign(ConnectionId id, const ClientInfo& client) {
  auto record = std::make_unique<Connection>();
  record->id = id;
  record->door = DoorKind::foreign;
  record->client = client;
  Connection& connection = connections_.add(std::move(record));
  by_id_[static_cast<std::uint64_t>(id)] = &connection;
  return connection;
}

std::optional<ErrorCode> Rooms::find_obstacle_to_entry(const std::string& id,
                                                       std::string_view protocol,
                                                       const Grant& grant) const {
  const Room* const room = find_room(id);
  if (const auto obstacle = find_obstacle(room, grant, DoorKind::foreign)) return obstacle->code;
  const bool is_in_use = room != nullptr && !room->members.empty();
  if (is_in_use && room->protocol != protocol) return ErrorCode::forbidden;
  return std::nullopt;
}

const Member& Rooms::seat_foreign(const std::string& id, const std::string& protocol,
                                  const Grant& grant, Connection& connection, Effects& effects) {
  const Member& member = seat(id, grant, connection, effects);
  member.room->protocol = protocol;
  report(RoomEvent::Kind::peer_joined, member);
  return member;
}

void Rooms::refuse_entry(Connection& connection, ErrorCode code, Effects& effects) {
  ++counters_.rejected[static_cast<std::size_t>(code)];
  effects.answer_entry(connection.id, code);
  forget(connection);
}

void Rooms::settle_entry(Connection& connection, const PendingJoin& pending,
                         Result<Grant, ErrorCode> decision, Effects& effects) {
  if (!decision) return refuse_entry(connection, decision.error(), effects);
  complete(*decision, pending.max, pending.join.name);
  const std::string& room = pending.join.room;
  if (const auto obstacle = find_obstacle_to_entry(room, pending.protocol, *decision)) {
    return refuse_entry(connection, *obstacle, effects);
  }
  schedule(connection);
  effects.answer_entry(connection.id);
  (void)seat_foreign(room, pending.protocol, *decision, connection, effects);
}

Result<std::size_t, ErrorCode> Rooms::forward(ConnectionId from, const Frame& frame, FrameKind kind,
                                              Now now, Effects& effects) {
  Connection* const connection = find(from);
  const bool is_foreign = connection != nullptr && connection->door == DoorKind::foreign;
  if (!is_foreign || connection->member == nullptr) {
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
  if (connection->member == nullptr) return forget(*connection);
  Room& room = *connection->member->room;
  Member& member = *connection->member;
  forget(*connection);
  erase_member(member, to_string(LeaveReason::left));
  erase_if_unused(room);
}

}  // namespace turnpike::signaling
