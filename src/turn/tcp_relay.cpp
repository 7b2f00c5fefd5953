// TCP allocations (RFC 6062 §5): Connect, connections that peers make, ConnectionBind, and the end
// of each connection. What the connections carry never comes here.
#include <algorithm>

#include "turn/server.h"

namespace turnpike::turn {

using stun::AttributeType;
using stun::ErrorCode;

/// The order is that of §5.2; only, an address must be there before it can be compared.
Reason Server::on_connect(const Request& request, Allocation& allocation) {
  if (allocation.transport != PeerTransport::tcp) {
    return refuse(request, ErrorCode::allocation_mismatch);
  }
  const auto peer_value = request.message.find(AttributeType::xor_peer_address);
  const auto peer = peer_value
                        ? stun::decode_xor_address(*peer_value, request.message.transaction_id())
                        : std::nullopt;
  if (!peer) return refuse(request, ErrorCode::bad_request);
  const auto& slots = allocation.peer_connections;
  const bool exists = std::any_of(slots.begin(), slots.end(), [&](std::uint32_t slot) {
    return connections_.at(slot).peer == *peer;
  });
  if (exists) return refuse(request, ErrorCode::connection_already_exists);
  if (!allocation.has_relay(peer->family())) {
    return refuse(request, ErrorCode::peer_address_family_mismatch);
  }
  const auto permitted = policy_->check(*peer, PeerTransport::tcp);
  if (!permitted) return refuse(request, ErrorCode::forbidden);
  const bool has_room = slots.size() < settings_.limits.max_peer_connections;
  if (!has_room || !may_add_peers(allocation, 1, request.now.instant)) return refuse_peers(request);

  PeerConnection& connection = add_connection(allocation, *peer);
  connection.state = PeerConnection::State::connecting;
  connection.pending = std::make_unique<PendingConnect>(
      PendingConnect{request.message.transaction_id(), *request.principal.key,
                     request.principal.integrity, request.message.has_fingerprint()});
  connection_deadlines_.set(connection.slot,
                            request.now.instant + settings_.limits.connect_timeout);
  const RelayId relay = AllocationTable::relay_id(allocation, peer->family());
  request.effects.connect({connection.id(), relay, *permitted});
  return Reason::answered_connect;
}

Reason Server::on_peer_connected(PeerConnectionId id, ConnectOutcome outcome, Now now,
                                 Effects& effects) {
  PeerConnection* const connection = connections_.find(id);
  if (connection == nullptr) return Reason::dropped_closed_relay;  // and told to be closed
  TURNPIKE_ASSERT(connection->state == PeerConnection::State::connecting);
  if (outcome == ConnectOutcome::failed) return fail_connect(*connection, effects);

  const Allocation& allocation = allocations_.at(connection->allocation);
  const auto pending = std::move(connection->pending);
  await_bind(*connection, now.instant);
  stun::MessageBuilder response{scratch_, stun::Class::success, stun::Method::connect,
                                pending->transaction};
  response.put_u32(AttributeType::connection_id, connection->number);
  answer_connect(*pending, allocation.flow, success_code, response, effects);
  return Reason::answered_connected;
}

Reason Server::fail_connect(PeerConnection& connection, Effects& effects) {
  stun::MessageBuilder response{scratch_, stun::Class::error, stun::Method::connect,
                                connection.pending->transaction};
  constexpr auto code = ErrorCode::connection_timeout_or_failure;
  response.put_error_code(code);
  const Allocation& allocation = allocations_.at(connection.allocation);
  answer_connect(*connection.pending, allocation.flow, static_cast<std::uint16_t>(code), response,
                 effects);
  forget_connection(connection);
  return Reason::refused_not_connected;
}

void Server::answer_connect(const PendingConnect& pending, const ClientFlow& flow,
                            std::uint16_t code, stun::MessageBuilder& response, Effects& effects) {
  const auth::Principal signer{{}, {}, &pending.key, pending.integrity};
  signer.sign(response);
  if (pending.with_fingerprint) response.put_fingerprint();
  effects.send(flow, response.bytes());
  note_answer(stun::Method::connect, flow.tuple.transport, code);
}

PeerAccepted Server::on_peer_accepted(RelayId relay, const Endpoint& peer, Now now,
                                      Effects& effects) {
  Allocation* const allocation = allocations_.find(relay);
  const Family family = AllocationTable::family_of(relay);
  if (allocation == nullptr || !allocation->relays(family, now.instant)) {
    return {Reason::dropped_closed_relay, std::nullopt};
  }
  const Permission* const permission = allocation->permission(peer.address, now.instant);
  if (permission == nullptr) return {Reason::dropped_no_permission, std::nullopt};
  const auto& live = ledger_.live_relays();
  if (permission->only_live_relays && !live.contains(peer, PeerTransport::tcp)) {
    return {Reason::dropped_peer_denied, std::nullopt};
  }
  if (allocation->peer_connections.size() >= settings_.limits.max_peer_connections) {
    return {Reason::dropped_connection_limit, std::nullopt};
  }

  PeerConnection& connection = add_connection(*allocation, peer);
  connection.is_of_peer = true;
  await_bind(connection, now.instant);
  stun::TransactionId id{};
  random_.fill(id);
  stun::MessageBuilder indication{scratch_, stun::Class::indication,
                                  stun::Method::connection_attempt, id};
  indication.put_xor_address(AttributeType::xor_peer_address, peer)
      .put_u32(AttributeType::connection_id, connection.number);
  effects.send(allocation->flow, indication.bytes());
  return {Reason::relayed_attempt, connection.id()};
}

/// Comes on a connection of its own, at any worker (§5.4).
Reason Server::on_connection_bind(const Request& request) {
  // What carries an allocation's messages cannot carry data too (§3).
  const bool is_control = allocations_.find(request.flow.tuple) != nullptr;
  const bool is_guest = request.flow.worker != settings_.worker;  // came with a ticket, for control
  if (!is_stream(request.flow.tuple.transport) || is_control || is_guest) {
    return refuse(request, ErrorCode::bad_request);
  }
  const auto value = request.message.find(AttributeType::connection_id);
  const auto number = value ? stun::decode_connection_id(*value) : std::nullopt;
  if (!number) return refuse(request, ErrorCode::bad_request);
  const auto owner =
      ledger_.connections().claim(*number, request.principal.username, request.flow.tuple.server);
  if (!owner) return refuse(request, owner.error());
  succeed(request);
  request.effects.bind({request.flow, owner->worker, owner->connection});
  return Reason::answered_connection_bind;
}

bool Server::on_streams_bound(PeerConnectionId id) {
  PeerConnection* const connection = connections_.find(id);
  if (connection == nullptr) return false;
  TURNPIKE_ASSERT(connection->state == PeerConnection::State::waiting);  // a number works once
  connection->state = PeerConnection::State::bound;
  connection_deadlines_.clear(connection->slot);
  return true;
}

void Server::on_peer_closed(PeerConnectionId id) {
  PeerConnection* const connection = connections_.find(id);
  if (connection != nullptr) forget_connection(*connection);
}

std::optional<Instant> Server::on_streams_moved(PeerConnectionId id, std::size_t to_peer,
                                                std::size_t to_client, Instant now) {
  const PeerConnection* const connection = connections_.find(id);
  if (connection == nullptr) return std::nullopt;
  Allocation& allocation = allocations_.at(connection->allocation);
  allocation.traffic.bytes_to_peer += to_peer;
  allocation.traffic.bytes_to_client += to_client;
  counters_.volume(RelayDirection::to_peer, RelayPath::stream).bytes += to_peer;
  counters_.volume(RelayDirection::to_client, RelayPath::stream).bytes += to_client;
  return overdraw_bandwidth(allocation, to_peer + to_client, now);
}

void Server::on_connection_deadlines(Instant now, Effects& effects) {
  while (const auto slot = connection_deadlines_.pop_due(now)) {
    PeerConnection& connection = connections_.at(*slot);
    effects.close(connection.id());
    if (connection.state == PeerConnection::State::connecting) {
      fail_connect(connection, effects);
    } else {
      forget_connection(connection);
    }
  }
}

PeerConnection& Server::add_connection(Allocation& allocation, const Endpoint& peer) {
  PeerConnection& connection = connections_.create(allocation.slot, peer);
  allocation.peer_connections.push_back(connection.slot);
  return connection;
}

/// Gives the connection its CONNECTION-ID and the client its time.
void Server::await_bind(PeerConnection& connection, Instant now) {
  const Allocation& allocation = allocations_.at(connection.allocation);
  connection.state = PeerConnection::State::waiting;
  connection.number = ledger_.connections().add({settings_.worker, connection.id()},
                                                users_.username(allocation.user),
                                                allocation.flow.tuple.server, random_);
  connection_deadlines_.set(connection.slot, now + settings_.limits.bind_timeout);
}

void Server::forget_connection(PeerConnection& connection) {
  if (connection.state == PeerConnection::State::waiting) {
    ledger_.connections().remove(connection.number, {settings_.worker, connection.id()});
  }
  connection_deadlines_.clear(connection.slot);
  auto& slots = allocations_.at(connection.allocation).peer_connections;
  slots.erase(std::find(slots.begin(), slots.end(), connection.slot));
  connections_.destroy(connection);
}

/// §5.5: the connections of a relay end with it.
void Server::drop_connections(Allocation& allocation, Family family, Effects& effects) {
  const std::vector<std::uint32_t> slots = allocation.peer_connections;
  for (const std::uint32_t slot : slots) {
    PeerConnection& connection = connections_.at(slot);
    if (connection.peer.family() != family) continue;
    effects.close(connection.id());
    forget_connection(connection);
  }
}

}  // namespace turnpike::turn
