#include "turn/challenge_budget.h"

#include <algorithm>

namespace turnpike::turn {

ChallengeBudget::ChallengeBudget(std::uint32_t per_second, HashSeed seed)
    : per_second_(per_second), seed_(seed), table_(per_second == 0 ? 0 : buckets) {}

bool ChallengeBudget::spend(const IpAddress& source, Instant now) {
  if (per_second_ == 0) return true;
  const std::size_t prefix_bytes = source.family() == Family::ipv4 ? 3 : 7;
  Bucket& bucket = table_[hash_bytes(source.bytes().first(prefix_bytes), seed_) % buckets];
  const double full = per_second_;
  if (!bucket.in_use) bucket = Bucket{now, full, true};
  const std::chrono::duration<double> elapsed = now - bucket.filled_at;
  bucket.tokens = std::min(full, bucket.tokens + elapsed.count() * full);
  bucket.filled_at = now;
  if (bucket.tokens < 1) return false;
  bucket.tokens -= 1;
  return true;
}

}  // namespace turnpike::turn
