#include "turn/server.h"

#include <algorithm>

#include "stun/demux.h"

namespace turnpike::turn {
namespace {

using stun::AttributeType;
using stun::Class;
using stun::ErrorCode;
using stun::Method;

/// Attributes that this server understands, anywhere (RFC 8489 §6.3.1: unknown ones make a 420;
/// known ones in an unexpected place are ignored).
bool is_understood(AttributeType type) {
  switch (type) {
    case AttributeType::mapped_address:
    case AttributeType::username:
    case AttributeType::message_integrity:
    case AttributeType::error_code:
    case AttributeType::unknown_attributes:
    case AttributeType::channel_number:
    case AttributeType::lifetime:
    case AttributeType::xor_peer_address:
    case AttributeType::data:
    case AttributeType::realm:
    case AttributeType::nonce:
    case AttributeType::xor_relayed_address:
    case AttributeType::requested_address_family:
    case AttributeType::even_port:
    case AttributeType::requested_transport:
    case AttributeType::dont_fragment:
    case AttributeType::message_integrity_sha256:
    case AttributeType::password_algorithm:
    case AttributeType::userhash:
    case AttributeType::xor_mapped_address:
    case AttributeType::reservation_token:
    case AttributeType::connection_id:
      return true;
    default:
      return false;
  }
}

bool is_unknown(const stun::AttributeView& attribute, AlsoUnderstood also) {
  return stun::is_comprehension_required(attribute.type) && !is_understood(attribute.type) &&
         std::find(also.begin(), also.end(), attribute.type) == also.end();
}

Reason reason_of(auth::Denial denial) {
  switch (denial) {
    case auth::Denial::no_credentials:
      return Reason::refused_no_credentials;
    case auth::Denial::unknown_user:
      return Reason::refused_unknown_user;
    case auth::Denial::expired_user:
      return Reason::refused_expired_user;
    case auth::Denial::revoked_user:
      return Reason::refused_revoked_user;
    case auth::Denial::wrong_password:
      return Reason::refused_wrong_password;
    case auth::Denial::stale_nonce:
      return Reason::refused_stale_nonce;
    case auth::Denial::throttled:
      return Reason::dropped_throttled;
    case auth::Denial::incomplete:
    case auth::Denial::oversized:
    case auth::Denial::bad_algorithms:
      break;
  }
  return Reason::refused_bad_credentials;
}

Reason reason_of(ErrorCode code) {
  switch (code) {
    case ErrorCode::forbidden:
      return Reason::refused_forbidden;
    case ErrorCode::unknown_attribute:
      return Reason::refused_unknown_attribute;
    case ErrorCode::allocation_mismatch:
      return Reason::refused_mismatch;
    case ErrorCode::address_family_not_supported:
      return Reason::refused_family;
    case ErrorCode::wrong_credentials:
      return Reason::refused_wrong_user;
    case ErrorCode::unsupported_transport_protocol:
      return Reason::refused_transport;
    case ErrorCode::peer_address_family_mismatch:
      return Reason::refused_peer_family;
    case ErrorCode::connection_already_exists:
      return Reason::refused_connection_exists;
    case ErrorCode::allocation_quota_reached:
      return Reason::refused_quota;
    case ErrorCode::insufficient_capacity:
      return Reason::refused_capacity;
    default:
      return Reason::refused_bad_request;
  }
}

}  // namespace

bool has_unknown_attribute(const stun::MessageView& message, AlsoUnderstood also) {
  const auto attributes = message.attributes();
  return std::any_of(
      attributes.begin(), attributes.end(),
      [&](const stun::AttributeView& attribute) { return is_unknown(attribute, also); });
}

Server::Server(const Settings& settings, const auth::CredentialBook& book, const PeerPolicy& policy,
               Ledger& ledger, Random& random)
    : settings_(settings),
      authenticator_(book, settings.authentication),
      policy_(&policy),
      ledger_(ledger),
      random_(random),
      challenges_(settings.limits.challenge_rate, HashSeed{random.next_u64()}),
      discovery_(settings.nat_discovery),
      discovery_budget_(discovery_.is_on() ? settings.limits.challenge_rate : 0,
                        HashSeed{discovery_.is_on() ? random.next_u64() : 0}),
      allocations_(HashSeed{random.next_u64()}),
      guests_(HashSeed{random.next_u64()}, settings.limits.max_guests) {
  use_bandwidth_limits();
}

Handled Server::on_client_datagram(const ClientFlow& flow, ByteView datagram, Now now,
                                   Effects& effects) {
  if (flow.worker != settings_.worker) return on_datagram_from_abroad(flow, datagram, now, effects);
  return serve(flow, datagram, now, effects);
}

Handled Server::serve(const ClientFlow& flow, ByteView datagram, Now now, Effects& effects) {
  switch (stun::classify(datagram)) {
    case stun::Protocol::channel_data:
      return on_channel_data(flow, datagram, now.instant, effects);
    case stun::Protocol::stun:
      return on_stun(flow, datagram, now, effects);
    default:
      return Reason::dropped_not_turn;
  }
}

Handled Server::on_stun(const ClientFlow& flow, ByteView datagram, Now now, Effects& effects) {
  const auto message = stun::MessageView::parse(datagram);
  if (!message) {
    const bool is_classic = message.error() == stun::ParseError::bad_cookie;
    if (is_classic && flow.tuple.transport == Transport::dtls) {
      return on_classic_stun(flow, datagram, effects);
    }
    const bool fingerprint = message.error() == stun::ParseError::bad_fingerprint ||
                             message.error() == stun::ParseError::misplaced_fingerprint;
    return fingerprint ? Reason::dropped_fingerprint : Reason::dropped_malformed;
  }
  switch (message->message_class()) {
    case Class::request:
      return on_request(flow, *message, now, effects);
    case Class::indication:
      if (message->method() == Method::send) return on_send(flow, *message, now.instant, effects);
      return Reason::dropped_method;
    case Class::success:
    case Class::error:
      break;
  }
  return Reason::dropped_response;
}

/// RFC 8489 §11: over DTLS a request without the magic cookie "MUST generate a 500 (Server Error)
/// error response", and indications are ignored. Elsewhere both are silence (RFC 8656 §5).
Reason Server::on_classic_stun(const ClientFlow& flow, ByteView datagram, Effects& effects) {
  constexpr unsigned class_bits = 0x0110;
  const unsigned type = load_be16(datagram);
  if ((type & class_bits) != 0) return Reason::dropped_malformed;
  stun::TransactionId id{};
  copy_bytes(datagram.subspan(8, id.size()), id);
  const auto method =
      static_cast<Method>((type & 0x000f) | (type & 0x00e0) >> 1 | (type & 0x3e00) >> 2);
  stun::MessageBuilder response{scratch_, Class::error, method, id};
  response.put_error_code(ErrorCode::server_error);
  // RFC 3489 has a transaction id of 16 bytes, where the cookie stands too.
  copy_bytes(datagram.subspan(4, 4), MutableByteView{scratch_}.subspan(4));
  effects.send(flow, response.bytes());
  return Reason::refused_classic_stun;
}

bool Server::is_served_request(Method method) const {
  switch (method) {
    case Method::binding:
    case Method::allocate:
    case Method::refresh:
    case Method::create_permission:
    case Method::channel_bind:
      return true;
    case Method::connect:
    case Method::connection_bind:
      return settings_.tcp_relays;
    default:
      return false;
  }
}

Handled Server::on_request(const ClientFlow& flow, const stun::MessageView& message, Now now,
                           Effects& effects) {
  // RFC 8489 §6.3: a method that is not supported is silence, not an error.
  if (!is_served_request(message.method())) return Reason::dropped_method;
  if (is_unanswerable(flow.tuple.client, flow.tuple.transport, ledger_.live_relays())) {
    return Reason::dropped_source;
  }
  if (message.method() == Method::binding) return on_binding(flow, message, now, effects);

  on_deadline(now, effects);  // what has run out must not be found
  if (guests_.home_of(flow.tuple)) {
    const Instant expires = now.instant + settings_.limits.max_lifetime;
    if (message.method() == Method::refresh) guests_.extend(flow, expires);
    return send_home(flow, message.bytes());
  }
  if (is_move(message)) return on_move(flow, message, now, effects);
  const Allocation* const own = allocations_.find(flow.tuple);
  const bool is_upkeep = message.method() == Method::connection_bind ||
                         (message.method() != Method::allocate && own != nullptr);
  const auto owner = own != nullptr ? users_.username(own->user) : std::string_view{};
  const auto verdict =
      authenticator_.check(message, flow.tuple.client, now, expiry_rule(is_upkeep), owner);
  if (const auto* denial = std::get_if<auth::Denial>(&verdict)) {
    return deny(flow, message, *denial, now, effects);
  }
  if (const auto* wanted = std::get_if<auth::UserWanted>(&verdict)) {
    return park(flow, message, *wanted, effects);
  }
  return on_authenticated({message, flow, std::get<auth::Principal>(verdict), now, effects});
}

auth::ExpiryRule Server::expiry_rule(bool is_upkeep) const {
  if (!is_upkeep) return auth::ExpiryRule::enforce;
  return settings_.strict_expiry ? auth::ExpiryRule::only_end : auth::ExpiryRule::tolerate;
}

/// It comes again once the user is known.
Reason Server::park(const ClientFlow& flow, const stun::MessageView& message,
                    const auth::UserWanted& wanted, Effects& effects) {
  effects.ask_for_user(flow, message.bytes(), wanted.username);
  return Reason::parked;
}

Reason Server::on_authenticated(const Request& request) {
  if (has_unknown_attribute(request.message)) return refuse_unknown_attributes(request);
  const Method method = request.message.method();
  if (method == Method::allocate) return on_allocate(request);
  if (method == Method::connection_bind) return on_connection_bind(request);

  Allocation* const allocation = allocations_.find(request.flow.tuple);
  if (allocation == nullptr) return refuse(request, ErrorCode::allocation_mismatch);
  if (users_.username(allocation->user) != request.principal.username) {
    return refuse(request, ErrorCode::wrong_credentials);
  }
  if (allocation->pending) return Reason::dropped_pending;
  // A balancer may have taken another port.
  allocation->flow_at(request.flow.tuple).through = request.flow.through;
  switch (method) {
    case Method::refresh:
      return on_refresh(request, *allocation);
    case Method::create_permission:
      return on_create_permission(request, *allocation);
    case Method::connect:
      return on_connect(request, *allocation);
    default:
      return on_channel_bind(request, *allocation);
  }
}

void Server::on_deadline(Now now, Effects& effects) {
  guests_.drop_expired(now.instant);
  while (const auto slot = deadlines_.pop_due(now.instant)) {
    Allocation& allocation = allocations_.at(*slot / 2);
    drop_relay(allocation, AllocationTable::family_of({*slot, 0}), effects);
    if (allocation.pending || !allocation.has_any_relay()) {
      end_allocation(allocation, CloseReason::expired, now, effects);
    }
  }
  on_connection_deadlines(now.instant, effects);
}

std::optional<Instant> Server::next_deadline() const {
  return earliest_of(deadlines_.next(), connection_deadlines_.next(), guests_.next_deadline());
}

void Server::on_client_gone(const FiveTuple& tuple, Now now, Effects& effects) {
  const auto home = guests_.home_of(tuple);
  guests_.erase(tuple);
  if (home) return effects.report_gone(*home, tuple);
  Allocation* const allocation = allocations_.find(tuple);
  if (allocation == nullptr) return;
  const bool may_come_back = allocation->mobility && !allocation->pending;
  if (may_come_back) return lose_flow(*allocation, tuple);
  end_allocation(*allocation, CloseReason::client_gone, now, effects);
}

/// Only who may have forged his address needs one.
bool Server::has_challenge_budget(const ClientFlow& flow, Instant now) {
  return proves_address(flow.tuple.transport) || challenges_.spend(flow.tuple.client.address, now);
}

Reason Server::deny(const ClientFlow& flow, const stun::MessageView& message, auth::Denial denial,
                    Now now, Effects& effects) {
  if (denial == auth::Denial::throttled) return reason_of(denial);
  if (!has_challenge_budget(flow, now.instant)) return Reason::dropped_challenge_budget;
  stun::MessageBuilder response{scratch_, Class::error, message.method(), message.transaction_id()};
  const ErrorCode code = auth::error_code_of(denial);
  response.put_error_code(code);
  note_answer(message.method(), flow.tuple.transport, static_cast<std::uint16_t>(code));
  if (auth::is_challenge(denial)) {
    authenticator_.put_challenge(response, flow.tuple.client, now.instant);
  }
  if (message.has_fingerprint()) response.put_fingerprint();
  effects.send(flow, response.bytes());
  return reason_of(denial);
}

Reason Server::refuse(const Request& request, ErrorCode code) {
  stun::MessageBuilder response{scratch_, Class::error, request.message.method(),
                                request.message.transaction_id()};
  response.put_error_code(code);
  finish(request, response, static_cast<std::uint16_t>(code));
  return reason_of(code);
}

Reason Server::refuse_stranger(const ClientFlow& flow, const stun::MessageView& message,
                               ErrorCode code, Effects& effects) {
  stun::MessageBuilder response{scratch_, Class::error, message.method(), message.transaction_id()};
  response.put_error_code(code);
  if (message.has_fingerprint()) response.put_fingerprint();
  effects.send(flow, response.bytes());
  note_answer(message.method(), flow.tuple.transport, static_cast<std::uint16_t>(code));
  return reason_of(code);
}

Reason Server::refuse_unknown_attributes(const Request& request) {
  auto response = begin_unknown_attributes(request.message);
  finish(request, response, static_cast<std::uint16_t>(ErrorCode::unknown_attribute));
  return Reason::refused_unknown_attribute;
}

stun::MessageBuilder Server::begin_unknown_attributes(const stun::MessageView& message,
                                                      AlsoUnderstood also) {
  std::array<AttributeType, 8> listed{};  // bounded: the answer must not outgrow the request
  std::size_t count = 0;
  for (const stun::AttributeView attribute : message.attributes()) {
    if (is_unknown(attribute, also) && count < listed.size()) listed[count++] = attribute.type;
  }
  stun::MessageBuilder response{scratch_, Class::error, message.method(), message.transaction_id()};
  response.put_error_code(ErrorCode::unknown_attribute)
      .put_unknown_attributes(std::span{listed}.first(count));
  return response;
}

stun::MessageBuilder Server::begin_success(const stun::MessageView& message) {
  return {scratch_, Class::success, message.method(), message.transaction_id()};
}

void Server::finish(const Request& request, stun::MessageBuilder& response, std::uint16_t code) {
  request.principal.sign(response);
  if (request.message.has_fingerprint()) response.put_fingerprint();
  request.effects.send(request.flow, response.bytes());
  note_answer(request.message.method(), request.flow.tuple.transport, code);
}

void Server::succeed(const Request& request) {
  auto response = begin_success(request.message);
  finish(request, response);
}

}  // namespace turnpike::turn
