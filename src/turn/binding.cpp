// Binding (RFC 8489 §6.3.1, §12): stateless, open to anyone, never larger than it must be.
#include "turn/server.h"

namespace turnpike::turn {

Reason Server::on_binding(const ClientFlow& flow, const stun::MessageView& message, Now now,
                          Effects& effects) {
  if (discovery_.route(flow.tuple, {})) return on_discovery(flow, message, now, effects);
  if (has_unknown_attribute(message)) return refuse_binding_unknown(flow, message, {}, effects);
  return answer_binding(flow, message, effects);
}

Reason Server::answer_binding(const ClientFlow& flow, const stun::MessageView& message,
                              Effects& effects) {
  auto response = begin_success(message);
  response.put_xor_address(stun::AttributeType::xor_mapped_address, flow.tuple.client);
  if (message.has_fingerprint()) response.put_fingerprint();
  effects.send(flow, response.bytes());
  note_answer(message.method(), flow.tuple.transport, success_code);
  return Reason::answered_binding;
}

Reason Server::refuse_binding(const ClientFlow& flow, const stun::MessageView& message,
                              stun::ErrorCode code, Effects& effects) {
  stun::MessageBuilder response{scratch_, stun::Class::error, message.method(),
                                message.transaction_id()};
  response.put_error_code(code);
  if (message.has_fingerprint()) response.put_fingerprint();
  effects.send(flow, response.bytes());
  note_answer(message.method(), flow.tuple.transport, static_cast<std::uint16_t>(code));
  return Reason::refused_bad_request;
}

Reason Server::refuse_binding_unknown(const ClientFlow& flow, const stun::MessageView& message,
                                      AlsoUnderstood also, Effects& effects) {
  auto response = begin_unknown_attributes(message, also);
  if (message.has_fingerprint()) response.put_fingerprint();
  effects.send(flow, response.bytes());
  note_answer(message.method(), flow.tuple.transport,
              static_cast<std::uint16_t>(stun::ErrorCode::unknown_attribute));
  return Reason::refused_unknown_attribute;
}

}  // namespace turnpike::turn
