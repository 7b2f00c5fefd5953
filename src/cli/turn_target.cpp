#include "cli/turn_target.h"

#include <fmt/format.h>

#include <array>

#include "cli/host_port.h"
#include "server/config_value.h"

namespace turnpike::cli {
namespace {

constexpr std::uint16_t default_port = 3478;
constexpr std::uint16_t default_secured_port = 5349;

struct Scheme {
  std::string_view name;
  bool relays;
  bool secured;
};
constexpr std::array<Scheme, 4> schemes{{{"turn:", true, false},
                                         {"turns:", true, true},
                                         {"stun:", false, false},
                                         {"stuns:", false, true}}};

/// RFC 7065 §3.1: transport is of turn: and turns: only; without one UDP, secured TCP.
std::optional<Transport> transport_of(const Scheme& scheme,
                                      std::optional<std::string_view> parameter) {
  if (!parameter) return scheme.secured ? Transport::tls : Transport::udp;
  if (!scheme.relays) return std::nullopt;
  if (*parameter == "udp") return scheme.secured ? Transport::dtls : Transport::udp;
  if (*parameter == "tcp") return scheme.secured ? Transport::tls : Transport::tcp;
  return std::nullopt;
}

Failure<std::string> no_such_parameter(std::string_view text) {
  return Failure{
      fmt::format("{} has a parameter that is not known; a turn: or turns: URI may end with "
                  "?transport=udp or ?transport=tcp",
                  server::in_quotes(text))};
}

}  // namespace

Result<TurnTarget, std::string> parse_turn_target(std::string_view text) {
  Scheme scheme{"", true, false};
  std::string_view rest = text;
  for (const Scheme& known : schemes) {
    if (!text.starts_with(known.name)) continue;
    scheme = known;
    rest.remove_prefix(known.name.size());
  }
  if (rest.starts_with("//")) {
    return Failure{fmt::format("{} has slashes, and these URIs have none (RFC 7065); write {}{}",
                               server::in_quotes(text), scheme.name,
                               server::on_one_line(rest.substr(2)))};
  }
  std::optional<std::string_view> parameter;
  if (const std::size_t query = rest.find('?'); query != std::string_view::npos) {
    constexpr std::string_view name = "?transport=";
    if (scheme.name.empty() || !rest.substr(query).starts_with(name)) {
      return no_such_parameter(text);
    }
    parameter = rest.substr(query + name.size());
    rest = rest.substr(0, query);
  }
  const auto transport = transport_of(scheme, parameter);
  if (!transport) return no_such_parameter(text);
  const auto host_port = parse_host_port(rest);
  if (!host_port) return Failure{host_port.error()};

  TurnTarget target;
  target.host = host_port->host;
  target.has_port = host_port->port.has_value();
  target.port = host_port->port.value_or(scheme.secured ? default_secured_port : default_port);
  target.transport = *transport;
  target.relays = scheme.relays;
  return target;
}

}  // namespace turnpike::cli
