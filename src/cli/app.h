// The command line as a function: arguments and streams in, exit code out. main() only calls it.
#pragma once

#include <iosfwd>
#include <map>
#include <string>
#include <vector>

#include "base/time.h"

namespace turnpike::cli {

/// What a command can see of the world.
struct Io {
  std::istream& in;
  std::ostream& out;
  std::ostream& err;
  std::map<std::string, std::string> environment;
  WallTime now;  ///< when the program was started
  bool is_root = false;
  bool err_is_terminal = false;
  std::string default_config_path;  ///< looked at when --config is not given
};

/// Runs `turnpike <arguments…>` (without the program's name). Never throws.
[[nodiscard]] int run(const std::vector<std::string>& arguments, const Io& io);

}  // namespace turnpike::cli
