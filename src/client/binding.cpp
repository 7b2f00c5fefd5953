#include "client/binding.h"

#include "stun/attributes.h"
#include "stun/builder.h"

namespace turnpike::client {
namespace {

std::optional<Endpoint> mapped_address(const stun::MessageView& message) {
  if (const auto value = message.find(stun::AttributeType::xor_mapped_address)) {
    return stun::decode_xor_address(*value, message.transaction_id());
  }
  if (const auto value = message.find(stun::AttributeType::mapped_address))
    return stun::decode_address(*value);
  return std::nullopt;
}

/// RFC 8489 §6.3.3: such a response is discarded.
bool has_unknown_attribute(const stun::MessageView& message) {
  for (const stun::AttributeView attribute : message.attributes()) {
    if (stun::is_comprehension_required(attribute.type) &&
        stun::name_of(attribute.type) == "unknown")
      return true;
  }
  return false;
}

Result<BindingAnswer, BindingError> parse_success(const stun::MessageView& message) {
  const auto endpoint = mapped_address(message);
  if (!endpoint) return Failure<BindingError>{BindingError::no_address};
  return ReflexiveAddress{*endpoint};
}

Result<BindingAnswer, BindingError> parse_refusal(const stun::MessageView& message) {
  const auto value = message.find(stun::AttributeType::error_code);
  const auto error = value ? stun::decode_error_code(*value) : std::nullopt;
  if (!error) return Failure<BindingError>{BindingError::no_address};
  return BindingRefused{error->code, std::string{error->reason}};
}

}  // namespace

BindingRequest binding_request(const stun::TransactionId& id) {
  BindingRequest request{};
  const auto message =
      stun::MessageBuilder{request, stun::Class::request, stun::Method::binding, id}
          .put_fingerprint();
  TURNPIKE_ASSERT(message.bytes().size() == request.size());
  return request;
}

Result<BindingAnswer, BindingError> parse_binding_answer(ByteView datagram,
                                                         const stun::TransactionId& id) {
  const auto message = stun::MessageView::parse(datagram);
  if (!message) return Failure<BindingError>{BindingError::not_stun};
  if (message->method() != stun::Method::binding || message->transaction_id() != id) {
    return Failure<BindingError>{BindingError::not_an_answer};
  }
  if (has_unknown_attribute(*message)) return Failure<BindingError>{BindingError::not_understood};
  if (message->message_class() == stun::Class::success) return parse_success(*message);
  if (message->message_class() == stun::Class::error) return parse_refusal(*message);
  return Failure<BindingError>{BindingError::not_an_answer};
}

}  // namespace turnpike::client
