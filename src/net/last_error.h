// What the last system call of this thread failed with.
#pragma once

#include <cerrno>
#include <system_error>

namespace turnpike::net {

/// errno as an error code; call it before anything else may set errno.
[[nodiscard]] inline std::error_code last_error() { return {errno, std::system_category()}; }

}  // namespace turnpike::net
