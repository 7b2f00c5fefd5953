// The OpaqueString profile of PRECIS (RFC 8265 §4.2), which STUN applies to realms and passwords.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace turnpike::auth {

/// Prepares and enforces OpaqueString: other spaces become U+0020, then NFC. Nothing when `text` is
/// empty, not UTF-8, or has code points that the FreeformClass (RFC 8264 §4.3) disallows.
[[nodiscard]] std::optional<std::string> opaque_string(std::string_view text);

}  // namespace turnpike::auth
