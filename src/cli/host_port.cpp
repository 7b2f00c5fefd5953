#include "cli/host_port.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "base/endpoint.h"
#include "server/config_parsers.h"
#include "server/config_value.h"

namespace turnpike::cli {
namespace {

using server::in_quotes;

Failure<std::string> no_host(std::string_view text) {
  return Failure{
      fmt::format("{} is no host; write for example turn.example.com, turn.example.com:3478 or "
                  "[2001:db8::1]:3478",
                  in_quotes(text))};
}

std::optional<std::uint16_t> parse_port(std::string_view text) {
  std::uint16_t port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (error != std::errc{} || end != text.data() + text.size() || port == 0) return std::nullopt;
  return port;
}

/// The two sides of the colon before the port; no colon: everything is host.
struct Split {
  std::string_view host;
  std::optional<std::string_view> port;
};

Split split(std::string_view text) {
  if (text.starts_with('[')) {
    const std::size_t close = text.find(']');
    if (close == std::string_view::npos) return {text, std::nullopt};
    const std::string_view host = text.substr(1, close - 1);
    const std::string_view rest = text.substr(close + 1);
    if (rest.empty()) return {host, std::nullopt};
    return {host, rest.starts_with(':') ? rest.substr(1) : std::string_view{}};  // "" is no port
  }
  if (std::count(text.begin(), text.end(), ':') != 1)
    return {text, std::nullopt};  // many: bare IPv6
  const std::size_t colon = text.find(':');
  return {text.substr(0, colon), text.substr(colon + 1)};
}

}  // namespace

Result<HostPort, std::string> parse_host_port(std::string_view text) {
  const Split parts = split(text);
  const bool is_ipv6_in_brackets = text.starts_with('[');
  const auto address = IpAddress::parse(parts.host);
  if (is_ipv6_in_brackets && (!address || address->family() != Family::ipv6)) return no_host(text);
  if (parts.host.empty() || !server::parse_domain(parts.host)) return no_host(text);

  HostPort result{std::string{parts.host}, std::nullopt};
  if (parts.port) {
    result.port = parse_port(*parts.port);
    if (!result.port)
      return Failure{
          fmt::format("{} has no port from 1 to 65535 after the colon", in_quotes(text))};
  }
  return result;
}

Result<HostPort, std::string> parse_stun_target(std::string_view text) {
  std::string_view rest = text;
  if (rest.starts_with("stun:")) {
    rest.remove_prefix(5);
    // "stun:3478" would be a host called "stun" with a port as well; RFC 7064 makes it a URI.
    if (rest.starts_with("//")) {
      return Failure{
          fmt::format("{} has slashes, and stun: URIs have none (RFC 7064); write stun:{}",
                      in_quotes(text), server::on_one_line(rest.substr(2)))};
    }
  }
  for (const std::string_view scheme : {"stuns:", "turn:", "turns:"}) {
    if (!text.starts_with(scheme)) continue;
    return Failure{fmt::format(
        "{} is no stun: URI, and only STUN over UDP is spoken here; write stun:HOST:PORT",
        in_quotes(text))};
  }
  return parse_host_port(rest);
}

}  // namespace turnpike::cli
