#include "signaling/rate.h"

#include <algorithm>

namespace turnpike::signaling {

RateMeter::Verdict RateMeter::take(Rate rate, Instant now) {
  if (rate.interval == nanoseconds::zero()) return Verdict::pass;
  full_at_ = std::max(full_at_, now) + rate.interval;
  const nanoseconds bucket = rate.interval * rate.burst;
  if (full_at_ - now <= bucket) return Verdict::pass;
  return full_at_ - now <= 2 * bucket ? Verdict::over : Verdict::flood;
}

milliseconds RateMeter::wait(Rate rate, Instant now) const {
  const nanoseconds too_early = full_at_ + rate.interval - rate.interval * rate.burst - now;
  return std::chrono::ceil<milliseconds>(std::max(too_early, nanoseconds::zero()));
}

JoinBudget::JoinBudget(std::uint32_t per_minute, HashSeed seed)
    : rate_{per_minute == 0 ? nanoseconds::zero() : nanoseconds{seconds{60}} / per_minute,
            per_minute},
      seed_(seed),
      table_(per_minute == 0 ? 0 : buckets) {}

std::size_t JoinBudget::bucket_of(const IpAddress& source) const {
  return hash_of(subscriber_of(source), seed_) % buckets;
}

bool JoinBudget::spend(const IpAddress& source, Instant now) {
  if (table_.empty()) return true;
  RateMeter& meter = table_[bucket_of(source)];
  if (meter.take(rate_, now) == RateMeter::Verdict::pass) return true;
  // Not counted: a client that tries again and again would never come in.
  meter.put_back(rate_);
  return false;
}

milliseconds JoinBudget::wait(const IpAddress& source, Instant now) const {
  return table_.empty() ? milliseconds::zero() : table_[bucket_of(source)].wait(rate_, now);
}

}  // namespace turnpike::signaling
