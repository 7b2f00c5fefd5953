#include "signaling/http_head.h"

#ifdef TURNPIKE_HAS_LLHTTP
#include <llhttp.h>
#else
#include <http_parser.h>
#endif

#include "signaling/http_text.h"

namespace turnpike::signaling {
namespace {

constexpr std::string_view crlf = "\r\n";

// ---- the two parsers, which name the same things differently ----

#ifdef TURNPIKE_HAS_LLHTTP
using Parser = llhttp_t;
using ParserSettings = llhttp_settings_t;

bool says_keep_alive(const Parser& parser) { return llhttp_should_keep_alive(&parser) == 1; }

std::string_view method_of(const Parser& parser) {
  return llhttp_method_name(static_cast<llhttp_method_t>(parser.method));
}

bool run(Parser& parser, ParserSettings& settings, void* reader, std::string_view head) {
  llhttp_init(&parser, HTTP_REQUEST, &settings);
  parser.data = reader;
  // The callback's 2 makes it stop after the head, as if another protocol followed.
  return llhttp_execute(&parser, head.data(), head.size()) == HPE_PAUSED_UPGRADE;
}
#else
using Parser = http_parser;
using ParserSettings = http_parser_settings;

bool says_keep_alive(const Parser& parser) { return http_should_keep_alive(&parser) == 1; }

std::string_view method_of(const Parser& parser) {
  return http_method_str(static_cast<http_method>(parser.method));
}

bool run(Parser& parser, const ParserSettings& settings, void* reader, std::string_view head) {
  http_parser_init(&parser, HTTP_REQUEST);
  parser.data = reader;
  const std::size_t read = http_parser_execute(&parser, &settings, head.data(), head.size());
  return read == head.size() && HTTP_PARSER_ERRNO(&parser) == HPE_OK;
}
#endif

// ---- their callbacks ----

struct Reader {
  RequestHead head;
  bool is_in_value = false;
  bool is_complete = false;
};

Reader& reader_of(Parser* parser) { return *static_cast<Reader*>(parser->data); }

int on_target(Parser* parser, const char* at, std::size_t size) {
  reader_of(parser).head.target.append(at, size);
  return 0;
}

int on_name(Parser* parser, const char* at, std::size_t size) {
  Reader& reader = reader_of(parser);
  if (reader.is_in_value || reader.head.headers.empty()) reader.head.headers.emplace_back();
  reader.is_in_value = false;
  reader.head.headers.back().name.append(at, size);
  return 0;
}

int on_value(Parser* parser, const char* at, std::size_t size) {
  Reader& reader = reader_of(parser);
  if (reader.head.headers.empty()) return -1;
  reader.is_in_value = true;
  reader.head.headers.back().value.append(at, size);
  return 0;
}

int on_head_complete(Parser* parser) {
  Reader& reader = reader_of(parser);
  reader.is_complete = true;
  reader.head.method = method_of(*parser);
  reader.head.minor_version = parser->http_minor;
  reader.head.keep_alive = says_keep_alive(*parser);
  return 2;  // there is no body for you
}

// ---- what they let pass and we do not ----

bool is_strict_header(std::string_view line) {
  const std::size_t colon = line.find(':');
  return colon != std::string_view::npos && is_token(line.substr(0, colon)) &&
         is_field_value(line.substr(colon + 1));
}

/// "HTTP/1.1", the end of a request line.
Result<int, HttpError> minor_version_of(std::string_view line) {
  constexpr std::string_view name = "HTTP/";
  const std::size_t blank = line.rfind(' ');
  if (blank == std::string_view::npos) return Failure{HttpError::malformed};
  const std::string_view version = line.substr(blank + 1);
  if (version == "HTTP/1.1") return 1;
  if (version == "HTTP/1.0") return 0;
  const bool is_some_version = version.size() == 8 && version.substr(0, 5) == name;
  return Failure{is_some_version ? HttpError::unsupported_version : HttpError::malformed};
}

std::string_view take_line(std::string_view& head) {
  const std::size_t end = head.find(crlf);
  const std::string_view line = head.substr(0, end);
  head.remove_prefix(end == std::string_view::npos ? head.size() : end + crlf.size());
  return line;
}

/// Nothing when every line is as RFC 9112 wants lines.
std::optional<HttpError> find_fault(std::string_view head) {
  const std::string_view request_line = take_line(head);
  if (!is_field_value(request_line)) return HttpError::malformed;
  if (const auto minor = minor_version_of(request_line); !minor) return minor.error();
  while (true) {
    const std::string_view line = take_line(head);
    if (line.empty()) return head.empty() ? std::nullopt : std::optional{HttpError::malformed};
    if (!is_strict_header(line)) return HttpError::malformed;
  }
}

}  // namespace

std::uint16_t status_of(HttpError error) {
  switch (error) {
    case HttpError::malformed:
      return 400;
    case HttpError::unsafe_path:
      return 404;
    case HttpError::timeout:
      return 408;
    case HttpError::length_required:
      return 411;
    case HttpError::body_too_large:
      return 413;
    case HttpError::line_too_long:
      return 414;
    case HttpError::unknown_expectation:
      return 417;
    case HttpError::headers_too_large:
      return 431;
    case HttpError::unsupported_version:
      return 505;
  }
  return 400;
}

std::string_view to_sentence(HttpError error) {
  switch (error) {
    case HttpError::malformed:
      return "This is no HTTP/1.1 request.";
    case HttpError::unsafe_path:
      return "There is nothing here.";
    case HttpError::timeout:
      return "The rest of the request did not come in time.";
    case HttpError::length_required:
      return "Send the body with Content-Length, not in chunks.";
    case HttpError::body_too_large:
      return "The body is too large.";
    case HttpError::line_too_long:
      return "The request line is too long.";
    case HttpError::unknown_expectation:
      return "Expect: 100-continue is the only expectation known here.";
    case HttpError::headers_too_large:
      return "The headers are too large or too many.";
    case HttpError::unsupported_version:
      return "Speak HTTP/1.1.";
  }
  return "";
}

Result<RequestHead, HttpError> parse_request_head(std::string_view head) {
  if (const auto fault = find_fault(head)) return Failure{*fault};
  ParserSettings settings{};
  settings.on_url = on_target;
  settings.on_header_field = on_name;
  settings.on_header_value = on_value;
  settings.on_headers_complete = on_head_complete;
  Parser parser{};
  Reader reader;
  if (!run(parser, settings, &reader, head) || !reader.is_complete) {
    return Failure{HttpError::malformed};
  }
  for (Header& header : reader.head.headers) header.value = std::string{trimmed(header.value)};
  return std::move(reader.head);
}

}  // namespace turnpike::signaling
