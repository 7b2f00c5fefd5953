// The only place where the data plane reads clocks and sleeps.
#pragma once

#include "base/time.h"

namespace turnpike::net {

/// The time now. `instant` goes on counting while the machine is suspended (CLOCK_BOOTTIME), so
/// that allocations expire when their clients think they do.
[[nodiscard]] Now read_clock();

/// Sleeps of this thread last as long as they say, not some 50 µs more (PR_SET_TIMERSLACK).
void sleep_precisely();
/// Lets this thread sleep; not at all for 0.
void sleep(nanoseconds duration);

}  // namespace turnpike::net
