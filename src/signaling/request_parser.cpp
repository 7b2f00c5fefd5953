#include "signaling/request_parser.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include "signaling/http_target.h"
#include "signaling/http_text.h"
#include "signaling/origin.h"

namespace turnpike::signaling {
namespace {

std::size_t count(const Request& request, std::string_view name) {
  return static_cast<std::size_t>(
      std::count_if(request.headers.begin(), request.headers.end(),
                    [&](const Header& header) { return equal_ignoring_case(header.name, name); }));
}

/// How long the body is (RFC 9112 §6.3), which only Content-Length may say here.
Result<std::size_t, HttpError> body_bytes_of(const Request& request, std::size_t limit) {
  const std::size_t lengths = count(request, "Content-Length");
  if (count(request, "Transfer-Encoding") > 0) {
    return Failure{lengths > 0 ? HttpError::malformed : HttpError::length_required};
  }
  if (lengths == 0) return 0;
  if (lengths > 1) return Failure{HttpError::malformed};
  const std::string_view text = *request.header("Content-Length");
  const bool has_only_digits = !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return c >= '0' && c <= '9';
  });
  if (!has_only_digits) return Failure{HttpError::malformed};
  std::size_t bytes = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), bytes);
  if (error != std::errc{} || bytes > limit) return Failure{HttpError::body_too_large};
  return bytes;
}

/// One Host that names a host, and the same one as the target (RFC 9112 §3.2).
bool set_host(Request& request, const std::string& authority, int minor_version) {
  const std::size_t hosts = count(request, "Host");
  if (hosts > 1 || (hosts == 0 && minor_version > 0)) return false;
  if (hosts == 1) request.host = *request.header("Host");
  if (hosts == 1 && !parse_host(request.host)) return false;
  return authority.empty() || (hosts == 1 && equal_ignoring_case(authority, request.host));
}

/// Only HTTP/1.1 clients know what to do with "100 Continue" (RFC 9110 §10.1.1).
Result<bool, HttpError> expects_continue(const Request& request, int minor_version) {
  if (minor_version == 0 || count(request, "Expect") == 0) return false;
  if (!equal_ignoring_case(request.list_header("Expect"), "100-continue")) {
    return Failure{HttpError::unknown_expectation};
  }
  return true;
}

}  // namespace

Result<std::optional<Request>, HttpError> RequestParser::next() {
  if (!request_) {
    const auto head_end = find_head_end();
    if (!head_end) return Failure{head_end.error()};
    if (!*head_end) return std::optional<Request>{};
    if (const auto error = read_head(**head_end)) return Failure{*error};
  }
  if (buffer_.size() < body_bytes_) return std::optional<Request>{};
  return std::optional{finish()};
}

RequestParser::Waiting RequestParser::waiting() const {
  if (request_) return Waiting::body;
  return buffer_.empty() ? Waiting::nothing : Waiting::head;
}

bool RequestParser::take_expectation() { return std::exchange(has_expectation_, false); }

std::string RequestParser::take_rest() {
  scanned_ = line_begin_ = 0;
  return std::exchange(buffer_, {});
}

Result<std::optional<std::size_t>, HttpError> RequestParser::find_head_end() {
  // An empty line before a request is forgiven, but not two (RFC 9112 §2.2).
  if (!has_skipped_line_ && buffer_.starts_with("\r\n")) {
    forget(2);
    has_skipped_line_ = true;
  }
  bool is_first_line = line_begin_ == 0;
  for (; scanned_ < buffer_.size(); ++scanned_) {
    if (scanned_ >= limits_.max_head_bytes) return Failure{HttpError::headers_too_large};
    if (is_first_line && scanned_ >= limits_.max_line_bytes) {
      return Failure{HttpError::line_too_long};
    }
    const char c = buffer_[scanned_];
    const bool follows_cr = scanned_ > 0 && buffer_[scanned_ - 1] == '\r';
    if ((c == '\n') != follows_cr) return Failure{HttpError::malformed};
    if (c == '\n') {
      if (scanned_ == line_begin_ + 1) return std::optional{scanned_ + 1};
      line_begin_ = scanned_ + 1;
      is_first_line = false;
    } else if (c != '\r' && !is_field_value({&c, 1})) {
      return Failure{HttpError::malformed};  // at once, for what is no HTTP at all
    }
  }
  return std::optional<std::size_t>{};
}

std::optional<HttpError> RequestParser::read_head(std::size_t head_bytes) {
  auto head = parse_request_head(std::string_view{buffer_}.substr(0, head_bytes));
  if (!head) return head.error();
  if (head->headers.size() > limits_.max_headers) return HttpError::headers_too_large;
  Request request;
  request.method = parse_method(head->method);
  request.headers = std::move(head->headers);
  request.keep_alive = head->keep_alive;
  const bool is_connect = head->method == "CONNECT";  // its target is no path, and it gets a 405
  auto target = is_connect ? Target{"*", "", ""} : parse_target(head->target);
  if (!target) {
    return target.error() == TargetError::unsafe ? HttpError::unsafe_path : HttpError::malformed;
  }
  if (!set_host(request, target->authority, head->minor_version)) return HttpError::malformed;
  request.path = std::move(target->path);
  request.query = std::move(target->query);
  const auto body_bytes = body_bytes_of(request, limits_.max_body_bytes);
  if (!body_bytes) return body_bytes.error();
  const auto expectation = expects_continue(request, head->minor_version);
  if (!expectation) return expectation.error();
  forget(head_bytes);
  body_bytes_ = *body_bytes;
  has_expectation_ = *expectation && buffer_.size() < body_bytes_;
  request_ = std::move(request);
  return std::nullopt;
}

Request RequestParser::finish() {
  Request request = std::move(*request_);
  request_.reset();
  request.body = buffer_.substr(0, body_bytes_);
  forget(body_bytes_);
  body_bytes_ = 0;
  has_expectation_ = has_skipped_line_ = false;
  return request;
}

void RequestParser::forget(std::size_t bytes) {
  buffer_.erase(0, bytes);
  if (buffer_.empty()) buffer_ = std::string{};  // with its memory
  scanned_ = line_begin_ = 0;
}

}  // namespace turnpike::signaling
