#include "cli/user_name.h"

#include <fmt/format.h>

#include "cli/exit_code.h"

namespace turnpike::cli {

std::string require_user_name(const std::string& name, const std::string& option) {
  constexpr std::size_t bytes_max = 508;
  if (name.size() <= bytes_max) return name;
  throw CommandFailure{ExitCode::usage,
                       fmt::format("{}: the user name has {} bytes, and STUN carries {} at most",
                                   option, name.size(), bytes_max)};
}

}  // namespace turnpike::cli
