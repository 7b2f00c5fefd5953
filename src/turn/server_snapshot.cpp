// A server's part of a snapshot: what it knows, taken down and taken up again (snapshot.h).
#include <map>

#include "turn/saved_state.h"
#include "turn/server.h"

namespace turnpike::turn {

using stun::ErrorCode;

// ---- taken down ---------------------------------------------------------------------------------

SavedServer Server::save() const {
  SavedServer saved;
  saved.worker = settings_.worker;
  save_allocations(saved);
  save_connections(saved);
  saved.guests = guests_.save();
  saved.counters = growing_values(counters_);
  return saved;
}

/// The slot of an Allocate that waits for its relays is written as a free one, and free for the
/// next.
void Server::save_allocations(SavedServer& saved) const {
  saved.last_serial = allocations_.last_serial();
  saved.free_slots = allocations_.free_slots();
  std::map<UserId, std::uint32_t> users;
  for (std::uint32_t slot = 0; slot < allocations_.slot_count(); ++slot) {
    const Allocation& allocation = allocations_.at(slot);
    SavedSlot& place = saved.slots.emplace_back();
    for (const Family family : {Family::ipv4, Family::ipv6}) {
      const RelayId id = AllocationTable::relay_id(allocation, family);
      const bool is_forgotten = allocation.pending != nullptr;
      place.generations[Allocation::relay_index(family)] = id.generation + (is_forgotten ? 1 : 0);
      if (is_forgotten && allocation.has_relay(family)) saved.forgotten_relays.push_back(id);
    }
    if (allocation.pending) saved.free_slots.push_back(slot);
    if (!allocation.is_open) continue;
    const auto number = static_cast<std::uint32_t>(saved.users.size());
    const auto [user, is_new] = users.try_emplace(allocation.user, number);
    if (is_new) {
      const UserId id = allocation.user;
      const auto& own = users_.bandwidth(id).own;
      saved.users.push_back({std::string{users_.username(id)}, std::string{users_.account(id)},
                             own ? std::optional{own->bits_per_second()} : std::nullopt});
    }
    place.allocation = saved_allocation(allocation, user->second);
  }
}

SavedAllocation Server::saved_allocation(const Allocation& allocation, std::uint32_t user) const {
  SavedAllocation saved;
  saved.serial = allocation.serial;
  saved.flow = allocation.flow;
  saved.has_client = allocation.has_client;
  saved.transaction = allocation.transaction;
  saved.user = user;
  saved.network = allocation.network;
  saved.opened_over = allocation.opened_over;
  saved.transport = allocation.transport;
  saved.reservation_token = allocation.reservation_token;
  if (allocation.additional_error) {
    saved.additional_error = static_cast<std::uint16_t>(*allocation.additional_error);
  }
  saved.started = allocation.started;
  saved.traffic = allocation.traffic;
  saved.paid_until = allocation.bandwidth.paid_until();
  if (const auto content = allocation.new_peers.content()) {
    saved.new_peers = SavedBucket{content->filled_at, content->tokens};
  }
  for (const Family family : {Family::ipv4, Family::ipv6}) {
    const Relay& relay = allocation.relay(family);
    const std::size_t index = Allocation::relay_index(family);
    if (allocation.has_relay(family)) {
      saved.relays[index] = SavedRelay{relay.lease.address, relay.lease.port, relay.expires};
    } else {
      saved.closed_relays[index] = relay.relayed;
    }
  }
  for (const Permission& permission : allocation.permissions.span()) {
    saved.permissions.push_back({permission.address, permission.expires});
  }
  for (const Channel& channel : allocation.channels.span()) {
    saved.channels.push_back({channel.number.value, channel.peer.endpoint(), channel.expires});
  }
  if (const auto& mobility = allocation.mobility) {
    saved.mobility =
        SavedMobility{mobility->number, mobility->ticket, mobility->previous_until, mobility->next};
  }
  return saved;
}

void Server::save_connections(SavedServer& saved) const {
  saved.free_connections = connections_.free_slots();
  for (std::uint32_t slot = 0; slot < connections_.slot_count(); ++slot) {
    const PeerConnection& connection = connections_.at(slot);
    SavedConnectionSlot& place = saved.connections.emplace_back();
    place.generation = connection.generation;
    switch (connection.state) {
      case PeerConnection::State::absent:
        break;
      case PeerConnection::State::connecting:
        ++place.generation;
        saved.free_connections.push_back(slot);
        saved.forgotten_connections.push_back(connection.id());
        break;
      case PeerConnection::State::waiting:
      case PeerConnection::State::bound:
        place.connection = saved_connection(connection);
        break;
    }
  }
}

SavedConnection Server::saved_connection(const PeerConnection& connection) const {
  SavedConnection saved;
  saved.allocation = connection.allocation;
  saved.peer = connection.peer;
  saved.is_of_peer = connection.is_of_peer;
  saved.number = connection.number;
  saved.is_claimed =
      !ledger_.connections().holds(connection.number, {settings_.worker, connection.id()});
  saved.deadline = connection_deadlines_.of(connection.slot);
  return saved;
}

// ---- taken up again -----------------------------------------------------------------------------

namespace {

/// What stands in the allocation itself and concerns nobody else.
void restore_facts(Allocation& allocation, const SavedAllocation& saved) {
  allocation.is_open = true;
  allocation.transaction = saved.transaction;
  allocation.network = saved.network;
  allocation.opened_over = saved.opened_over;
  allocation.transport = saved.transport;
  allocation.reservation_token = saved.reservation_token;
  if (saved.additional_error) allocation.additional_error = ErrorCode{*saved.additional_error};
  allocation.started = saved.started;
  allocation.traffic = saved.traffic;
  allocation.bandwidth = BandwidthMeter{saved.paid_until};
  if (saved.new_peers) {
    allocation.new_peers = TokenBucket{{saved.new_peers->tokens, saved.new_peers->filled_at}};
  }
}

}  // namespace

void Server::restore_allocations(const SavedServer& saved, std::span<const RelayAddress> addresses,
                                 Now now, Effects& effects) {
  add_growing_values(counters_, saved.counters);
  allocations_.restore_slots(saved);
  for (std::uint32_t slot = 0; slot < saved.slots.size(); ++slot) {
    const auto& allocation = saved.slots[slot].allocation;
    if (!allocation) continue;
    restore_allocation(slot, *allocation, saved.users.at(allocation->user), addresses, now,
                       effects);
  }
  for (const RelayId relay : saved.forgotten_relays) effects.close(relay);
}

void Server::restore_allocation(std::uint32_t slot, const SavedAllocation& saved,
                                const SavedUser& user, std::span<const RelayAddress> addresses,
                                Now now, Effects& effects) {
  Allocation& allocation = allocations_.restore(slot, saved);
  restore_facts(allocation, saved);
  restore_user(allocation, user);
  restore_mobility(allocation, saved);
  restore_relays(allocation, saved, addresses, effects);
  if (!allocation.has_any_relay()) {
    end_allocation(allocation, CloseReason::shutdown, now, effects);
  }
}

void Server::restore_user(Allocation& allocation, const SavedUser& saved) {
  allocation.user = users_.acquire(saved.username, saved.account);
  ledger_.charge_again(users_.account(allocation.user), allocation.network);
  grant_bandwidth({.bandwidth = saved.bandwidth}, allocation);
}

void Server::restore_mobility(Allocation& allocation, const SavedAllocation& saved) {
  const auto& mobility = saved.mobility;
  if (!mobility) return;
  allocation.mobility = std::make_unique<Mobility>(
      Mobility{mobility->number, mobility->ticket, mobility->previous_until, std::nullopt});
  const auto& next = mobility->next;
  if (next && allocations_.find(next->tuple) == nullptr) allocations_.add_next(allocation, *next);
}

void Server::restore_relays(Allocation& allocation, const SavedAllocation& saved,
                            std::span<const RelayAddress> addresses, Effects& effects) {
  const bool is_kept = may_go_on(allocation, saved);
  for (const Family family : {Family::ipv4, Family::ipv6}) {
    const std::size_t index = Allocation::relay_index(family);
    allocation.relay(family).relayed = saved.closed_relays[index];
    const auto& relay = saved.relays[index];
    if (!relay) continue;
    restore_relay(allocation, family, *relay, addresses[relay->address], is_kept, effects);
  }
}

/// Not when another one has a five-tuple of its client's, nor as a TCP allocation when there are to
/// be none any more.
bool Server::may_go_on(const Allocation& allocation, const SavedAllocation& saved) const {
  const bool wants_next = saved.mobility && saved.mobility->next;
  const bool has_next = allocation.mobility && allocation.mobility->next;
  return allocation.has_client == saved.has_client && has_next == wants_next &&
         (allocation.transport == PeerTransport::udp || settings_.tcp_relays);
}

void Server::restore_relay(Allocation& allocation, Family family, const SavedRelay& saved,
                           const RelayAddress& address, bool is_kept, Effects& effects) {
  Relay& relay = allocation.relay(family);
  const RelayId id = AllocationTable::relay_id(allocation, family);
  relay.relayed = {address.advertised, saved.port};
  const auto lease = is_kept ? ledger_.take_again(address, saved.port) : std::nullopt;
  if (!lease) {
    effects.close(id);
    ++relay.generation;
    return;
  }
  relay.state = Relay::State::open;
  relay.lease = *lease;
  set_expiry(allocation, family, saved.expires);
  ledger_.live_relays().insert(relay.relayed, {settings_.worker, id}, allocation.transport);
  ++live_relays_of(allocation, family);
}

void Server::restore_peers(const SavedServer& saved, Effects& effects) {
  for (std::uint32_t slot = 0; slot < saved.slots.size(); ++slot) {
    Allocation& allocation = allocations_.at(slot);
    if (allocation.in_use) restore_peers_of(allocation, *saved.slots[slot].allocation);
  }
  connections_.restore_slots(saved);
  for (std::uint32_t slot = 0; slot < saved.connections.size(); ++slot) {
    const auto& connection = saved.connections[slot].connection;
    PeerConnection& place = connections_.at(slot);
    if (!connection || restore_connection(place, *connection)) continue;
    effects.close(place.id());
    connections_.destroy(place);
  }
  for (const PeerConnectionId connection : saved.forgotten_connections) effects.close(connection);
  for (const SavedGuest& guest : saved.guests) {
    const bool is_at_home = !guest.is_leaving && allocations_.find(guest.flow.tuple) != nullptr;
    if (!is_at_home) guests_.restore(guest);
  }
}

/// What the policy would allow today, for as long as it was allowed then.
void Server::restore_peers_of(Allocation& allocation, const SavedAllocation& saved) {
  for (const SavedPermission& each : saved.permissions) {
    const auto scope = policy_->scope_of(each.address, allocation.transport);
    if (scope == PermissionScope::nothing || !allocation.has_relay(each.address.family())) continue;
    allocation.permit({each.address, each.expires, scope != PermissionScope::peers});
  }
  for (const SavedChannel& each : saved.channels) {
    const auto peer = policy_->check(each.peer, allocation.transport);
    if (!peer || !allocation.has_relay(each.peer.family())) continue;
    allocation.channels.push_back({stun::ChannelNumber{each.number}, *peer, each.expires});
  }
}

/// False when it is not to go on; nothing of it is anywhere then.
bool Server::restore_connection(PeerConnection& connection, const SavedConnection& saved) {
  Allocation& allocation = allocations_.at(saved.allocation);
  const bool has_relay = allocation.in_use && allocation.has_relay(saved.peer.family());
  connection.allocation = saved.allocation;
  connection.peer = saved.peer;
  connection.is_of_peer = saved.is_of_peer;
  connection.number = saved.number;
  if (!has_relay || !may_be_connected(connection)) return false;
  const bool is_awaited = saved.deadline && !saved.is_claimed;
  if (is_awaited && !ledger_.connections().add_again(
                        saved.number, {settings_.worker, connection.id()},
                        users_.username(allocation.user), allocation.flow.tuple.server)) {
    return false;
  }
  connection.state = saved.deadline ? PeerConnection::State::waiting : PeerConnection::State::bound;
  if (saved.deadline) connection_deadlines_.set(connection.slot, *saved.deadline);
  allocation.peer_connections.push_back(connection.slot);
  return true;
}

}  // namespace turnpike::turn
