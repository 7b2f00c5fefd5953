// UTF-8: is a text that, and where may it be cut.
#pragma once

#include <cstddef>
#include <string_view>

namespace turnpike {

/// UTF-8 without overlong forms and surrogates (RFC 3629).
[[nodiscard]] bool is_utf8(std::string_view text);

/// The longest start of `text` of at most `bytes` that cuts no character.
[[nodiscard]] std::string_view utf8_prefix(std::string_view text, std::size_t bytes);

}  // namespace turnpike
