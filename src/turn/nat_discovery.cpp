#include "turn/nat_discovery.h"

#include <algorithm>

#include "turn/server.h"

namespace turnpike::turn {

using stun::AttributeType;
using stun::ErrorCode;

std::optional<ChangeFlags> decode_change_request(ByteView value) {
  constexpr std::uint8_t change_ip = 4;
  constexpr std::uint8_t change_port = 2;
  if (value.size() != 4) return std::nullopt;
  return ChangeFlags{(value[3] & change_ip) != 0, (value[3] & change_port) != 0};
}

std::optional<std::uint16_t> decode_response_port(ByteView value) {
  if (value.size() != 2 && value.size() != 4) return std::nullopt;
  return load_be16(value);
}

Result<DiscoveryWish, ErrorCode> read_discovery_wish(const stun::MessageView& message) {
  const auto change = message.find(AttributeType::change_request);
  const auto port = message.find(AttributeType::response_port);
  const auto padding = message.find(AttributeType::padding);
  if (port && padding) return Failure{ErrorCode::bad_request};
  DiscoveryWish wish;
  wish.is_plain = !change && !port && !padding;
  if (change) {
    const auto flags = decode_change_request(*change);
    if (!flags) return Failure{ErrorCode::bad_request};
    wish.change = *flags;
  }
  if (port) {
    wish.response_port = decode_response_port(*port);
    if (!wish.response_port) return Failure{ErrorCode::bad_request};
  }
  if (padding) wish.padding_bytes = padding->size();
  return wish;
}

// An origin's place in its square is a number of two bits: the address, then the port. The other
// address is the other first bit, the other port the other second one.
std::optional<DiscoveryRoute> NatDiscovery::route(const FiveTuple& tuple,
                                                  ChangeFlags change) const {
  if (tuple.transport != Transport::udp) return std::nullopt;
  for (const DiscoverySquare& square : squares_) {
    for (std::size_t i = 0; i < square.size(); ++i) {
      if (square[i].local != tuple.server) continue;
      const std::size_t flip = (change.ip ? 2U : 0U) | (change.port ? 1U : 0U);
      return DiscoveryRoute{&square[i ^ flip], &square[i ^ 3U]};
    }
  }
  return std::nullopt;
}

/// A Binding request to one of the four origins (RFC 5780 §6.1). Answers from elsewhere, to
/// elsewhere or at length are what reflectors are made of, so they are budgeted by source network
/// and never larger than the request by more than the addresses in them. An ordinary request out of
/// budget still gets the ordinary answer.
Reason Server::on_discovery(const ClientFlow& flow, const stun::MessageView& message, Now now,
                            Effects& effects) {
  if (has_unknown_attribute(message, discovery_attributes)) {
    return refuse_binding_unknown(flow, message, discovery_attributes, effects);
  }
  const auto wish = read_discovery_wish(message);
  if (!wish) return refuse_binding(flow, message, wish.error(), effects);
  Endpoint to = flow.tuple.client;
  if (wish->response_port) to.port = *wish->response_port;
  if (is_bad_target(flow, to))
    return refuse_binding(flow, message, ErrorCode::bad_request, effects);
  if (!discovery_budget_.spend(flow.tuple.client.address, now.instant)) {
    if (!wish->is_plain) return Reason::dropped_challenge_budget;
    return answer_binding(flow, message, effects);
  }

  const DiscoveryRoute route = discovery_.route(flow.tuple, wish->change).value();
  auto response = begin_success(message);
  response.put_address(AttributeType::mapped_address, flow.tuple.client)
      .put_xor_address(AttributeType::xor_mapped_address, flow.tuple.client)
      .put_address(AttributeType::response_origin, route.source->advertised)
      .put_address(AttributeType::other_address, route.other->advertised);
  if (wish->padding_bytes) {
    const std::array<std::uint8_t, max_discovery_padding_bytes> zeros{};
    const std::size_t size = std::min(padded_to_4(*wish->padding_bytes), zeros.size());
    response.put(AttributeType::padding, ByteView{zeros}.first(size));
  }
  if (message.has_fingerprint()) response.put_fingerprint();
  ClientFlow leaving = flow;
  leaving.tuple.client = to;
  leaving.tuple.server = route.source->local;
  leaving.listener = route.source->listener;
  effects.send(leaving, response.bytes());
  note_answer(message.method(), flow.tuple.transport, success_code);
  return Reason::answered_binding;
}

/// Where RESPONSE-PORT must not lead: to services of the host whose address stands in the request,
/// which may be forged, and to what we do not answer ourselves.
bool Server::is_bad_target(const ClientFlow& flow, const Endpoint& to) const {
  constexpr std::uint16_t first_user_port = 1024;
  if (to == flow.tuple.client) return false;
  return to.port < first_user_port || is_unanswerable(to, Transport::udp, ledger_.live_relays());
}

}  // namespace turnpike::turn
