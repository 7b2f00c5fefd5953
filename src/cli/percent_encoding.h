// Text for URIs.
#pragma once

#include <string>
#include <string_view>

namespace turnpike::cli {

/// `text` with all but unreserved characters coded (RFC 3986 §2.1, §2.3): fit for any part of a
/// URI.
[[nodiscard]] std::string percent_encoded(std::string_view text);

}  // namespace turnpike::cli
