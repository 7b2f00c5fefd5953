// User names for commands that log in to a server.
#pragma once

#include <string>

#include "cli/app.h"

namespace turnpike::cli {

/// `name`, which came with `option`, if a server can be told it: at most 508 bytes (RFC 8489
/// §14.3). Throws CommandFailure (usage) when it is longer.
[[nodiscard]] std::string require_user_name(const std::string& name, const std::string& option);

}  // namespace turnpike::cli
