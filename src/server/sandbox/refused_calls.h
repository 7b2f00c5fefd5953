// Which system calls the filter has refused: told in the log, for a call that a new library makes
// is found nowhere else.
#pragma once

#include <string>
#include <vector>

namespace turnpike::server {

/// True where a signal handler can answer a call that the filter has stopped. Elsewhere the kernel
/// answers it, and only its own log tells of it.
[[nodiscard]] bool can_answer_refused_calls();

/// From now on SIGSYS of the filter makes the call return EPERM and is remembered. A thread that
/// blocks SIGSYS and makes such a call ends the process, which is the kernel's rule.
void answer_refused_calls();

/// The names of calls refused since this was asked last, each once in the life of the process.
[[nodiscard]] std::vector<std::string> newly_refused_calls();

}  // namespace turnpike::server
