// Allocate (RFC 8656 §7.2), in the model's words.
#include <algorithm>

#include "sim/model.h"

namespace turnpike::sim {
namespace {

constexpr unsigned attribute_lifetime = 0x000D;
constexpr unsigned attribute_requested_family = 0x0017;
constexpr unsigned attribute_even_port = 0x0018;
constexpr unsigned attribute_requested_transport = 0x0019;
constexpr unsigned attribute_dont_fragment = 0x001A;
constexpr unsigned attribute_reservation_token = 0x0022;
constexpr unsigned attribute_additional_family = 0x8000;
constexpr unsigned attribute_mobility_ticket = 0x8030;
constexpr std::uint64_t token_to_come = 0;

}  // namespace

struct Model::AllocateWish {
  turn::PeerTransport transport = turn::PeerTransport::udp;
  Family family = Family::ipv4;
  bool with_additional = false;
  turn::PortWish wish = turn::PortWish::any;
  std::optional<std::uint64_t> token{};
  seconds lifetime{0};
  bool is_mobile = false;
};

void Model::on_allocate(const Request& request, Verdict& verdict) {
  if (Allocation* const existing = find(request.worker, request.flow.tuple)) {
    const bool is_again =
        existing->transaction == request.message.id && existing->username == request.who.username;
    if (!is_again) {
      answer(request, 437, verdict);
    } else if (!existing->pending) {
      Response& response = answer(request, 200, verdict);
      describe(*existing, request.now.instant, response);
      response.mapped = request.flow.tuple.client;
      response.token = existing->token;
      if (existing->is_mobile) response.ticket = existing->ticket;
    }
    return;
  }
  AllocateWish wish;
  int error = read_wish(request, wish);
  if (error == 0) {
    if (is_draining_ && !wish.token) return refuse_for_room(request, verdict);
    error = quota_error(request, wish);
    if (error == 508) return refuse_for_room(request, verdict);
  }
  if (error != 0) {
    answer(request, error, verdict);
    return;
  }

  Allocation made;
  made.home = request.worker;
  made.flow = request.flow;
  made.transaction = request.message.id;
  made.username = request.who.username;
  made.account = request.who.account;
  made.network = network_of(request.flow.tuple.client.address);
  made.transport = wish.transport;
  made.is_mobile = wish.is_mobile;
  made.serial = ++last_serial_;
  made.pending = Pending{request.who.signer, request.message.has_fingerprint, wish.wish,
                         wish.token.has_value(), std::nullopt};
  const Instant expires = request.now.instant + wish.lifetime;
  if (wish.token) {
    const Reservation reserved = reservations_.at(*wish.token);
    reservations_.erase(*wish.token);
    Relay& relay = made.relays[reserved.bind.family()];
    relay = {Relay::State::wanted, {}, reserved.bind, {}, expires, 0};
  } else {
    std::map<Family, int> errors;
    std::vector<Family> asked{wish.family};
    if (wish.with_additional) asked = {Family::ipv4, Family::ipv6};
    for (const Family family : asked) {
      const auto* const address = address_for(request.flow.tuple.server.address, family);
      Relay& relay = made.relays[family];
      if (address == nullptr) errors[family] = 440;
      if (address != nullptr && !has_port(address->bind, wish.wish)) errors[family] = 508;
      relay.state = errors.count(family) == 1 ? Relay::State::failed : Relay::State::wanted;
      relay.expires = expires;
      relay.attempts = 1;
    }
    if (errors.size() == asked.size()) {
      const int code = errors.at(asked.front());
      if (code == 508) return refuse_for_room(request, verdict);
      answer(request, code, verdict);
      return;
    }
    if (!errors.empty()) made.pending->additional_error = errors.begin()->second;
  }
  for (const auto& [family, relay] : made.relays) {
    if (relay.state == Relay::State::wanted) ++verdict.wanted_relays;
  }
  allocations_.push_back(std::move(made));
}

/// Steps 3 to 9. 0: nothing is wrong.
int Model::read_wish(const Request& request, AllocateWish& wish) {
  const wire::Message& message = request.message;
  const Bytes* const transport = message.find(attribute_requested_transport);
  if (transport == nullptr || transport->size() != 4) return 400;
  const Bytes* const token = message.find(attribute_reservation_token);
  const Bytes* const even_port = message.find(attribute_even_port);
  if (transport->front() == 6 && settings_.tcp_relays) {
    // RFC 6062 §5.1: over TCP or TLS, and with none of what is about ports and packets of UDP.
    const bool is_for_udp =
        token != nullptr || even_port != nullptr || message.has(attribute_dont_fragment);
    if (is_for_udp || !is_stream(request.flow.tuple.transport)) return 400;
    wish.transport = turn::PeerTransport::tcp;
  } else if (transport->front() != 17) {
    return 442;
  }
  const Bytes* const requested = message.find(attribute_requested_family);
  const Bytes* const additional = message.find(attribute_additional_family);
  if (token != nullptr) {
    if (token->size() != 8 || even_port != nullptr || requested != nullptr ||
        additional != nullptr) {
      return 400;
    }
    wish.token = wire::number(*token);
    const auto found = reservations_.find(*wish.token);
    // A token is its user's alone: ours.
    if (found == reservations_.end() || found->second.account != request.who.account) return 508;
  }
  if (requested != nullptr && additional != nullptr) return 400;
  if (requested != nullptr) {
    if (requested->size() != 4) return 400;
    if (requested->front() != 1 && requested->front() != 2) return 440;
    wish.family = requested->front() == 1 ? Family::ipv4 : Family::ipv6;
  } else if (additional == nullptr &&
             settings_.address_family == turn::AddressFamilyRule::follow_client) {
    wish.family = request.flow.tuple.client.family();
  }
  const bool is_fixed = token == nullptr && additional == nullptr;
  if (is_fixed && address_for(request.flow.tuple.server.address, wish.family) == nullptr) {
    return 440;
  }
  if (even_port != nullptr) {
    if (even_port->size() != 1) return 400;
    const bool reserves = even_port->front() >= 0x80;
    if (reserves && additional != nullptr) return 400;
    wish.wish = reserves ? turn::PortWish::even_and_next : turn::PortWish::even;
  }
  if (additional != nullptr) {
    if (additional->size() != 4 || additional->front() != 2) return 400;
    wish.with_additional = true;
  }
  const Bytes* const lifetime = message.find(attribute_lifetime);
  if (lifetime != nullptr && lifetime->size() != 4) return 400;
  wish.lifetime =
      granted(lifetime == nullptr
                  ? std::nullopt
                  : std::optional{seconds{static_cast<std::int64_t>(wire::number(*lifetime))}});
  const Bytes* const ticket = message.find(attribute_mobility_ticket);
  // The connections of a TCP allocation could not move along: ours.
  const bool may_move = settings_.mobility && wish.transport == turn::PeerTransport::udp;
  wish.is_mobile = may_move && ticket != nullptr;
  return wish.is_mobile && !ticket->empty() ? 400 : 0;  // RFC 8016 §3.1.2
}

/// Step 10: 486 for the user or the network, 508 for all. A user has as many reservations as he may
/// have allocations: ours.
int Model::quota_error(const Request& request, const AllocateWish& wish) const {
  const std::uint32_t user_max =
      request.who.max_allocations.value_or(limits_.max_allocations_per_user);
  const auto reserved =
      std::count_if(reservations_.begin(), reservations_.end(),
                    [&](const auto& entry) { return entry.second.account == request.who.account; });
  if (is_pair(wish.wish) && user_max != 0 && reserved >= std::int64_t{user_max}) return 486;
  if (user_max != 0 && allocations_of(request.who.account) >= user_max) return 486;
  const std::string network = network_of(request.flow.tuple.client.address);
  const auto from_there = std::count_if(allocations_.begin(), allocations_.end(),
                                        [&](const auto& each) { return each.network == network; });
  const std::uint32_t network_max = limits_.max_allocations_per_network;
  if (network_max != 0 && static_cast<std::uint32_t>(from_there) >= network_max) return 486;
  if (limits_.max_allocations != 0 && allocations_.size() >= limits_.max_allocations) return 508;
  return 0;
}

/// There are alternates for both families, or none.
int Model::room_code() const { return settings_.has_alternates ? 300 : 508; }

void Model::refuse_for_room(const Request& request, Verdict& verdict) const {
  answer(request, room_code(), verdict);
}

const turn::RelayAddress* Model::address_for(const IpAddress& server, Family family) const {
  const turn::RelayAddress* first = nullptr;
  for (const turn::RelayAddress& each : settings_.relays) {
    if (each.bind.family() != family) continue;
    if (each.bind == server) return &each;
    if (first == nullptr) first = &each;
  }
  return first;
}

bool Model::has_port(const IpAddress& bind, turn::PortWish wish) const {
  const auto is_free = [&](unsigned port) {
    return port <= settings_.ports.last &&
           taken_.count({bind, static_cast<std::uint16_t>(port)}) == 0;
  };
  for (unsigned port = settings_.ports.first; port <= settings_.ports.last; ++port) {
    if (!is_free(port)) continue;
    if (wish == turn::PortWish::any) return true;
    if (port % 2 != 0) continue;
    if (!is_pair(wish) || is_free(port + 1)) return true;
  }
  return false;
}

Verdict Model::on_relay_opened(turn::WorkerId worker, turn::RelayId id,
                               std::optional<turn::RelayOpenError> error, Now now) {
  Verdict verdict;
  sweep_reservations(now.instant);
  sweep(worker, now.instant, verdict);
  Family family{};
  Allocation* const allocation = find(worker, id, family);
  if (allocation == nullptr) {
    if (!error) verdict.closed_relays.emplace_back(worker, id);
    return verdict;
  }
  Relay& relay = allocation->relays.at(family);
  Pending& pending = *allocation->pending;
  if (!error) {
    relay.state = Relay::State::open;
  } else {
    const bool may_retry = *error == turn::RelayOpenError::port_in_use && !pending.is_redeemed &&
                           relay.attempts < limits_.port_attempts &&
                           has_port(relay.bind.address, pending.wish);
    if (may_retry) {
      ++relay.attempts;
      relay.refused = relay.bind;
      relay.state = Relay::State::wanted;
      verdict.wanted_relays = 1;
      return verdict;
    }
    drop_relay(*allocation, family, verdict);
    relay.state = Relay::State::failed;
    pending.additional_error = 508;
  }
  const bool is_opening =
      std::any_of(allocation->relays.begin(), allocation->relays.end(),
                  [](const auto& entry) { return entry.second.state == Relay::State::opening; });
  if (!is_opening) tell_client(*allocation, now, verdict);
  return verdict;
}

void Model::tell_client(Allocation& allocation, Now now, Verdict& verdict) {
  const Pending pending = *allocation.pending;
  Response response;
  response.to = allocation.flow;
  response.method = 0x003;
  response.id = allocation.transaction;
  response.has_fingerprint = pending.has_fingerprint;
  response.signer = pending.signer;
  if (!allocation.has_any()) {
    response.code = pending.is_redeemed ? 508 : room_code();
    verdict.response = response;
    end(allocation, turn::CloseReason::failed, verdict);
    return;
  }
  if (pending.additional_error) {
    const Family missing = allocation.has(Family::ipv4) ? Family::ipv6 : Family::ipv4;
    allocation.address_error = {missing, *pending.additional_error};
  }
  if (is_pair(pending.wish)) {
    const Family family = allocation.has(Family::ipv4) ? Family::ipv4 : Family::ipv6;
    Endpoint next = allocation.relays.at(family).bind;
    ++next.port;
    allocation.token = token_to_come;
    reservations_[token_to_come] = {next, allocation.account,
                                    now.instant + limits_.reservation_lifetime};
    response.has_new_token = true;
  }
  response.code = 200;
  describe(allocation, now.instant, response);
  response.mapped = allocation.flow.tuple.client;
  response.has_new_ticket = allocation.is_mobile;
  allocation.pending.reset();
  verdict.opened = true;
  verdict.response = response;
}

/// What every answer to the same Allocate says.
void Model::describe(const Allocation& allocation, Instant now, Response& response) const {
  response.code = 200;
  Instant expires = now;
  for (const auto& [family, relay] : allocation.relays) {
    if (relay.state != Relay::State::open) continue;
    response.relayed.push_back(relay.relayed);
    expires = std::max(expires, relay.expires);
  }
  response.lifetime = std::chrono::ceil<seconds>(expires - now);
  response.address_error = allocation.address_error;
}

}  // namespace turnpike::sim
