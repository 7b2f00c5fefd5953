#include "signaling/origin.h"

#include <algorithm>
#include <charconv>

#include "base/endpoint.h"
#include "signaling/http_text.h"

namespace turnpike::signaling {
namespace {

constexpr std::size_t max_origin_bytes = 512;

std::string lower(std::string_view text) {
  std::string out{text};
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
  }
  return out;
}

std::optional<std::uint16_t> parse_port(std::string_view text) {
  std::uint16_t port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (text.empty() || error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return port;
}

bool is_name(std::string_view text) {
  return !text.empty() && text.size() <= 255 &&
         text.find_first_not_of(
             "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
             "0123456789-._") == std::string_view::npos;
}

bool is_bracketed_ipv6(std::string_view text) {
  return text.size() > 2 && text.front() == '[' && text.back() == ']' &&
         text.find('%') == std::string_view::npos && text.find(':') != std::string_view::npos &&
         IpAddress::parse(text.substr(1, text.size() - 2));
}

std::uint16_t default_port(std::string_view scheme) {
  if (scheme == "https") return 443;
  return scheme == "http" ? 80 : 0;
}

bool is_scheme(std::string_view text) {
  return !text.empty() && is_name(text) && text.find('_') == std::string_view::npos;
}

/// A port left out is the one of the page's scheme: whether TLS ends here or at a proxy, the
/// browser has left it out of both headers or of none.
bool is_same_host(const Origin& origin, const Host& host) {
  const std::uint16_t port = default_port(origin.scheme);
  return origin.host.name == host.name &&
         origin.host.port.value_or(port) == host.port.value_or(port);
}

bool has_origin(const Request& request) { return !request.list_header("Origin").empty(); }

}  // namespace

std::optional<Host> parse_host(std::string_view text) {
  const std::size_t bracket = text.find(']');
  const std::size_t colon = text.find(':', bracket == std::string_view::npos ? 0 : bracket);
  const std::string_view name = text.substr(0, colon);
  if (!is_name(name) && !is_bracketed_ipv6(name)) return std::nullopt;
  Host host{lower(name), std::nullopt};
  if (colon == std::string_view::npos) return host;
  host.port = parse_port(text.substr(colon + 1));
  if (!host.port) return std::nullopt;
  return host;
}

std::optional<Origin> parse_origin(std::string_view text) {
  constexpr std::string_view mark = "://";
  const std::size_t end = text.find(mark);
  if (end == std::string_view::npos || text.size() > max_origin_bytes) return std::nullopt;
  Origin origin{lower(text.substr(0, end)), {}};
  auto host = parse_host(text.substr(end + mark.size()));
  if (!is_scheme(origin.scheme) || !host) return std::nullopt;
  origin.host = std::move(*host);
  if (origin.host.port == default_port(origin.scheme)) origin.host.port.reset();
  return origin;
}

std::string to_string(const Origin& origin) {
  std::string out = origin.scheme + "://" + origin.host.name;
  if (origin.host.port) out += ":" + std::to_string(*origin.host.port);
  return out;
}

std::optional<OriginPolicy> make_origin_policy(const std::vector<std::string>& allowed_origins,
                                               std::string& wrong) {
  OriginPolicy policy;
  for (const std::string& entry : allowed_origins) {
    if (entry == "*") {
      policy.allow_any = true;
      continue;
    }
    auto origin = parse_origin(entry);
    if (!origin) {
      wrong = entry;
      return std::nullopt;
    }
    policy.allowed.push_back(std::move(*origin));
  }
  return policy;
}

bool is_known_host(const OriginPolicy& policy, std::string_view host) {
  if (policy.hosts.empty()) return true;
  const auto parsed = parse_host(host);
  if (!parsed) return false;
  const std::string& name = parsed->name;
  return name == "localhost" || is_bracketed_ipv6(name) || IpAddress::parse(name) ||
         std::find(policy.hosts.begin(), policy.hosts.end(), name) != policy.hosts.end();
}

OriginVerdict judge_origin(const OriginPolicy& policy, const Request& request) {
  if (!has_origin(request)) return OriginVerdict::no_browser;
  const auto text = request.header("Origin");
  const auto origin = text ? parse_origin(*text) : std::nullopt;
  const auto host = parse_host(request.host);
  if (origin && host && is_same_host(*origin, *host)) return OriginVerdict::same_host;
  if (policy.allow_any) return OriginVerdict::listed;
  const auto& allowed = policy.allowed;
  const bool is_listed =
      origin && std::find(allowed.begin(), allowed.end(), *origin) != allowed.end();
  return is_listed ? OriginVerdict::listed : OriginVerdict::refused;
}

void add_cors_headers(Response& response, OriginVerdict verdict, const Request& request) {
  if (!has_origin(request)) return;
  response.with("Vary", "Origin");
  if (verdict != OriginVerdict::listed) return;
  const auto text = request.header("Origin");
  const auto origin = text ? parse_origin(*text) : std::nullopt;
  // What was read is written again: nothing of the client's own text comes back.
  if (origin) response.with("Access-Control-Allow-Origin", to_string(*origin));
}

std::optional<Response> answer_preflight(OriginVerdict verdict, const Request& request,
                                         std::string_view methods) {
  if (request.method != Method::options || !has_origin(request) ||
      !request.header("Access-Control-Request-Method")) {
    return std::nullopt;
  }
  Response response{204};
  add_cors_headers(response, verdict, request);
  if (verdict != OriginVerdict::listed) return response;
  response.with("Access-Control-Allow-Methods", methods)
      .with("Access-Control-Allow-Headers", "authorization, content-type")
      .with("Access-Control-Max-Age", "600");
  return response;
}

}  // namespace turnpike::signaling
