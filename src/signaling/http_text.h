// Small readers of the texts that HTTP is made of: tokens, lists, case.
#pragma once

#include <string_view>

namespace turnpike::signaling {

/// Equal but for the case of ASCII letters.
[[nodiscard]] bool equal_ignoring_case(std::string_view a, std::string_view b);

/// A token (RFC 9110 §5.6.2): what methods and header names are made of. Not empty.
[[nodiscard]] bool is_token(std::string_view text);

/// What a header value may hold: no control characters but tabs (RFC 9110 §5.5).
[[nodiscard]] bool is_field_value(std::string_view text);

/// `text` without blanks and tabs at both ends.
[[nodiscard]] std::string_view trimmed(std::string_view text);

/// Takes the next element off a list separated by `separator`; trimmed, and perhaps empty.
[[nodiscard]] std::string_view take_element(std::string_view& list, char separator = ',');

/// True when the comma-separated `list` has `token`, in whatever case.
[[nodiscard]] bool list_has(std::string_view list, std::string_view token);

}  // namespace turnpike::signaling
