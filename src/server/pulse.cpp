#include "server/pulse.h"

#include <algorithm>
#include <utility>

namespace turnpike::server {

void Pulse::watch(const RelaxedCounter& turns, std::function<void()> wake) {
  watched_.push_back({&turns, std::move(wake), turns.value()});
}

bool Pulse::beats() {
  const bool all_moved = std::all_of(watched_.begin(), watched_.end(),
                                     [](const Watched& thread) { return thread.has_moved(); });
  for (Watched& thread : watched_) {
    if (all_moved) thread.seen = thread.turns->value();
    if (!thread.has_moved()) thread.wake();
  }
  return all_moved;
}

}  // namespace turnpike::server
