// Types of time. Nothing here reads a clock: time is always handed in.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>

namespace turnpike {

using std::chrono::milliseconds;
using std::chrono::nanoseconds;
using std::chrono::seconds;

/// A monotonic clock that cannot be read; it only gives `Instant` its own type.
struct MonotonicClock {
  using duration = nanoseconds;
  using rep = duration::rep;
  using period = duration::period;
  using time_point = std::chrono::time_point<MonotonicClock, duration>;
  static constexpr bool is_steady = true;
};

/// A point on the monotonic clock. Deadlines are instants: wall-clock jumps do not move them.
using Instant = MonotonicClock::time_point;

/// The earliest of some deadlines, each of which there may or may not be.
template <class... Deadlines>
[[nodiscard]] constexpr std::optional<Instant> earliest_of(const Deadlines&... deadlines) {
  Instant earliest = Instant::max();
  ((earliest = deadlines && *deadlines < earliest ? *deadlines : earliest), ...);
  if (earliest == Instant::max()) return std::nullopt;
  return earliest;
}

/// Seconds since 1970-01-01 UTC. Only time-limited credentials look at it.
using WallTime = std::chrono::sys_seconds;

/// The time of one batch of input, read once by the shell.
struct Now {
  Instant instant;
  WallTime wall;
};

}  // namespace turnpike
