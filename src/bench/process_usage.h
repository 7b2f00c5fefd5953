// What a process, ours or another, has used so far: processor time and memory, from /proc.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>

#include "base/time.h"

namespace turnpike::bench {

/// Processor time of all threads of a process, those that have ended left out of `cpu`.
struct ProcessUsage {
  nanoseconds cpu{0};     ///< to the nanosecond, from the scheduler
  nanoseconds user{0};    ///< in ticks of 10 ms
  nanoseconds system{0};  ///< in ticks of 10 ms
  std::uint64_t resident_bytes = 0;

  /// The time since `earlier`; the memory as it is now.
  [[nodiscard]] ProcessUsage since(const ProcessUsage& earlier) const;
};

/// Nothing when there is no such process, or no /proc.
[[nodiscard]] std::optional<ProcessUsage> usage_of(pid_t process);

/// Processor time of this thread, user and system.
[[nodiscard]] nanoseconds own_cpu_time();

/// Binds this thread to one core. False when the kernel refuses it.
bool pin_to_core(unsigned core);

/// How many cores this thread may run on.
[[nodiscard]] unsigned allowed_cores();

}  // namespace turnpike::bench
