#include "signaling/http_target.h"

#include <algorithm>
#include <cstdint>

#include "base/hexadecimal.h"
#include "base/utf8.h"
#include "signaling/http_text.h"

namespace turnpike::signaling {
namespace {

/// What a target is made of: no blanks, no fragment, ASCII.
bool has_target_characters(std::string_view text) {
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return c > ' ' && c < '\x7f' && c != '#'; });
}

bool is_safe_segment(std::string_view segment) {
  return segment != "." && segment != ".." && segment.find('\\') == std::string_view::npos &&
         is_field_value(segment) && segment.find('\t') == std::string_view::npos &&
         is_utf8(segment);
}

bool has_coded_slash(std::string_view path) {
  for (std::size_t at = path.find('%'); at != std::string_view::npos; at = path.find('%', at + 1)) {
    if (equal_ignoring_case(path.substr(at + 1, 2), "2f")) return true;
  }
  return false;
}

/// `path` is decoded. Only the last segment may be empty: "/pages/".
bool is_safe_path(std::string_view path) {
  std::string_view rest = path.substr(1);
  while (true) {
    const std::size_t end = rest.find('/');
    if (!is_safe_segment(rest.substr(0, end))) return false;
    if (end == std::string_view::npos) return true;
    if (end == 0) return false;
    rest.remove_prefix(end + 1);
  }
}

/// Takes "http://host:port" off the front of `text`; false when a scheme is there and no host is.
bool take_authority(std::string_view& text, std::string& authority) {
  std::size_t begin = std::string_view::npos;
  for (const std::string_view scheme :
       {std::string_view{"http://"}, std::string_view{"https://"}}) {
    if (equal_ignoring_case(text.substr(0, scheme.size()), scheme)) begin = scheme.size();
  }
  if (begin == std::string_view::npos) return true;
  text.remove_prefix(begin);
  const std::size_t end = std::min(text.find_first_of("/?"), text.size());
  authority = text.substr(0, end);
  text.remove_prefix(end);
  return !authority.empty();
}

}  // namespace

std::optional<std::string> percent_decode(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out += text[i];
      continue;
    }
    if (text.size() - i < 3) return std::nullopt;
    const auto high = hex_digit(text[i + 1]);
    const auto low = hex_digit(text[i + 2]);
    if (!high || !low) return std::nullopt;
    out += static_cast<char>(*high << 4 | *low);
    i += 2;
  }
  return out;
}

Result<Target, TargetError> parse_target(std::string_view text) {
  if (!has_target_characters(text)) return Failure{TargetError::malformed};
  Target target;
  if (text == "*") {
    target.path = text;
    return target;
  }
  if (!take_authority(text, target.authority)) return Failure{TargetError::malformed};
  const std::size_t end = std::min(text.find('?'), text.size());
  if (end < text.size()) target.query = text.substr(end + 1);
  std::string_view path = text.substr(0, end);
  if (path.empty() && !target.authority.empty()) path = "/";
  if (path.empty() || path[0] != '/') return Failure{TargetError::malformed};
  auto decoded = percent_decode(path);
  if (!decoded) return Failure{TargetError::malformed};
  if (has_coded_slash(path) || !is_safe_path(*decoded)) return Failure{TargetError::unsafe};
  target.path = std::move(*decoded);
  return target;
}

std::optional<std::string> query_value(std::string_view query, std::string_view key) {
  std::optional<std::string_view> found;
  while (!query.empty()) {
    const std::string_view pair = take_element(query, '&');
    const std::size_t equals = std::min(pair.find('='), pair.size());
    if (pair.substr(0, equals) != key) continue;
    if (found) return std::nullopt;
    found = pair.substr(std::min(equals + 1, pair.size()));
  }
  if (!found) return std::nullopt;
  std::string blanks_coded{*found};
  std::replace(blanks_coded.begin(), blanks_coded.end(), '+', ' ');
  auto value = percent_decode(blanks_coded);
  if (!value || !is_utf8(*value) || value->find('\0') != std::string::npos) return std::nullopt;
  return value;
}

}  // namespace turnpike::signaling
