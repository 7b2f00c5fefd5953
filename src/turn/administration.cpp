// What an operator sees of allocations and does to them, and what is counted for the operator.
#include "turn/server.h"

namespace turnpike::turn {

std::optional<AllocationView> Server::view(const AllocationName& name) const {
  if (name.worker != settings_.worker) return std::nullopt;
  for (std::uint32_t slot = 0; slot < allocations_.slot_count(); ++slot) {
    const Allocation& allocation = allocations_.at(slot);
    if (allocation.is_open && allocation.serial == name.serial) return view_of(allocation);
  }
  return std::nullopt;
}

bool Server::end(const AllocationName& name, CloseReason reason, Now now, Effects& effects) {
  if (name.worker != settings_.worker) return false;
  for (std::uint32_t slot = 0; slot < allocations_.slot_count(); ++slot) {
    Allocation& allocation = allocations_.at(slot);
    if (!allocation.is_open || allocation.serial != name.serial) continue;
    end_allocation(allocation, reason, now, effects);
    return true;
  }
  return false;
}

std::size_t Server::end_all_of(std::string_view user, CloseReason reason, Now now,
                               Effects& effects) {
  std::size_t count = 0;
  for (std::uint32_t slot = 0; slot < allocations_.slot_count(); ++slot) {
    Allocation& allocation = allocations_.at(slot);
    if (!allocation.in_use) continue;
    const bool is_his =
        users_.username(allocation.user) == user || users_.account(allocation.user) == user;
    if (!is_his) continue;
    end_allocation(allocation, reason, now, effects);
    ++count;
  }
  return count;
}

void Server::end_all(CloseReason reason, Now now, Effects& effects) {
  for (std::uint32_t slot = 0; slot < allocations_.slot_count(); ++slot) {
    Allocation& allocation = allocations_.at(slot);
    if (allocation.in_use) end_allocation(allocation, reason, now, effects);
  }
}

void Server::set_limits(const Limits& limits) {
  settings_.limits = limits;
  challenges_.set_rate(limits.challenge_rate);
  if (discovery_.is_on()) discovery_budget_.set_rate(limits.challenge_rate);
  use_bandwidth_limits();
}

void Server::recheck_peers(Now now, Effects& effects) {
  for (std::uint32_t slot = 0; slot < allocations_.slot_count(); ++slot) {
    Allocation& allocation = allocations_.at(slot);
    if (!allocation.in_use) continue;
    recheck_permissions(allocation, now.instant);
    recheck_connections(allocation, effects);
  }
}

/// What a permission covers and where a channel leads is found out anew.
void Server::recheck_permissions(Allocation& allocation, Instant now) {
  allocation.drop_expired(now);
  allocation.permissions.erase_if([&](const Permission& permission) {
    return policy_->scope_of(permission.address, allocation.transport) == PermissionScope::nothing;
  });
  for (Permission& permission : allocation.permissions.span()) {
    const auto scope = policy_->scope_of(permission.address, allocation.transport);
    permission.only_live_relays = scope != PermissionScope::peers;
  }
  allocation.channels.erase_if([&](const Channel& channel) {
    return !policy_->check(channel.peer.endpoint(), allocation.transport);
  });
  for (Channel& channel : allocation.channels.span()) {
    if (const auto peer = policy_->check(channel.peer.endpoint(), allocation.transport)) {
      channel.peer = *peer;
    }
  }
}

/// A connection that a peer has made: it comes from any port of an address with a permission.
bool Server::may_have_connected(const Endpoint& peer) const {
  switch (policy_->scope_of(peer.address, PeerTransport::tcp)) {
    case PermissionScope::nothing:
      return false;
    case PermissionScope::only_live_relays:
      return ledger_.live_relays().contains(peer, PeerTransport::tcp);
    case PermissionScope::peers:
      break;
  }
  return true;
}

bool Server::may_be_connected(const PeerConnection& connection) const {
  return connection.is_of_peer ? may_have_connected(connection.peer)
                               : policy_->check(connection.peer, PeerTransport::tcp).has_value();
}

void Server::recheck_connections(Allocation& allocation, Effects& effects) {
  const std::vector<std::uint32_t> slots = allocation.peer_connections;
  for (const std::uint32_t slot : slots) {
    PeerConnection& connection = connections_.at(slot);
    if (may_be_connected(connection)) continue;
    effects.close(connection.id());
    if (connection.state == PeerConnection::State::connecting) {
      fail_connect(connection, effects);
    } else {
      forget_connection(connection);
    }
  }
}

AllocationView Server::view_of(const Allocation& allocation) const {
  AllocationView view;
  view.name = {settings_.worker, allocation.serial};
  view.username = users_.username(allocation.user);
  view.account = users_.account(allocation.user);
  view.client = allocation.flow.tuple;
  view.transport = allocation.transport;
  for (const Family family : {Family::ipv4, Family::ipv6}) {
    if (!allocation.has_relay(family)) continue;
    const Relay& relay = allocation.relay(family);
    view.relayed.at(Allocation::relay_index(family)) = relay.relayed;
    view.expires = std::max(view.expires, relay.expires);
  }
  view.started = allocation.started;
  view.permissions = allocation.permissions.size();
  view.channels = allocation.channels.size();
  view.traffic = allocation.traffic;
  return view;
}

AllocationRecord Server::record_of(const Allocation& allocation, Instant now) const {
  AllocationRecord record;
  record.name = {settings_.worker, allocation.serial};
  record.username = users_.username(allocation.user);
  record.account = users_.account(allocation.user);
  record.client = allocation.flow.tuple;
  record.transport = allocation.transport;
  for (std::size_t i = 0; i < record.relayed.size(); ++i) {
    const Endpoint& relayed = allocation.relay_pair.at(i).relayed;
    if (relayed.port != 0) record.relayed.at(i) = relayed;
  }
  record.started = allocation.started;
  record.duration = now - allocation.started;
  record.traffic = allocation.traffic;
  return record;
}

void Server::note_opened(Allocation& allocation, Instant now, Effects& effects) {
  allocation.is_open = true;
  allocation.started = now;
  allocation.opened_over = allocation.flow.tuple.transport;
  for (const Family family : {Family::ipv4, Family::ipv6}) {
    if (allocation.has_relay(family)) ++live_relays_of(allocation, family);
  }
  note_answer(stun::Method::allocate, allocation.opened_over, success_code);
  ++counters_.opened.at(static_cast<std::size_t>(allocation.opened_over));
  effects.opened(record_of(allocation, now));
}

void Server::note_closed(const Allocation& allocation, CloseReason reason, Instant now,
                         Effects& effects) {
  AllocationRecord record = record_of(allocation, now);
  ++counters_.closed.at(static_cast<std::size_t>(reason));
  ++counters_.durations.at(duration_class(record.duration));
  counters_.duration_seconds +=
      static_cast<std::uint64_t>(std::chrono::round<seconds>(record.duration).count());
  effects.closed(std::move(record), reason);
}

RelaxedCounter& Server::live_relays_of(const Allocation& allocation, Family family) {
  return counters_.relays.at(static_cast<std::size_t>(allocation.opened_over))
      .at(Allocation::relay_index(family));
}

void Server::note_answer(stun::Method method, Transport transport, std::uint16_t code) {
  ++counters_.answers_to(method)
        .at(static_cast<std::size_t>(transport))
        .at(answer_code_index(code));
}

}  // namespace turnpike::turn
