// How many packets are between sender and receiver, lost ones not counted for ever. Pure.
#pragma once

#include <cstdint>
#include <deque>

#include "base/time.h"

namespace turnpike::bench {

/// Packets by when they were sent; those that have not come a while after are given up.
class OnTheirWay {
 public:
  void start(Instant now);
  void on_sent(std::uint64_t packets, Instant now);
  void on_received(Instant sent);
  [[nodiscard]] std::uint64_t count(Instant now);

 private:
  static constexpr milliseconds span{50};
  static constexpr std::size_t spans_kept = 3;  // the oldest may be given up after two whole ones

  void give_up_before(Instant now);

  std::deque<std::uint64_t> spans_;  // on their way, by the span in which they were sent
  Instant first_;                    // where spans_ begins
  std::uint64_t count_ = 0;          // the sum
};

}  // namespace turnpike::bench
