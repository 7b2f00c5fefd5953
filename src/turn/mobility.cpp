// Mobility (RFC 8016): a client takes its allocation along to another five-tuple.
//
// The move begins with a Refresh that shows the ticket. From then on both five-tuples are the
// client's, and data from peers goes to the old one until the client has sent data from the new
// one.
//
// When the new five-tuple comes in at another worker than the one that has the allocation (its
// "home"), that worker takes the client in as a guest and hands its datagrams on (docs/adr/0016).
#include "turn/server.h"

namespace turnpike::turn {

using stun::AttributeType;
using stun::ErrorCode;

namespace {

/// §3.2.2 asks for 30 seconds at least. A client that follows RFC 8489 §6.2.1 gives up after 39.5.
constexpr seconds previous_ticket_lifetime{40};

/// How long the last answers of a guest's home may take.
constexpr seconds farewell{2};

}  // namespace

bool Server::is_move(const stun::MessageView& message) const {
  return settings_.ticket_key && message.message_class() == stun::Class::request &&
         message.method() == stun::Method::refresh && message.has(AttributeType::mobility_ticket);
}

/// Answered in the order of §3.2.2: the ticket, the five-tuple it belongs to, then whether the user
/// is the same. What is missing for authentication at all, or has gone stale, comes before. The
/// ticket is opened only once the sender is known, or for an answer to a stranger that he gets.
Handled Server::on_move(const ClientFlow& flow, const stun::MessageView& message, Now now,
                        Effects& effects) {
  const ByteView value = *message.find(AttributeType::mobility_ticket);
  constexpr bool is_upkeep = true;
  const auto verdict =
      authenticator_.check(message, flow.tuple.client, now, expiry_rule(is_upkeep));
  if (const auto* denial = std::get_if<auth::Denial>(&verdict)) {
    const bool is_wrong_integrity =
        *denial == auth::Denial::wrong_password || *denial == auth::Denial::unknown_user;
    if (!is_wrong_integrity) return deny(flow, message, *denial, now, effects);
    if (!has_challenge_budget(flow, now.instant)) return Reason::dropped_challenge_budget;
    const auto claim = read_ticket(flow, value, now.instant);
    const ErrorCode code = claim ? ErrorCode::wrong_credentials : claim.error();
    return refuse_stranger(flow, message, code, effects);
  }
  if (const auto* wanted = std::get_if<auth::UserWanted>(&verdict)) {
    return park(flow, message, *wanted, effects);
  }
  const Request request{message, flow, std::get<auth::Principal>(verdict), now, effects};
  if (has_unknown_attribute(message)) return refuse_unknown_attributes(request);
  const auto claim = read_ticket(flow, value, now.instant);
  if (!claim) return refuse(request, claim.error());
  if (claim->allocation == nullptr) return move_abroad(request, claim->home);
  return move_here(request, *claim);
}

/// The new five-tuple comes in here, and the allocation stays where it is.
Handled Server::move_abroad(const Request& request, WorkerId home) {
  const Instant expires = request.now.instant + settings_.limits.max_lifetime;
  if (!guests_.insert(request.flow, home, expires)) {
    return refuse(request, ErrorCode::insufficient_capacity);
  }
  return send_home(request.flow, request.message.bytes());
}

Reason Server::move_here(const Request& request, const TicketClaim& claim) {
  Allocation& allocation = *claim.allocation;
  if (users_.username(allocation.user) != request.principal.username) {
    return refuse(request, ErrorCode::wrong_credentials);
  }
  const auto plan = plan_refresh(request, allocation);
  if (!plan) return refuse(request, plan.error());
  const bool is_end = plan->is_delete && (!plan->only || !allocation.is_dual());
  if (is_end) return carry_out(*plan, request, allocation, nullptr);
  if (!claim.is_repeated) begin_move(request, allocation);
  const Reason reason = carry_out(*plan, request, allocation, &allocation.mobility->ticket);
  return reason == Reason::answered_refresh ? Reason::answered_move : reason;
}

Result<Server::TicketClaim, ErrorCode> Server::read_ticket(const ClientFlow& flow, ByteView value,
                                                           Instant now) {
  const auto content = open_ticket(*settings_.ticket_key, value);
  if (!content) return Failure{ErrorCode::bad_request};
  const Allocation* const own = allocations_.find(flow.tuple);
  if (content->home != settings_.worker) {
    // A five-tuple has one allocation. Nor is a guest's datagram handed on twice.
    const bool is_free = own == nullptr && flow.worker == settings_.worker;
    if (!is_free) return Failure{ErrorCode::allocation_mismatch};
    return TicketClaim{content->home};
  }
  Allocation* const allocation = allocations_.find_mobile(content->slot, content->serial);
  if (allocation == nullptr) return Failure{ErrorCode::allocation_mismatch};

  const Mobility& mobility = *allocation->mobility;
  if (content->number == mobility.number) {
    if (own == allocation) return Failure{ErrorCode::bad_request};  // it has not moved
    if (own != nullptr) return Failure{ErrorCode::allocation_mismatch};
    return TicketClaim{settings_.worker, allocation};
  }
  // The ticket before is good for nothing but the same move once more.
  const bool is_previous = content->number + 1 == mobility.number && now < mobility.previous_until;
  const FiveTuple& latest = (mobility.next ? *mobility.next : allocation->flow).tuple;
  if (!is_previous || own != allocation || flow.tuple != latest) {
    return Failure{ErrorCode::bad_request};
  }
  return TicketClaim{settings_.worker, allocation, true};
}

void Server::give_ticket(Allocation& allocation) {
  allocation.mobility = std::make_unique<Mobility>();
  Mobility& mobility = *allocation.mobility;
  mobility.ticket = seal_ticket(*settings_.ticket_key,
                                {settings_.worker, allocation.slot, allocation.serial, 0}, random_);
}

void Server::begin_move(const Request& request, Allocation& allocation) {
  Mobility& mobility = *allocation.mobility;
  ++mobility.number;
  mobility.ticket =
      seal_ticket(*settings_.ticket_key,
                  {settings_.worker, allocation.slot, allocation.serial, mobility.number}, random_);
  mobility.previous_until = request.now.instant + previous_ticket_lifetime;
  if (!allocation.has_client) return allocations_.set_flow(allocation, request.flow);
  if (mobility.next) {  // it has moved on before it sent anything from there
    release(*mobility.next, request.effects);
    allocations_.drop_next(allocation);
  }
  allocations_.add_next(allocation, request.flow);
}

void Server::note_data_from(const FiveTuple& tuple, Allocation& allocation, Effects& effects) {
  const auto& next = allocation.mobility->next;
  if (!next || next->tuple != tuple) return;
  release(allocation.flow, effects);
  allocations_.finish_move(allocation);
}

/// The end of the old connection completes a move; that of the new one undoes it. Without either,
/// the allocation waits for its client for as long as it lives.
void Server::lose_flow(Allocation& allocation, const FiveTuple& tuple) {
  const auto& next = allocation.mobility->next;
  if (!next) return allocations_.drop_flow(allocation);
  if (next->tuple == tuple) return allocations_.drop_next(allocation);
  allocations_.finish_move(allocation);
}

void Server::release(const ClientFlow& flow, Effects& effects) const {
  if (flow.worker != settings_.worker) effects.release_guest(flow);
}

/// A guest of another worker whose allocation is gone still gets the answer to his request, which
/// nobody else gives: his worker is told only now. A move whose user is asked for is no answer yet.
Handled Server::on_datagram_from_abroad(const ClientFlow& flow, ByteView datagram, Now now,
                                        Effects& effects) {
  if (allocations_.find(flow.tuple) != nullptr) return serve(flow, datagram, now, effects);
  const auto message = stun::MessageView::parse(datagram);
  Handled handled = Reason::dropped_no_allocation;
  const bool is_request = message && message->message_class() == stun::Class::request;
  if (is_request) handled = serve(flow, datagram, now, effects);
  if (handled.reason != Reason::parked) release_stranger(flow, effects);
  return handled;
}

void Server::release_stranger(const ClientFlow& flow, Effects& effects) {
  if (allocations_.find(flow.tuple) == nullptr) release(flow, effects);
}

void Server::on_user_unanswered(const ClientFlow& flow, Effects& effects) {
  release_stranger(flow, effects);
}

Handled Server::send_home(const ClientFlow& flow, ByteView datagram) const {
  if (guests_.empty()) return Reason::dropped_no_allocation;
  const auto home = guests_.home_of(flow.tuple);
  if (!home) return Reason::dropped_no_allocation;
  return {Reason::relayed_to_home, Forward::ToHome{*home, flow}, datagram};
}

void Server::on_guest_over(const FiveTuple& tuple, WorkerId home, Instant now) {
  guests_.let_go(tuple, home, now + farewell);
}

}  // namespace turnpike::turn
