#include "base/network_budget.h"

#include <algorithm>

namespace turnpike {

bool TokenBucket::spend(std::uint32_t tokens, std::uint32_t per_second, std::uint32_t held_s,
                        Instant now) {
  const double full = static_cast<double>(per_second) * held_s;
  if (!in_use_) {
    tokens_ = full;
    filled_at_ = now;
    in_use_ = true;
  }
  const std::chrono::duration<double> elapsed = now - filled_at_;
  tokens_ = std::min(full, tokens_ + elapsed.count() * per_second);
  filled_at_ = now;
  if (tokens_ < tokens) return false;
  tokens_ -= tokens;
  return true;
}

NetworkBudget::NetworkBudget(std::uint32_t per_second, HashSeed seed)
    : per_second_(per_second), seed_(seed), table_(per_second == 0 ? 0 : buckets) {}

void NetworkBudget::set_rate(std::uint32_t per_second) {
  per_second_ = per_second;
  if (per_second != 0 && table_.empty()) table_.resize(buckets);
}

bool NetworkBudget::spend(const IpAddress& source, Instant now) {
  if (per_second_ == 0) return true;
  const std::size_t prefix_bytes = source.family() == Family::ipv4 ? 3 : 7;
  const std::uint64_t hash = hash_bytes(source.bytes().first(prefix_bytes), seed_);
  return table_[hash % buckets].spend(per_second_, now);
}

}  // namespace turnpike
