// Whether what was read from a snapshot can have been the state of servers.
#pragma once

#include "turn/saved_state.h"

namespace turnpike::turn {

/// True when every number that names another entry does so, and every entry is one that a server
/// can have had. Two entries may still claim the same thing.
[[nodiscard]] bool is_sound(const SavedState& state);

}  // namespace turnpike::turn
