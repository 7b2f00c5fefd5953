// Links that lead into a room of the call page.
#pragma once

#include <string>

namespace turnpike::cli {

/// "https://turn.example.com/#room=demo&token=…" for the call page at `page`, which ends in "/".
/// What stands behind # is not sent to the server, so that no log has it.
[[nodiscard]] std::string invitation(const std::string& page, const std::string& room,
                                     const std::string& token);

}  // namespace turnpike::cli
