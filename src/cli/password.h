// Passwords for commands: from a prompt, a file or standard input, never from the command line.
#pragma once

#include <istream>
#include <string>

#include "cli/app.h"

namespace turnpike::cli {

/// The password that `option` ("@FILE" or "-") names, without the line break at its end: one line.
/// An empty option asks at the terminal. `name` is the option's own, for messages. Throws
/// CommandFailure (usage) when it is neither, or cannot be read, or is empty. The argument is never
/// repeated in a message.
[[nodiscard]] std::string read_password(const std::string& option, const std::string& name,
                                        const Io& io);

/// The same for a password that is being chosen: at a terminal it is asked for twice.
[[nodiscard]] std::string read_new_password(const std::string& option, const std::string& name,
                                            const Io& io);

}  // namespace turnpike::cli
