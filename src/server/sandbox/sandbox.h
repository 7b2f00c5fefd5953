// The server takes away from itself what it has no need of once it serves (docs/adr/0046).
#pragma once

#include <string>

#include "server/sandbox/plan.h"

namespace turnpike::server {

/// What came of it, for the log.
struct SandboxReport {
  std::string capabilities;  ///< "none", or what is left of them
  std::string files;         ///< "landlock 6", or why files are not confined
  std::string system_calls;  ///< "seccomp", or why they are not filtered
};

/// True where a sandbox can work: sanitizers and coverage read, write and run what it forbids.
[[nodiscard]] bool can_confine();

/// Confines this process for good: capabilities, files and TCP ports (Landlock), system calls
/// (seccomp). What the kernel does not have is left out and reported. There must be no other
/// threads, for Landlock and capabilities are a thread's own and those to come inherit them.
[[nodiscard]] SandboxReport confine(SandboxPlan plan);

}  // namespace turnpike::server
