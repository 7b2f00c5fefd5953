// When the next train leaves: so many a second, or as soon as there is room on the way. Pure.
#pragma once

#include <cstdint>
#include <optional>

#include "base/time.h"

namespace turnpike::bench {

/// Says how many trains are due.
///
/// With a rate the loop is open: a train is due when its time has come, whatever has become of
/// those before it. Without one it is closed: there are always as many on their way as there is
/// room for, which keeps a server busy and does not overrun it.
class Pacer {
 public:
  /// `room`: trains on their way at most.
  [[nodiscard]] static Pacer closed(std::uint64_t room) { return Pacer{std::nullopt, room}; }
  [[nodiscard]] static Pacer at_rate(double trains_a_second) { return Pacer{trains_a_second, 0}; }

  void start(Instant now);
  /// Trains to send now, when `on_their_way` have been sent and have not come. They count as sent.
  [[nodiscard]] std::uint64_t due(Instant now, std::uint64_t on_their_way);
  /// When due() will be more than 0 if nothing comes; nothing: not before something does.
  [[nodiscard]] std::optional<Instant> next() const;
  /// Trains whose time had passed so long ago that they were left out.
  [[nodiscard]] std::uint64_t left_out() const { return left_out_; }

 private:
  Pacer(std::optional<double> rate, std::uint64_t room) : rate_(rate), room_(room) {}

  std::optional<double> rate_;
  std::uint64_t room_;
  Instant started_;
  std::uint64_t released_ = 0;  // with a rate: sent or left out since started_
  std::uint64_t left_out_ = 0;
};

}  // namespace turnpike::bench
