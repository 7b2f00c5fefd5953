#include "signaling/http.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <utility>

#include "signaling/http_text.h"

namespace turnpike::signaling {
namespace {

constexpr std::array<std::pair<Method, std::string_view>, 7> methods{{
    {Method::get, "GET"},
    {Method::head, "HEAD"},
    {Method::post, "POST"},
    {Method::put, "PUT"},
    {Method::patch, "PATCH"},
    {Method::del, "DELETE"},
    {Method::options, "OPTIONS"},
}};

constexpr std::array<std::pair<std::uint16_t, std::string_view>, 28> reasons{{
    {101, "Switching Protocols"},
    {200, "OK"},
    {201, "Created"},
    {202, "Accepted"},
    {204, "No Content"},
    {304, "Not Modified"},
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {406, "Not Acceptable"},
    {408, "Request Timeout"},
    {409, "Conflict"},
    {411, "Length Required"},
    {413, "Content Too Large"},
    {414, "URI Too Long"},
    {415, "Unsupported Media Type"},
    {417, "Expectation Failed"},
    {421, "Misdirected Request"},
    {422, "Unprocessable Content"},
    {426, "Upgrade Required"},
    {429, "Too Many Requests"},
    {431, "Request Header Fields Too Large"},
    {500, "Internal Server Error"},
    {501, "Not Implemented"},
    {503, "Service Unavailable"},
    {505, "HTTP Version Not Supported"},
}};

constexpr std::array<std::string_view, 7> days{"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
constexpr std::array<std::string_view, 12> months{"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                  "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

void append_two_digits(std::string& out, std::int64_t number) {
  out += static_cast<char>('0' + number / 10 % 10);
  out += static_cast<char>('0' + number % 10);
}

void append_header(std::string& out, std::string_view name, std::string_view value) {
  if (!is_token(name) || !is_field_value(value)) return;
  out.append(name).append(": ").append(value).append("\r\n");
}

/// RFC 9110 §6.4.1, §8.6: these have no content, and say nothing of its length.
bool has_no_content(std::uint16_t status) { return status < 200 || status == 204 || status == 304; }

}  // namespace

Method parse_method(std::string_view name) {
  for (const auto& [method, known] : methods) {
    if (known == name) return method;
  }
  return Method::other;
}

std::string_view to_string(Method method) {
  for (const auto& [known, name] : methods) {
    if (known == method) return name;
  }
  return "other";
}

std::optional<std::string_view> Request::header(std::string_view name) const {
  std::optional<std::string_view> found;
  for (const Header& header : headers) {
    if (!equal_ignoring_case(header.name, name)) continue;
    if (found) return std::nullopt;
    found = header.value;
  }
  return found;
}

std::string Request::list_header(std::string_view name) const {
  std::string list;
  for (const Header& header : headers) {
    if (!equal_ignoring_case(header.name, name)) continue;
    if (!list.empty()) list += ", ";
    list += header.value;
  }
  return list;
}

Response text_response(std::uint16_t status, std::string_view line) {
  Response response{status};
  response.with("Content-Type", "text/plain; charset=utf-8").with("Cache-Control", "no-store");
  response.body.append(line).append("\n");
  return response;
}

std::string_view reason_phrase(std::uint16_t status) {
  for (const auto& [code, phrase] : reasons) {
    if (code == status) return phrase;
  }
  return "Unknown";
}

std::string http_date(WallTime wall) {
  const auto day = std::chrono::floor<std::chrono::days>(wall);
  const std::chrono::year_month_day date{day};
  const std::chrono::hh_mm_ss time{wall - day};
  std::string out{days[std::chrono::weekday{day}.c_encoding()]};
  out += ", ";
  append_two_digits(out, static_cast<unsigned>(date.day()));
  out.append(" ").append(months[static_cast<unsigned>(date.month()) - 1]).append(" ");
  append_two_digits(out, static_cast<int>(date.year()) / 100);
  append_two_digits(out, static_cast<int>(date.year()));
  out += ' ';
  append_two_digits(out, time.hours().count());
  out += ':';
  append_two_digits(out, time.minutes().count());
  out += ':';
  append_two_digits(out, time.seconds().count());
  return out += " GMT";
}

void append_response(std::string& out, const Response& response, const Delivery& delivery) {
  out.append("HTTP/1.1 ").append(std::to_string(response.status)).append(" ");
  out.append(reason_phrase(response.status)).append("\r\n");
  append_header(out, "Date", http_date(delivery.wall));
  for (const Header& header : response.headers) append_header(out, header.name, header.value);
  append_header(out, "X-Content-Type-Options", "nosniff");
  const bool has_content = !has_no_content(response.status);
  if (has_content && !delivery.is_stream) {
    append_header(out, "Content-Length", std::to_string(response.body.size()));
  }
  // A switch of protocols names its own connection option.
  if (response.status != 101) {
    append_header(out, "Connection", delivery.keep_alive ? "keep-alive" : "close");
  }
  out += "\r\n";
  if (has_content && !delivery.head_only) out += response.body;
}

}  // namespace turnpike::signaling
