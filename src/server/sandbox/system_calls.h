// The system calls of a server that serves, as a filter of seccomp (libseccomp, which nothing else
// includes).
#pragma once

#include <string>

namespace turnpike::server {

/// From now on, in all threads and for good: calls that the server has no use for fail with EPERM
/// and are remembered (refused_calls.h), and those that only an intruder has use for, such as
/// execve and ptrace, end the process. Empty, or why there is no filter.
[[nodiscard]] std::string apply_system_call_filter();

}  // namespace turnpike::server
