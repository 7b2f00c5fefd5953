#include "bench/latency_histogram.h"

#include <algorithm>
#include <bit>
#include <cmath>

namespace turnpike::bench {

void LatencyHistogram::add(nanoseconds latency) {
  const auto value = static_cast<std::uint64_t>(std::max<std::int64_t>(latency.count(), 0));
  ++counts_[bucket_of(value)];
  ++count_;
  sum_ += value;
  max_ = std::max(max_, value);
}

nanoseconds LatencyHistogram::mean() const { return nanoseconds{count_ == 0 ? 0 : sum_ / count_}; }

nanoseconds LatencyHistogram::quantile(double share) const {
  if (count_ == 0) return nanoseconds{0};
  const double wanted = std::ceil(share * static_cast<double>(count_));
  const auto rank = std::clamp<std::uint64_t>(static_cast<std::uint64_t>(wanted), 1, count_);
  std::uint64_t before = 0;
  for (std::size_t bucket = 0; bucket < buckets; ++bucket) {
    before += counts_[bucket];
    if (before >= rank) return nanoseconds{std::min(highest_in(bucket), max_)};
  }
  return max();
}

std::size_t LatencyHistogram::bucket_of(std::uint64_t value) {
  if (value < steps) return value;
  const auto power = static_cast<unsigned>(std::bit_width(value)) - 1;  // at least steps_log2
  const std::uint64_t within = (value >> (power - steps_log2)) - steps;
  return static_cast<std::size_t>((power - steps_log2 + 1) * steps + within);
}

std::uint64_t LatencyHistogram::highest_in(std::size_t bucket) {
  if (bucket < steps) return bucket;
  const std::uint64_t shift = bucket / steps - 1;
  const std::uint64_t within = bucket % steps + steps;
  return ((within + 1) << shift) - 1;
}

}  // namespace turnpike::bench
