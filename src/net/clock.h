// The only place that reads the clocks of the data plane.
#pragma once

#include "base/time.h"

namespace turnpike::net {

/// The time now. `instant` goes on counting while the machine is suspended (CLOCK_BOOTTIME), so
/// that allocations expire when their clients think they do.
[[nodiscard]] Now read_clock();

}  // namespace turnpike::net
