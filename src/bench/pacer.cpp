#include "bench/pacer.h"

#include <algorithm>
#include <chrono>
#include <cmath>

namespace turnpike::bench {
namespace {

using Fraction = std::chrono::duration<double>;

/// A load that was late by more than this does not make up for it: a burst would measure the load.
constexpr Fraction patience{0.02};
constexpr double rounding = 1e-6;
/// Trains at once: between bursts there is time to receive.
constexpr std::uint64_t burst = 32;

}  // namespace

void Pacer::start(Instant now) {
  started_ = now;
  released_ = 0;
  left_out_ = 0;
}

std::uint64_t Pacer::due(Instant now, std::uint64_t on_their_way) {
  if (!rate_) {
    // A few at once, as a batch costs the load less and the server is not woken for each.
    const std::uint64_t free = room_ - std::min(room_, on_their_way);
    return free >= (room_ + 3) / 4 ? std::min(burst, free) : 0;
  }
  const double elapsed = Fraction{now - started_}.count();
  if (elapsed < 0) return 0;
  // The first at once. next() must be late enough, whatever is lost in the last bits.
  const auto due_by_now = static_cast<std::uint64_t>(elapsed * *rate_ + rounding) + 1;
  std::uint64_t behind = due_by_now - std::min(due_by_now, released_);
  const auto backlog_max = static_cast<std::uint64_t>(*rate_ * patience.count()) + burst;
  if (behind > backlog_max) {
    left_out_ += behind - backlog_max;
    released_ += behind - backlog_max;
    behind = backlog_max;
  }
  const std::uint64_t now_due = std::min(behind, burst);
  released_ += now_due;
  return now_due;
}

std::optional<Instant> Pacer::next() const {
  if (!rate_) return std::nullopt;
  const Fraction after{static_cast<double>(released_) / *rate_};
  return started_ + std::chrono::ceil<nanoseconds>(after);
}

}  // namespace turnpike::bench
