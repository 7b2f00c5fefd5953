// Latencies by the million in a few kilobytes: buckets that grow with the value. Pure.
#pragma once

#include <array>
#include <cstdint>

#include "base/time.h"

namespace turnpike::bench {

/// Counts latencies; what it tells is at most 1/64 (1.6 %) above what it was told.
class LatencyHistogram {
 public:
  void add(nanoseconds latency);

  [[nodiscard]] std::uint64_t count() const { return count_; }
  [[nodiscard]] nanoseconds max() const { return nanoseconds{max_}; }
  [[nodiscard]] nanoseconds mean() const;
  /// The latency that `share` (0 to 1) of all do not exceed; zero when there are none.
  [[nodiscard]] nanoseconds quantile(double share) const;

 private:
  // Values below 64 have a bucket each; above, every power of two has 64.
  static constexpr unsigned steps_log2 = 6;
  static constexpr std::uint64_t steps = std::uint64_t{1} << steps_log2;
  static constexpr std::size_t buckets = steps * (64 - steps_log2);

  [[nodiscard]] static std::size_t bucket_of(std::uint64_t value);
  [[nodiscard]] static std::uint64_t highest_in(std::size_t bucket);

  std::array<std::uint64_t, buckets> counts_{};
  std::uint64_t count_ = 0;
  std::uint64_t sum_ = 0;
  std::uint64_t max_ = 0;
};

}  // namespace turnpike::bench
