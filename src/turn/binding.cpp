// Binding (RFC 8489 §6.3.1, §12): stateless, open to anyone, never larger than it must be.
#include "turn/server.h"

namespace turnpike::turn {

Reason Server::on_binding(const ClientFlow& flow, const stun::MessageView& message,
                          Effects& effects) {
  const bool is_refused = has_unknown_attribute(message);
  auto response = is_refused ? begin_unknown_attributes(message) : begin_success(message);
  if (!is_refused) {
    response.put_xor_address(stun::AttributeType::xor_mapped_address, flow.tuple.client);
  }
  if (message.has_fingerprint()) response.put_fingerprint();
  effects.send(flow, response.bytes());
  return is_refused ? Reason::refused_unknown_attribute : Reason::answered_binding;
}

}  // namespace turnpike::turn
