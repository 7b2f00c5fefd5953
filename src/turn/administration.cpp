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
  note_answer(stun::Method::allocate, allocation.opened_over, 200);
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
  if (method != stun::Method::allocate) return;
  ++counters_.answers.at(static_cast<std::size_t>(transport)).at(allocate_code_index(code));
}

}  // namespace turnpike::turn
