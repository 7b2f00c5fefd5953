#include "bench/turn_session.h"

#include <fmt/format.h>

#include "stun/attributes.h"
#include "stun/builder.h"
#include "stun/demux.h"

namespace turnpike::bench {
namespace {

using stun::AttributeType;

constexpr std::uint8_t udp_protocol = 17;
constexpr std::size_t number_offset = 8;
/// A server that goes on challenging the same request will never be content.
constexpr unsigned challenges_max = 3;

/// Sooner than RFC 8489 has it: paths of a load are short, and a start must not take minutes.
constexpr client::RetransmissionTimers timers{milliseconds{250}, 4, 4};

}  // namespace

std::uint32_t session_number(const stun::TransactionId& id) {
  return load_be32(ByteView{id}.subspan(number_offset));
}

std::optional<SessionMessage> message_to_session(ByteView bytes, std::size_t sessions) {
  if (stun::classify(bytes) != stun::Protocol::stun) return std::nullopt;
  const auto message = stun::MessageView::parse(bytes);
  if (!message) return std::nullopt;
  const std::size_t session = session_number(message->transaction_id());
  if (session >= sessions) return std::nullopt;
  return SessionMessage{session, *message};
}

TurnSession::TurnSession(std::uint32_t number, client::LongTermClient user, Random& random)
    : number_(number), user_(std::move(user)), random_(random), transaction_({}, timers) {}

void TurnSession::begin_binding(Instant now) { begin(Task::binding, now); }

void TurnSession::begin_allocate(bool is_stranger, Family family, Instant now) {
  family_ = family;
  is_signed_ = !is_stranger && user_.has_challenge();
  begin(Task::allocate, now);
}

void TurnSession::begin_bind(Framing framing, const Endpoint& peer, Instant now) {
  peer_ = peer;
  begin(framing == Framing::channel ? Task::channel : Task::permission, now);
}

void TurnSession::begin_refresh(Instant now) { begin(Task::refresh, now); }

void TurnSession::begin_delete(Instant now) { begin(Task::remove, now); }

void TurnSession::begin(Task task, Instant now) {
  task_ = task;
  challenges_ = 0;
  if (task != Task::allocate) is_signed_ = task != Task::binding;
  write_request(now);
}

stun::Method TurnSession::method() const {
  switch (task_) {
    case Task::binding:
      return stun::Method::binding;
    case Task::allocate:
      return stun::Method::allocate;
    case Task::permission:
      return stun::Method::create_permission;
    case Task::channel:
      return stun::Method::channel_bind;
    case Task::refresh:
    case Task::remove:
      break;
  }
  return stun::Method::refresh;
}

void TurnSession::write_request(Instant now) {
  stun::TransactionId id{};
  random_.fill(MutableByteView{id}.first(number_offset));
  store_be32(MutableByteView{id}.subspan(number_offset), number_);
  stun::MessageBuilder builder{buffer_, stun::Class::request, method(), id};
  if (task_ == Task::allocate) {
    builder.put_requested_transport(udp_protocol);
    if (family_ == Family::ipv6) {
      builder.put_family(AttributeType::requested_address_family, family_);
    }
  }
  if (task_ == Task::channel) builder.put_channel_number({channel_number});
  if (task_ == Task::channel || task_ == Task::permission) {
    builder.put_xor_address(AttributeType::xor_peer_address, peer_);
  }
  if (task_ == Task::remove) builder.put_lifetime(seconds{0});
  // As browsers sign: every server knows it, so servers can be compared.
  if (is_signed_) client::put_signature(builder, user_.classic_signature());
  size_ = builder.bytes().size();
  transaction_ = client::Transaction{id, timers};
  transaction_.on_start(now);
}

TurnSession::Step TurnSession::on_message(const stun::MessageView& message, Instant now) {
  if (!transaction_.matches(message.transaction_id())) return Step::wait;
  if (message.message_class() == stun::Class::success) {
    transaction_.on_response(now);
    return on_success(message);
  }
  if (message.message_class() != stun::Class::error) return Step::wait;
  transaction_.on_response(now);
  return on_error(message, now);
}

TurnSession::Step TurnSession::on_success(const stun::MessageView& message) {
  if (task_ == Task::remove) has_allocation_ = false;
  if (task_ == Task::allocate) {
    const auto value = message.find(AttributeType::xor_relayed_address);
    const auto relayed =
        value ? stun::decode_xor_address(*value, message.transaction_id()) : std::nullopt;
    if (!relayed) return fail(SessionFailure::Kind::nonsense, "a success without an address");
    relayed_ = *relayed;
    has_allocation_ = true;
  }
  return Step::done;
}

TurnSession::Step TurnSession::on_error(const stun::MessageView& message, Instant now) {
  using Challenge = client::LongTermClient::Step;
  switch (user_.on_error(message, is_signed_)) {
    case Challenge::send_again:
      if (++challenges_ > challenges_max) break;
      is_signed_ = true;
      write_request(now);
      return Step::send;
    case Challenge::refused:
      return fail(SessionFailure::Kind::credentials, "name or password is wrong");
    case Challenge::unusable:
      return fail(SessionFailure::Kind::nonsense, "a challenge that cannot be answered");
    case Challenge::not_a_challenge:
      break;
  }
  const auto value = message.find(AttributeType::error_code);
  const auto error = value ? stun::decode_error_code(*value) : std::nullopt;
  if (!error) return fail(SessionFailure::Kind::nonsense, "an error without a code");
  const auto phrase = stun::reason_phrase(static_cast<stun::ErrorCode>(error->code));
  return fail(SessionFailure::Kind::refused, fmt::format("{} {}", error->code, phrase));
}

TurnSession::Step TurnSession::on_deadline(Instant now) {
  switch (transaction_.on_deadline(now)) {
    case client::Transaction::Step::send_again:
      ++retransmissions_;
      return Step::send;
    case client::Transaction::Step::timed_out:
      return fail(SessionFailure::Kind::silence, "no answer");
    case client::Transaction::Step::wait:
      break;
  }
  return Step::wait;
}

TurnSession::Step TurnSession::fail(SessionFailure::Kind kind, std::string text) {
  failure_ = {kind, fmt::format("{}: {}", stun::name_of(method()), text)};
  return Step::failed;
}

}  // namespace turnpike::bench
