// The head of one request, checked line by line and then read by llhttp or http_parser. The only
// place that includes either.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "signaling/http.h"

namespace turnpike::signaling {

/// Why a request is not one. After each of these the connection ends: what follows on it cannot be
/// told apart any more.
enum class HttpError : std::uint8_t {
  malformed,            ///< 400
  unsafe_path,          ///< 404, see TargetError::unsafe
  timeout,              ///< 408: the rest of a request did not come
  length_required,      ///< 411: a body in chunks
  body_too_large,       ///< 413
  line_too_long,        ///< 414 (RFC 9112 §3)
  unknown_expectation,  ///< 417
  headers_too_large,    ///< 431: bytes or number
  unsupported_version,  ///< 505
};

[[nodiscard]] std::uint16_t status_of(HttpError error);
/// One sentence for whoever reads the answer.
[[nodiscard]] std::string_view to_sentence(HttpError error);

struct RequestHead {
  std::string method;  ///< one that the parser knows
  std::string target;
  int minor_version = 1;  ///< of HTTP/1
  bool keep_alive = true;
  std::vector<Header> headers;
};

/// Reads `head`: a request line and headers, up to and with the empty line. Every line must end
/// with CRLF. Refused beyond what the parser itself refuses: lines that continue the one before,
/// blanks before a colon, names that are no tokens, control characters, versions but 1.0 and 1.1.
[[nodiscard]] Result<RequestHead, HttpError> parse_request_head(std::string_view head);

}  // namespace turnpike::signaling
