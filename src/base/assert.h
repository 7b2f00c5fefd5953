// TURNPIKE_ASSERT: states what must hold unless we have a bug. Never for what the network says.
#pragma once

namespace turnpike {

/// Prints where a broken assumption was found and ends the process.
[[noreturn]] void assertion_failed(const char* condition, const char* file, int line);

}  // namespace turnpike

#define TURNPIKE_ASSERT(condition)        \
  (static_cast<bool>(condition) ? void(0) \
                                : ::turnpike::assertion_failed(#condition, __FILE__, __LINE__))
