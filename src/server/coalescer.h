// When a worker waits before it polls again, so that more comes in at once (`relay.batch_us`).
#pragma once

#include <cstddef>

#include "base/time.h"

namespace turnpike::server {

/// Under load a wake-up for each datagram costs more than the datagram. A nap between polls lets
/// several gather, at the price of as much delay. At low load there are no naps: then nobody gains.
class Coalescer {
 public:
  /// `longest`: how long to wait; 0: never.
  explicit Coalescer(nanoseconds longest) : longest_(longest) {}

  /// So many datagrams were taken in this turn of the loop.
  void note(std::size_t datagrams) { in_turn_ += datagrams; }

  /// At the end of a turn: how long to wait before the next poll. 0: not at all.
  [[nodiscard]] nanoseconds nap(Instant now) {
    if (longest_ == nanoseconds{0}) return nanoseconds{0};
    const std::size_t in_turn = in_turn_;
    in_turn_ = 0;
    if (now - window_began_ >= window) {
      // A window that nothing ended in time was a quiet one.
      is_loaded_ = in_window_ >= loaded && now - window_began_ < 2 * window;
      in_window_ = 0;
      window_began_ = now;
    }
    in_window_ += in_turn;
    // Who has a full batch before it will have another one after.
    return is_loaded_ && in_turn > 0 && in_turn < full ? longest_ : nanoseconds{0};
  }

 private:
  static constexpr milliseconds window{10};
  static constexpr std::size_t loaded = 100;  // of a window: 10,000 a second
  static constexpr std::size_t full = 64;     // of a turn

  nanoseconds longest_;
  std::size_t in_turn_ = 0;
  std::size_t in_window_ = 0;
  Instant window_began_{};
  bool is_loaded_ = false;
};

}  // namespace turnpike::server
