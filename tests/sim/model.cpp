#include "sim/model.h"

#include <algorithm>

namespace turnpike::sim {
namespace {

using turn::CloseReason;
using turn::PeerTransport;
using turn::WorkerId;

constexpr Family families[] = {Family::ipv4, Family::ipv6};

bool guest_comes_before(const std::pair<WorkerId, FiveTuple>& a,
                        const std::pair<WorkerId, FiveTuple>& b) {
  const auto key = [](const std::pair<WorkerId, FiveTuple>& guest) {
    return std::tuple{guest.first, guest.second.client, guest.second.server,
                      guest.second.transport};
  };
  return key(a) < key(b);
}

}  // namespace

std::string network_of(const IpAddress& address) {
  const std::size_t size = address.family() == Family::ipv4 ? 3 : 7;
  const ByteView prefix = address.bytes().first(size);
  return std::string{text_of(prefix)};
}

Model::Model(const Settings& settings)
    : settings_(settings),
      limits_(settings.limits),
      guests_(guest_comes_before),
      book_(credentials(0)) {}

bool Model::Allocation::has(Family family) const {
  const auto found = relays.find(family);
  return found != relays.end() && found->second.state == Relay::State::open;
}

bool Model::Allocation::relays_at(Family family, Instant now) const {
  return has(family) && relays.at(family).expires > now;
}

bool Model::Allocation::permits(const IpAddress& address, Instant now) const {
  const auto found = permissions.find(address);
  return found != permissions.end() && found->second > now;
}

Model::Allocation* Model::find(WorkerId worker, const FiveTuple& tuple) {
  for (Allocation& each : allocations_) {
    if (each.home != worker) continue;
    if (each.has_client && each.flow.tuple == tuple) return &each;
    if (each.next && each.next->tuple == tuple) return &each;
  }
  return nullptr;
}

Model::Allocation* Model::find(WorkerId worker, turn::RelayId relay, Family& family) {
  for (Allocation& each : allocations_) {
    if (each.home != worker) continue;
    for (const auto& [its_family, its_relay] : each.relays) {
      if (!its_relay.is_held() || !(its_relay.id == relay)) continue;
      family = its_family;
      return &each;
    }
  }
  return nullptr;
}

// --- time ----------------------------------------------------------------------------------------

Verdict Model::on_deadline(WorkerId worker, Now now) {
  Verdict verdict;
  sweep(worker, now.instant, verdict);
  return verdict;
}

void Model::sweep(WorkerId worker, Instant now, Verdict& verdict) {
  for (auto guest = guests_.begin(); guest != guests_.end();) {
    const bool is_over = guest->first.first == worker && guest->second.expires <= now;
    guest = is_over ? guests_.erase(guest) : std::next(guest);
  }
  for (auto at = allocations_.begin(); at != allocations_.end();) {
    Allocation& allocation = *at++;
    if (allocation.home != worker) continue;
    bool has_lost = false;
    for (const Family family : families) {
      const auto relay = allocation.relays.find(family);
      const bool is_over = relay != allocation.relays.end() && relay->second.is_held() &&
                           relay->second.expires <= now;
      if (!is_over) continue;
      drop_relay(allocation, family, verdict);
      has_lost = true;
    }
    if (has_lost && (allocation.pending || !allocation.has_any())) {
      end(allocation, CloseReason::expired, verdict);
    } else {
      sweep_connections(allocation, now, verdict);
    }
  }
}

void Model::forget_expired(Allocation& allocation, Instant now) {
  std::erase_if(allocation.permissions, [&](const auto& entry) { return entry.second <= now; });
  std::erase_if(allocation.channels,
                [&](const auto& entry) { return entry.second.expires <= now; });
}

// --- ends ----------------------------------------------------------------------------------------

void Model::drop_relay(Allocation& allocation, Family family, Verdict& verdict) {
  const auto found = allocation.relays.find(family);
  if (found == allocation.relays.end()) return;
  Relay& relay = found->second;
  drop_connections(allocation, family, verdict);
  if (relay.state == Relay::State::open) {
    verdict.closed_relays.emplace_back(allocation.home, relay.id);
  }
  if (relay.is_held()) {
    give_port_back(relay.bind);
    if (allocation.pending && is_pair(allocation.pending->wish)) {
      give_port_back({relay.bind.address, static_cast<std::uint16_t>(relay.bind.port + 1)});
    }
  }
  relay.state = Relay::State::absent;
  // RFC 8656 §8.1: with the relayed address of a family go its permissions and channels.
  std::erase_if(allocation.permissions,
                [&](const auto& entry) { return entry.first.family() == family; });
  std::erase_if(allocation.channels,
                [&](const auto& entry) { return entry.second.peer.family() == family; });
}

void Model::end(Allocation& allocation, CloseReason reason, Verdict& verdict) {
  if (allocation.has_client) release(allocation.flow, allocation.home, verdict);
  if (allocation.next) release(*allocation.next, allocation.home, verdict);
  for (const Family family : families) drop_relay(allocation, family, verdict);
  if (!allocation.pending) {
    auto& ended = verdict.ended.emplace_back(Verdict::Ended{allocation.flow.tuple, reason});
    if (!allocation.may_have_lost) ended.moved = allocation.moved;
  }
  std::erase_if(allocations_, [&](const Allocation& each) { return &each == &allocation; });
}

Verdict Model::on_client_gone(WorkerId worker, const FiveTuple& tuple) {
  Verdict verdict;
  const auto guest = guests_.find({worker, tuple});
  if (guest != guests_.end()) {
    verdict.reported_to = guest->second.home;
    guests_.erase(guest);
    return verdict;
  }
  Allocation* const allocation = find(worker, tuple);
  if (allocation == nullptr) return verdict;
  if (!allocation->is_mobile || allocation->pending) {
    end(*allocation, CloseReason::client_gone, verdict);
  } else if (!allocation->next) {
    allocation->has_client = false;
  } else if (allocation->next->tuple == tuple) {
    allocation->next.reset();
  } else {
    allocation->flow = *std::exchange(allocation->next, std::nullopt);
  }
  return verdict;
}

Verdict Model::end(const Endpoint& relayed, CloseReason reason) {
  Verdict verdict;
  for (Allocation& each : allocations_) {
    const bool is_it = std::any_of(each.relays.begin(), each.relays.end(), [&](const auto& entry) {
      return entry.second.state == Relay::State::open && entry.second.relayed == relayed;
    });
    if (!is_it) continue;
    end(each, reason, verdict);
    break;
  }
  return verdict;
}

Verdict Model::end_all_of(WorkerId worker, const std::string& user, CloseReason reason) {
  Verdict verdict;
  for (auto at = allocations_.begin(); at != allocations_.end();) {
    Allocation& each = *at++;
    const bool is_his = user.empty() || each.username == user || each.account == user;
    if (each.home == worker && is_his) end(each, reason, verdict);
  }
  return verdict;
}

// --- the operator --------------------------------------------------------------------------------

void Model::use_book(std::size_t variant) { book_ = credentials(variant); }

bool Model::is_live(const Endpoint& relayed, PeerTransport transport) const {
  for (const Allocation& each : allocations_) {
    if (each.transport != transport) continue;
    for (const auto& [family, relay] : each.relays) {
      if (relay.state == Relay::State::open && relay.relayed == relayed) return true;
    }
  }
  return false;
}

bool Model::is_peer_allowed(const Endpoint& peer, PeerTransport transport) const {
  if (peer.port == 0) return false;
  if (is_live(peer, transport)) return true;
  const bool is_usual_port = peer.port == 443 || peer.port >= 1024;
  switch (class_of(peer.address, settings_)) {
    case PeerClass::open:
      return is_usual_port;
    case PeerClass::deniable:
      return is_usual_port && policy_ % 2 == 0;
    case PeerClass::private_:
      return policy_ >= 2 && 1000 <= peer.port && peer.port <= 40000;
    case PeerClass::own:
    case PeerClass::never:
      break;
  }
  return false;
}

bool Model::may_be_permitted(const IpAddress& address, PeerTransport transport) const {
  switch (class_of(address, settings_)) {
    case PeerClass::open:
      return true;
    case PeerClass::deniable:
      return policy_ % 2 == 0;
    case PeerClass::private_:
      return policy_ >= 2;
    case PeerClass::own:
      // For other clients' relays, if there are any.
      return std::any_of(allocations_.begin(), allocations_.end(), [&](const Allocation& each) {
        return std::any_of(each.relays.begin(), each.relays.end(), [&](const auto& entry) {
          const Relay& relay = entry.second;
          return each.transport == transport && relay.state == Relay::State::open &&
                 relay.relayed.address == address;
        });
      });
    case PeerClass::never:
      break;
  }
  return false;
}

Verdict Model::recheck_peers(WorkerId worker, Instant now) {
  Verdict verdict;
  for (Allocation& each : allocations_) {
    if (each.home != worker) continue;
    forget_expired(each, now);
    drop_denied_peers(each);
    recheck_connections(each, true, verdict);
  }
  return verdict;
}

void Model::drop_denied_peers(Allocation& allocation) const {
  std::erase_if(allocation.permissions, [&](const auto& entry) {
    return !may_be_permitted(entry.first, allocation.transport);
  });
  std::erase_if(allocation.channels, [&](const auto& entry) {
    return !is_peer_allowed(entry.second.peer, allocation.transport);
  });
}

Verdict Model::on_restart() {
  Verdict verdict;
  for (Allocation& each : allocations_) {
    if (!each.pending) continue;
    for (const Family family : families) drop_relay(each, family, verdict);
  }
  std::erase_if(allocations_, [](const Allocation& each) { return each.pending.has_value(); });
  answers_.clear();
  failures_.clear();
  budgets_.clear();
  least_budgets_.clear();
  for (Allocation& each : allocations_) {
    drop_denied_peers(each);
    restart_connections(each, verdict);
    recheck_connections(each, false, verdict);
  }
  return verdict;
}

// --- what was left to the server -----------------------------------------------------------------

bool Model::adopt(WorkerId worker, const turn::OpenRelay& open) {
  for (Allocation& each : allocations_) {
    if (each.home != worker) continue;
    const auto found = each.relays.find(open.bind.family());
    if (found == each.relays.end() || found->second.state != Relay::State::wanted) continue;
    Relay& relay = found->second;
    const turn::RelayAddress* const address =
        address_for(each.flow.tuple.server.address, open.bind.family());
    const turn::PortWish wish = each.pending->wish;
    if (open.transport != each.transport) return false;
    const Endpoint next{open.bind.address, static_cast<std::uint16_t>(open.bind.port + 1)};
    const auto is_free = [&](const Endpoint& bind) {
      return settings_.ports.contains(bind.port) && taken_.count(bind) == 0;
    };
    if (each.pending->is_redeemed) {
      if (open.bind != relay.bind) return false;
    } else {
      if (address == nullptr || open.bind.address != address->bind) return false;
      if (!is_free(open.bind)) return false;
      if (wish != turn::PortWish::any && open.bind.port % 2 != 0) return false;
      if (is_pair(wish) && !is_free(next)) return false;
    }
    if (relay.refused) {
      give_port_back(*relay.refused);
      if (is_pair(wish)) {
        const auto after = static_cast<std::uint16_t>(relay.refused->port + 1);
        give_port_back({relay.refused->address, after});
      }
      relay.refused.reset();
    }
    taken_.insert(open.bind);
    if (is_pair(wish)) taken_.insert(next);
    relay.bind = open.bind;
    for (const turn::RelayAddress& one : settings_.relays) {
      if (one.bind == open.bind.address) relay.relayed = {one.advertised, open.bind.port};
    }
    relay.id = open.relay;
    relay.state = Relay::State::opening;
    return true;
  }
  return false;
}

FiveTuple Model::client_of(WorkerId worker, turn::RelayId relay) {
  Family family{};
  return find(worker, relay, family)->flow.tuple;
}

bool Model::learn_token(std::uint64_t token, const FiveTuple& client) {
  for (Allocation& each : allocations_) {
    if (!(each.flow.tuple == client) || !each.has_client || each.token != 0) continue;
    each.token = token;
    const auto waiting = reservations_.find(0);  // where tell_client() has put it
    if (waiting == reservations_.end()) return false;
    reservations_[token] = waiting->second;
    reservations_.erase(waiting);
    return tokens_.insert(token).second;
  }
  return false;
}

bool Model::learn_ticket(const Bytes& ticket, const FiveTuple& client) {
  for (Allocation& each : allocations_) {
    const bool is_it = each.is_mobile && each.ticket.empty() &&
                       ((each.has_client && each.flow.tuple == client) ||
                        (each.next && each.next->tuple == client));
    if (!is_it) continue;
    each.ticket = ticket;
    return tickets_.insert({ticket, {each.home, each.serial, each.ticket_number}}).second;
  }
  return false;
}

// --- balances ------------------------------------------------------------------------------------

void Model::sweep_reservations(Instant now) {
  std::erase_if(reservations_, [&](const auto& entry) {
    if (entry.second.expires > now) return false;
    give_port_back(entry.second.bind);
    return true;
  });
}

std::size_t Model::free_ports() const {
  const auto all = static_cast<std::size_t>(settings_.ports.last - settings_.ports.first + 1);
  return all * settings_.relays.size() - taken_.size();
}

std::size_t Model::allocation_count(WorkerId worker) const {
  return static_cast<std::size_t>(
      std::count_if(allocations_.begin(), allocations_.end(),
                    [&](const Allocation& each) { return each.home == worker; }));
}

std::uint32_t Model::allocations_of(const std::string& account) const {
  return static_cast<std::uint32_t>(
      std::count_if(allocations_.begin(), allocations_.end(),
                    [&](const Allocation& each) { return each.account == account; }));
}

std::size_t Model::guest_count(WorkerId worker) const {
  return static_cast<std::size_t>(
      std::count_if(guests_.begin(), guests_.end(),
                    [&](const auto& entry) { return entry.first.first == worker; }));
}

bool Model::has_deadline(WorkerId worker) const {
  return allocation_count(worker) > 0 || guest_count(worker) > 0;
}

/// Would an answer of `worker` reach that client? Through another worker only while it is a guest.
bool Model::leads_to(WorkerId worker, const turn::ClientFlow& flow) const {
  if (flow.worker == worker) return true;
  const auto guest = guests_.find({flow.worker, flow.tuple});
  return guest != guests_.end() && guest->second.home == worker;
}

}  // namespace turnpike::sim
