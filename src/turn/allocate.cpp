// Allocate (RFC 8656 §7.2), in two phases: the request is checked and ports are taken, the shell
// opens the sockets, and only then is the client told.
#include <algorithm>

#include "turn/server.h"

namespace turnpike::turn {

using stun::AttributeType;
using stun::ErrorCode;

namespace {

constexpr std::uint8_t ip_protocol_tcp = 6;
constexpr std::uint8_t ip_protocol_udp = 17;

Family other(Family family) { return family == Family::ipv4 ? Family::ipv6 : Family::ipv4; }

}  // namespace

/// What a valid Allocate asks for.
struct Server::AllocatePlan {
  PeerTransport transport = PeerTransport::udp;
  Family family = Family::ipv4;
  bool with_additional = false;  // ADDITIONAL-ADDRESS-FAMILY: IPv6 beside the IPv4
  PortWish wish = PortWish::any;
  std::optional<std::uint64_t> token;
  seconds lifetime{0};
  bool with_ticket = false;  // the client is mobile (RFC 8016 §3.1.2)
};

Reason Server::on_allocate(const Request& request) {
  // §7.2 step 2: the 5-tuple in use. The request that made the allocation is answered again.
  if (const Allocation* const existing = allocations_.find(request.flow.tuple)) {
    const bool is_same_request = existing->transaction == request.message.transaction_id() &&
                                 users_.username(existing->user) == request.principal.username;
    if (is_same_request) return on_allocate_again(request, *existing);
    return refuse(request, ErrorCode::allocation_mismatch);
  }
  const auto plan = plan_allocate(request);
  if (!plan) return refuse(request, plan.error());

  if (is_draining_ && !plan->token) return refuse_for_room(request);

  // Step 10: quota, by user and by network.
  const auto& principal = request.principal;
  const bool may_have_pair =
      plan->wish != PortWish::even_and_next ||
      ledger_.may_reserve(principal.account, max_allocations_of(principal), request.now.instant);
  if (!may_have_pair) {
    note_rejection(QuotaScope::user);
    return refuse(request, ErrorCode::allocation_quota_reached);
  }
  const NetworkId network = network_of(request.flow.tuple.client.address);
  switch (ledger_.charge(principal.account, network, max_allocations_of(principal),
                         request.now.instant)) {
    case Charge::accepted:
      break;
    case Charge::user_is_full:
      note_rejection(QuotaScope::user);
      return refuse(request, ErrorCode::allocation_quota_reached);
    case Charge::network_is_full:
      note_rejection(QuotaScope::network);
      return refuse(request, ErrorCode::allocation_quota_reached);
    case Charge::server_is_full:
      note_rejection(QuotaScope::total);
      return refuse_for_room(request);
  }

  Allocation& allocation = allocations_.create(request.flow);
  allocation.transaction = request.message.transaction_id();
  allocation.transport = plan->transport;
  allocation.user = users_.acquire(principal.username, principal.account);
  allocation.network = network;
  grant_bandwidth(principal.limits, allocation);
  allocation.pending = std::make_unique<PendingAllocate>(
      PendingAllocate{*principal.key, principal.integrity, request.message.has_fingerprint(),
                      plan->wish, plan->token.has_value(), std::nullopt});
  if (plan->with_ticket) give_ticket(allocation);
  if (const auto error = take_relays(*plan, request, allocation)) {
    end_allocation(allocation, CloseReason::failed, request.now, request.effects);
    // A reservation is here and nowhere else.
    const bool has_no_room = *error == ErrorCode::insufficient_capacity && !plan->token;
    return has_no_room ? refuse_for_room(request) : refuse(request, *error);
  }
  for (const Family family : {Family::ipv4, Family::ipv6}) {
    const Relay& relay = allocation.relay(family);
    if (relay.state != Relay::State::opening) continue;
    set_expiry(allocation, family, request.now.instant + plan->lifetime);
    request.effects.open(open_relay(allocation, family));
  }
  return Reason::answered_allocate;
}

/// A retransmission is answered with what the first answer said (§7.2, note on idempotency).
Reason Server::on_allocate_again(const Request& request, const Allocation& allocation) {
  if (allocation.pending) return Reason::dropped_pending;
  auto response = begin_success(request.message);
  put_allocate_success(response, allocation, request.flow.tuple.client, request.now.instant);
  finish(request, response);
  return Reason::answered_allocate_again;
}

/// Steps 3 to 9 of §7.2, in their order.
Result<Server::AllocatePlan, ErrorCode> Server::plan_allocate(const Request& request) {
  const stun::MessageView& message = request.message;
  AllocatePlan plan;

  // Step 3: REQUESTED-TRANSPORT.
  const auto transport_value = message.find(AttributeType::requested_transport);
  const auto transport =
      transport_value ? stun::decode_requested_transport(*transport_value) : std::nullopt;
  if (!transport) return Failure{ErrorCode::bad_request};
  if (*transport == ip_protocol_tcp && settings_.tcp_relays) {
    if (const auto error = refuses_tcp_relay(request)) return Failure{*error};
    plan.transport = PeerTransport::tcp;
  } else if (*transport != ip_protocol_udp) {
    return Failure{ErrorCode::unsupported_transport_protocol};
  }

  // Step 4: DONT-FRAGMENT is supported, so there is nothing to check.

  // Step 5: RESERVATION-TOKEN excludes what the reservation has decided already.
  const auto token = message.find(AttributeType::reservation_token);
  const auto even_port = message.find(AttributeType::even_port);
  const auto requested = message.find(AttributeType::requested_address_family);
  const auto additional = message.find(AttributeType::additional_address_family);
  if (token) {
    plan.token = stun::decode_reservation_token(*token);
    if (!plan.token || even_port || requested || additional) return Failure{ErrorCode::bad_request};
    if (!ledger_.has_reservation(*plan.token, request.principal.account, request.now.instant)) {
      return Failure{ErrorCode::insufficient_capacity};
    }
  }

  // Step 6.
  if (requested && additional) return Failure{ErrorCode::bad_request};

  // Step 7: the family, by request or by rule.
  if (requested) {
    const auto byte = stun::decode_address_family(*requested);
    if (!byte) return Failure{ErrorCode::bad_request};
    const auto family = stun::family_from_wire(*byte);
    if (!family) return Failure{ErrorCode::address_family_not_supported};
    plan.family = *family;
  } else if (!additional && settings_.address_family == AddressFamilyRule::follow_client) {
    plan.family = request.flow.tuple.client.family();
  }
  const bool family_is_fixed = !token && !additional;
  if (family_is_fixed && !ledger_.choose_address(request.flow.tuple.server.address, plan.family)) {
    return Failure{ErrorCode::address_family_not_supported};
  }

  // Step 8: EVEN-PORT.
  if (even_port) {
    const auto reserve_next = stun::decode_even_port(*even_port);
    if (!reserve_next || (*reserve_next && additional)) return Failure{ErrorCode::bad_request};
    plan.wish = *reserve_next ? PortWish::even_and_next : PortWish::even;
  }

  // Step 9: ADDITIONAL-ADDRESS-FAMILY can only be IPv6.
  if (additional) {
    const auto byte = stun::decode_address_family(*additional);
    if (!byte || stun::family_from_wire(*byte) != Family::ipv6)
      return Failure{ErrorCode::bad_request};
    plan.with_additional = true;
  }

  const auto lifetime_value = message.find(AttributeType::lifetime);
  const auto lifetime = lifetime_value ? stun::decode_lifetime(*lifetime_value) : std::nullopt;
  if (lifetime_value && !lifetime) return Failure{ErrorCode::bad_request};
  plan.lifetime = granted_lifetime(lifetime);

  // RFC 8016 §3.1.2. A server without mobility does not know the attribute and ignores it; so does
  // this one for TCP allocations, whose data connections could not move along.
  const auto ticket = message.find(AttributeType::mobility_ticket);
  const bool may_move = settings_.ticket_key && plan.transport == PeerTransport::udp;
  plan.with_ticket = may_move && ticket;
  if (plan.with_ticket && !ticket->empty()) return Failure{ErrorCode::bad_request};
  return plan;
}

/// RFC 6062 §5.1: a TCP relay is for clients that came over TCP or TLS, and has no pairs of ports
/// and no fragments.
std::optional<ErrorCode> Server::refuses_tcp_relay(const Request& request) {
  const stun::MessageView& message = request.message;
  const bool is_for_udp = message.has(AttributeType::dont_fragment) ||
                          message.has(AttributeType::even_port) ||
                          message.has(AttributeType::reservation_token);
  if (is_stream(request.flow.tuple.transport) && !is_for_udp) return std::nullopt;
  return ErrorCode::bad_request;
}

/// Takes the ports. With ADDITIONAL-ADDRESS-FAMILY one of the two is enough (step 9).
std::optional<ErrorCode> Server::take_relays(const AllocatePlan& plan, const Request& request,
                                             Allocation& allocation) {
  const Instant now = request.now.instant;
  if (plan.token) {
    const auto lease = ledger_.redeem(*plan.token, request.principal.account, now);
    if (!lease) return ErrorCode::insufficient_capacity;
    const Endpoint relayed = ledger_.relayed_endpoint(*lease);
    Relay& relay = allocation.relay(ledger_.bind_endpoint(*lease).family());
    relay.state = Relay::State::opening;
    relay.lease = *lease;
    relay.relayed = relayed;
    return std::nullopt;
  }
  const auto error = take_relay(allocation, plan.family, plan.wish, now);
  if (!plan.with_additional) return error;
  const auto additional_error = take_relay(allocation, other(plan.family), plan.wish, now);
  if (error && additional_error) return error;
  allocation.pending->additional_error = error ? error : additional_error;
  return std::nullopt;
}

std::optional<ErrorCode> Server::take_relay(Allocation& allocation, Family family, PortWish wish,
                                            Instant now) {
  Relay& relay = allocation.relay(family);
  const auto address = ledger_.choose_address(allocation.flow.tuple.server.address, family);
  if (!address) {
    relay.state = Relay::State::failed;
    return ErrorCode::address_family_not_supported;
  }
  const auto lease = ledger_.take_port(*address, wish, random_, now);
  if (!lease) {
    relay.state = Relay::State::failed;
    note_rejection(QuotaScope::ports);
    return ErrorCode::insufficient_capacity;
  }
  relay.state = Relay::State::opening;
  relay.lease = *lease;
  relay.relayed = ledger_.relayed_endpoint(*lease);
  ++relay.attempts;
  return std::nullopt;
}

void Server::on_relay_opened(RelayId id, std::optional<RelayOpenError> error, Now now,
                             Effects& effects) {
  on_deadline(now, effects);  // the allocation may have run out while the socket was being opened
  Allocation* const allocation = allocations_.find(id);
  if (allocation == nullptr) {
    if (!error) effects.close(id);
    return;
  }
  if (!allocation->pending) return;
  const Family family = AllocationTable::family_of(id);
  Relay& relay = allocation->relay(family);
  if (!error) {
    relay.state = Relay::State::open;
    ledger_.live_relays().insert(relay.relayed, {settings_.worker, id}, allocation->transport);
  } else {
    const bool may_retry = *error == RelayOpenError::port_in_use &&
                           !allocation->pending->is_redeemed &&
                           relay.attempts < settings_.limits.port_attempts;
    if (may_retry && retry_on_another_port(*allocation, family, now, effects)) return;
    drop_relay(*allocation, family, effects);
    relay.state = Relay::State::failed;
    allocation->pending->additional_error = ErrorCode::insufficient_capacity;
  }
  const auto& relays = allocation->relay_pair;
  const bool still_opening = std::any_of(relays.begin(), relays.end(), [](const Relay& r) {
    return r.state == Relay::State::opening;
  });
  if (!still_opening) answer_pending(*allocation, now, effects);
}

/// The port taken by a stranger stays out of the pool until another one has been found, so that it
/// is not drawn again at once.
bool Server::retry_on_another_port(Allocation& allocation, Family family, Now now,
                                   Effects& effects) {
  Relay& relay = allocation.relay(family);
  const PortLease refused = relay.lease;
  const PortWish wish = allocation.pending->wish;
  const auto error = take_relay(allocation, family, wish, now.instant);
  ledger_.give_back(refused);
  if (wish == PortWish::even_and_next) {
    ledger_.give_back({refused.address, static_cast<std::uint16_t>(refused.port + 1)});
  }
  if (error) {
    relay.lease = {};
    return false;
  }
  effects.open(open_relay(allocation, family));
  return true;
}

OpenRelay Server::open_relay(const Allocation& allocation, Family family) const {
  return {AllocationTable::relay_id(allocation, family),
          ledger_.bind_endpoint(allocation.relay(family).lease), allocation.transport};
}

/// All relays are known to be open or not: tell the client.
void Server::answer_pending(Allocation& allocation, Now now, Effects& effects) {
  const auto pending = std::move(allocation.pending);
  const auth::Principal signer{{}, {}, &pending->key, pending->integrity};
  const bool any_open = allocation.has_any_relay();
  ErrorCode code = ErrorCode::insufficient_capacity;  // unless any_open
  const auto message_class = any_open ? stun::Class::success : stun::Class::error;
  stun::MessageBuilder response{scratch_, message_class, stun::Method::allocate,
                                allocation.transaction};
  if (!any_open && pending->is_redeemed) {
    response.put_error_code(code);
  } else if (!any_open) {
    code = put_no_room(response, allocation.flow.tuple, pending->integrity);
  } else {
    if (pending->wish == PortWish::even_and_next) {
      const PortLease lease = allocation.has_relay(Family::ipv4)
                                  ? allocation.relay(Family::ipv4).lease
                                  : allocation.relay(Family::ipv6).lease;
      const PortLease next{lease.address, static_cast<std::uint16_t>(lease.port + 1)};
      allocation.reservation_token =
          ledger_.reserve(next, users_.account(allocation.user), random_, now.instant);
    }
    allocation.additional_error = pending->additional_error;
    put_allocate_success(response, allocation, allocation.flow.tuple.client, now.instant);
  }
  signer.sign(response);
  if (pending->with_fingerprint) response.put_fingerprint();
  effects.send(allocation.flow, response.bytes());
  if (any_open) return note_opened(allocation, now.instant, effects);
  note_answer(stun::Method::allocate, allocation.flow.tuple.transport,
              static_cast<std::uint16_t>(code));
  end_allocation(allocation, CloseReason::failed, now, effects);
}

void Server::put_allocate_success(stun::MessageBuilder& response, const Allocation& allocation,
                                  const Endpoint& client, Instant now) {
  Instant expires = now;
  for (const Family family : {Family::ipv4, Family::ipv6}) {
    if (!allocation.has_relay(family)) continue;
    response.put_xor_address(AttributeType::xor_relayed_address, allocation.relay(family).relayed);
    expires = std::max(expires, allocation.relay(family).expires);
  }
  response.put_lifetime(std::chrono::ceil<seconds>(expires - now));
  if (allocation.reservation_token) {
    response.put_u64(AttributeType::reservation_token, *allocation.reservation_token);
  }
  if (allocation.additional_error) {
    const Family missing = allocation.has_relay(Family::ipv4) ? Family::ipv6 : Family::ipv4;
    response.put_address_error_code(missing, *allocation.additional_error);
  }
  response.put_xor_address(AttributeType::xor_mapped_address, client);
  if (allocation.mobility) {
    response.put(AttributeType::mobility_ticket, allocation.mobility->ticket);
  }
}

/// Closes and gives back one relay, in whatever state it is.
void Server::drop_relay(Allocation& allocation, Family family, Effects& effects) {
  Relay& relay = allocation.relay(family);
  const bool has_port = relay.lease.port != 0;
  drop_connections(allocation, family, effects);
  if (relay.state == Relay::State::open) {
    ledger_.live_relays().erase(relay.relayed);
    effects.close(AllocationTable::relay_id(allocation, family));
    if (allocation.is_open) --live_relays_of(allocation, family);
  }
  if (has_port) {
    ledger_.give_back(relay.lease);
    const bool next_is_ours =
        allocation.pending && allocation.pending->wish == PortWish::even_and_next;
    if (next_is_ours) {
      ledger_.give_back({relay.lease.address, static_cast<std::uint16_t>(relay.lease.port + 1)});
    }
  }
  deadlines_.clear(AllocationTable::relay_id(allocation, family).slot);
  allocation.drop_peers(family);
  Relay gone;
  gone.generation = relay.generation + 1;
  if (allocation.is_open) gone.relayed = relay.relayed;  // for its record
  relay = gone;
}

void Server::end_allocation(Allocation& allocation, CloseReason reason, Now now, Effects& effects) {
  if (allocation.has_client) release(allocation.flow, effects);
  if (allocation.mobility && allocation.mobility->next) {
    release(*allocation.mobility->next, effects);
  }
  for (const Family family : {Family::ipv4, Family::ipv6}) drop_relay(allocation, family, effects);
  if (allocation.is_open) note_closed(allocation, reason, now.instant, effects);
  ledger_.release(users_.account(allocation.user), allocation.network, now.instant);
  users_.release(allocation.user);
  allocations_.destroy(allocation);
}

/// What holds instead of the limit for all users; none: nothing.
std::optional<std::uint32_t> Server::max_allocations_of(const auth::Principal& principal) const {
  if (principal.is_room_member) return settings_.limits.max_allocations_per_member;
  return principal.limits.max_allocations;
}

void Server::set_expiry(Allocation& allocation, Family family, Instant expires) {
  allocation.relay(family).expires = expires;
  deadlines_.set(AllocationTable::relay_id(allocation, family).slot, expires);
}

/// §7.2: the client's wish up to the maximum, but never less than the default.
seconds Server::granted_lifetime(std::optional<seconds> requested) const {
  const Limits& limits = settings_.limits;
  if (!requested) return limits.default_lifetime;
  return std::max(limits.default_lifetime, std::min(*requested, limits.max_lifetime));
}

}  // namespace turnpike::turn
