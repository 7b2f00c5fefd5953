// Why a server does not start.
#pragma once

#include <string>

namespace turnpike::server {

inline constexpr int exit_ok = 0;
inline constexpr int exit_unavailable = 69;
inline constexpr int exit_configuration = 78;

/// What stops the start: a sentence for the operator.
struct StartError {
  std::string sentence;
  int exit_code = exit_unavailable;
};

}  // namespace turnpike::server
