// Whether threads make progress.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "base/relaxed_counter.h"

namespace turnpike::server {

/// Watches the counters that threads move with every turn of their loops. One that hangs, in a
/// system call or in a loop, moves its counter no more. Belongs to one thread.
class Pulse {
 public:
  /// `turns` must outlive this; `wake` makes that thread take a turn, for an idle one does not.
  void watch(const RelaxedCounter& turns, std::function<void()> wake);

  /// True when every thread has taken a turn since the last true. Then all are woken for the next
  /// time; otherwise those that are missing are.
  [[nodiscard]] bool beats();

 private:
  struct Watched {
    const RelaxedCounter* turns;
    std::function<void()> wake;
    std::uint64_t seen = 0;

    [[nodiscard]] bool has_moved() const { return turns->value() != seen; }
  };
  std::vector<Watched> watched_;
};

}  // namespace turnpike::server
