#include "signaling/rooms.h"

#include <algorithm>
#include <utility>

namespace turnpike::signaling {
namespace {

DeadlineQueue::Id timer_of(const Connection& connection) { return connection.slot * 2; }
DeadlineQueue::Id timer_of(const Member& member) { return member.slot * 2 + 1; }

}  // namespace

Rooms::Rooms(Settings settings, const TokenKeys& keys, IceSource& ice, Random& random)
    : settings_(std::move(settings)),
      keys_(keys),
      ice_(ice),
      random_(random),
      joins_(settings_.limits.joins_per_minute, settings_.hash_seed) {}

// --- What arrives --------------------------------------------------------------------------------

void Rooms::on_connected(ConnectionId id, const ClientInfo& client, Now now, Effects& effects) {
  TURNPIKE_ASSERT(find(id) == nullptr);
  if (draining_ || connections_.size() >= settings_.limits.max_connections) {
    ++counters_.rejected[static_cast<std::size_t>(ErrorCode::server_busy)];
    effects.close(id, close_code_of(ErrorCode::server_busy),
                  std::string{to_string(ErrorCode::server_busy)});
    return;
  }
  auto record = std::make_unique<Connection>();
  record->id = id;
  record->client = client;
  record->client.origin.resize(std::min(client.origin.size(), max_kept_origin_bytes));
  record->due = now.instant + settings_.limits.join_timeout;
  Connection& connection = connections_.add(std::move(record));
  by_id_[static_cast<std::uint64_t>(id)] = &connection;
  schedule(connection);
}

void Rooms::on_text(ConnectionId id, std::string_view text, Now now, Effects& effects) {
  Connection* const connection = find(id);
  if (connection == nullptr || connection->door != DoorKind::native) return;
  heard_from(*connection, now);
  Request request{*connection, {}, now, effects};
  if (text.size() > settings_.limits.max_message_bytes) {
    refuse(request, {ErrorCode::too_large,
                     "messages must not exceed " +
                         std::to_string(settings_.limits.max_message_bytes) + " bytes",
                     true});
    return;
  }
  const RateMeter::Verdict verdict = connection->messages.take(message_rate(), now.instant);
  if (verdict == RateMeter::Verdict::flood) {
    refuse(request, {ErrorCode::rate_limited, "too many messages, for too long", true});
    return;
  }
  auto message = parse_client_message(text);
  // Read before it is refused, so that the answer carries the request's id. That is bounded: who
  // goes on is a flood.
  request.id_json = message ? message->id_json : message.error().id_json;
  if (verdict == RateMeter::Verdict::over) {
    refuse(request, {ErrorCode::rate_limited, "too many messages", false,
                     connection->messages.wait(message_rate(), now.instant)});
    return;
  }
  if (!message) {
    refuse(request, {message.error().code, message.error().text, message.error().fatal});
    return;
  }
  ++counters_.received[message->body.index()];
  dispatch(request, *message);
}

void Rooms::dispatch(const Request& request, ClientMessage& message) {
  struct Handler {
    Rooms& rooms;
    const Request& request;
    void operator()(Join& join) const { rooms.on_join(request, join); }
    void operator()(const Signal& signal) const { rooms.on_signal(request, signal); }
    void operator()(const Message& text) const { rooms.on_message(request, text); }
    void operator()(Update& update) const { rooms.on_update(request, update); }
    void operator()(WantIce) const { rooms.on_want_ice(request); }
    void operator()(Leave) const { rooms.on_leave(request); }
    void operator()(End) const { rooms.on_end(request); }
    void operator()(const Kick& kick) const { rooms.on_kick(request, kick); }
    void operator()(const Lock& lock) const { rooms.on_lock(request, lock); }
    void operator()(const Path& path) const { rooms.on_path(request, path); }
    void operator()(const Pong& pong) const { rooms.on_pong(request.from, pong); }
  };
  std::visit(Handler{*this, request}, message.body);
}

void Rooms::on_closed(ConnectionId id, std::uint16_t code, Now now, Effects& effects) {
  Connection* const connection = find(id);
  if (connection == nullptr) return;
  Member* const member = connection->member;
  const bool has_resume = connection->door == DoorKind::native;
  forget(*connection);
  if (member == nullptr) return;
  if (has_resume && code != close_codes::normal) {
    detach(*member, now, effects);
  } else {
    remove_member(*member, LeaveReason::left, effects);
  }
}

void Rooms::on_deadline(Now now, Effects& effects) {
  while (const auto due = deadlines_.pop_due(now.instant)) {
    if (*due % 2 == 0) {
      on_connection_due(connections_.at(*due / 2), now, effects);
    } else {
      on_member_due(members_.at(*due / 2), now, effects);
    }
  }
}

void Rooms::on_connection_due(Connection& connection, Now now, Effects& effects) {
  if (connection.close_at && *connection.close_at <= now.instant) {
    Member* const member = connection.member;
    const bool is_native = connection.door == DoorKind::native;
    close(connection, close_codes::service_restart, "drain", effects);
    if (member == nullptr) return;
    is_native ? detach(*member, now, effects) : remove_member(*member, LeaveReason::left, effects);
    return;
  }
  if (connection.door != DoorKind::native) {
    if (connection.pending) refuse_entry(connection, ErrorCode::server_busy, effects);
    return;
  }
  const Request request{connection, {}, now, effects};
  if (connection.pending) {
    refuse(request, {ErrorCode::server_busy, "the authorisation did not come in time", true});
  } else if (connection.member == nullptr) {
    refuse(request, {ErrorCode::join_timeout, "no join in time", true});
  } else if (connection.awaits_pong) {
    Member& member = *connection.member;
    close(connection, close_codes::going_away, "ping timeout", effects);
    detach(member, now, effects);
  } else {
    send_ping(connection, now, effects);
  }
}

void Rooms::on_member_due(Member& member, Now now, Effects& effects) {
  if (member.connection == nullptr) {
    remove_member(member, LeaveReason::timeout, effects);
    return;
  }
  const IceServers ice = fresh_ice(member, now);
  send(*member.connection, make_frame(ice_text({}, ice)), effects);
}

// --- Connections ---------------------------------------------------------------------------------

Connection* Rooms::find(ConnectionId id) const {
  const auto at = by_id_.find(static_cast<std::uint64_t>(id));
  return at == by_id_.end() ? nullptr : at->second;
}

RateMeter::Rate Rooms::message_rate() const {
  const Limits& limits = settings_.limits;
  if (limits.messages_per_second == 0) return {nanoseconds::zero(), 0};
  return {nanoseconds{seconds{1}} / limits.messages_per_second,
          std::max(limits.message_burst, limits.messages_per_second)};
}

/// Whatever it says, it is there: a slow upload in front of a pong is no dead connection.
void Rooms::heard_from(Connection& connection, Now now) {
  if (!connection.awaits_pong) return;
  connection.awaits_pong = false;
  connection.due = now.instant + settings_.limits.ping_interval;
  schedule(connection);
}

void Rooms::schedule(const Connection& connection) {
  const bool has_due = connection.door == DoorKind::native || connection.pending;
  if (connection.close_at) {
    deadlines_.set(timer_of(connection),
                   has_due ? std::min(connection.due, *connection.close_at) : *connection.close_at);
  } else if (has_due) {
    deadlines_.set(timer_of(connection), connection.due);
  } else {
    deadlines_.clear(timer_of(connection));
  }
}

void Rooms::schedule(const Member& member) {
  deadlines_.set(timer_of(member),
                 member.connection == nullptr ? member.away_until : member.ice_refresh_at);
}

void Rooms::close(Connection& connection, std::uint16_t code, std::string_view reason,
                  Effects& effects) {
  effects.close(connection.id, code, std::string{reason});
  forget(connection);
}

void Rooms::forget(Connection& connection) {
  if (connection.pending) --webhook_questions_;
  if (connection.member != nullptr) {
    connection.member->messages = connection.messages;
    connection.member->connection = nullptr;
  }
  deadlines_.clear(timer_of(connection));
  by_id_.erase(static_cast<std::uint64_t>(connection.id));
  connections_.remove(connection.slot);
}

void Rooms::erase_member(Member& member, std::string_view reason) {
  report(RoomEvent::Kind::peer_left, member, reason);
  deadlines_.clear(timer_of(member));
  std::erase(member.room->members, &member);
  members_.remove(member.slot);
}

std::map<std::string, std::size_t, std::less<>> Rooms::members_by_door() const {
  std::map<std::string, std::size_t, std::less<>> members;
  for (const auto& [id, room] : rooms_) {
    members[room.door == DoorKind::native ? "native" : room.protocol] += room.members.size();
  }
  return members;
}

// --- Answers -------------------------------------------------------------------------------------

void Rooms::send(const Connection& to, const Frame& frame, Effects& effects) {
  if (to.door != DoorKind::native) return;
  effects.text(to.id, frame);
  ++counters_.sent;
}

void Rooms::tell_others(const Room& room, const Member* except, std::string text,
                        Effects& effects) {
  const Frame frame = make_frame(std::move(text));
  for (const Member* const member : room.members) {
    if (member != except && member->connection != nullptr) {
      send(*member->connection, frame, effects);
    }
  }
}

void Rooms::refuse(const Request& request, const Refusal& refusal) {
  ++counters_.rejected[static_cast<std::size_t>(refusal.code)];
  const ErrorView error{request.id_json, refusal.code, refusal.text, refusal.retry_after,
                        refusal.fatal};
  send(request.from, make_frame(error_text(error)), request.effects);
  if (!refusal.fatal) return;
  Member* const member = request.from.member;
  close(request.from, close_code_of(refusal.code), to_string(refusal.code), request.effects);
  if (member != nullptr) detach(*member, request.now, request.effects);
}

void Rooms::ack(const Request& request, std::optional<std::size_t> delivered) {
  if (request.id_json.empty()) return;
  send(request.from, make_frame(ack_text(request.id_json, delivered)), request.effects);
}

Member* Rooms::member_with(const Request& request, std::optional<Right> right) {
  Member* const member = request.from.member;
  if (member == nullptr) {
    refuse(request, {ErrorCode::not_joined, "join a room first"});
    return nullptr;
  }
  if (right && !member->grant.rights.has(*right)) {
    refuse(request, {ErrorCode::forbidden, "a " + std::string{to_string(member->grant.role)} +
                                               " may not " + std::string{to_string(*right)}});
    return nullptr;
  }
  return member;
}

Rooms::Kept Rooms::kept() const {
  Kept kept;
  for (const auto& member : members_.slots()) {
    if (!member) continue;
    kept.frames += member->replay.frames();
    kept.bytes += member->replay.bytes();
  }
  return kept;
}

}  // namespace turnpike::signaling
