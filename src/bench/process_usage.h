// What a process, ours or another, has used so far: processor time and memory, from /proc.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "base/time.h"

namespace turnpike::bench {

/// Processor time of one thread, to the nanosecond, from the scheduler.
struct ThreadUsage {
  std::string name;
  nanoseconds cpu{0};
  nanoseconds waited{0};  ///< ready to run while something else had the core
};

/// Processor time of all threads of a process, those that have ended left out of `cpu`.
struct ProcessUsage {
  nanoseconds cpu{0};     ///< the sum of `threads`
  nanoseconds waited{0};  ///< the same; above some percent of the time, others are in the way
  nanoseconds user{0};    ///< in ticks of 10 ms
  nanoseconds system{0};  ///< in ticks of 10 ms
  std::uint64_t resident_bytes = 0;
  std::map<pid_t, ThreadUsage> threads;

  /// The time since `earlier`; the memory as it is now.
  [[nodiscard]] ProcessUsage since(const ProcessUsage& earlier) const;
};

/// Nothing when there is no such process, or no /proc.
[[nodiscard]] std::optional<ProcessUsage> usage_of(pid_t process);

/// That of this thread.
[[nodiscard]] ThreadUsage own_usage();

/// Binds this thread to one core. False when the kernel refuses it.
bool pin_to_core(unsigned core);

/// How many cores this thread may run on.
[[nodiscard]] unsigned allowed_cores();

}  // namespace turnpike::bench
