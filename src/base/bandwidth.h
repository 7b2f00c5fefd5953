// Token buckets for bytes, each kept as one point in time: that up to which all that has passed is
// paid for. What comes when too much is owed does not pass. Pure: time is handed in.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "base/time.h"

namespace turnpike {

/// A rate, and how much may come at once after a pause: a quarter of a second's worth, but never
/// less than 64 KiB, so that the frame that begins a picture passes, and any one datagram.
class BandwidthLimit {
 public:
  /// No limit.
  BandwidthLimit() = default;
  /// `bits_per_second` 0: no limit.
  explicit BandwidthLimit(std::uint64_t bits_per_second);

  [[nodiscard]] bool is_none() const { return ns_per_byte_ == 0; }
  /// How long `bytes` take at this rate. Precondition: not is_none().
  [[nodiscard]] nanoseconds cost_of(std::size_t bytes) const {
    return nanoseconds{static_cast<std::int64_t>(static_cast<double>(bytes) * ns_per_byte_)};
  }
  /// How long what may come at once takes at this rate.
  [[nodiscard]] nanoseconds burst() const { return burst_; }
  /// What it was made of; beyond 2^51 rounded.
  [[nodiscard]] std::uint64_t bits_per_second() const;

 private:
  double ns_per_byte_ = 0;
  nanoseconds burst_{0};
};

/// The account of one stream of bytes, for one thread. Which limit holds may change from call to
/// call; limits that are none let everything pass and are not asked about.
class BandwidthMeter {
 public:
  BandwidthMeter() = default;
  /// One that goes on for another, which said paid_until().
  explicit BandwidthMeter(Instant paid_until) : paid_until_(paid_until) {}

  /// Would `bytes` pass?
  [[nodiscard]] bool has_room(const BandwidthLimit& limit, std::size_t bytes, Instant now) const;
  /// Counts `bytes` that pass, whether or not there is room.
  void add(const BandwidthLimit& limit, std::size_t bytes, Instant now);
  /// When there is room again for a first byte; nothing: now.
  [[nodiscard]] std::optional<Instant> room_at(const BandwidthLimit& limit, Instant now) const;
  /// Up to when all that has passed is paid for.
  [[nodiscard]] Instant paid_until() const { return paid_until_; }

 private:
  Instant paid_until_{};
};

/// The same, shared by threads without a lock. Nothing that passes is counted twice or not at all;
/// a thread whose `now` is behind by some time lets pass less, by what the rate gives in that time.
class SharedBandwidthMeter {
 public:
  /// Counts `bytes` if they pass.
  [[nodiscard]] bool spend(const BandwidthLimit& limit, std::size_t bytes, Instant now);
  /// Takes back what spend() counted under the same limit: it did not pass for other reasons.
  void take_back(const BandwidthLimit& limit, std::size_t bytes);
  void add(const BandwidthLimit& limit, std::size_t bytes, Instant now);
  [[nodiscard]] std::optional<Instant> room_at(const BandwidthLimit& limit, Instant now) const;
  /// Is it as good as new?
  [[nodiscard]] bool is_paid(Instant now) const { return paid_until() <= now; }
  [[nodiscard]] Instant paid_until() const {
    return Instant{nanoseconds{paid_until_.load(std::memory_order_relaxed)}};
  }
  /// Goes on for another one, which said paid_until(). Before anything has passed.
  void go_on(Instant paid_until) {
    paid_until_.store(paid_until.time_since_epoch().count(), std::memory_order_relaxed);
  }

 private:
  std::atomic<Instant::rep> paid_until_{0};  // nanoseconds of an Instant
};

}  // namespace turnpike
