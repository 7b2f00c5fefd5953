// Secrets and keys for commands: from a file or standard input, never from the command line.
#pragma once

#include <string>

#include "cli/app.h"

namespace turnpike::cli {

/// The secret that the option called `name` names: "@FILE" or "-" (standard input), at most 64 KiB
/// without the line break at the end. Throws CommandFailure (usage) when it is neither, or cannot
/// be read, or is empty. The argument is never repeated in a message: it may be the secret after
/// all.
[[nodiscard]] std::string secret_from_option(const std::string& option, const std::string& name,
                                             const Io& io);

/// The same from the file at `path`.
[[nodiscard]] std::string read_secret_at(const std::string& path);

}  // namespace turnpike::cli
