// base64url without padding (RFC 4648 §5, RFC 7515 §2), strictly.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"

namespace turnpike::signaling {

[[nodiscard]] std::string base64url_encode(ByteView input);

/// Nothing when `text` has padding, blanks, the other alphabet's characters, or bits left over that
/// are not zero: each byte string has one spelling.
[[nodiscard]] std::optional<std::vector<std::uint8_t>> base64url_decode(std::string_view text);

}  // namespace turnpike::signaling
