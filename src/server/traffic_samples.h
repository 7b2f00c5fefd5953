// How fast allocations relay at the moment, for those who look.
#pragma once

#include <cstdint>
#include <unordered_map>

#include "base/time.h"

namespace turnpike::server {

/// Makes rates of counts. Costs nothing on the packet path, and memory only for allocations that
/// have been looked at.
class TrafficSamples {
 public:
  /// Bits a second since the last look that was a second ago or more; at first, since `started`.
  /// `bytes`: all that the allocation `serial` has relayed.
  [[nodiscard]] std::uint64_t bitrate(std::uint64_t serial, std::uint64_t bytes, Instant started,
                                      Instant now);
  /// The allocation has ended.
  void forget(std::uint64_t serial) { samples_.erase(serial); }
  [[nodiscard]] std::size_t size() const { return samples_.size(); }

 private:
  struct Sample {
    Instant at{};
    std::uint64_t bytes = 0;
    std::uint64_t bitrate = 0;
  };
  std::unordered_map<std::uint64_t, Sample> samples_;
};

}  // namespace turnpike::server
