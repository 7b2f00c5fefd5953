// HTTP/1.1 messages as values (RFC 9110, RFC 9112): a request that was read, a response to be
// written. How requests are read is in request_parser.h, what answers them in routes.h.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"

namespace turnpike::signaling {

/// Methods that something here may answer; the rest is `other`.
enum class Method : std::uint8_t { get, head, post, put, patch, del, options, other };

[[nodiscard]] Method parse_method(std::string_view name);
/// "GET"; `other` has no name of its own.
[[nodiscard]] std::string_view to_string(Method method);

struct Header {
  std::string name;
  std::string value;
};

/// One request, its framing checked: lengths, Host and target are what they say.
struct Request {
  Method method = Method::other;
  std::string path{};   ///< decoded, UTF-8, absolute and without dot segments; or "*"
  std::string query{};  ///< as it came, without the question mark; see query_value()
  std::string host{};   ///< as in Host; empty only in HTTP/1.0
  std::vector<Header> headers{};
  std::string body{};
  bool keep_alive = true;  ///< the client would send another one after this

  /// The value of a header that is there once; nothing when it is missing or repeated, for then
  /// readers may differ in which one they mean.
  [[nodiscard]] std::optional<std::string_view> header(std::string_view name) const;
  /// All values of a list-valued header, joined by commas (RFC 9110 §5.3); empty when missing.
  [[nodiscard]] std::string list_header(std::string_view name) const;
};

struct Response {
  std::uint16_t status = 200;
  std::vector<Header> headers{};  ///< without Date, Content-Length and Connection
  std::string body{};

  Response& with(std::string_view name, std::string_view value) {
    headers.push_back({std::string{name}, std::string{value}});
    return *this;
  }
};

/// A response of one line of text, not to be cached.
[[nodiscard]] Response text_response(std::uint16_t status, std::string_view line);

/// "Not Found". For codes not used here: "Unknown".
[[nodiscard]] std::string_view reason_phrase(std::uint16_t status);

/// "Sun, 06 Nov 1994 08:49:37 GMT" (RFC 9110 §5.6.7).
[[nodiscard]] std::string http_date(WallTime wall);

/// How a response goes onto the wire.
struct Delivery {
  WallTime wall{};          ///< for Date
  bool head_only = false;   ///< to HEAD: the headers say what GET would get, the body is left out
  bool keep_alive = false;  ///< another response may follow
  bool is_stream = false;   ///< the body goes on until the connection ends: no Content-Length
};

/// Appends `response` to `out`. A header whose name is no token, or whose value holds control
/// characters, is left out: what a client sent cannot begin a line of its own. Every response
/// forbids content sniffing.
void append_response(std::string& out, const Response& response, const Delivery& delivery);

}  // namespace turnpike::signaling
