// The exit codes of every command (DESIGN §6), and the one exception that carries them.
#pragma once

#include <stdexcept>
#include <string>

namespace turnpike::cli {

/// What the shell sees. Pinned: scripts rely on the numbers.
enum class ExitCode : int {
  ok = 0,
  no = 1,              ///< the answer is no
  usage = 2,           ///< the command line makes no sense
  degraded = 3,         ///< it works, but not all of it
  refused = 4,         ///< credentials were refused
  internal = 70,       ///< a bug (EX_SOFTWARE)
  unavailable = 69,    ///< a service or the network cannot be reached (EX_UNAVAILABLE)
  configuration = 78,  ///< the configuration was refused (EX_CONFIG)
};

/// Ends a command: one sentence for stderr, one number for the shell.
class CommandFailure : public std::runtime_error {
 public:
  CommandFailure(ExitCode exit_code, const std::string& sentence)
      : std::runtime_error(sentence), code(exit_code) {}

  ExitCode code;
};

}  // namespace turnpike::cli
