// Reads requests from a connection as its bytes come. What a request may hold is bounded here.
#pragma once

#include <cstddef>
#include <optional>
#include <string>

#include "base/bytes.h"
#include "base/result.h"
#include "signaling/http.h"
#include "signaling/http_head.h"

namespace turnpike::signaling {

struct HttpLimits {
  std::size_t max_line_bytes = 8 * 1024;   ///< the request line
  std::size_t max_head_bytes = 16 * 1024;  ///< with the request line
  std::size_t max_headers = 64;
  std::size_t max_body_bytes = 1024 * 1024;
};

/// An incremental parser. push() what comes, then next() until it has nothing. Between requests it
/// holds no memory; a body takes memory as it comes, never as it is announced.
///
/// Refused, as HttpError: Transfer-Encoding, more than one Content-Length, Host missing (HTTP/1.1),
/// repeated or other than in the absolute form of the target, and all that parse_request_head() and
/// parse_target() refuse.
class RequestParser {
 public:
  explicit RequestParser(HttpLimits limits = {}) : limits_(limits) {}

  void push(ByteView bytes) { buffer_.append(text_of(bytes)); }
  /// The next request that is complete. After an error the parser is of no more use.
  [[nodiscard]] Result<std::optional<Request>, HttpError> next();

  enum class Waiting : std::uint8_t {
    nothing,  ///< between requests
    head,     ///< a request has begun
    body,     ///< its head is there
  };
  [[nodiscard]] Waiting waiting() const;
  /// True once for each request whose client sends the body only after "100 Continue".
  [[nodiscard]] bool take_expectation();
  /// What came after the last request; for another protocol that takes over.
  [[nodiscard]] std::string take_rest();
  [[nodiscard]] std::size_t buffered_bytes() const { return buffer_.size(); }

 private:
  /// Bytes of the head at the start of the buffer; nothing yet when its end has not come.
  [[nodiscard]] Result<std::optional<std::size_t>, HttpError> find_head_end();
  [[nodiscard]] std::optional<HttpError> read_head(std::size_t head_bytes);
  [[nodiscard]] Request finish();
  void forget(std::size_t bytes);

  HttpLimits limits_;
  std::string buffer_;
  std::size_t scanned_ = 0;         // of buffer_, without an end of the head
  std::size_t line_begin_ = 0;      // of the line that scanned_ is in
  std::optional<Request> request_;  // its head is read
  std::size_t body_bytes_ = 0;
  bool has_expectation_ = false;
  bool has_skipped_line_ = false;
};

}  // namespace turnpike::signaling
