// Who may speak to the server from a browser: Host and Origin checks, and CORS (RFC 6454, RFC 6455
// §10.2, Fetch §3.2).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "signaling/http.h"

namespace turnpike::signaling {

/// The value of a Host header: a name or an address in lower case, and a port when one is given.
struct Host {
  std::string name;  ///< IPv6 in brackets
  std::optional<std::uint16_t> port;

  friend bool operator==(const Host&, const Host&) = default;
};

[[nodiscard]] std::optional<Host> parse_host(std::string_view text);

/// The origin of a page: what an Origin header says when it is not "null".
struct Origin {
  std::string scheme;  ///< "https", "http", or that of a browser extension
  Host host;           ///< with the scheme's own port left out

  friend bool operator==(const Origin&, const Origin&) = default;
};

/// "https://example.com:8443", and nothing after it.
[[nodiscard]] std::optional<Origin> parse_origin(std::string_view text);
[[nodiscard]] std::string to_string(const Origin& origin);

/// What the operator allows.
struct OriginPolicy {
  std::vector<Origin> allowed{};
  bool allow_any = false;  ///< "*" in the configuration
  /// Names the server answers to, in lower case; empty: to all. Addresses and "localhost" are
  /// always answered to: DNS cannot be made to lie about them.
  std::vector<std::string> hosts{};
};

/// Makes a policy of signaling.allowed_origins; nothing when an entry is neither "*" nor an origin,
/// and then `wrong` is that entry.
[[nodiscard]] std::optional<OriginPolicy> make_origin_policy(
    const std::vector<std::string>& allowed_origins, std::string& wrong);

/// True when the server answers to `host`. Otherwise a page of some other name has been pointed at
/// our address (DNS rebinding), and the answer is 421.
[[nodiscard]] bool is_known_host(const OriginPolicy& policy, std::string_view host);

enum class OriginVerdict : std::uint8_t {
  same_host,   ///< a page of this server
  listed,      ///< a page the operator allows
  no_browser,  ///< no Origin: nothing a foreign page could have caused
  refused,
};

/// Judges a request by its Origin and Host headers.
[[nodiscard]] OriginVerdict judge_origin(const OriginPolicy& policy, const Request& request);

/// Adds what lets a listed page read the response. Never allows credentials: nothing here is
/// authenticated by cookies.
void add_cors_headers(Response& response, OriginVerdict verdict, const Request& request);

/// The answer to an OPTIONS request that asks on behalf of a page; nothing when it does not.
/// `methods` as in Allow.
[[nodiscard]] std::optional<Response> answer_preflight(OriginVerdict verdict,
                                                       const Request& request,
                                                       std::string_view methods);

}  // namespace turnpike::signaling
