#include "turn/ledger.h"

#include <algorithm>

#include "turn/saved_state.h"

namespace turnpike::turn {
namespace {

std::vector<IpAddress> advertised(const std::vector<RelayAddress>& addresses) {
  std::vector<IpAddress> result;
  result.reserve(addresses.size());
  for (const RelayAddress& address : addresses) result.push_back(address.advertised);
  return result;
}

/// The address at which this host reaches its own sockets on `bind`.
IpAddress inside(const IpAddress& bind) {
  if (!bind.is_any()) return bind;
  return bind.family() == Family::ipv4 ? IpAddress::v4(0x7f000001)
                                       : IpAddress::parse("::1").value();
}

}  // namespace

NetworkId network_of(const IpAddress& client) {
  if (client.is_loopback()) return NetworkId::uncounted;
  const bool is_v4 = client.family() == Family::ipv4;
  std::uint64_t number = is_v4 ? 1 : 2;  // so that it is never 0
  for (const std::uint8_t byte : client.bytes().first(is_v4 ? 3 : 7)) number = number << 8 | byte;
  return NetworkId{number};
}

Ledger::Ledger(std::vector<RelayAddress> addresses, PortRange ports, const Limits& limits)
    : addresses_(std::move(addresses)),
      live_(advertised(addresses_)),
      limits_(limits),
      pools_(addresses_.size(), PortPool{ports}) {}

void Ledger::set_limits(const Limits& limits) {
  const std::lock_guard lock{mutex_};
  limits_ = limits;
}

void Ledger::set_closed(bool is_closed) {
  const std::lock_guard lock{mutex_};
  is_closed_ = is_closed;
}

bool Ledger::is_closed() const {
  const std::lock_guard lock{mutex_};
  return is_closed_;
}

std::optional<std::uint16_t> Ledger::choose_address(const IpAddress& server, Family family) const {
  std::optional<std::uint16_t> first;
  for (std::size_t i = 0; i < addresses_.size(); ++i) {
    const IpAddress& candidate = addresses_[i].bind;
    if (candidate == server && candidate.family() == family) return static_cast<std::uint16_t>(i);
    const bool reachable = !candidate.is_loopback() || server.is_loopback();
    if (!first && candidate.family() == family && reachable) first = static_cast<std::uint16_t>(i);
  }
  return first;
}

Endpoint Ledger::bind_endpoint(PortLease lease) const {
  return {addresses_.at(lease.address).bind, lease.port};
}

Endpoint Ledger::relayed_endpoint(PortLease lease) const {
  return {addresses_.at(lease.address).advertised, lease.port};
}

Endpoint Ledger::reached_at(const Endpoint& peer) const {
  if (!live_.contains(peer, PeerTransport::tcp)) return peer;
  for (const RelayAddress& address : addresses_) {
    if (address.advertised == peer.address) return {inside(address.bind), peer.port};
  }
  return peer;
}

Endpoint Ledger::known_as(const Endpoint& source) const {
  for (const RelayAddress& address : addresses_) {
    const Endpoint relayed{address.advertised, source.port};
    if (inside(address.bind) == source.address && live_.contains(relayed, PeerTransport::tcp)) {
      return relayed;
    }
  }
  return source;
}

std::optional<PortLease> Ledger::take_port(std::uint16_t address, PortWish wish, Random& random,
                                           Instant now) {
  const std::lock_guard lock{mutex_};
  drop_expired_reservations(now);
  PortPool& pool = pools_.at(address);
  std::optional<std::uint16_t> port;
  switch (wish) {
    case PortWish::any:
      port = pool.take_any(random);
      break;
    case PortWish::even:
      port = pool.take_even(random);
      break;
    case PortWish::even_and_next:
      port = pool.take_pair(random);
      break;
  }
  if (!port) return std::nullopt;
  return PortLease{address, *port};
}

void Ledger::give_back(PortLease lease) {
  const std::lock_guard lock{mutex_};
  pools_.at(lease.address).give_back(lease.port);
}

std::size_t Ledger::free_ports() const {
  const std::lock_guard lock{mutex_};
  std::size_t count = 0;
  for (const PortPool& pool : pools_) count += pool.free_count();
  return count;
}

std::uint64_t Ledger::reserve(PortLease lease, std::string_view account, Random& random,
                              Instant now) {
  const std::lock_guard lock{mutex_};
  std::uint64_t token = random.next_u64();
  while (reservations_.contains(token)) token = random.next_u64();
  reservations_.emplace(
      token, Reservation{lease, std::string{account}, now + limits_.reservation_lifetime});
  return token;
}

bool Ledger::may_reserve(std::string_view account, std::optional<std::uint32_t> max_of_user,
                         Instant now) {
  const std::lock_guard lock{mutex_};
  drop_expired_reservations(now);
  const std::uint32_t user_max = max_of_user.value_or(limits_.max_allocations_per_user);
  const auto held = std::count_if(reservations_.begin(), reservations_.end(),
                                  [&](const auto& each) { return each.second.account == account; });
  return user_max == 0 || held < std::int64_t{user_max};
}

bool Ledger::has_reservation(std::uint64_t token, std::string_view account, Instant now) {
  const std::lock_guard lock{mutex_};
  drop_expired_reservations(now);
  const auto found = reservations_.find(token);
  return found != reservations_.end() && found->second.account == account;
}

std::optional<PortLease> Ledger::redeem(std::uint64_t token, std::string_view account,
                                        Instant now) {
  const std::lock_guard lock{mutex_};
  drop_expired_reservations(now);
  const auto found = reservations_.find(token);
  if (found == reservations_.end() || found->second.account != account) return std::nullopt;
  const PortLease lease = found->second.lease;
  reservations_.erase(found);
  return lease;
}

Charge Ledger::charge(std::string_view account, NetworkId network,
                      std::optional<std::uint32_t> max_of_user, Instant now) {
  const std::lock_guard lock{mutex_};
  forget_settled_accounts(now);
  // The user's own limit first, and the network's: from a full server one is sent to another, and
  // there the user would begin anew.
  const std::uint32_t user_max = max_of_user.value_or(limits_.max_allocations_per_user);
  if (user_max != 0 && count_of(account) >= user_max) return Charge::user_is_full;
  const std::uint32_t network_max = limits_.max_allocations_per_network;
  if (network_max != 0 && count_from(network) >= network_max) return Charge::network_is_full;
  const bool is_full = limits_.max_allocations != 0 && allocations_ >= limits_.max_allocations;
  if (is_closed_ || is_full) return Charge::server_is_full;
  count(account, network);
  return Charge::accepted;
}

void Ledger::count(std::string_view account, NetworkId network) {
  ++accounts_[std::string{account}].allocations;
  if (network != NetworkId::uncounted) ++allocations_from_[network];
  ++allocations_;
}

void Ledger::release(std::string_view account, NetworkId network, Instant now) {
  const std::lock_guard lock{mutex_};
  const auto found = accounts_.find(std::string{account});
  TURNPIKE_ASSERT(found != accounts_.end() && found->second.allocations > 0);
  if (--found->second.allocations == 0) {
    // Whoever deletes an allocation to make a new one does not begin with a full bucket.
    if (found->second.bandwidth.is_paid(now)) {
      accounts_.erase(found);
    } else {
      indebted_.emplace(account);
    }
  }
  --allocations_;
  if (network == NetworkId::uncounted) return;
  const auto from = allocations_from_.find(network);
  TURNPIKE_ASSERT(from != allocations_from_.end() && from->second > 0);
  if (--from->second == 0) allocations_from_.erase(from);
}

void Ledger::forget_settled_accounts(Instant now) {
  std::erase_if(indebted_, [&](const std::string& name) {
    const auto found = accounts_.find(name);
    if (found == accounts_.end() || found->second.allocations > 0) return true;
    if (!found->second.bandwidth.is_paid(now)) return false;
    accounts_.erase(found);
    return true;
  });
}

std::uint32_t Ledger::allocations_of(std::string_view account) const {
  const std::lock_guard lock{mutex_};
  return count_of(account);
}

std::uint32_t Ledger::allocations_from(NetworkId network) const {
  const std::lock_guard lock{mutex_};
  return count_from(network);
}

std::uint32_t Ledger::count_of(std::string_view account) const {
  const auto found = accounts_.find(std::string{account});
  return found == accounts_.end() ? 0 : found->second.allocations;
}

SharedBandwidthMeter& Ledger::bandwidth_of(std::string_view account) {
  const std::lock_guard lock{mutex_};
  return accounts_.at(std::string{account}).bandwidth;
}

std::uint32_t Ledger::count_from(NetworkId network) const {
  const auto found = allocations_from_.find(network);
  return found == allocations_from_.end() ? 0 : found->second;
}

std::uint32_t Ledger::max_allocations() const {
  const std::lock_guard lock{mutex_};
  return limits_.max_allocations;
}

std::size_t Ledger::allocations() const {
  const std::lock_guard lock{mutex_};
  return allocations_;
}

void Ledger::drop_expired_reservations(Instant now) {
  for (auto it = reservations_.begin(); it != reservations_.end();) {
    if (it->second.expires > now) {
      ++it;
      continue;
    }
    pools_.at(it->second.lease.address).give_back(it->second.lease.port);
    it = reservations_.erase(it);
  }
}

// ---- snapshots ----

SavedLedger Ledger::save() const {
  const std::lock_guard lock{mutex_};
  SavedLedger saved;
  saved.addresses = addresses_;
  for (const auto& [token, held] : reservations_) {
    saved.reservations.push_back(
        {token, held.lease.address, held.lease.port, held.account, held.expires});
  }
  for (const auto& [name, account] : accounts_) {
    const Instant paid_until = account.bandwidth.paid_until();
    if (paid_until > Instant{}) saved.accounts.push_back({name, paid_until});
  }
  std::sort(saved.accounts.begin(), saved.accounts.end(),
            [](const SavedAccount& a, const SavedAccount& b) { return a.name < b.name; });
  saved.paid_until = bandwidth_.paid_until();
  return saved;
}

std::optional<PortLease> Ledger::take_again(const RelayAddress& address, std::uint16_t port) {
  const std::lock_guard lock{mutex_};
  const auto found = std::find(addresses_.begin(), addresses_.end(), address);
  if (found == addresses_.end()) return std::nullopt;
  const auto number = static_cast<std::uint16_t>(found - addresses_.begin());
  if (!pools_.at(number).take(port)) return std::nullopt;
  return PortLease{number, port};
}

void Ledger::charge_again(std::string_view account, NetworkId network) {
  const std::lock_guard lock{mutex_};
  count(account, network);
}

void Ledger::restore(const SavedLedger& saved) {
  for (const SavedReservation& each : saved.reservations) {
    const auto lease = take_again(saved.addresses.at(each.address), each.port);
    if (!lease) continue;
    const std::lock_guard lock{mutex_};
    const bool is_new =
        reservations_.emplace(each.token, Reservation{*lease, each.account, each.expires}).second;
    if (!is_new) pools_.at(lease->address).give_back(lease->port);
  }
  const std::lock_guard lock{mutex_};
  for (const SavedAccount& each : saved.accounts) {
    Account& account = accounts_[each.name];
    account.bandwidth.go_on(each.paid_until);
    if (account.allocations == 0) indebted_.insert(each.name);
  }
  bandwidth_.go_on(saved.paid_until);
}

}  // namespace turnpike::turn
