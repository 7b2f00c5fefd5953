#include "base/bandwidth.h"

#include <algorithm>
#include <cmath>

namespace turnpike {
namespace {

constexpr double bits_and_ns = 8.0 * 1e9;  // bits of a byte, nanoseconds of a second

/// Up to when all is paid for with `bytes` more.
Instant paid_until_with(Instant paid_until, const BandwidthLimit& limit, std::size_t bytes,
                        Instant now) {
  return std::max(paid_until, now) + limit.cost_of(bytes);
}

bool is_too_much(Instant paid_until, const BandwidthLimit& limit, Instant now) {
  return paid_until - now > limit.burst();
}

std::optional<Instant> room_after(Instant paid_until, const BandwidthLimit& limit, Instant now) {
  if (limit.is_none() || paid_until - limit.burst() <= now) return std::nullopt;
  return paid_until - limit.burst();
}

Instant instant(Instant::rep since) { return Instant{nanoseconds{since}}; }

}  // namespace

BandwidthLimit::BandwidthLimit(std::uint64_t bits_per_second) {
  if (bits_per_second == 0) return;
  constexpr std::size_t least_burst_bytes = 64 * 1024;
  constexpr nanoseconds least_burst = milliseconds{250};
  ns_per_byte_ = bits_and_ns / static_cast<double>(bits_per_second);
  burst_ = std::max(least_burst, cost_of(least_burst_bytes));
}

std::uint64_t BandwidthLimit::bits_per_second() const {
  if (is_none()) return 0;
  constexpr double most = 9e18;
  return static_cast<std::uint64_t>(std::llround(std::min(most, bits_and_ns / ns_per_byte_)));
}

bool BandwidthMeter::has_room(const BandwidthLimit& limit, std::size_t bytes, Instant now) const {
  return limit.is_none() ||
         !is_too_much(paid_until_with(paid_until_, limit, bytes, now), limit, now);
}

void BandwidthMeter::add(const BandwidthLimit& limit, std::size_t bytes, Instant now) {
  if (!limit.is_none()) paid_until_ = paid_until_with(paid_until_, limit, bytes, now);
}

std::optional<Instant> BandwidthMeter::room_at(const BandwidthLimit& limit, Instant now) const {
  return room_after(paid_until_, limit, now);
}

bool SharedBandwidthMeter::spend(const BandwidthLimit& limit, std::size_t bytes, Instant now) {
  if (limit.is_none()) return true;
  Instant::rep before = paid_until_.load(std::memory_order_relaxed);
  for (;;) {
    const Instant after = paid_until_with(instant(before), limit, bytes, now);
    if (is_too_much(after, limit, now)) return false;
    if (paid_until_.compare_exchange_weak(before, after.time_since_epoch().count(),
                                          std::memory_order_relaxed)) {
      return true;
    }
  }
}

void SharedBandwidthMeter::take_back(const BandwidthLimit& limit, std::size_t bytes) {
  if (limit.is_none()) return;
  paid_until_.fetch_sub(limit.cost_of(bytes).count(), std::memory_order_relaxed);
}

void SharedBandwidthMeter::add(const BandwidthLimit& limit, std::size_t bytes, Instant now) {
  if (limit.is_none()) return;
  Instant::rep before = paid_until_.load(std::memory_order_relaxed);
  while (!paid_until_.compare_exchange_weak(
      before, paid_until_with(instant(before), limit, bytes, now).time_since_epoch().count(),
      std::memory_order_relaxed)) {
  }
}

std::optional<Instant> SharedBandwidthMeter::room_at(const BandwidthLimit& limit,
                                                     Instant now) const {
  return room_after(instant(paid_until_.load(std::memory_order_relaxed)), limit, now);
}

}  // namespace turnpike
