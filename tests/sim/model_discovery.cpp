// NAT behaviour discovery (RFC 5780 §6.1, docs/adr/0014), in the model's words.
#include <algorithm>
#include <stdexcept>

#include "sim/model.h"

namespace turnpike::sim {
namespace {

constexpr unsigned attribute_change_request = 0x0003;
constexpr unsigned attribute_padding = 0x0026;
constexpr unsigned attribute_response_port = 0x0027;
constexpr unsigned flag_change_ip = 4;
constexpr unsigned flag_change_port = 2;
// Ours (docs/rfc-map.md).
constexpr std::size_t longest_padding = 1500;
constexpr std::uint16_t first_port_of_users = 1024;

std::uint16_t port_in(const Bytes& value) {
  return static_cast<std::uint16_t>(wire::number(ByteView{value}.first(2)));
}

}  // namespace

/// The address that is not Da with the port that is not Dp. Over streams the usage is off.
std::optional<Model::Crossing> Model::crossing_of(const FiveTuple& tuple) const {
  if (tuple.transport != Transport::udp) return std::nullopt;
  for (const turn::DiscoverySquare& square : settings_.nat_discovery) {
    const bool is_one_of_them = std::any_of(
        square.begin(), square.end(), [&](const auto& each) { return each.local == tuple.server; });
    if (!is_one_of_them) continue;
    for (const turn::DiscoveryOrigin& each : square) {
      const bool is_opposite =
          each.local.address != tuple.server.address && each.local.port != tuple.server.port;
      if (is_opposite) return Crossing{tuple.server, each.local};
    }
  }
  return std::nullopt;
}

const turn::DiscoveryOrigin& Model::origin_at(const Endpoint& local) const {
  for (const turn::DiscoverySquare& square : settings_.nat_discovery) {
    for (const turn::DiscoveryOrigin& each : square) {
      if (each.local == local) return each;
    }
  }
  throw std::logic_error{"no origin"};
}

/// What is malformed, or "MUST NOT" be processed, or leads where nothing may be sent to.
int Model::discovery_flaw(const Request& request) const {
  const Bytes* const change = request.message.find(attribute_change_request);
  const Bytes* const port = request.message.find(attribute_response_port);
  if (change != nullptr && change->size() != 4) return 400;
  if (port == nullptr) return 0;
  if (port->size() != 2 && port->size() != 4) return 400;
  if (request.message.has(attribute_padding)) return 400;
  FiveTuple to = request.flow.tuple;
  if (port_in(*port) == to.client.port) return 0;
  to.client.port = port_in(*port);
  return to.client.port < first_port_of_users || must_not_answer(to) ? 400 : 0;
}

void Model::answer_discovery(const Request& request, const Crossing& crossing,
                             Verdict& verdict) const {
  const wire::Message& message = request.message;
  const Bytes* const change = message.find(attribute_change_request);
  const Bytes* const port = message.find(attribute_response_port);
  const Bytes* const padding = message.find(attribute_padding);
  const auto unknown =
      unknown_in(message, {attribute_change_request, attribute_padding, attribute_response_port});
  if (!unknown.empty()) {
    answer_unknown(request, unknown, verdict);
    return;
  }
  if (const int code = discovery_flaw(request)) {
    answer(request, code, verdict);
    return;
  }
  // Table 1.
  const unsigned flags = change != nullptr ? change->back() : 0;
  const Endpoint from{
      (flags & flag_change_ip) != 0 ? crossing.there.address : crossing.here.address,
      (flags & flag_change_port) != 0 ? crossing.there.port : crossing.here.port};
  Response& response = answer(request, 200, verdict);
  response.mapped = request.flow.tuple.client;
  // What strangers can have without limit: no more than RFC 8489 has.
  const bool is_ordinary = change == nullptr && port == nullptr && padding == nullptr;
  if (limits_.challenge_rate > 0) {
    verdict.expense = Expense::discovery;
    if (is_ordinary) verdict.beyond = response;
  }
  response.unmasked = request.flow.tuple.client;
  response.origin = origin_at(from).advertised;
  response.other = origin_at(crossing.there).advertised;
  if (padding != nullptr) {
    response.padding = std::min((padding->size() + 3) / 4 * 4, longest_padding);
  }
  response.to.tuple.server = from;
  response.to.listener = origin_at(from).listener;
  if (port != nullptr) response.to.tuple.client.port = port_in(*port);
}

}  // namespace turnpike::sim
