// What a request asks for: the target of its first line (RFC 9112 §3.2), decoded once and safely.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace turnpike::signaling {

struct Target {
  std::string path;
  std::string query;
  std::string authority;  ///< of the absolute form; otherwise empty
};

enum class TargetError : std::uint8_t {
  malformed,  ///< no target, or a percent sign without two hexadecimal digits
  unsafe,     ///< a path that is not what it seems: dot segments, coded slashes, NUL, not UTF-8
};

/// Splits and decodes `text`: the origin form, the absolute form of http and https, or "*".
///
/// The path is decoded exactly once. Refused as unsafe: "." and ".." segments, empty segments,
/// backslashes, control characters, a coded slash, and what is not UTF-8. So a path that passes
/// names the same thing to everyone who reads it.
[[nodiscard]] Result<Target, TargetError> parse_target(std::string_view text);

/// Percent-decodes; nothing for a percent sign without two hexadecimal digits after it.
[[nodiscard]] std::optional<std::string> percent_decode(std::string_view text);

/// The value of `key` in an application/x-www-form-urlencoded query. Nothing when the key is
/// missing, there twice, or its value is not UTF-8 text.
[[nodiscard]] std::optional<std::string> query_value(std::string_view query, std::string_view key);

}  // namespace turnpike::signaling
