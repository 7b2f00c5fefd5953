// Connections that break and come back, and what keeps them fresh meanwhile: pings and credentials.

#include <algorithm>
#include <utility>

#include "signaling/rooms.h"

namespace turnpike::signaling {
namespace {

constexpr seconds shortest_ice_refresh{5};

/// The member that `join`'s ticket and token belong to.
Member* find_ticket_holder(const Room& room, const Join& join) {
  const Sha256Digest digest = sha256(bytes_of(join.token));
  for (Member* const member : room.members) {
    if (!member->ticket.empty() &&
        equal_in_constant_time(bytes_of(member->ticket), bytes_of(*join.resume)) &&
        equal_in_constant_time(member->token_digest, digest)) {
      return member;
    }
  }
  return nullptr;
}

}  // namespace

void Rooms::on_resume(const Request& request, const Join& join) {
  Room* const room = find_room(join.room);
  Member* const member = room == nullptr ? nullptr : find_ticket_holder(*room, join);
  const auto missed = member == nullptr || join.last_seq > room->last_seq
                          ? std::nullopt
                          : member->replay.since(join.last_seq);
  if (!missed) {
    ++counters_.resume_failed;
    if (member != nullptr) {
      // It is the peer, but what it missed is gone: it joins anew, and its old self is not to stay.
      replace(*member, request.effects);
      remove_member(*member, LeaveReason::replaced, request.effects);
    } else if (!joins_.spend(request.from.client.address, request.now.instant)) {
      return refuse(request, {ErrorCode::rate_limited, "too many joins from this address", true,
                              joins_.wait(request.from.client.address, request.now.instant)});
    }
    return refuse(request, {ErrorCode::resume_failed, "join without resume"});
  }
  ++counters_.resumed;
  const bool was_away = member->connection == nullptr;
  replace(*member, request.effects);
  attach(*member, request.from, request.now);
  welcome(request, *member, true);
  for (const Frame& frame : *missed) send(request.from, frame, request.effects);
  if (was_away) tell_others(*room, member, peer_back_text(member->peer), request.effects);
}

void Rooms::attach(Member& member, Connection& connection, Now now) {
  member.connection = &connection;
  connection.member = &member;
  connection.messages = member.messages;
  connection.awaits_pong = false;
  connection.due = now.instant + settings_.limits.ping_interval;
  schedule(connection);
}

void Rooms::detach(Member& member, Now now, Effects& effects) {
  member.away_until = now.instant + settings_.limits.resume_window;
  schedule(member);
  tell_others(*member.room, &member, peer_away_text(member.peer), effects);
}

void Rooms::replace(Member& member, Effects& effects) {
  if (member.connection == nullptr) return;
  const ErrorView error{{}, ErrorCode::replaced, "joined again from elsewhere", std::nullopt, true};
  send(*member.connection, make_frame(error_text(error)), effects);
  close(*member.connection, close_code_of(ErrorCode::replaced), to_string(ErrorCode::replaced),
        effects);
}

IceServers Rooms::fresh_ice(Member& member, Now now) {
  const Limits& limits = settings_.limits;
  const seconds wanted = member.grant.ice_ttl.value_or(limits.ice_ttl);
  const std::string_view host =
      member.connection != nullptr ? std::string_view{member.connection->client.host} : "";
  IceServers ice = ice_.ice_servers(
      {member.peer, member.room->id, host, std::min(wanted, limits.max_ice_ttl)}, now.wall);
  const seconds lifetime = ice.expires_at - now.wall;
  const seconds until_refresh = std::max(lifetime - limits.ice_refresh_before, lifetime / 2);
  member.ice_refresh_at = now.instant + std::max(until_refresh, shortest_ice_refresh);
  schedule(member);
  return ice;
}

void Rooms::send_ping(Connection& connection, Now now, Effects& effects) {
  connection.awaits_pong = true;
  connection.ping_ts = wire_time(now.wall);
  connection.ping_seq = connection.member->room->last_seq;
  connection.due = now.instant + settings_.limits.ping_timeout;
  schedule(connection);
  send(connection, make_frame(ping_text(connection.ping_ts)), effects);
}

/// The pong comes after everything that went out before the ping: none of that needs a replay.
/// (Before the first ping both numbers are 0, and nothing is forgotten.)
void Rooms::on_pong(Connection& connection, const Pong& pong) {
  if (connection.member == nullptr || pong.ts != connection.ping_ts) return;
  connection.member->replay.forget_through(connection.ping_seq);
}

}  // namespace turnpike::signaling
